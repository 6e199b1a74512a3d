package sim

import (
	"net/http"
	"slices"
	"strings"
)

// The OAuth client itself: who it is, and by which role it may do what it may. No user has that role.
const (
	clientName     = "usersyncd"
	clientRole     = "70000000-0000-4000-8000-0000000000c1"
	clientRoleName = "User sync"
)

// Permissions lists those that this server asks for.
func Permissions() []string {
	return []string{
		"authorization:grant:add", "authorization:grant:delete", "authorization:grant:view",
		"authorization:role:view",
		"directory:group:edit",
		"directory:user:add", "directory:user:delete", "directory:user:edit", "directory:user:setPassword", "directory:user:view",
		"directory:userProfile:edit", "directory:userProfile:view",
		"directory:userStateChange:view",
		"oauth:client:view",
		"routing:language:assign", "routing:queue:view", "routing:queueMember:manage",
		"routing:skill:assign", "routing:skill:view",
		"routing:utilization:manage", "routing:utilization:view",
		"telephony:plugin:all",
		"voicemail:userPolicy:viewOther",
		// To define what users refer to.
		"authorization:division:add", "authorization:division:delete", "authorization:division:edit",
		"directory:group:add", "directory:group:delete", "routing:queue:add", "routing:queue:delete", "routing:skill:manage",
		"routing:wrapupCode:add", "routing:wrapupCode:delete", "routing:wrapupCode:edit", "routing:wrapupCode:view",
		"telephony:extensionPool:view",
		"voicemail:groupPolicy:edit", "voicemail:groupPolicy:view",
		// And those that the real API asks for in places where this one does not.
		"authorization:division:view", "directory:group:view", "routing:language:view", "routing:queue:edit",
	}
}

// allowed reports whether the client has a permission.
func (s *Server) allowed(permission string) bool {
	return !slices.Contains(strings.Fields(s.o.Forbid), permission)
}

func (s *Server) seedClient() {
	s.stores[Role].put(clientRole).label = label{clientRoleName, true}
}

// clientGrants are the client's: its role in all divisions, or at home alone where users are hidden from it.
func (s *Server) clientGrants() []Grant {
	if s.o.Hide > 0 {
		return []Grant{{clientRole, homeDivision}}
	}
	return []Grant{{clientRole, AllDivisions}}
}

// roleDivision is RoleDivision.
type roleDivision struct {
	Role     string `json:"roleId"`
	Division string `json:"divisionId"`
}

// wireClient is OrgOAuthClient, and OAuthClient as far as they are alike.
type wireClient struct {
	ID        string         `json:"id"`
	Name      string         `json:"name"`
	GrantType string         `json:"authorizedGrantType"`
	Roles     []roleDivision `json:"roleDivisions,omitempty"`
	State     string         `json:"state"`
}

func (s *Server) wireClient() wireClient {
	w := wireClient{ID: s.o.ClientID, Name: clientName, GrantType: "CLIENT-CREDENTIALS", State: "active"}
	for _, g := range s.clientGrants() {
		w.Roles = append(w.Roles, roleDivision(g))
	}
	return w
}

// getToken is GET /tokens/me, which needs no permission: the organization and the client of the token.
func (s *Server) getToken(req *request) answer {
	if bad := onlyQuery(req, "preserveIdleTTL"); bad != nil {
		return *bad
	}
	client := s.wireClient()
	if s.o.BareToken {
		client.Roles = nil
	}
	org := wireNamedEntity{s.o.OrgID, orgName}
	return answer{status: http.StatusOK, body: struct {
		Organization     wireNamedEntity `json:"organization"`
		HomeOrganization wireNamedEntity `json:"homeOrganization"`
		Client           wireClient      `json:"OAuthClient"`
	}{org, org, client}}
}

// getClient is GET /oauth/clients/{client}. There is but this one.
func (s *Server) getClient(req *request) answer {
	if a := s.permitted("oauth:client:view"); a != nil {
		return *a
	}
	if bad := onlyQuery(req); bad != nil {
		return *bad
	}
	if req.PathValue("client") != s.o.ClientID {
		return notFound()
	}
	return answer{status: http.StatusOK, body: s.wireClient()}
}

// wireNamedEntity is NamedEntity.
type wireNamedEntity struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}
