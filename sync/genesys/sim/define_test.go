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

const (
	skills    = "/api/v2/routing/skills"
	languages = "/api/v2/routing/languages"
	divisions = "/api/v2/authorization/divisions"
	roles     = "/api/v2/authorization/roles"
	queues    = "/api/v2/routing/queues"
	locations = "/api/v2/locations"
	groups    = "/api/v2/groups"
)

// catalogs are the lists of what users refer to, with how many there are in every organization.
var catalogs = map[sim.Kind]struct {
	path string
	n    int
}{
	sim.Skill: {skills, 12}, sim.Language: {languages, 6}, sim.Division: {divisions, 4}, sim.Role: {roles, 5},
	sim.Queue: {queues, 8}, sim.Location: {locations, 4}, sim.Group: {groups, 6},
}

// names are the names in a list.
func (r reply) names(list string) string {
	var all []string
	for _, o := range r.list(list) {
		name, _ := o["name"].(string)
		all = append(all, name)
	}
	return strings.Join(all, ",")
}

func TestCatalogs(t *testing.T) {
	w, other := newOrg(t, sim.Options{}), newOrg(t, sim.Options{Seed: 7, Full: true, Users: 3})
	for kind, c := range catalogs {
		r := w.must(http.MethodGet, c.path+"?pageSize=500", "")
		all := r.list("entities")
		if len(all) != c.n || r.number("total") != c.n || r.number("pageCount") != 1 || r.text("selfUri") == "" {
			t.Errorf("%s: %s", kind, r.body)
		}
		for _, o := range all {
			id, _ := o["id"].(string)
			name, _ := o["name"].(string)
			if id == "" || w.IDOf(kind, name) != id || w.NameOf(kind, id) != name || other.NameOf(kind, id) != name || o["selfUri"] == nil {
				t.Errorf("%s: %v", kind, o)
			}
			if _, stated := o["state"]; stated != (kind == sim.Skill || kind == sim.Language || kind == sim.Location || kind == sim.Group) {
				t.Errorf("%s: %v", kind, o)
			}
		}
		var paged []string
		for n := 1; n <= (c.n+2)/3; n++ {
			paged = append(paged, w.must(http.MethodGet, fmt.Sprint(c.path, "?pageSize=3&pageNumber=", n), "").names("entities"))
		}
		if got := strings.Join(paged, ","); got != r.names("entities") {
			t.Errorf("%s: %s, want %s", kind, got, r.names("entities"))
		}
		for _, query := range []string{"?pageSize=501", "?pageSize=0", "?pageNumber=x", "?nonsense=1"} {
			w.refused(w.call(http.MethodGet, c.path+query, ""), 400, "invalid.query.param.value")
		}
		id, _ := all[1]["id"].(string)
		if r := w.must(http.MethodGet, c.path+"?id="+id, ""); r.number("total") != 1 || r.list("entities")[0]["id"] != id {
			t.Errorf("%s by id: %s", kind, r.body)
		}
	}
}

func TestCatalogFilters(t *testing.T) {
	w := newOrg(t, sim.Options{})
	for path, want := range map[string]string{
		skills + "?name=re":                            "Refunds,Retention,Returns", // starts with, in any case
		skills + "?name=funds":                         "",
		languages + "?name=ger":                        "German",
		languages + "?sortOrder=descending&pageSize=2": "Spanish,Portuguese",
		divisions + "?name=ea":                         "EMEA",
		divisions + "?name=a":                          "APAC,Americas,EMEA",
		roles + "?name=master&userCount=false":         "Master Admin",
		queues + "?name=Billing":                       "",
		queues + "?name=Billing*":                      "Billing EN,Billing ES",
		queues + "?name=*ES":                           "Billing ES,Sales ES",
		queues + "?name=*lli*":                         "Billing EN,Billing ES",
		queues + "?name=RETENTION":                     "Retention",
		queues + "?divisionId=nowhere":                 "",
		locations + "?sortOrder=DESC":                  "Madrid HQ,Dublin,Berlin,Austin",
		groups + "?pageSize=2":                         "Austin,Berlin",
	} {
		if got := w.must(http.MethodGet, path, "").names("entities"); got != want {
			t.Errorf("%s: %s, want %s", path, got, want)
		}
	}
	w.refused(w.call(http.MethodGet, locations+"?name=x", ""), 400, "invalid.query.param.value")
	for permission, path := range map[string]string{"routing:skill:view": skills, "authorization:role:view": roles, "routing:queue:view": queues} {
		w.refused(newOrg(t, sim.Options{Forbid: permission}).call(http.MethodGet, path, ""), 403, "missing.any.permissions")
	}
}

func TestDivisionsAndRoles(t *testing.T) {
	w := newOrg(t, sim.Options{})
	home := w.must(http.MethodGet, divisions+"/home", "")
	if home.text("id") != w.IDOf(sim.Division, "Home") || home.json["homeDivision"] != true {
		t.Errorf("%s", home.body)
	}
	var seen []string
	path, pages := divisions+"/query?pageSize=3", 0
	for ; path != ""; pages++ {
		r := w.must(http.MethodGet, path, "")
		seen = append(seen, r.names("entities"))
		path = r.text("nextUri")
		if back := r.text("previousUri"); (back != "") != (pages > 0) {
			t.Errorf("page %d: previous %q", pages, back)
		} else if back != "" && w.must(http.MethodGet, back, "").names("entities") != seen[pages-1] {
			t.Errorf("page %d: the page before is another", pages)
		}
	}
	if got := strings.Join(seen, ","); got != "APAC,Americas,EMEA,Home" || pages != 2 {
		t.Errorf("%s in %d pages", got, pages)
	}
	for _, query := range []string{"?pageSize=201", "?after=!", "?after=MTAw", "?pageNumber=1"} {
		w.refused(w.call(http.MethodGet, divisions+"/query"+query, ""), 400, "invalid.query.param.value")
	}

	w.Add(sim.User{ID: "u-1", Name: "Ana", Email: "ana@example.com", Grants: []sim.Grant{{Role: w.IDOf(sim.Role, "Agent"), Division: sim.AllDivisions}}})
	for query, counted := range map[string]bool{"": true, "?userCount=true": true, "?userCount=false": false} {
		for _, role := range w.must(http.MethodGet, roles+query, "").list("entities") {
			n, has := role["userCount"]
			want := map[any]float64{"Agent": 1}[role["name"]]
			if has != counted || has && n != want || role["permissions"] == nil || role["name"] == "Master Admin" && role["defaultRoleId"] != "admin" {
				t.Errorf("%s: %v", query, role)
			}
		}
	}
}

