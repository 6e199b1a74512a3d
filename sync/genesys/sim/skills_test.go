package sim_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"usersyncd/sync/genesys/sim"
)

// rated writes a body of skills or languages: names and proficiencies by turns.
func (w *org) rated(kind sim.Kind, pairs ...any) string {
	var all []string
	for i := 0; i < len(pairs); i += 2 {
		all = append(all, fmt.Sprintf(`{"id":%q,"proficiency":%v}`, w.IDOf(kind, fmt.Sprint(pairs[i])), pairs[i+1]))
	}
	return "[" + strings.Join(all, ",") + "]"
}

// has tells a user's skills or languages as the API lists them.
func (w *org) has(path string) string {
	w.Helper()
	var all []string
	for _, o := range w.must(http.MethodGet, path, "").list("entities") {
		all = append(all, fmt.Sprint(o["name"], " ", o["proficiency"], " ", o["state"]))
	}
	return strings.Join(all, ", ")
}

func TestSkillWrites(t *testing.T) {
	w := newOrg(t, sim.Options{})
	w.Add(sim.User{ID: "u-1", Name: "Ana", Email: "ana@example.com"})
	const self, bulk = users + "/u-1/routingskills", users + "/u-1/routingskills/bulk"
	billing, sales := w.IDOf(sim.Skill, "Billing"), w.IDOf(sim.Skill, "Sales")
	for i, c := range []struct{ method, path, body, want string }{
		{http.MethodPatch, bulk, w.rated(sim.Skill, "Billing", 4, "Refunds", 2.5), "Billing 4 active, Refunds 2.5 active"},
		{http.MethodPatch, bulk, w.rated(sim.Skill, "Refunds", 0, "Chat", 5), "Billing 4 active, Chat 5 active, Refunds 0 active"},
		{http.MethodPatch, bulk, `[]`, "Billing 4 active, Chat 5 active, Refunds 0 active"},
		{http.MethodPut, bulk, w.rated(sim.Skill, "Billing", 1.25), "Billing 1.25 active"},
		{http.MethodPost, self, `{"id":"` + sales + `","proficiency":3}`, "Billing 1.25 active, Sales 3 active"},
		{http.MethodPut, self + "/" + sales, `{"proficiency":0.5}`, "Billing 1.25 active, Sales 0.5 active"},
		{http.MethodDelete, self + "/" + billing, "", "Sales 0.5 active"},
		{http.MethodPut, bulk, `[]`, ""},
	} {
		r := w.must(c.method, c.path, c.body)
		if got := w.has(self); got != c.want {
			t.Errorf("%s %s: %s, want %s", c.method, c.body, got, c.want)
		}
		if c.path == bulk && (r.number("total") != len(r.list("entities")) || r.list("entities") == nil && c.want != "") {
			t.Errorf("%s: %s", c.method, r.body)
		}
		if u := w.first(); u.Version != i+2 || u.Writes != i+1 {
			t.Errorf("%s: version %d, %d writes", c.method, u.Version, u.Writes)
		}
	}
}

func TestLanguageWrites(t *testing.T) {
	w := newOrg(t, sim.Options{})
	w.Add(sim.User{ID: "u-1", Name: "Ana", Email: "ana@example.com"})
	const self, bulk = users + "/u-1/routinglanguages", users + "/u-1/routinglanguages/bulk"
	spanish, german := w.IDOf(sim.Language, "Spanish"), w.IDOf(sim.Language, "German")
	for _, c := range []struct{ method, path, body, want string }{
		{http.MethodPatch, bulk, w.rated(sim.Language, "Spanish", 4.5, "English", 3.4), "English 3 active, Spanish 5 active"},
		{http.MethodPost, self, `{"id":"` + german + `","proficiency":0.4}`, "English 3 active, German 0 active, Spanish 5 active"},
		{http.MethodPatch, self + "/" + german, `{"id":"` + german + `","proficiency":2}`, "English 3 active, German 2 active, Spanish 5 active"},
		{http.MethodDelete, self + "/" + spanish, "", "English 3 active, German 2 active"},
	} {
		w.must(c.method, c.path, c.body)
		if got := w.has(self); got != c.want {
			t.Errorf("%s %s: %s, want %s", c.method, c.body, got, c.want)
		}
	}
	if u := w.first(); u.Languages[german] != 2 || u.Version != 5 {
		t.Errorf("%+v", u)
	}
	r := w.call(http.MethodPut, bulk, `[]`)
	if l := w.Ledger(); r.status != 404 || len(l.Unreal) != 1 {
		t.Errorf("%d %v: languages cannot be replaced", r.status, l.Unreal)
	}
}

