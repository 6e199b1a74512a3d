package sim

import (
	"maps"
	"slices"
	"strings"
	"time"
)

// A Ledger is what the server was asked for, and what it answered.
type Ledger struct {
	Calls     map[string]map[int]int `json:"calls"`     // by "PATCH /api/v2/users/{id}", then by status; 0: no answer
	Tokens    int                    `json:"tokens"`    // given out
	Throttled int                    `json:"throttled"` // 429 of the quota
	Creates   map[string]int         `json:"creates"`   // by address: creations asked for
	Unreal    []string               `json:"unreal"`    // requests for what the API does not have
	Log       []string               `json:"log"`       // the last 1,000 answered, in that order: "PATCH /api/v2/users/..."
}

// logged is how many lines of the log are kept.
const logged = 1000

func (l *Ledger) reset() {
	*l = Ledger{Calls: map[string]map[int]int{}, Creates: map[string]int{}}
}

// record writes an answer down. Twice the log is kept, so that it is seldom moved.
func (l *Ledger) record(name, line string, status int) {
	if len(l.Log) == 2*logged {
		l.Log = append(l.Log[:0], l.Log[logged:]...)
	}
	l.Log = append(l.Log, line)
	if l.Calls[name] == nil {
		l.Calls[name] = map[int]int{}
	}
	l.Calls[name][status]++
}

// Count adds up the calls of a name, of all statuses or of those given.
func (l Ledger) Count(name string, statuses ...int) int {
	n := 0
	for status, calls := range l.Calls[name] {
		if len(statuses) == 0 || slices.Contains(statuses, status) {
			n += calls
		}
	}
	return n
}

// Ledger returns a copy of the ledger.
func (s *Server) Ledger() Ledger {
	s.mu.Lock()
	defer s.mu.Unlock()
	l := s.ledger
	l.Calls, l.Creates, l.Unreal = map[string]map[int]int{}, maps.Clone(l.Creates), slices.Clone(l.Unreal)
	l.Log = slices.Clone(l.Log[max(len(l.Log)-logged, 0):])
	for name, calls := range s.ledger.Calls {
		l.Calls[name] = maps.Clone(calls)
	}
	return l
}

// ResetLedger begins a new ledger.
func (s *Server) ResetLedger() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ledger.reset()
}

// Users returns a copy of every user, in the order in which they were made.
func (s *Server) Users() []User {
	s.mu.Lock()
	defer s.mu.Unlock()
	users := make([]User, len(s.dir.order))
	for i, r := range s.dir.order {
		users[i] = r.clone()
	}
	return users
}

// User returns a copy of the user with the address.
func (s *Server) User(email string) (User, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r := s.dir.byEmail[strings.ToLower(email)]; r != nil {
		return r.clone(), true
	}
	return User{}, false
}

// Edit changes a user as somebody in the administration's pages would: the version counts up. It
// reports whether there is such a user.
func (s *Server) Edit(email string, edit func(*User)) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.dir.byEmail[strings.ToLower(email)]
	if r != nil {
		s.byHand(r, edit)
	}
	return r != nil
}

// byHand is no write of a client. The lock is held.
func (s *Server) byHand(r *record, edit func(*User)) {
	s.dir.change(r, time.Now(), func(u *User) {
		unset, before := u.Voicemail, u.State
		u.Voicemail = unset.OrDefault() // what the edit does not name is as it reads
		standard := u.Voicemail
		if edit(u); u.Voicemail == standard {
			u.Voicemail = unset
		}
		s.turned(u, before)
	})
}

// Add puts a user into the organization; what is empty and must not be is made up. The address must be free.
func (s *Server) Add(u User) User {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.add(u).clone()
}

func (s *Server) add(u User) *record {
	if u.ID == "" {
		u.ID = s.newID()
	}
	if u.State == "" {
		u.State = "active"
	}
	if u.Division == "" {
		u.Division = homeDivision
	}
	u.Version = max(u.Version, 1)
	return s.dir.add(u)
}
