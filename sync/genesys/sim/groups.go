package sim

import "net/http"

// groupBatch is "a maximum of 50 members are allowed per request".
const groupBatch = 50

// aGroup finds the group of a request.
func (s *Server) aGroup(req *request) (*thing, *answer) {
	g := s.stores[Group].live(req.PathValue("group"))
	if g == nil {
		a := notFound()
		return nil, &a
	}
	return g, nil
}

func (s *Server) getGroup(req *request) answer {
	g, bad := s.aGroup(req)
	if bad != nil {
		return *bad
	}
	return answer{status: http.StatusOK, body: s.group(listed{g, g.name})}
}

func (s *Server) listGroupMembers(req *request) answer {
	if bad := onlyQuery(req, "pageSize", "pageNumber", "sortOrder", "expand"); bad != nil {
		return *bad
	}
	expand, bad := expandOf(req)
	if bad != nil {
		return *bad
	}
	g, bad := s.aGroup(req)
	if bad != nil {
		return *bad
	}
	all := append([]member{}, s.roster(g)...)
	if bad := inOrder(req, all); bad != nil {
		return *bad
	}
	return paged(req, all, func(m member) wireUser { return s.wire(&m.User, expand) })
}

// listIndividuals shows those whom requests add and remove, all at once.
func (s *Server) listIndividuals(req *request) answer {
	if bad := onlyQuery(req); bad != nil {
		return *bad
	}
	g, bad := s.aGroup(req)
	if bad != nil {
		return *bad
	}
	p := page[wireUser]{Entities: []wireUser{}, PageNumber: 1}
	for _, m := range s.roster(g) {
		if m.direct {
			p.Entities = append(p.Entities, s.wire(&m.User, nil))
		}
	}
	p.Total = len(p.Entities)
	p.PageSize = max(p.Total, defaultPage)
	p.finish(req)
	return answer{status: http.StatusOK, body: p}
}

// addGroupMembers needs the group's current version, and counts it up. Who is a member stays one.
func (s *Server) addGroupMembers(req *request) answer {
	if a := s.permitted("directory:group:edit"); a != nil {
		return *a
	}
	var body struct {
		MemberIDs []string `json:"memberIds"`
		Version   *int     `json:"version"`
	}
	if bad := s.decode(req, &body); bad != nil {
		return *bad
	}
	g, bad := s.aGroup(req)
	if bad != nil {
		return *bad
	}
	if body.Version == nil {
		return *invalid("version is required")
	}
	if *body.Version != g.version {
		return *s.mismatch(*body.Version, g.version)
	}
	if bad := s.checkBatch(body.MemberIDs); bad != nil {
		return *bad
	}
	for _, id := range body.MemberIDs {
		if s.dir.byID[id].State == "deleted" {
			return *invalid("user [%s] cannot be a member", id)
		}
	}
	for _, id := range body.MemberIDs {
		if s.enrol(Group, g, id) {
			s.dir.byID[id].Writes++
		}
	}
	g.version++
	return answer{status: http.StatusOK, body: struct{}{}}
}

// removeGroupMembers needs no version, and counts it up. Who is no member is none.
func (s *Server) removeGroupMembers(req *request) answer {
	if a := s.permitted("directory:group:edit"); a != nil {
		return *a
	}
	if bad := onlyQuery(req, "ids"); bad != nil {
		return *bad
	}
	g, bad := s.aGroup(req)
	if bad != nil {
		return *bad
	}
	ids := list(req, "ids")
	if bad := s.checkBatch(ids); bad != nil {
		return *bad
	}
	for _, id := range ids {
		if s.expel(Group, g, id) {
			s.dir.byID[id].Writes++
		}
	}
	g.version++
	return answer{status: http.StatusOK, body: struct{}{}}
}

func (s *Server) checkBatch(ids []string) *answer {
	if len(ids) == 0 || len(ids) > groupBatch {
		return invalid("%d members are not between 1 and the maximum of %d", len(ids), groupBatch)
	}
	for _, id := range ids {
		if r := s.dir.byID[id]; r == nil || r.hidden {
			return invalid("user [%s] does not exist", id)
		}
	}
	return nil
}
