package sim_test

import (
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"usersyncd/sync/genesys/sim"
)

const userSync = roles + "/70000000-0000-4000-8000-0000000000c1"

// The client's roles are told in three places, each with conditions of its own.
func TestOwnRoles(t *testing.T) {
	client, subject := "/api/v2/oauth/clients/demo", "/api/v2/authorization/subjects/demo"
	inAll := `"roleDivisions":[{"roleId":"70000000-0000-4000-8000-0000000000c1","divisionId":"*"}]`
	w := newOrg(t, sim.Options{})
	for _, path := range []string{"/api/v2/tokens/me", client} {
		if r := w.must(http.MethodGet, path, ""); !strings.Contains(r.body, inAll) {
			t.Errorf("%s: %s", path, r.body)
		}
	}
	grant := w.must(http.MethodGet, subject, "").list("grants")
	if len(grant) != 1 || grant[0]["subjectId"] != "demo" || grant[0]["role"].(object)["name"] != "User sync" || grant[0]["division"].(object)["id"] != "*" {
		t.Errorf("%v", grant)
	}
	w.refused(w.call(http.MethodGet, "/api/v2/oauth/clients/other", ""), 404, "not.found")

	w = newOrg(t, sim.Options{BareToken: true, Forbid: "oauth:client:view authorization:grant:view authorization:role:view", Hide: 2})
	if r := w.must(http.MethodGet, "/api/v2/tokens/me", ""); strings.Contains(r.body, "roleDivisions") || r.json["OAuthClient"].(object)["name"] != "usersyncd" {
		t.Error(r.body)
	}
	for _, path := range []string{client, subject, userSync} {
		w.refused(w.call(http.MethodGet, path, ""), 403, "missing.any.permissions")
	}
	if r := newOrg(t, sim.Options{Hide: 2}).must(http.MethodGet, client, ""); strings.Contains(r.body, `"*"`) || !strings.Contains(r.body, "d0000000") {
		t.Errorf("with hidden users the role is in %s", r.body)
	}
}

// The client's role allows all but what the client lacks, and a role of the listing what it is listed with.
func TestPoliciesOfRoles(t *testing.T) {
	for forbid, actions := range map[string]string{"": `["add","delete","edit","setPassword","view"]`, "directory:user:delete": `["add","edit","setPassword","view"]`} {
		if r := newOrg(t, sim.Options{Forbid: forbid}).must(http.MethodGet, userSync, ""); !strings.Contains(r.body, `"entityName":"user","actionSet":`+actions) {
			t.Errorf("without %q: %s", forbid, r.body)
		}
	}
	w := newOrg(t, sim.Options{})
	agent := w.must(http.MethodGet, roles+"/"+w.IDOf(sim.Role, "Agent"), "")
	if !strings.Contains(agent.body, `"permissionPolicies":[{"domain":"routing","entityName":"queue","actionSet":["view"]}]`) {
		t.Error(agent.body)
	}
	w.refused(w.call(http.MethodGet, roles+"/nope", ""), 404, "not.found")
}

// What the server asks for anywhere can be lacking, and so is among the role's permissions.
func TestAllPermissionsAreInTheRole(t *testing.T) {
	body := newOrg(t, sim.Options{}).must(http.MethodGet, userSync, "").body
	files, err := filepath.Glob("*.go")
	if err != nil || len(files) == 0 {
		t.Fatal(err)
	}
	asked := regexp.MustCompile(`"([a-z]+):([a-zA-Z]+):([a-zA-Z]+)"`)
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") || name == "catalogseed.go" {
			continue
		}
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range asked.FindAllStringSubmatch(string(text), -1) {
			if !regexp.MustCompile(`"domain":"` + m[1] + `","entityName":"` + m[2] + `","actionSet":\[[^]]*"` + m[3] + `"`).MatchString(body) {
				t.Errorf("%s asks for %s, which is not in the role: %s", name, m[0], body)
			}
		}
	}
}
