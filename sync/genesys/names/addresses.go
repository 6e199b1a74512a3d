package names

import (
	"sync"

	"usersyncd/spec"
	"usersyncd/state"
)

// Addresses finds the id behind a user's address. An address belongs to one user at a time, deleted ones
// included; should two claim it, one of them was purged, and the one that is not deleted counts.
type Addresses struct {
	mu   sync.RWMutex
	ids  map[string]entry  // by key of the address
	keys map[string]string // by id
}

type entry struct {
	id   string
	live bool
}

// Reset forgets everything but the users given.
func (a *Addresses) Reset(known map[string]*state.User) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.ids, a.keys = make(map[string]entry, len(known)), make(map[string]string, len(known))
	for id, u := range known {
		a.put(id, u.Fields)
	}
}

// Learn records what an answer shows.
func (a *Addresses) Learn(users ...state.Observed) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, u := range users {
		a.put(u.ID, u.Fields)
	}
}

func (a *Addresses) put(id string, f spec.Fields) {
	key := spec.Key(f.Get(spec.Email).Text())
	if key == "" {
		return
	}
	now := entry{id: id, live: f.Get(spec.State) != spec.Text("deleted")}
	if old := a.keys[id]; old != key && a.ids[old].id == id {
		delete(a.ids, old)
	}
	a.keys[id] = key
	if old, taken := a.ids[key]; !taken || old.id == id || now.live || !old.live {
		a.ids[key] = now
	}
}

// ID returns the id of the user that has the address, or "".
func (a *Addresses) ID(key string) string {
	a.mu.RLock()
	defer a.mu.RUnlock()
	return a.ids[key].id
}

// Len is how many users are known.
func (a *Addresses) Len() int {
	a.mu.RLock()
	defer a.mu.RUnlock()
	return len(a.keys)
}
