package sim_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"usersyncd/sync/genesys/sim"
)

const subjects = "/api/v2/authorization/subjects"

// grantsBody is RoleDivisionGrants: roles and divisions by turns.
func grantsBody(pairs ...string) string {
	var all []string
	for i := 0; i < len(pairs); i += 2 {
		all = append(all, fmt.Sprintf(`{"roleId":%q,"divisionId":%q}`, pairs[i], pairs[i+1]))
	}
	return `{"grants":[` + strings.Join(all, ",") + `]}`
}

// granted tells grants as the API lists them, sorted.
func (r reply) granted(list string) string {
	var all []string
	for _, g := range r.list(list) {
		role, _ := g["role"].(object)
		division, _ := g["division"].(object)
		all = append(all, fmt.Sprint(role["name"], "@", division["name"], " of ", g["subjectId"]))
	}
	slices.Sort(all)
	return strings.Join(all, ", ")
}

func TestGrantWrites(t *testing.T) {
	w := newOrg(t, sim.Options{GrantLag: -1})
	w.Add(sim.User{ID: "u-1", Name: "Ana", Email: "ana@example.com"})
	agent, super := w.IDOf(sim.Role, "Agent"), w.IDOf(sim.Role, "Supervisor")
	home, emea := w.IDOf(sim.Division, "Home"), w.IDOf(sim.Division, "EMEA")
	const self = subjects + "/u-1"
	for i, c := range []struct{ method, path, body, want string }{
		{http.MethodPost, self + "/bulkadd?subjectType=PC_USER", grantsBody(agent, home, super, emea), "Agent@Home of u-1, Supervisor@EMEA of u-1"},
		{http.MethodPost, self + "/bulkadd", grantsBody(agent, home, agent, "*"), "Agent@* of u-1, Agent@Home of u-1, Supervisor@EMEA of u-1"},
		{http.MethodPost, self + "/bulkremove", grantsBody(agent, home, super, emea), "Agent@* of u-1"},
		{http.MethodPost, self + "/bulkreplace?subjectType=PC_USER", grantsBody(super, home), "Supervisor@Home of u-1"},
		{http.MethodPost, self + "/divisions/" + emea + "/roles/" + agent + "?subjectType=PC_USER", "", "Agent@EMEA of u-1, Supervisor@Home of u-1"},
		{http.MethodDelete, self + "/divisions/" + home + "/roles/" + super, "", "Agent@EMEA of u-1"},
		{http.MethodPut, users + "/u-1/roles", `["` + agent + `","` + super + `","` + agent + `"]`, "Agent@Home of u-1, Supervisor@Home of u-1"},
		{http.MethodPost, self + "/bulkreplace", `{"grants":[]}`, ""},
	} {
		r := w.must(c.method, c.path, c.body)
		if strings.Contains(c.path, subjects) && (r.status != 204 || r.body != "") {
			t.Errorf("%s %s: %d %s", c.method, c.path, r.status, r.body)
		}
		if got := w.must(http.MethodGet, self, "").granted("grants"); got != c.want {
			t.Errorf("%s %s: %s, want %s", c.method, c.path, got, c.want)
		}
		if u := w.first(); u.Version != i+2 || u.Writes != i+1 {
			t.Errorf("%s: version %d, %d writes", c.path, u.Version, u.Writes)
		}
	}
}

