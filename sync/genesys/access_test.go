package genesys_test

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"usersyncd/spec"
	"usersyncd/sync/apply"
	"usersyncd/sync/genesys"
	"usersyncd/sync/genesys/api"
	"usersyncd/sync/genesys/sim"
)

// everything is the use of all fields.
func everything() genesys.Usage {
	u := genesys.Usage{Create: true, Delete: true, Admins: true}
	for _, info := range spec.AllFields() {
		u.Fields = append(u.Fields, info.Field)
	}
	return u
}

// unlike are the findings that are not as the standard is.
func unlike(a genesys.Access, standard genesys.Met) (all []string) {
	for _, f := range a.Findings {
		if f.Met != standard {
			all = append(all, fmt.Sprint(f.Permission, " ", f.Met))
		}
	}
	return all
}

const ownRoles = "oauth:client:view authorization:grant:view"

func TestAccess(t *testing.T) {
	writes := []string{}
	for _, n := range everything().Needs() {
		if n.Writes {
			writes = append(writes, fmt.Sprint(n.Permission, " ", genesys.Unknown))
		}
	}
	missing := func(permission string) string { return fmt.Sprint(permission, " ", genesys.Missing) }
	for name, c := range map[string]struct {
		o        sim.Options
		byRoles  bool
		standard genesys.Met
		unlike   []string
		calls    int64
	}{
		"all": {sim.Options{}, true, genesys.Granted, nil, 2},
		"one of each lacks": {sim.Options{Forbid: "routing:skill:assign routing:skill:view"}, true, genesys.Granted,
			[]string{missing("routing:skill:assign"), missing("routing:skill:view")}, 3},
		"another does": {sim.Options{Forbid: "routing:language:assign voicemail:userPolicy:viewOther routing:utilization:view"}, true, genesys.Granted, nil, 4}, // view is tried, as labels take it
		"not even another": {sim.Options{Forbid: "telephony:plugin:all voicemail:userPolicy:viewOther"}, true, genesys.Granted,
			[]string{missing("telephony:plugin:all"), missing("voicemail:userPolicy:viewOther")}, 4},
		"it is not asked for": {sim.Options{Forbid: "routing:language:view"}, true, genesys.Granted, nil, 3},
		"either does":         {sim.Options{Forbid: "routing:queue:edit"}, true, genesys.Granted, nil, 2},
		"neither":             {sim.Options{Forbid: "routing:queue:edit routing:queueMember:manage"}, true, genesys.Granted, []string{missing("routing:queue:edit or routing:queueMember:manage")}, 2},
		"home alone":          {sim.Options{Hide: 3}, true, genesys.Partly, nil, 2},
		"by client":           {sim.Options{BareToken: true}, true, genesys.Granted, nil, 3},
		"by subject":          {sim.Options{BareToken: true, Forbid: "oauth:client:view"}, true, genesys.Granted, nil, 4},
		"roles are not shown": {sim.Options{Forbid: "authorization:role:view routing:utilization:view routing:utilization:manage"}, false, genesys.Granted,
			append([]string{missing("authorization:role:view"), missing("routing:utilization:view")}, writes...), 13},
		"nothing is shown": {sim.Options{BareToken: true, Forbid: ownRoles}, false, genesys.Granted,
			append([]string{missing("authorization:grant:view")}, writes...), 14},
		"in some divisions, by reading": {sim.Options{BareToken: true, Forbid: ownRoles, Hide: 3}, false, genesys.Granted,
			append([]string{fmt.Sprint("directory:user:view ", genesys.Partly), missing("authorization:grant:view")}, writes...), 14},
		"no user can be seen": {sim.Options{BareToken: true, Forbid: ownRoles + " directory:user:view"}, false, genesys.Granted,
			append([]string{missing("directory:user:view"), fmt.Sprint("authorization:grant:view ", genesys.Unknown),
				fmt.Sprint("routing:utilization:view ", genesys.Unknown), fmt.Sprint("voicemail:userPolicy:viewOther ", genesys.Unknown)}, writes...), 11},
	} {
		t.Run(name, func(t *testing.T) {
			c.o.Users = 4
			d, s := simulate(t, c.o, func(o *api.Options) { o.ReadOnly = true })
			a, err := d.Access(t.Context(), everything().Needs())
			if err != nil {
				t.Fatal(err)
			}
			got := unlike(a, c.standard)
			slices.Sort(got)
			slices.Sort(c.unlike)
			if a.Client != "usersyncd" || a.ByRoles != c.byRoles || !slices.Equal(got, c.unlike) || len(a.Findings) != len(everything().Needs()) {
				t.Errorf("by roles: %v, client %q\nhave %q\nwant %q", a.ByRoles, a.Client, got, c.unlike)
			}
			if a.ByRoles && !slices.Equal(a.Roles, []string{"User sync"}) {
				t.Errorf("roles %q", a.Roles)
			}
			if n := d.Stats(); n.Reads != c.calls || n.Writes != 0 {
				t.Errorf("%+v, want %d reads", n, c.calls)
			}
			for _, u := range s.Users() {
				if u.Writes != 0 {
					t.Errorf("%s was written", u.Email)
				}
			}
		})
	}
}

