package sim

import (
	"net/http"
	"slices"
	"strings"
)

// wireOrgRole is DomainOrganizationRole. Policies are there on demand in the API's listing, and never in this one.
type wireOrgRole struct {
	ID          string   `json:"id"`
	Name        string   `json:"name"`
	DefaultID   string   `json:"defaultRoleId,omitempty"`
	Permissions []string `json:"permissions"`
	Policies    []policy `json:"permissionPolicies,omitempty"`
	UserCount   *int     `json:"userCount,omitempty"`
	Base        bool     `json:"base"`
	Default     bool     `json:"default"`
	SelfURI     string   `json:"selfUri"`
}

// listRoles counts the users of each role unless it is told not to.
func (s *Server) listRoles(req *request) answer {
	if bad := s.catalogRequest(req, "authorization:role:view", "name", "userCount", "sortBy"); bad != nil {
		return *bad
	}
	count, bad := truth(req, "userCount", true)
	if bad != nil {
		return *bad
	}
	all, bad := s.catalog(req, Role, strings.Contains)
	if bad != nil {
		return *bad
	}
	return paged(req, all, func(t listed) wireOrgRole { return s.wireOrgRole(t, count) })
}

func (s *Server) wireOrgRole(t listed, count bool) wireOrgRole {
	w := wireOrgRole{t.id, t.name, t.defaultID, append([]string{}, t.allows...), nil, nil, false, t.defaultID != "", "/api/v2/authorization/roles/" + t.id}
	if count {
		n := len(s.usersWith(t.id))
		w.UserCount = &n
	}
	return w
}

// policy is DomainPermissionPolicy: what may be done to what.
type policy struct {
	Domain  string   `json:"domain"`
	Entity  string   `json:"entityName"`
	Actions []string `json:"actionSet"`
}

// getRole is GET /authorization/roles/{role}, with its policies.
func (s *Server) getRole(req *request) answer {
	if a := s.permitted("authorization:role:view"); a != nil {
		return *a
	}
	if bad := onlyQuery(req, "userCount"); bad != nil {
		return *bad
	}
	count, bad := truth(req, "userCount", true)
	if bad != nil {
		return *bad
	}
	role := s.stores[Role].live(req.PathValue("role"))
	if role == nil {
		return notFound()
	}
	w := s.wireOrgRole(listed{role, role.name}, count)
	w.Policies = s.policies(role)
	return answer{status: http.StatusOK, body: w}
}

// policies are a role's: of the client's own all that it may do, of others what they allow.
func (s *Server) policies(role *thing) []policy {
	allows := role.allows
	if role.id == clientRole {
		allows = slices.DeleteFunc(Permissions(), func(p string) bool { return !s.allowed(p) })
	}
	list := []policy{}
	for _, p := range allows {
		part := strings.SplitN(p, ":", 3)
		i := slices.IndexFunc(list, func(have policy) bool { return have.Domain == part[0] && have.Entity == part[1] })
		if i < 0 {
			list = append(list, policy{part[0], part[1], nil})
			i = len(list) - 1
		}
		list[i].Actions = append(list[i].Actions, part[2])
	}
	return list
}
