package sim

import (
	"net/http"
	"slices"
	"time"
)

// grantRoute is a POST without a body.
const grantRoute = "POST /api/v2/authorization/subjects/{id}/divisions/{division}/roles/{role}"

// grantList is RoleDivisionGrants.
type grantList struct {
	Grants []struct {
		Role     string `json:"roleId"`
		Division string `json:"divisionId"`
	} `json:"grants"`
}

// grantable reports whether there is such a division, or it is all of them.
func (s *Server) grantable(division string) bool {
	return division == AllDivisions || s.stores[Division].live(division) != nil
}

// known reports whether the service of grants knows a role and a division. Its cache is as far behind as
// the listings are (the vendor's Terraform provider repeats what is 404 until it has caught up).
func (s *Server) known(g Grant) bool {
	role, division := s.stores[Role].live(g.Role), s.stores[Division].live(g.Division)
	now := time.Now()
	return role != nil && role.shown(now, s.o.CatalogLag).there &&
		(g.Division == AllDivisions || division != nil && division.shown(now, s.o.CatalogLag).there)
}

// readGrants reads a list of grants for one of the bulk writes.
func (s *Server) readGrants(req *request, permissions ...string) (*record, []Grant, *answer) {
	for _, p := range permissions {
		if a := s.permitted(p); a != nil {
			return nil, nil, a
		}
	}
	if bad := onlyQuery(req, "subjectType"); bad != nil {
		return nil, nil, bad
	}
	if _, bad := oneOf(req, "subjectType", "PC_USER", "PC_USER"); bad != nil {
		return nil, nil, bad // groups and clients are no subjects of a write here
	}
	var body grantList
	if bad := s.decode(req, &body); bad != nil {
		return nil, nil, bad
	}
	r, bad := s.owner(req)
	if bad != nil {
		return nil, nil, bad
	}
	if body.Grants == nil {
		return nil, nil, invalid("grants is required")
	}
	if s.o.GrantBatch > 0 && len(body.Grants) > s.o.GrantBatch {
		return nil, nil, invalid("%d grants are more than the maximum of %d", len(body.Grants), s.o.GrantBatch)
	}
	list := []Grant{}
	for _, pair := range body.Grants {
		g := Grant{pair.Role, pair.Division}
		if g.Role == "" || g.Division == "" {
			return nil, nil, invalid("A grant needs a roleId and a divisionId")
		}
		if !s.known(g) {
			a := notFound()
			return nil, nil, &a
		}
		if !slices.Contains(list, g) {
			list = append(list, g)
		}
	}
	return r, list, nil
}

var noContent = answer{status: http.StatusNoContent}

func (s *Server) bulkAdd(req *request) answer {
	r, list, bad := s.readGrants(req, "authorization:grant:add")
	if bad != nil {
		return *bad
	}
	s.changePart(r, func(u *User) { u.grant(list...) })
	return noContent
}

// bulkReplace makes the list the user's own grants; those of groups are not the user's.
func (s *Server) bulkReplace(req *request) answer {
	r, list, bad := s.readGrants(req, "authorization:grant:add", "authorization:grant:delete")
	if bad != nil {
		return *bad
	}
	s.changePart(r, func(u *User) { u.Grants = list })
	return noContent
}

// bulkRemove takes all away or nothing.
func (s *Server) bulkRemove(req *request) answer {
	r, list, bad := s.readGrants(req, "authorization:grant:delete")
	if bad != nil {
		return *bad
	}
	for _, g := range list {
		if !slices.Contains(r.Grants, g) {
			return notFound()
		}
	}
	s.changePart(r, func(u *User) { u.revoke(list...) })
	return noContent
}

func (s *Server) addGrant(req *request) answer {
	if a := s.permitted("authorization:grant:add"); a != nil {
		return *a
	}
	if bad := onlyQuery(req, "subjectType"); bad != nil {
		return *bad
	}
	r, bad := s.owner(req)
	if bad != nil {
		return *bad
	}
	g := Grant{req.PathValue("role"), req.PathValue("division")}
	if !s.known(g) {
		return notFound()
	}
	s.changePart(r, func(u *User) { u.grant(g) })
	return noContent
}

func (s *Server) removeGrant(req *request) answer {
	if a := s.permitted("authorization:grant:delete"); a != nil {
		return *a
	}
	r, bad := s.owner(req)
	if bad != nil {
		return *bad
	}
	g := Grant{req.PathValue("role"), req.PathValue("division")}
	if !slices.Contains(r.Grants, g) {
		return notFound()
	}
	s.changePart(r, func(u *User) { u.revoke(g) })
	return noContent
}

func (u *User) grant(list ...Grant) {
	for _, g := range list {
		if !slices.Contains(u.Grants, g) {
			u.Grants = append(u.Grants, g)
		}
	}
}

func (u *User) revoke(list ...Grant) {
	u.Grants = slices.DeleteFunc(u.Grants, func(g Grant) bool { return slices.Contains(list, g) })
}

func (s *Server) getRoles(req *request) answer {
	if a := s.permitted("authorization:grant:view"); a != nil {
		return *a
	}
	r, bad := s.owner(req)
	if bad != nil {
		return *bad
	}
	return answer{status: http.StatusOK, body: s.authorization(r, time.Now())}
}

// putRoles replaces the user's own grants by roles in the home division: this call knows no divisions.
func (s *Server) putRoles(req *request) answer {
	if a := s.permitted("authorization:grant:add"); a != nil {
		return *a
	}
	var roles []string
	if bad := s.decode(req, &roles); bad != nil {
		return *bad
	}
	if roles == nil {
		return *invalid("The body must be a list of roles")
	}
	r, bad := s.owner(req)
	if bad != nil {
		return *bad
	}
	list := []Grant{}
	for _, role := range roles {
		g := Grant{role, homeDivision}
		if !s.known(g) {
			return notFound()
		}
		list = append(list, g)
	}
	s.changePart(r, func(u *User) {
		u.Grants = nil
		u.grant(list...)
	})
	return answer{status: http.StatusOK, body: s.authorization(r, time.Now())}
}
