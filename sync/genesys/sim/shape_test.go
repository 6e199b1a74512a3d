package sim_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"usersyncd/sync/genesys/sim"
)

func replaceID(path, id string) string { return strings.Replace(path, "ID", id, 1) }

// What tutorials name and the API does not have is refused, whatever the token, and written down.
func TestUnrealPaths(t *testing.T) {
	w := newOrg(t, sim.Options{Users: 1})
	id := w.first().ID
	var asked []string
	for _, c := range []struct {
		method, path string
		status       int
	}{
		{http.MethodPut, users + "/ID", 405},
		{http.MethodPost, users + "/ID", 405},
		{http.MethodPost, users + "/get", 404},
		{http.MethodPost, users + "/bulkupdate", 404},
		{http.MethodPatch, users + "/bulkupdate", 404},
		{http.MethodGet, users + "/get", 404},
		{http.MethodGet, users + "/me", 404},
		{http.MethodGet, users + "/search", 404},
		{http.MethodPatch, users, 404},
		{http.MethodDelete, users, 404},
		{http.MethodGet, users + "/", 404},
		{http.MethodGet, "/api/v2//users", 404},
		{http.MethodGet, "/api/v2/users/../users", 404},
		{http.MethodPut, users + "/ID/routinglanguages/bulk", 404}, // languages can be merged, and not replaced
		{http.MethodPatch, users + "/ID/routingskills", 404},
		{http.MethodGet, users + "/ID/callforwarding", 404},
		{http.MethodPost, "/api/v2/authorization/divisions/x/objects/USER/y", 404},
		{http.MethodPatch, users + "/ID/state", 404},
		{http.MethodGet, "/api/v2/nonsense", 404},
		{http.MethodGet, "/", 404},
	} {
		path := replaceID(c.path, id)
		asked = append(asked, c.method+" "+path)
		code := map[int]string{404: "not.found", 405: "method.not.allowed"}[c.status]
		w.refused(w.call(c.method, path, ""), c.status, code)
	}
	if got := w.Ledger().Unreal; !slices.Equal(got, asked) {
		t.Errorf("unreal: %q, want %q", got, asked)
	}
	w.refused(w.call(http.MethodGet, users+"/0a1b2c3d-0000-4000-8000-00000000ffff", ""), 404, "not.found")
	w.must(http.MethodGet, users+"/"+id, "")
	if n := len(w.Ledger().Unreal); n != len(asked) {
		t.Errorf("real paths are among the unreal: %v", w.Ledger().Unreal[len(asked):])
	}
}

func TestCorrelationIDs(t *testing.T) {
	w := newOrg(t, sim.Options{Users: 1})
	seen := map[string]bool{}
	for range 50 {
		for _, r := range []reply{w.must(http.MethodGet, users, ""), w.call(http.MethodGet, users+"/x", ""), w.send(http.MethodGet, users, ""), w.mint()} {
			id := r.header.Get("ININ-Correlation-Id")
			if len(id) != 36 || id[14] != '4' || seen[id] {
				t.Fatalf("correlation id %q", id)
			}
			seen[id] = true
		}
	}
}

func TestBodies(t *testing.T) {
	w := newOrg(t, sim.Options{})
	bearer := "Bearer " + w.token
	const good = `{"name":"Ana","email":"ana@example.com"}`
	for media, status := range map[string]int{"": 415, "text/plain": 415, "application/x-www-form-urlencoded": 415, "application/json; charset=utf-8": 200} {
		if r := w.send(http.MethodPost, users, good, "Authorization", bearer, "Content-Type", media); r.status != status {
			t.Errorf("content type %q: %d %s", media, r.status, r.body)
		}
	}
	w.refused(w.send(http.MethodPost, users, "", "Authorization", bearer), 415, "unsupported.media.type")

	const most = 512_000
	pad := func(n int) string {
		body := `{"name":"Bob","email":"bob@example.com"` + strings.Repeat(" ", n)
		return body[:n-1] + "}"
	}
	w.refused(w.call(http.MethodPost, users, pad(most+1)), 413, "request.entity.too.large")
	w.must(http.MethodPost, users, pad(most))

	for _, body := range []string{"", "{", "[]", `"x"`, good + "x", good + good, `{"name":1}`, "\xff"} {
		r := w.send(http.MethodPost, users, body, "Authorization", bearer, "Content-Type", "application/json")
		w.refused(r, 400, "bad.request")
	}
}

// encoding/json alone would take a name in any spelling; the API's names are exact.
func TestUnknownFields(t *testing.T) {
	const email = `"email":"ana@example.com"`
	for field, body := range map[string]string{
		"manager":             `{"name":"Ana",` + email + `,"manager":"x"}`,
		"Name":                `{"Name":"Ana",` + email + `}`,
		"primaryContactInfo":  `{"name":"Ana",` + email + `,"primaryContactInfo":[]}`,
		"":                    `{"name":"Ana",` + email + `,"":1}`,
		"addresses.number":    `{"name":"Ana",` + email + `,"addresses":[{"number":"+1"}]}`,
		"addresses.MediaType": `{"name":"Ana",` + email + `,"addresses":[{"MediaType":"PHONE"}]}`,
	} {
		w := newOrg(t, sim.Options{})
		r := w.call(http.MethodPost, users, body)
		w.refused(r, 400, "bad.request")
		if !strings.Contains(r.text("message"), "["+field+"]") {
			t.Errorf("%s: %s", body, r.text("message"))
		}
	}
	w := newOrg(t, sim.Options{AllowUnknownFields: true})
	w.must(http.MethodPost, users, `{"name":"Ana",`+email+`,"manager":"x","nonsense":{}}`)
	if u := w.first(); u.Manager != "" {
		t.Errorf("manager %q was taken over", u.Manager)
	}
}