func TestGrantRefusals(t *testing.T) {
	w := newOrg(t, sim.Options{GrantLag: -1, GrantBatch: 2})
	agent, super, home, emea := w.IDOf(sim.Role, "Agent"), w.IDOf(sim.Role, "Supervisor"), w.IDOf(sim.Division, "Home"), w.IDOf(sim.Division, "EMEA")
	w.Add(sim.User{ID: "u-1", Name: "Ana", Email: "ana@example.com", Grants: []sim.Grant{{Role: agent, Division: home}}})
	w.Add(sim.User{ID: "u-2", Name: "Bob", Email: "bob@example.com", State: "deleted"})
	before := w.Users()
	for _, verb := range []string{"bulkadd", "bulkreplace", "bulkremove"} {
		for body, status := range map[string]int{
			grantsBody("nothing", home): 404, grantsBody(agent, "nowhere"): 404, grantsBody(agent, home, "nothing", home): 404,
			`{}`: 400, `null`: 400, `[]`: 400, grantsBody(agent, ""): 400, grantsBody("", home): 400, grantsBody(agent, home, agent, emea, agent, "*"): 400,
			`{"grants":[{"roleId":"` + agent + `","divisionId":"` + home + `","x":1}]}`: 400,
		} {
			code := map[int]string{400: "bad.request", 404: "not.found"}[status]
			w.refused(w.call(http.MethodPost, subjects+"/u-1/"+verb, body), status, code)
		}
		for _, who := range []string{"u-2", "nobody"} {
			w.refused(w.call(http.MethodPost, subjects+"/"+who+"/"+verb, grantsBody(agent, home)), 404, "not.found")
		}
		w.refused(w.call(http.MethodPost, subjects+"/u-1/"+verb+"?subjectType=PC_ROBOT", grantsBody(agent, home)), 400, "invalid.query.param.value")
	}
	w.refused(w.call(http.MethodPost, subjects+"/u-1/bulkremove", grantsBody(agent, home, super, home)), 404, "not.found") // all or nothing
	w.refused(w.call(http.MethodPost, subjects+"/u-1/divisions/nowhere/roles/"+agent, ""), 404, "not.found")
	w.refused(w.call(http.MethodDelete, subjects+"/u-1/divisions/"+emea+"/roles/"+agent, ""), 404, "not.found")
	w.refused(w.call(http.MethodPut, users+"/u-1/roles", `["nothing"]`), 404, "not.found")
	if diff := cmp.Diff(before, w.Users()); diff != "" {
		t.Error(diff)
	}
	for permission, verbs := range map[string]string{
		"authorization:grant:add": "POST bulkadd,POST bulkreplace", "authorization:grant:delete": "POST bulkremove,POST bulkreplace", "authorization:grant:view": "GET ",
	} {
		f := newOrg(t, sim.Options{Users: 1, Forbid: permission})
		for call := range strings.SplitSeq(verbs, ",") {
			method, verb, _ := strings.Cut(call, " ")
			body := map[string]string{http.MethodPost: `{"grants":[]}`}[method]
			path := strings.TrimSuffix(subjects+"/"+f.first().ID+"/"+verb, "/")
			f.refused(f.call(method, path, body), 403, "missing.any.permissions")
		}
	}
}

// What a user has through a group has the group as its subject, and no write of the user's reaches it.
func TestGroupGrants(t *testing.T) {
	w := newOrg(t, sim.Options{GrantLag: -1})
	agent, super, home := w.IDOf(sim.Role, "Agent"), w.IDOf(sim.Role, "Supervisor"), w.IDOf(sim.Division, "Home")
	group := w.IDOf(sim.Group, "Madrid")
	w.Add(sim.User{ID: "u-1", Name: "Ana", Email: "ana@example.com", Grants: []sim.Grant{{Role: agent, Division: home}}})
	w.Add(sim.User{ID: "u-2", Name: "Bob", Email: "bob@example.com"})
	w.SetGroupGrants(group, sim.Grant{Role: agent, Division: home}, sim.Grant{Role: super, Division: "*"})
	w.SetMembers(sim.Group, group, "u-1")
	const self = subjects + "/u-1"
	for query, want := range map[string]string{
		"":                         "Agent@Home of u-1, Supervisor@* of " + group,
		"?includeDuplicates=false": "Agent@Home of u-1, Supervisor@* of " + group,
		"?includeDuplicates=true":  "Agent@Home of " + group + ", Agent@Home of u-1, Supervisor@* of " + group,
	} {
		if got := w.must(http.MethodGet, self+query, "").granted("grants"); got != want {
			t.Errorf("%s: %s, want %s", query, got, want)
		}
	}
	w.refused(w.call(http.MethodPost, self+"/bulkremove", grantsBody(super, "*")), 404, "not.found")
	w.must(http.MethodPost, self+"/bulkreplace", `{"grants":[]}`)
	if got := w.must(http.MethodGet, self, "").granted("grants"); got != "Agent@Home of "+group+", Supervisor@* of "+group {
		t.Errorf("%s", got)
	}
	if r := w.must(http.MethodGet, users+"/u-1/roles", ""); r.names("roles") != "Agent,Supervisor" {
		t.Errorf("%s", r.body)
	}
	for division, want := range map[string]string{home: "Agent@Home of " + group, "*": "Supervisor@* of " + group, w.IDOf(sim.Division, "EMEA"): ""} {
		r := w.must(http.MethodGet, divisions+"/"+division+"/grants", "")
		if got := r.granted("entities"); got != want || r.text("selfUri") != "" {
			t.Errorf("%s: %s", division, r.body)
		}
	}
	for role, want := range map[string]string{agent: "u-1", super: "u-1", w.IDOf(sim.Role, "Employee"): ""} {
		r := w.must(http.MethodGet, roles+"/"+role+"/users", "")
		got := ""
		for _, u := range r.list("entities") {
			got += fmt.Sprint(u["id"])
		}
		if got != want {
			t.Errorf("%s: %s", role, r.body)
		}
	}
	if got := w.GroupGrants(group); len(got) != 2 {
		t.Errorf("%v", got)
	}
	w.refused(w.call(http.MethodGet, roles+"/nothing/users", ""), 404, "not.found")
	w.refused(w.call(http.MethodGet, divisions+"/nowhere/grants", ""), 404, "not.found")
	none := newOrg(t, sim.Options{NoGlobalGrants: true})
	none.refused(none.call(http.MethodGet, divisions+"/*/grants", ""), 404, "not.found")
	none.must(http.MethodGet, divisions+"/"+home+"/grants", "")
}

