package sim

import (
	"net/http"
	"slices"
	"time"
)

// wireGrant is AuthzGrant. A grant that a user has through a group has the group's id as its subject.
type wireGrant struct {
	SubjectID string       `json:"subjectId"`
	Division  wireDivision `json:"division"`
	Role      wireRef      `json:"role"`
	MadeAt    time.Time    `json:"grantMadeAt"`
}

// wireSubject is AuthzSubject.
type wireSubject struct {
	ID      string      `json:"id"`
	Name    string      `json:"name"`
	Grants  []wireGrant `json:"grants"`
	Version int         `json:"version"`
	SelfURI string      `json:"selfUri"`
}

// longAgo is when the grants were made that have always been there.
var longAgo = time.Date(2024, time.January, 2, 9, 0, 0, 0, time.UTC)

// A held grant is one with its subject, a user or a group.
type held struct {
	Grant
	subject string
	made    time.Time
}

// ownGrants are a user's grants as reads show them, and until when they show the past.
func (s *Server) ownGrants(r *record, now time.Time) (list []held, until time.Time) {
	u, until := r.seen(now, s.o.GrantLag)
	if u == nil {
		return nil, until
	}
	for _, g := range u.Grants {
		made, ok := r.granted[g]
		if !ok {
			made = longAgo
		}
		list = append(list, held{g, u.ID, made.UTC()})
	}
	return list, until
}

// grantsOf are the grants that a user has, own ones first, then those of groups.
func (s *Server) grantsOf(r *record, now time.Time) []held {
	list, _ := s.ownGrants(r, now)
	for _, group := range s.groupsWith(r.ID) {
		for _, g := range group.grants {
			list = append(list, held{g, group.id, longAgo})
		}
	}
	return list
}

func (s *Server) wireGrant(h held) wireGrant {
	role := wireRef{h.Role, s.stores[Role].nameOf(h.Role), "/api/v2/authorization/roles/" + h.Role}
	return wireGrant{h.subject, s.wireDivision(h.Division), role, h.made}
}

// getSubject is GET /authorization/subjects/{id}. Without the duplicates a grant is there once, as the
// user's own if it is that, too.
func (s *Server) getSubject(req *request) answer {
	if a := s.permitted("authorization:grant:view"); a != nil {
		return *a
	}
	if bad := onlyQuery(req, "includeDuplicates"); bad != nil {
		return *bad
	}
	all, bad := truth(req, "includeDuplicates", false)
	if bad != nil {
		return *bad
	}
	if id := req.PathValue("id"); id == s.o.ClientID {
		w := wireSubject{id, clientName, []wireGrant{}, 1, "/api/v2/authorization/subjects/" + id}
		for _, g := range s.clientGrants() {
			w.Grants = append(w.Grants, s.wireGrant(held{g, id, longAgo}))
		}
		return answer{status: http.StatusOK, body: w}
	}
	r, bad := s.owner(req)
	if bad != nil {
		return *bad
	}
	w := wireSubject{r.ID, r.Name, []wireGrant{}, r.subject, "/api/v2/authorization/subjects/" + r.ID}
	seen := map[Grant]bool{}
	for _, h := range s.grantsOf(r, time.Now()) {
		if all || !seen[h.Grant] {
			seen[h.Grant] = true
			w.Grants = append(w.Grants, s.wireGrant(h))
		}
	}
	return answer{status: http.StatusOK, body: w}
}

// listGrants is GET /authorization/divisions/{division}/grants: of all subjects, groups too, what they
// were given in this division. What a user has through a group is the group's.
func (s *Server) listGrants(req *request) answer {
	if a := s.permitted("authorization:grant:view"); a != nil {
		return *a
	}
	if bad := onlyQuery(req, "pageSize", "pageNumber"); bad != nil {
		return *bad
	}
	division := req.PathValue("division")
	if !s.grantable(division) || division == AllDivisions && s.o.NoGlobalGrants {
		return notFound()
	}
	p, bad := pageOf(req, largestPage, s.grantsIn(division), s.wireGrant)
	if bad != nil {
		return *bad
	}
	p.bare()
	return answer{status: http.StatusOK, body: p}
}

// grantsIn are the grants of a division, worked out once for all pages.
func (s *Server) grantsIn(division string) []held {
	now := time.Now()
	if list, fresh := s.grantLists[division].get(s.dir.changes, now); fresh {
		return list
	}
	k := cached[held]{changes: s.dir.changes, list: []held{}}
	in := func(h held) bool { return h.Division == division }
	for _, r := range s.dir.order {
		if r.hidden || r.State == "deleted" {
			continue
		}
		own, until := s.ownGrants(r, now)
		k.expires(until)
		k.list = append(k.list, slices.DeleteFunc(own, func(h held) bool { return !in(h) })...)
	}
	for _, group := range s.stores[Group].order {
		for _, g := range group.grants {
			if h := (held{g, group.id, longAgo}); in(h) {
				k.list = append(k.list, h)
			}
		}
	}
	s.grantLists[division] = k
	return k.list
}

// wireUserRef is UserReference.
type wireUserRef struct {
	ID      string `json:"id"`
	SelfURI string `json:"selfUri"`
}

// listRoleUsers is GET /authorization/roles/{role}/users, in whichever division and way they have it.
func (s *Server) listRoleUsers(req *request) answer {
	if a := s.permitted("authorization:role:view"); a != nil {
		return *a
	}
	if bad := onlyQuery(req, "pageSize", "pageNumber"); bad != nil {
		return *bad
	}
	role := s.stores[Role].live(req.PathValue("role"))
	if role == nil {
		return notFound()
	}
	p, bad := pageOf(req, largestPage, s.usersWith(role.id), func(id string) wireUserRef { return wireUserRef{id, "/api/v2/users/" + id} })
	if bad != nil {
		return *bad
	}
	p.bare()
	return answer{status: http.StatusOK, body: p}
}

// usersWith are the users who have a role, worked out once for all pages.
func (s *Server) usersWith(role string) []string {
	now := time.Now()
	if list, fresh := s.holderLists[role].get(s.dir.changes, now); fresh {
		return list
	}
	k := cached[string]{changes: s.dir.changes, list: []string{}}
	for _, r := range s.dir.order {
		_, until := r.seen(now, s.o.GrantLag)
		k.expires(until)
		if !r.hidden && r.State != "deleted" && slices.ContainsFunc(s.grantsOf(r, now), func(h held) bool { return h.Role == role }) {
			k.list = append(k.list, r.ID)
		}
	}
	s.holderLists[role] = k
	return k.list
}