func TestQueryValues(t *testing.T) {
	w := newOrg(t, sim.Options{Users: 3})
	one, query := users+"/"+w.first().ID, users+"/query"
	for _, path := range []string{
		users + "?expand=nonsense", users + "?expand=certifications,nonsense", users + "?expand=", one + "?expand=Certifications", query + "?expand=x",
		users + "?state=gone", one + "?state=inactive", one + "?state=any", query + "?state=x",
		users + "?sortOrder=up", query + "?sortOrder=ascending",
		users + "?pageSize=501", users + "?pageSize=0", users + "?pageSize=-1", users + "?pageSize=x", query + "?pageSize=501",
		users + "?pageNumber=0", users + "?pageNumber=x", users + "?nonsense=1", one + "?pageSize=1", query + "?pageNumber=1",
		query + "?cursor=nonsense", query + "?cursor=%00",
	} {
		w.refused(w.call(http.MethodGet, path, ""), 400, "invalid.query.param.value")
	}
	for _, path := range []string{
		users + "?sortOrder=ASC", users + "?sortOrder=descending", users + "?sortOrder=Ascending", users + "?state=any", users + "?state=ACTIVE",
		users + "?expand=presence&integrationPresenceSource=ZoomPhone", one + "?state=active", query + "?sortOrder=DESC",
	} {
		w.must(http.MethodGet, path, "")
	}
}

func TestExpansions(t *testing.T) {
	w := newOrg(t, sim.Options{Users: 6, DropExpands: 3})
	w.Edit(w.first().Email, func(u *sim.User) {
		u.Certifications, u.Employer = []string{"PCI"}, sim.Employer{OfficialName: "Ana"}
	})
	onDemand := []string{"certifications", "employerInfo", "biography", "skills", "languages", "locations", "profileSkills", "groups"}
	has := func(u object) string {
		return strings.Join(slices.DeleteFunc(slices.Clone(onDemand), func(f string) bool { _, ok := u[f]; return !ok }), ",")
	}
	one := users + "/" + w.first().ID
	for query, want := range map[string]string{
		"":                                    "",
		"?expand=certifications":              "certifications",
		"?expand=certifications,employerInfo": "certifications,employerInfo",
		"?expand=certifications&expand=employerInfo":     "certifications,employerInfo",
		"?expand=presence,skills&expand=biography":       "biography,skills",
		"?expand=" + strings.Join(onDemand, ","):         strings.Join(onDemand, ","),
		"?expand=groups&expand=locations,languages":      "languages,locations,groups",
		"?expand=employerInfo,routingStatus,geolocation": "employerInfo",
	} {
		if got := has(w.must(http.MethodGet, one+query, "").json); got != want {
			t.Errorf("%s: %s, want %s", query, got, want)
		}
		if got := has(w.must(http.MethodGet, users+query, "").list("entities")[0]); got != want {
			t.Errorf("listing with %s: %s, want %s", query, got, want)
		}
	}
	// "Best effort": some of a listing lack an expansion, and none when read alone.
	all := w.must(http.MethodGet, users+"?expand=certifications,employerInfo", "").list("entities")
	for i, u := range all {
		want := "certifications,employerInfo"
		if i%3 == 2 {
			want = "employerInfo"
		}
		if got := has(u); got != want {
			t.Errorf("user %d: %s, want %s", i, got, want)
		}
	}
}

func TestOrganization(t *testing.T) {
	w := newOrg(t, sim.Options{OrgID: "o-1", Namespace: "ns"})
	if r := w.must(http.MethodGet, "/api/v2/organizations/me", ""); r.text("id") != "o-1" || r.text("name") == "" || r.text("defaultCountryCode") != "US" {
		t.Errorf("%s", r.body)
	}
	if r := w.must(http.MethodGet, "/api/v2/authorization/products", ""); r.number("total") == 0 || r.number("total") != len(r.list("entities")) {
		t.Errorf("products: %s", r.body)
	}
	const limits = "/api/v2/organizations/limits/namespaces"
	if r := w.must(http.MethodGet, limits, ""); !strings.Contains(r.body, `["ns"]`) {
		t.Errorf("%s", r.body)
	}
	w.SetLimit(600)
	for path, want := range map[string]float64{limits + "/ns": 600, limits + "/ns/defaults": 300} {
		found := false
		for _, l := range w.must(http.MethodGet, path, "").list("entities") {
			if l["key"] == "client.credentials.token.rate.per.minute" {
				found = l["value"] == want && l["namespace"] == "ns"
			}
		}
		if !found {
			t.Errorf("%s does not tell %v a minute", path, want)
		}
	}
	w.refused(w.call(http.MethodGet, limits+"/other", ""), 404, "not.found")
}