// Reads of grants show the past, whichever read it is; writes meet the present.
func TestGrantLag(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newOrg(t, sim.Options{})
		agent, home := w.IDOf(sim.Role, "Agent"), w.IDOf(sim.Division, "Home")
		w.Add(sim.User{ID: "u-1", Name: "Ana", Email: "ana@example.com"})
		reads := func() string {
			return w.must(http.MethodGet, subjects+"/u-1", "").granted("grants") + "/" + w.must(http.MethodGet, divisions+"/"+home+"/grants", "").granted("entities") +
				"/" + fmt.Sprint(len(w.must(http.MethodGet, roles+"/"+agent+"/users", "").list("entities"))) + "/" + w.must(http.MethodGet, users+"/u-1/roles", "").names("roles")
		}
		const before, after = "//0/", "Agent@Home of u-1/Agent@Home of u-1/1/Agent"
		for _, c := range []struct{ verb, then, later string }{{"bulkadd", before, after}, {"bulkremove", after, before}} {
			made := time.Now().UTC().Format(time.RFC3339)
			w.must(http.MethodPost, subjects+"/u-1/"+c.verb, grantsBody(agent, home))
			if got := reads(); got != c.then {
				t.Errorf("%s: %s at once, want %s", c.verb, got, c.then)
			}
			time.Sleep(4*time.Second - 1)
			if got := reads(); got != c.then {
				t.Errorf("%s: %s a moment too early, want %s", c.verb, got, c.then)
			}
			time.Sleep(time.Nanosecond)
			if got := reads(); got != c.later {
				t.Errorf("%s: %s after 4 s, want %s", c.verb, got, c.later)
			}
			for _, g := range w.must(http.MethodGet, subjects+"/u-1", "").list("grants") {
				if g["grantMadeAt"] != made {
					t.Errorf("made at %v, want %s", g["grantMadeAt"], made)
				}
			}
		}
	})
}

// Following the pages of a division's grants shows each once, however many there are.
func TestGrantPages(t *testing.T) {
	w := newOrg(t, sim.Options{Users: 300, Deleted: 10, Full: true, Hide: 50})
	want := 0
	for i, u := range w.Users() {
		for _, g := range u.Grants {
			if u.State != "deleted" && (i+1)%50 != 0 && g.Division == w.IDOf(sim.Division, "EMEA") {
				want++
			}
		}
	}
	seen := map[string]bool{}
	for n, pages := 1, 1; n <= pages; n++ {
		r := w.must(http.MethodGet, fmt.Sprint(divisions, "/", w.IDOf(sim.Division, "EMEA"), "/grants?pageSize=50&pageNumber=", n), "")
		pages = r.number("pageCount")
		for _, g := range r.list("entities") {
			role, _ := g["role"].(object)
			seen[fmt.Sprint(g["subjectId"], role["id"])] = true
		}
		if r.number("total") != want {
			t.Fatalf("total %d, want %d", r.number("total"), want)
		}
	}
	if len(seen) != want {
		t.Errorf("%d grants were seen, want %d", len(seen), want)
	}
	w.refused(w.call(http.MethodGet, divisions+"/"+w.IDOf(sim.Division, "Home")+"/grants?pageSize=501", ""), 400, "invalid.query.param.value")
}
