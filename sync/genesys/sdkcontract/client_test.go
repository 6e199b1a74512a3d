package sdkcontract

import (
	"testing"

	sdk "github.com/mypurecloud/platform-client-sdk-go/v193/platformclientv2"

	"usersyncd/sync/genesys/sim"
)

// Who the OAuth client is, and what its role allows: what the check of permissions reads.
func TestOwnClient(t *testing.T) {
	w := newOrg(t)
	role := w.IDOf(sim.Role, "User sync")
	inAll := []any{role, "*"}
	of := func(list *[]sdk.Roledivision) []any {
		if len(val(list)) != 1 {
			t.Fatalf("%d roles", len(val(list)))
		}
		return []any{val(val(list)[0].RoleId), val(val(list)[0].DivisionId)}
	}

	me, r, err := sdk.NewTokensApiWithConfig(w.config).GetTokensMe(false)
	token := shows(w, me, r, err)
	same(w, "roles of the token's client", of(val(token.OAuthClient).RoleDivisions), inAll)
	client, r, err := sdk.NewOAuthApiWithConfig(w.config).GetOauthClient("demo")
	c := shows(w, client, r, err)
	same(w, "roles of the client", of(c.RoleDivisions), inAll)
	same(w, "name", val(c.Name), val(val(token.OAuthClient).Name))
	subject, r, err := w.auth.GetAuthorizationSubject("demo", true)
	same(w, "grants", w.grants(shows(w, subject, r, err).Grants, "demo"), []sim.Grant{{Role: role, Division: "*"}})

	one, r, err := w.auth.GetAuthorizationRole(role, false, nil)
	allows := map[string]bool{}
	for _, p := range val(shows(w, one, r, err).PermissionPolicies) {
		for _, action := range val(p.ActionSet) {
			allows[val(p.Domain)+":"+val(p.EntityName)+":"+action] = true
		}
	}
	same(w, "policies", []any{allows["directory:user:edit"], allows["routing:skill:assign"], allows["directory:user:fly"]}, []any{true, true, false})
}
