package sim

import "strings"

// wireOrgRole is DomainOrganizationRole. Policies are there on demand in the API, and never here.
type wireOrgRole struct {
	ID          string   `json:"id"`
	Name        string   `json:"name"`
	DefaultID   string   `json:"defaultRoleId,omitempty"`
	Permissions []string `json:"permissions"`
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
	return paged(req, all, func(t listed) wireOrgRole {
		w := wireOrgRole{t.id, t.name, t.defaultID, append([]string{}, t.allows...), nil, false, t.defaultID != "", "/api/v2/authorization/roles/" + t.id}
		if count {
			n := len(s.usersWith(t.id))
			w.UserCount = &n
		}
		return w
	})
}