// A name of a queue, location or group may be there twice; of the rest it is there once.
func TestDefine(t *testing.T) {
	w := newOrg(t, sim.Options{})
	for kind := range catalogs {
		a, b := w.Define(kind, "New"), w.Define(kind, "New")
		if twice := kind == sim.Queue || kind == sim.Location || kind == sim.Group; (a != b) != twice || len(a) != 36 {
			t.Errorf("%s: %s and %s", kind, a, b)
		}
		if !w.Rename(kind, a, "Newer") || w.NameOf(kind, a) != "Newer" || w.IDOf(kind, "Newer") != a {
			t.Errorf("%s is called %s", kind, w.NameOf(kind, a))
		}
		if !w.Remove(kind, a) || w.Remove(kind, a) || w.Rename(kind, a, "x") || w.NameOf(kind, a) != "" || w.IDOf(kind, "Newer") != "" {
			t.Errorf("%s is still there", kind)
		}
		if got := w.must(http.MethodGet, catalogs[kind].path+"?pageSize=500", "").names("entities"); strings.Contains(got, "Newer") {
			t.Errorf("%s: %s", kind, got)
		}
	}
	if w.Remove(sim.Division, w.IDOf(sim.Division, "Home")) {
		t.Error("the home division can be removed")
	}
}

// What is removed disappears from the users and from what hangs on it.
func TestRemove(t *testing.T) {
	w := newOrg(t, sim.Options{Users: 12, Full: true, GrantLag: -1})
	ids := map[sim.Kind]string{}
	for _, kind := range []sim.Kind{sim.Skill, sim.Language, sim.Location, sim.Role} {
		ids[kind] = w.Define(kind, "Short-lived")
	}
	emea := w.IDOf(sim.Division, "EMEA")
	before := w.Users()
	u := before[0]
	w.Edit(u.Email, func(u *sim.User) {
		u.Skills[ids[sim.Skill]], u.Languages[ids[sim.Language]], u.Division = 3, 3, emea
		u.Locations = append(u.Locations, sim.Place{ID: ids[sim.Location]})
		u.Grants = append(u.Grants, sim.Grant{Role: ids[sim.Role], Division: sim.AllDivisions})
	})
	for kind, id := range ids {
		w.Remove(kind, id)
	}
	now, _ := w.User(u.Email)
	u.Division, u.Version = emea, now.Version
	if diff := cmp.Diff(u, now); diff != "" || now.Version != before[0].Version+5 {
		t.Errorf("version %d: %s", now.Version, diff)
	}
	w.Remove(sim.Division, emea)
	for _, u := range w.Users() {
		if u.Division == emea || slices.ContainsFunc(u.Grants, func(g sim.Grant) bool { return g.Division == emea }) {
			t.Errorf("%+v is still in the division", u)
		}
	}
	queue, group := w.IDOf(sim.Queue, "Retention"), w.IDOf(sim.Group, "Coaches")
	w.SetMembers(sim.Queue, queue, u.ID)
	w.SetMembers(sim.Group, group, u.ID)
	w.Remove(sim.Queue, queue)
	w.Remove(sim.Group, group)
	if s := w.Snapshot(u.ID); strings.Contains(s, queue) || strings.Contains(s, group) {
		t.Error(s)
	}
}

func TestCatalogLag(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newOrg(t, sim.Options{CatalogLag: time.Minute, GrantLag: -1})
		w.Add(sim.User{ID: "u-1", Name: "Ana", Email: "ana@example.com"})
		names := func(kind sim.Kind) string {
			return w.must(http.MethodGet, catalogs[kind].path+"?pageSize=500", "").names("entities")
		}
		for kind := range catalogs {
			before := names(kind)
			first := w.IDOf(kind, strings.Split(before, ",")[0])
			id := w.Define(kind, "Zebra")
			w.Rename(kind, first, "A first")
			if got := names(kind); got != before {
				t.Errorf("%s: %s, want what was", kind, got)
			}
			if kind == sim.Role { // grants of a fresh role are 404, as the cache has not caught up
				w.refused(w.call(http.MethodPost, subjects+"/u-1/bulkadd", grantsBody(id, sim.AllDivisions)), 404, "not.found")
			}
			time.Sleep(time.Minute - 1)
			if got := names(kind); got != before {
				t.Errorf("%s: %s a moment too early", kind, got)
			}
			time.Sleep(time.Nanosecond)
			if got := names(kind); !strings.HasPrefix(got, "A first,") || !strings.HasSuffix(got, ",Zebra") {
				t.Errorf("%s: %s after a minute", kind, got)
			}
			if kind == sim.Role {
				w.must(http.MethodPost, subjects+"/u-1/bulkadd", grantsBody(id, sim.AllDivisions))
			}
		}
	})
}