func TestRatedRefusals(t *testing.T) {
	for kind, part := range map[sim.Kind]string{sim.Skill: "routingskills", sim.Language: "routinglanguages"} {
		w := newOrg(t, sim.Options{SkillsBatch: 3})
		w.Add(sim.User{ID: "u-1", Name: "Ana", Email: "ana@example.com"})
		w.Add(sim.User{ID: "u-2", Name: "Bob", Email: "bob@example.com", State: "deleted"})
		before := w.Users()
		self, many := users+"/u-1/"+part, []any{}
		for i := range 51 {
			many = append(many, fmt.Sprint(i), 1)
			w.Define(kind, fmt.Sprint(i))
		}
		id := w.IDOf(kind, "0")
		for _, body := range []string{
			`null`, `{}`, `[{}]`, `[{"id":"` + id + `"}]`, `[{"proficiency":1}]`, `[{"id":"nothing","proficiency":1}]`, `[{"id":"` + id + `","proficiency":"1"}]`,
			`[{"id":"` + id + `","proficiency":5.1}]`, `[{"id":"` + id + `","proficiency":-0.1}]`, `[{"id":"` + id + `","proficiency":1,"level":1}]`,
			w.rated(kind, many...), w.rated(kind, "0", 1, "0", 2),
		} {
			w.refused(w.call(http.MethodPatch, self+"/bulk", body), 400, "bad.request")
		}
		if kind == sim.Skill {
			w.refused(w.call(http.MethodPut, self+"/bulk", w.rated(kind, many[:8]...)), 400, "bad.request")
		}
		set := map[sim.Kind]string{sim.Skill: http.MethodPut, sim.Language: http.MethodPatch}[kind]
		w.refused(w.call(set, self+"/"+id, `{"proficiency":1}`), 404, "not.found")
		w.refused(w.call(http.MethodDelete, self+"/"+id, ""), 404, "not.found")
		w.refused(w.call(http.MethodPost, self, `{"id":"nothing","proficiency":1}`), 400, "bad.request")
		for _, who := range []string{"u-2", "nobody"} {
			w.refused(w.call(http.MethodPatch, users+"/"+who+"/"+part+"/bulk", `[]`), 404, "not.found")
			w.refused(w.call(http.MethodGet, users+"/"+who+"/"+part, ""), 404, "not.found")
		}
		if diff := cmp.Diff(before, w.Users()); diff != "" {
			t.Error(diff)
		}
		w.must(http.MethodPatch, self+"/bulk", w.rated(kind, many[:100]...))
		if r := w.must(http.MethodGet, self+"?pageSize=20&pageNumber=3", ""); len(r.list("entities")) != 10 || r.number("total") != 50 || r.number("pageCount") != 3 {
			t.Errorf("%s", r.body)
		}
		forbidden := newOrg(t, sim.Options{Users: 1, Forbid: "routing:" + string(kind) + ":assign"})
		w.refused(forbidden.call(http.MethodPatch, users+"/"+forbidden.first().ID+"/"+part+"/bulk", `[]`), 403, "missing.any.permissions")
	}
}

func TestProfileSkills(t *testing.T) {
	w := newOrg(t, sim.Options{})
	w.Add(sim.User{ID: "u-1", Name: "Ana", Email: "ana@example.com", ProfileSkills: []string{"Chess"}})
	const self = users + "/u-1/profileskills"
	for _, c := range [][2]string{{`["Sailing","Chess","Sailing"]`, `["Sailing","Chess","Sailing"]`}, {`[]`, `[]`}} {
		if r := w.must(http.MethodPut, self, c[0]); r.body != c[1] {
			t.Errorf("%s: %s", c[0], r.body)
		}
		if r := w.must(http.MethodGet, self, ""); r.body != c[1] {
			t.Errorf("%s reads %s", c[0], r.body)
		}
	}
	for _, body := range []string{`null`, `{}`, `[1]`, `"x"`} {
		w.refused(w.call(http.MethodPut, self, body), 400, "bad.request")
	}
	if u := w.first(); u.Version != 3 || u.Writes != 2 {
		t.Errorf("%+v", u)
	}
	for permission, method := range map[string]string{"directory:userProfile:view": http.MethodGet, "directory:userProfile:edit": http.MethodPut} {
		f := newOrg(t, sim.Options{Users: 1, Forbid: permission})
		body := map[string]string{http.MethodPut: `[]`}[method]
		f.refused(f.call(method, users+"/"+f.first().ID+"/profileskills", body), 403, "missing.any.permissions")
	}
}
