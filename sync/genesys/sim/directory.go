package sim

import (
	"slices"
	"strings"
	"time"
)

// A User is one user as the organization stores it.
type User struct {
	ID, Name, Email, State                              string // State: active, inactive, deleted
	Title, Department, PreferredName, Username, Manager string // Manager is a user's id; no Username: Email
	Division                                            string
	ACDAutoAnswer                                       bool
	Certifications                                      []string
	Employer                                            Employer
	Contacts                                            []Contact
	Biography                                           string // nobody's business: it must survive everything
	Version                                             int

	Writes int // requests that changed this user
}

// Employer is EmployerInfo.
type Employer struct {
	OfficialName string `json:"officialName,omitempty"`
	EmployeeID   string `json:"employeeId,omitempty"`
	EmployeeType string `json:"employeeType,omitempty"`
	DateHire     string `json:"dateHire,omitempty"`
}

func (u *User) clone() User {
	c := *u
	c.Certifications, c.Contacts = slices.Clone(u.Certifications), slices.Clone(u.Contacts)
	return c
}

// A record is a user, and what else there is to know about it.
type record struct {
	User
	hidden bool   // in a division that the client cannot see
	past   []view // for what lags behind, oldest first
	turn   turn   // of the state
}

// A view is what a user was until then; nil: it was not there.
type view struct {
	user  *User
	until time.Time
}

// A turn is the last change of a user's state. Its version is a counter of its own.
type turn struct {
	version int
	reason  string
	date    time.Time
}

// shown is the user as something that lags shows it; nil: not yet.
func (r *record) shown(now time.Time, lag time.Duration) *User {
	for _, v := range r.past {
		if now.Sub(v.until) < lag {
			return v.user
		}
	}
	return &r.User
}

// A directory is the users of the organization, in the order in which they were made.
type directory struct {
	order   []*record
	byID    map[string]*record
	byEmail map[string]*record // lower case; deleted users keep their address
	moved   []*record          // with an address that was another: what lags still has that
	memory  time.Duration      // how long the past is kept
}

func newDirectory(memory time.Duration) directory {
	return directory{byID: map[string]*record{}, byEmail: map[string]*record{}, memory: memory}
}

// add puts a user in who has always been there.
func (d *directory) add(u User) *record {
	r := &record{User: u, turn: turn{version: 1}}
	d.order = append(d.order, r)
	d.byID[u.ID], d.byEmail[strings.ToLower(u.Email)] = r, r
	return r
}

// change edits a user and counts its version up. The address must be free.
func (d *directory) change(r *record, now time.Time, edit func(*User)) {
	before := r.clone()
	edit(&r.User)
	r.ID, r.Version = before.ID, before.Version+1
	d.remember(r, &before, now)
	if r.State != before.State {
		r.turn = turn{version: r.turn.version + 1, date: now}
	}
	if old, fresh := strings.ToLower(before.Email), strings.ToLower(r.Email); old != fresh {
		delete(d.byEmail, old)
		d.byEmail[fresh] = r
		if !slices.Contains(d.moved, r) {
			d.moved = append(d.moved, r)
		}
	}
}

// remember keeps what a user was until now, for as long as something may show it.
func (d *directory) remember(r *record, before *User, now time.Time) {
	r.past = slices.DeleteFunc(r.past, func(v view) bool { return now.Sub(v.until) >= d.memory })
	if d.memory > 0 {
		r.past = append(r.past, view{before, now})
	}
}

// change edits a user for a request. The lock is held.
func (s *Server) change(r *record, edit func(*User)) {
	gone := r.State == "deleted"
	s.dir.change(r, time.Now(), func(u *User) {
		edit(u)
		if gone && u.State != "deleted" && s.o.RestoreForgets {
			u.Manager, u.Contacts, u.Certifications = "", nil, nil
		}
	})
	r.Writes++
}
