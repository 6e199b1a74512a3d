package sim

import (
	"cmp"
	"maps"
	"slices"
	"time"
)

// enrol makes a user a direct member of a queue or group, and reports whether that is new. The lock is held.
func (s *Server) enrol(k Kind, t *thing, user string) bool {
	if _, is := t.members[user]; is {
		return false
	}
	t.members[user] = true // a new member of a queue is joined
	s.stores[k].of[user] = append(s.stores[k].of[user], t)
	s.dir.changes++
	return true
}

// expel undoes enrol.
func (s *Server) expel(k Kind, t *thing, user string) bool {
	if _, is := t.members[user]; !is {
		return false
	}
	delete(t.members, user)
	delete(t.rings, user)
	s.stores[k].of[user] = slices.DeleteFunc(s.stores[k].of[user], func(other *thing) bool { return other == t })
	s.dir.changes++
	return true
}

// detach undoes what SetMemberGroups does to a queue or a group that is removed.
func (s *Server) detach(t *thing) {
	is := func(other *thing) bool { return other == t }
	for _, group := range t.sources {
		group.feeds = slices.DeleteFunc(group.feeds, is)
	}
	for _, queue := range t.feeds {
		queue.sources = slices.DeleteFunc(queue.sources, is)
	}
	t.sources, t.feeds = nil, nil
}

// Members returns the ids of the direct members of a queue or group, in order: none that a queue has
// through a group, and none whose addition is still under way.
func (s *Server) Members(k Kind, id string) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.runDue(time.Now())
	if t := s.stores[k].live(id); t != nil {
		return slices.Sorted(maps.Keys(t.members))
	}
	return nil
}

// SetMembers makes users the direct members of a queue or group, and nobody else, by hand.
func (s *Server) SetMembers(k Kind, id string, users ...string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.runDue(time.Now())
	t := s.stores[k].live(id)
	if t == nil {
		return false
	}
	for user := range t.members {
		if !slices.Contains(users, user) {
			s.expel(k, t, user)
		}
	}
	for _, user := range users {
		s.enrol(k, t, user)
	}
	t.version++
	return true
}

// SetMemberGroups gives a queue the members of groups, by hand, besides its direct ones.
func (s *Server) SetMemberGroups(queue string, groups ...string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	q := s.stores[Queue].live(queue)
	if q == nil {
		return false
	}
	s.feed(q, groups)
	return true
}

// feed makes the members of groups a queue's.
func (s *Server) feed(q *thing, groups []string) {
	s.detach(q)
	for _, id := range groups {
		if g := s.stores[Group].live(id); g != nil {
			q.sources, g.feeds = append(q.sources, g), append(g.feeds, q)
		}
	}
	s.dir.changes++
}

// SetGiven makes users members of a group by a rule or as owners, and nobody else, by hand. Who is one directly stays one.
func (s *Server) SetGiven(group string, users ...string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	g := s.stores[Group].live(group)
	if g == nil {
		return false
	}
	g.given = map[string]bool{}
	for _, user := range users {
		g.given[user] = true
	}
	g.version++
	s.dir.changes++
	return true
}

// everybody is the members of a queue or group, in whichever way but through another.
func (t *thing) everybody() map[string]bool {
	all := maps.Clone(t.members)
	for user := range t.given {
		all[user] = true
	}
	return all
}

// has reports whether a user is among everybody.
func (t *thing) has(user string) bool {
	_, direct := t.members[user]
	return direct || t.given[user]
}

// groupsWith are the groups that a user is a member of, in whichever way: the direct ones first.
func (s *Server) groupsWith(user string) []*thing {
	all := slices.Clone(s.stores[Group].of[user])
	for _, g := range s.stores[Group].order {
		if g.there && g.given[user] && !slices.Contains(all, g) {
			all = append(all, g)
		}
	}
	return all
}

// SetGroupGrants gives a group roles, by hand, which its members then have.
func (s *Server) SetGroupGrants(group string, grants ...Grant) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	g := s.stores[Group].live(group)
	if g != nil {
		g.grants = slices.Clone(grants)
		s.dir.changes++
	}
	return g != nil
}

// GroupGrants returns the roles that a group gives its members.
func (s *Server) GroupGrants(group string) []Grant {
	s.mu.Lock()
	defer s.mu.Unlock()
	if g := s.stores[Group].live(group); g != nil {
		return slices.Clone(g.grants)
	}
	return nil
}

// A member is a user of a queue or group.
type member struct {
	*record
	direct, joined bool
}

// roster is the members of a queue or group that a client can see, by name. It is worked out once for
// all pages.
func (s *Server) roster(t *thing) []member {
	list, fresh := s.memberLists[t.id].get(s.dir.changes, time.Time{})
	if fresh {
		return list
	}
	list = []member{}
	see := func(user string, direct, joined bool) {
		if s.sees(user) {
			list = append(list, member{s.dir.byID[user], direct, joined})
		}
	}
	for user, joined := range t.members {
		see(user, true, joined)
	}
	for user := range t.given {
		if _, direct := t.members[user]; !direct {
			see(user, false, true)
		}
	}
	seen := map[string]bool{}
	for _, group := range t.sources {
		for user := range group.everybody() {
			if _, direct := t.members[user]; !direct && !seen[user] {
				seen[user] = true
				see(user, false, true)
			}
		}
	}
	slices.SortFunc(list, func(a, b member) int { return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.ID, b.ID)) })
	s.memberLists[t.id] = cached[member]{changes: s.dir.changes, list: list}
	return list
}

// sees reports whether the client sees a user as a member.
func (s *Server) sees(user string) bool {
	r := s.dir.byID[user]
	return r != nil && !r.hidden && r.State != "deleted"
}

// through reports whether a user is a member of a queue through a group.
func (t *thing) through(user string) bool {
	return slices.ContainsFunc(t.sources, func(g *thing) bool { return g.has(user) })
}

// queuesOf are the queues that a user is a member of, in whichever way.
func (s *Server) queuesOf(user string) []*thing {
	all := slices.Clone(s.stores[Queue].of[user])
	for _, group := range s.groupsWith(user) {
		for _, q := range group.feeds {
			if !slices.Contains(all, q) {
				all = append(all, q)
			}
		}
	}
	return all
}

// leaveAll takes a user out of every queue and group.
func (s *Server) leaveAll(user string) {
	for _, k := range []Kind{Queue, Group} {
		for _, t := range slices.Clone(s.stores[k].of[user]) {
			s.expel(k, t, user)
		}
	}
}
