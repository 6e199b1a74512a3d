package sim

import (
	"slices"
	"strings"
	"time"
)

// A record is a user, and what else there is to know about it.
type record struct {
	User
	hidden bool   // in a division that the client cannot see
	past   []view // for what lags behind, oldest first
	turn   turn   // of the state

	granted  map[Grant]time.Time // when, of those given at run time
	subject  int                 // the version of the grants
	password time.Time           // when it was set
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
	u, _ := r.seen(now, lag)
	return u
}

// seen is what shown is, and until when; the zero time: until the next change.
func (r *record) seen(now time.Time, lag time.Duration) (u *User, until time.Time) {
	for _, v := range r.past {
		if now.Sub(v.until) < lag {
			return v.user, v.until.Add(lag)
		}
	}
	return &r.User, time.Time{}
}

// A directory is the users of the organization, in the order in which they were made.
type directory struct {
	order   []*record
	byID    map[string]*record
	byEmail map[string]*record // lower case; deleted users keep their address
	moved   []*record          // with an address that was another, which what lags still has, or that a further user has
	memory  time.Duration      // how long the past is kept
	foreign map[foreignKey]*record
	changes int // of anything: what was worked out before the last one does not count
}

// A foreignKey is what another system calls a user.
type foreignKey struct{ authority, key string }

func newDirectory(memory time.Duration) directory {
	return directory{byID: map[string]*record{}, byEmail: map[string]*record{}, foreign: map[foreignKey]*record{}, memory: memory}
}

// add puts a user in who has always been there.
func (d *directory) add(u User) *record {
	r := &record{User: u, turn: turn{version: 1}, subject: 1}
	if old := d.byEmail[strings.ToLower(u.Email)]; old != nil {
		d.moved = append(d.moved, old) // deleted, and still to be found
	}
	d.order = append(d.order, r)
	d.byID[u.ID], d.byEmail[strings.ToLower(u.Email)] = r, r
	d.index(r, nil, u.ExternalIDs)
	d.changes++
	return r
}

// change edits a user and counts its version up. The address must be free.
func (d *directory) change(r *record, now time.Time, edit func(*User)) {
	before := r.clone()
	edit(&r.User)
	r.ID, r.Version = before.ID, before.Version+1
	d.remember(r, &before, now)
	d.changes++
	d.index(r, before.ExternalIDs, r.ExternalIDs)
	r.date(before.Grants, now)
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

// index keeps track of what other systems call a user.
func (d *directory) index(r *record, before, after map[string]string) {
	for authority, key := range before {
		if d.foreign[foreignKey{authority, key}] == r {
			delete(d.foreign, foreignKey{authority, key})
		}
	}
	for authority, key := range after {
		d.foreign[foreignKey{authority, key}] = r
	}
}

// date notes when grants were given.
func (r *record) date(before []Grant, now time.Time) {
	if slices.Equal(before, r.Grants) {
		return
	}
	r.subject++
	for _, g := range r.Grants {
		if !slices.Contains(before, g) {
			if r.granted == nil {
				r.granted = map[Grant]time.Time{}
			}
			r.granted[g] = now
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
	before := r.State
	s.dir.change(r, time.Now(), func(u *User) {
		edit(u)
		s.turned(u, before)
	})
	if before == "deleted" && r.State != before && s.o.RestoreForgets {
		s.leaveAll(r.ID)
	}
	r.Writes++
}

// turned takes away what a user loses with the state before: an inactive one roles of their own, a deleted one these, the
// division, extensions and the default station. None comes back with the state (the vendor's help).
func (s *Server) turned(u *User, before string) {
	switch {
	case u.State == before || s.o.KeepRights && u.State != "active":
	case u.State == "inactive":
		u.Grants = nil
	case u.State == "deleted":
		u.Grants, u.Division, u.Station = nil, homeDivision, ""
		u.Contacts = slices.DeleteFunc(slices.Clone(u.Contacts), func(c Contact) bool { return c.Extension != "" && c.Address == "" })
		for i := range u.Contacts {
			u.Contacts[i].Extension, u.Contacts[i].Pooled = "", false
		}
	}
	if before == "deleted" && u.State != before && s.o.RestoreForgets {
		u.Manager, u.Contacts, u.Certifications = "", nil, nil
		u.Skills, u.Languages, u.ProfileSkills, u.Locations, u.Grants, u.Utilization = nil, nil, nil, nil, nil, nil
	}
}

// changePart edits something that hangs under a user for a request. Whether that counts the user's
// version up nobody outside knows.
func (s *Server) changePart(r *record, edit func(*User)) {
	version := r.Version
	s.change(r, edit)
	if s.o.NoVersionBump {
		r.Version = version
	}
}