// What reading voicemail takes is asked for once if the field is in use, and not otherwise.
func TestAccessToVoicemail(t *testing.T) {
	for _, fields := range [][]spec.Field{{spec.Title}, {spec.Voicemail, spec.Title, spec.Voicemail}} {
		d, s := simulate(t, sim.Options{Users: 1, BareToken: true, Forbid: ownRoles}, nil)
		a, err := d.Access(t.Context(), genesys.Usage{Fields: fields}.Needs())
		if err != nil {
			t.Fatal(err)
		}
		var found []string
		for _, f := range a.Findings {
			if slices.Contains(f.For, string(spec.Voicemail)) {
				found = append(found, fmt.Sprint(f.Permission, " ", f.Met))
			}
		}
		asked := s.Ledger().Count("GET /api/v2/voicemail/userpolicies/{id}")
		want := []string{fmt.Sprint("voicemail:userPolicy:viewOther ", genesys.Granted), fmt.Sprint("telephony:plugin:all ", genesys.Unknown)}
		switch used := len(fields) > 1; {
		case used && (!slices.Equal(found, want) || asked != 1), !used && len(found)+asked > 0:
			t.Errorf("%v: found %q, asked %d times", fields, found, asked)
		}
	}
}

// A policy may name everything, and hold under a condition alone; a role that is gone allows nothing; a client
// without roles has no permission.
func TestPoliciesOfAnotherShape(t *testing.T) {
	for name, c := range map[string]struct {
		roles, policies string
		want            genesys.Met
	}{
		"all of a domain": {`[{"roleId":"r","divisionId":"*"}]`, `[{"domain":"directory","entityName":"*","actionSet":["*"],"resourceConditionNode":null}]`, genesys.Granted},
		"the admin":       {`[{"roleId":"r","divisionId":"*"}]`, `[{"domain":"directory","entityName":"user","actionSet":["view"]},{"domain":"directory","entityName":"organization","actionSet":["admin"]}]`, genesys.Granted},
		"on a condition":  {`[{"roleId":"r","divisionId":"*"}]`, `[{"domain":"directory","entityName":"user","actionSet":["*"],"resourceConditionNode":{"a":1}}]`, genesys.Partly},
		"another action":  {`[{"roleId":"r","divisionId":"*"}]`, `[{"domain":"directory","entityName":"user","actionSet":["viewer","vie"]}]`, genesys.Missing},
		"two divisions":   {`[{"roleId":"r","divisionId":"a"},{"roleId":"r","divisionId":"b"}]`, `[{"domain":"Directory","entityName":"User","actionSet":["*"]}]`, genesys.Partly},
		"no policies":     {`[{"roleId":"r","divisionId":"*"}]`, `null`, genesys.Missing},
		"gone":            {`[{"roleId":"gone","divisionId":"*"}]`, `null`, genesys.Missing},
		"none":            {`[]`, `null`, genesys.Missing},
	} {
		f := &fake{t: t, api: func(r *http.Request, _ string) reply {
			switch {
			case strings.HasSuffix(r.URL.Path, "/tokens/me"):
				return jsonReply(200, `{"OAuthClient":{"name":"c"}}`)
			case strings.Contains(r.URL.Path, "/oauth/clients/"):
				return jsonReply(200, `{"name":"c","roleDivisions":`+c.roles+`}`)
			case strings.HasSuffix(r.URL.Path, "/roles/r"):
				return jsonReply(200, `{"name":"R","permissionPolicies":`+c.policies+`}`)
			}
			return jsonReply(404, `{}`)
		}}
		d, _ := open(t, f, nil)
		a, err := d.Access(t.Context(), genesys.Usage{Fields: []spec.Field{spec.Title}}.Needs())
		if err != nil || !a.ByRoles || len(unlike(a, c.want)) > 0 {
			t.Errorf("%s: %+v, %v", name, a, err)
		}
	}
}

// An answer that says nothing of permissions is an error, and not a permission that lacks.
func TestAccessWithoutAnAnswer(t *testing.T) {
	for fault, forbid := range map[string]string{
		"GET /api/v2/tokens/me 503": "", "GET /api/v2/oauth/clients/* 503": "", "GET /api/v2/authorization/subjects/* 503": "oauth:client:view",
		"GET /api/v2/authorization/roles/* 503": "", "GET /api/v2/users 503": ownRoles, "GET /api/v2/routing/skills 503": ownRoles,
	} {
		d, s := simulate(t, sim.Options{Users: 1, BareToken: true, Forbid: forbid}, func(o *api.Options) { o.Retry = &api.Retry{} })
		f, err := sim.ParseFault(fault)
		if err != nil {
			t.Fatal(err)
		}
		s.AddFault(f)
		if a, err := d.Access(t.Context(), everything().Needs()); !errors.Is(err, apply.ErrUncertain) {
			t.Errorf("%s: %v, %+v", fault, err, a)
		}
	}
}

func TestLoginAndOrganization(t *testing.T) {
	d, s := simulate(t, sim.Options{OrgID: "o1"}, nil)
	for range 2 {
		if err := d.Login(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	id, name, err := d.Organization(t.Context())
	if err != nil || id != "o1" || name != "Example Contact Centre" || s.Ledger().Tokens != 1 {
		t.Errorf("%q %q %v, %d tokens", id, name, err, s.Ledger().Tokens)
	}
	d, _ = simulate(t, sim.Options{}, func(o *api.Options) { o.ClientSecret = "wrong" })
	if err := d.Login(t.Context()); !errors.Is(err, apply.ErrUnauthorized) {
		t.Error(err)
	}
}
