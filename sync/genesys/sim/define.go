package sim

import (
	"slices"
	"time"
)

// Define adds a skill, queue or whatever else users refer to, as somebody in the administration's pages
// would, and returns its id. A name that may be there only once is not added again.
func (s *Server) Define(k Kind, name string) (id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f := s.stores[k]
	if t := f.named(name); t != nil && k.unique() {
		return t.id
	}
	t := f.put(s.newID())
	t.become(label{name, true}, time.Now())
	s.dir.changes++
	return t.id
}

// IDOf returns the id of the first of a kind with a name; "": there is none.
func (s *Server) IDOf(k Kind, name string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if t := s.stores[k].named(name); t != nil {
		return t.id
	}
	return ""
}

// NameOf returns the name of one of a kind; "": there is none.
func (s *Server) NameOf(k Kind, id string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if t := s.stores[k].live(id); t != nil {
		return t.name
	}
	return ""
}

// Rename gives one of a kind another name, by hand. It reports whether there is such a one.
func (s *Server) Rename(k Kind, id, name string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.stores[k].live(id)
	if t != nil {
		t.become(label{name, true}, time.Now())
		s.dir.changes++
	}
	return t != nil
}

// Remove deletes one of a kind, by hand: users lose it, and the grants that name it are gone. A
// division's users go home. It reports whether there was such a one.
func (s *Server) Remove(k Kind, id string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.remove(k, id)
}

// remove is Remove with the lock held.
func (s *Server) remove(k Kind, id string) bool {
	t := s.stores[k].live(id)
	if t == nil || k == Division && id == homeDivision {
		return false
	}
	t.become(label{t.name, false}, time.Now())
	for user := range t.members {
		s.expel(k, t, user)
	}
	s.detach(t)
	t.grants = nil
	names := func(g Grant) bool { return k == Role && g.Role == id || k == Division && g.Division == id }
	for _, g := range s.stores[Group].order {
		g.grants = slices.DeleteFunc(g.grants, names)
	}
	for _, r := range s.dir.order {
		if r.refers(k, id) {
			s.byHand(r, func(u *User) { u.forget(k, id, names) })
		}
	}
	s.dir.changes++
	return true
}

// refers reports whether a user has one of a kind.
func (u *User) refers(k Kind, id string) bool {
	has := false
	switch k {
	case Skill:
		_, has = u.Skills[id]
	case Language:
		_, has = u.Languages[id]
	case Location:
		has = slices.ContainsFunc(u.Locations, func(p Place) bool { return p.ID == id })
	case Role:
		has = slices.ContainsFunc(u.Grants, func(g Grant) bool { return g.Role == id })
	case Division:
		has = u.Division == id || slices.ContainsFunc(u.Grants, func(g Grant) bool { return g.Division == id })
	}
	return has
}

func (u *User) forget(k Kind, id string, names func(Grant) bool) {
	switch k {
	case Skill:
		delete(u.Skills, id)
	case Language:
		delete(u.Languages, id)
	case Location:
		u.Locations = slices.DeleteFunc(u.Locations, func(p Place) bool { return p.ID == id })
	case Role, Division:
		u.Grants = slices.DeleteFunc(u.Grants, names)
		if u.Division == id {
			u.Division = homeDivision
		}
	}
}
