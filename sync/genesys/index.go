package genesys

import (
	"sync"

	"usersyncd/spec"
	"usersyncd/state"
)

// An index finds the id behind a user's address. An address belongs to one user at a time, deleted ones
// included; should two claim it, one of them was purged, and the one that lives counts.
type index struct {
	mu   sync.RWMutex
	ids  map[string]entry  // by key of the address
	keys map[string]string // by id
}

type entry struct {
	id   string
	live bool
}

// reset forgets everything but the users given.
func (x *index) reset(known map[string]*state.User) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.ids, x.keys = make(map[string]entry, len(known)), make(map[string]string, len(known))
	for id, u := range known {
		x.put(id, u.Fields)
	}
}

// learn takes over what an answer shows.
func (x *index) learn(users ...state.Observed) {
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, u := range users {
		x.put(u.ID, u.Fields)
	}
}

func (x *index) put(id string, f spec.Fields) {
	email, err := spec.Decode[string](f[spec.Email])
	if err != nil || email == "" {
		return
	}
	now := entry{id: id, live: f[spec.State] != spec.Text("deleted")}
	key := spec.Key(email)
	if old := x.keys[id]; old != key && x.ids[old].id == id {
		delete(x.ids, old)
	}
	x.keys[id] = key
	if old, taken := x.ids[key]; !taken || old.id == id || now.live || !old.live {
		x.ids[key] = now
	}
}

// id returns the id of the user that has the address, or "".
func (x *index) id(key string) string {
	x.mu.RLock()
	defer x.mu.RUnlock()
	return x.ids[key].id
}

// size is how many users are known.
func (x *index) size() int {
	x.mu.RLock()
	defer x.mu.RUnlock()
	return len(x.keys)
}
