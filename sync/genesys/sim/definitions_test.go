package sim_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"usersyncd/sync/genesys/sim"
)

// What the vendor's Terraform provider does with skills, queues and so on: create, read, change, delete.
func TestDefinitions(t *testing.T) {
	for _, c := range []struct {
		kind        sim.Kind
		path, extra string // members of the body besides the name
		edit        bool
		status      int
		code        string // of a name that is taken
	}{
		{sim.Skill, "/api/v2/routing/skills", ``, false, 409, "general.conflict"},
		{sim.Language, "/api/v2/routing/languages", ``, false, 400, "general.conflict"},
		{sim.Division, "/api/v2/authorization/divisions", `,"description":"In the south"`, true, 409, "resource.already.exists"},
		{sim.Queue, "/api/v2/routing/queues", `,"skillEvaluationMethod":"BEST","acwSettings":{"wrapupPrompt":"OPTIONAL"}`, true, 400, "duplicate.name"},
		{sim.WrapUpCode, "/api/v2/routing/wrapupcodes", `,"description":"Sold"`, true, 400, "duplicate.name"},
		{sim.Group, "/api/v2/groups", `,"type":"social","visibility":"members","rulesVisible":false`, true, 400, "group.name.in.use"},
	} {
		t.Run(string(c.kind), func(t *testing.T) {
			w := newOrg(t, sim.Options{})
			body := func(name string) string { return fmt.Sprintf(`{"name":%q%s}`, name, c.extra) }
			id := w.must(http.MethodPost, c.path, body("South")).text("id")
			if w.IDOf(c.kind, "South") != id {
				t.Fatalf("%q was not made", id)
			}
			w.refused(w.call(http.MethodPost, c.path, body("SOUTH")), c.status, c.code)
			w.refused(w.call(http.MethodPost, c.path, `{}`), 400, "bad.request")
			got := w.must(http.MethodGet, c.path+"/"+id, "")
			if c.extra != "" && !strings.Contains(got.body, strings.Split(c.extra[1:], ",")[0]) {
				t.Errorf("%s is shown as %s", c.extra, got.body)
			}
			if !strings.Contains(w.must(http.MethodGet, c.path+"?pageSize=100", "").body, id) {
				t.Error("it is not listed")
			}
			if c.edit {
				renamed := fmt.Sprintf(`{"name":"Far south","version":%d%s}`, got.number("version"), c.extra)
				w.must(http.MethodPut, c.path+"/"+id, renamed)
				if w.NameOf(c.kind, id) != "Far south" {
					t.Error("it was not renamed")
				}
			}
			w.must(http.MethodDelete, c.path+"/"+id+"?force=true", "")
			w.refused(w.call(http.MethodGet, c.path+"/"+id, ""), 404, "not.found")
			w.refused(w.call(http.MethodDelete, c.path+"/"+id, ""), 404, "not.found")
		})
	}
}

