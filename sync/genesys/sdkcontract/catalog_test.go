package sdkcontract

import (
	"slices"
	"strings"
	"testing"

	sdk "github.com/mypurecloud/platform-client-sdk-go/v193/platformclientv2"

	"usersyncd/sync/genesys/sim"
)

// named checks a listing of things: those that are there, with their ids.
func (w *org) named(k sim.Kind, names, ids []string) {
	w.Helper()
	if len(names) < 4 || len(names) != len(ids) {
		w.Errorf("%s: names %v, ids %v", k, names, ids)
	}
	for i, name := range names {
		same(w, string(k), ids[i], w.IDOf(k, name))
	}
}

func TestCatalogs(t *testing.T) {
	w := newOrg(t)
	skills, r, err := w.routes.GetRoutingSkills(500, 1, "", nil)
	s := shows(w, skills, r, err).Entities
	w.named(sim.Skill, texts(s, func(s sdk.Routingskill) *string { return s.Name }), texts(s, func(s sdk.Routingskill) *string { return s.Id }))
	same(w, "state", val(val(s)[0].State), "active")

	languages, r, err := w.routes.GetRoutingLanguages(100, 1, "", "", nil)
	l := shows(w, languages, r, err).Entities
	w.named(sim.Language, texts(l, func(l sdk.Language) *string { return l.Name }), texts(l, func(l sdk.Language) *string { return l.Id }))

	divisions, r, err := w.auth.GetAuthorizationDivisions(100, 1, "", nil, "", "", false, nil, "")
	d := shows(w, divisions, r, err).Entities
	w.named(sim.Division, texts(d, func(d sdk.Authzdivision) *string { return d.Name }), texts(d, func(d sdk.Authzdivision) *string { return d.Id }))
	home, r, err := w.auth.GetAuthorizationDivisionsHome()
	h := shows(w, home, r, err)
	same(w, "home", []any{val(h.Id), val(h.HomeDivision)}, []any{w.IDOf(sim.Division, "Home"), true})
	for _, one := range val(d) {
		same(w, val(one.Name), val(one.HomeDivision), val(one.Id) == val(h.Id))
	}
	cursor, r, err := w.auth.GetAuthorizationDivisionsQuery("", "", "100", nil, "")
	same(w, "divisions by cursor", len(val(shows(w, cursor, r, err).Entities)), len(val(d)))

	roles, r, err := w.auth.GetAuthorizationRoles(100, 1, "", nil, "", "", "", nil, nil, false, nil)
	o := shows(w, roles, r, err).Entities
	w.named(sim.Role, texts(o, func(o sdk.Domainorganizationrole) *string { return o.Name }), texts(o, func(o sdk.Domainorganizationrole) *string { return o.Id }))
	roles, r, err = w.auth.GetAuthorizationRoles(100, 1, "", nil, "", "", "", nil, nil, true, nil)
	if o := val(shows(w, roles, r, err).Entities); o[0].UserCount == nil {
		t.Error("roles without the count of users that was asked for")
	}

	locations, r, err := sdk.NewLocationsApiWithConfig(w.config).GetLocations(100, 1, nil, "")
	p := shows(w, locations, r, err).Entities
	w.named(sim.Location, texts(p, func(p sdk.Locationdefinition) *string { return p.Name }), texts(p, func(p sdk.Locationdefinition) *string { return p.Id }))
}

func TestOrganization(t *testing.T) {
	w := newOrg(t)
	api := sdk.NewOrganizationApiWithConfig(w.config)
	me, r, err := api.GetOrganizationsMe()
	if id := val(shows(w, me, r, err).Id); !strings.Contains(id, "-") {
		t.Errorf("organization %q", id)
	}
	limits, r, err := api.GetOrganizationsLimitsNamespace("platform.api")
	keys := texts(shows(w, limits, r, err).Entities, func(l sdk.Limit) *string { return l.Key })
	if !slices.Contains(keys, "client.credentials.token.rate.per.minute") {
		t.Errorf("limits %v", keys)
	}
	defaults, r, err := api.GetOrganizationsLimitsNamespaceDefaults("platform.api")
	same(w, "limit", val(val(shows(w, defaults, r, err).Entities)[0].Value), 300)
	namespaces, r, err := api.GetOrganizationsLimitsNamespaces(100, 1)
	shows(w, namespaces, r, err)
}