// What an object has of its own besides its name.
func TestDefinitionsOwnRules(t *testing.T) {
	w := newOrg(t, sim.Options{Users: 3, TakenStatus: http.StatusBadRequest})
	w.refused(w.call(http.MethodPost, "/api/v2/routing/skills", `{"name":"Billing"}`), 400, "general.conflict")

	divisions := "/api/v2/authorization/divisions"
	south := w.must(http.MethodPost, divisions, `{"name":"South","description":""}`).text("id")
	w.must(http.MethodPost, divisions+"/"+south+"/objects/USER", `["`+w.first().ID+`"]`)
	w.refused(w.call(http.MethodDelete, divisions+"/"+south, ""), 400, "precondition.failure")
	if r := w.must(http.MethodDelete, divisions+"/"+south+"?force=true", ""); r.status != 204 || w.first().Division != w.IDOf(sim.Division, "Home") {
		t.Errorf("%d, and the user is in %s", r.status, w.first().Division)
	}
	w.refused(w.call(http.MethodDelete, divisions+"/"+w.IDOf(sim.Division, "Home"), ""), 400, "precondition.failure")
	w.refused(w.call(http.MethodPost, "/api/v2/routing/queues", `{"name":"South","division":{"id":"`+south+`"}}`), 400, "bad.request")

	groups := "/api/v2/groups"
	group := w.must(http.MethodPost, groups, `{"name":"South","type":"official","visibility":"public","rulesVisible":true,"ownerIds":["`+w.first().ID+`"]}`)
	if owners := group.list("owners"); len(owners) != 1 || owners[0]["id"] != w.first().ID {
		t.Errorf("owners: %s", group.body)
	}
	one := groups + "/" + group.text("id")
	w.refused(w.call(http.MethodPut, one, `{"name":"South"}`), 400, "bad.request")
	if r := w.call(http.MethodPut, one, `{"name":"South","version":7}`); r.status != 400 && r.status != 409 {
		t.Errorf("a wrong version: %d %s", r.status, r.body)
	}
	if r := w.must(http.MethodPut, one, `{"name":"South","version":1,"ownerIds":[" "]}`); r.text("type") != "official" || r.list("owners") != nil || r.number("version") != 2 {
		t.Errorf("changed into %s", r.body)
	}
	members := func() int { return len(w.must(http.MethodGet, one+"/members", "").list("entities")) }
	for version, include := range []bool{true, false} {
		w.must(http.MethodPut, one, fmt.Sprintf(`{"name":"South","version":%d,"ownerIds":[%q],"includeOwners":%t}`, version+2, w.first().ID, include))
		if n := members(); n == 1 != include {
			t.Errorf("owners are members %t, and there are %d", include, n)
		}
	}
	policy := "/api/v2/voicemail/groups/" + group.text("id") + "/policy"
	w.must(http.MethodPatch, policy, `{"enabled":true,"rotateCallsSecs":15}`)
	if r := w.must(http.MethodGet, policy, ""); r.json["enabled"] != true || r.number("rotateCallsSecs") != 15 {
		t.Errorf("voicemail: %s", r.body)
	}

	w.must(http.MethodPost, one+"/members", `{"memberIds":["`+w.first().ID+`"],"version":4}`)
	queue := w.must(http.MethodPost, "/api/v2/routing/queues", `{"name":"South","memberGroups":[{"id":"`+group.text("id")+`","type":"GROUP"}]}`)
	if queue.number("memberCount") != 1 || queue.number("userMemberCount") != 0 {
		t.Errorf("members through a group: %s", queue.body)
	}
	emea := w.IDOf(sim.Division, "EMEA")
	w.must(http.MethodPost, divisions+"/"+emea+"/objects/QUEUE", `["`+queue.text("id")+`"]`)
	w.refused(w.call(http.MethodPost, divisions+"/"+emea+"/objects/QUEUE", `["x"]`), 404, "not.found")
	moved := w.must(http.MethodPut, "/api/v2/routing/queues/"+queue.text("id"), `{"name":"South"}`)
	if in, _ := moved.json["division"].(object); in["id"] != emea {
		t.Errorf("a queue that was moved and then replaced: %s", moved.body)
	}
	codes := "/api/v2/routing/queues/" + queue.text("id") + "/wrapupcodes"
	sold := w.must(http.MethodPost, "/api/v2/routing/wrapupcodes", `{"name":"Sold"}`).text("id")
	w.must(http.MethodPost, codes, `[{"id":"`+sold+`"}]`)
	w.refused(w.call(http.MethodPost, codes, `[{"id":"x"}]`), 400, "invalid.id")
	if r := w.must(http.MethodGet, codes, ""); len(r.list("entities")) != 1 {
		t.Errorf("codes of the queue: %s", r.body)
	}
	w.must(http.MethodDelete, codes+"/"+sold, "")
	if r := w.must(http.MethodGet, codes, ""); len(r.list("entities")) != 0 {
		t.Errorf("codes of the queue: %s", r.body)
	}
}
