package spec_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"usersyncd/spec"
)

func TestDefaultsMergeAndNearerWins(t *testing.T) {
	tree := load(t, spec.NewLoader(checkout(t, map[string]string{
		"_defaults.yaml": "title: Far\ndivision: EMEA\nskills: {A: 1, B: 1}\nroles: [Employee]\n" +
			"utilization: {call: {capacity: 1, interruptedBy: [chat]}, chat: {capacity: 2}}\n",
		"sub/_defaults.yml": "title: Near\nskills: {B: 2}\nlanguages: {English: 5}\n",
		"far.yaml":          "email: far@x.example\n",
		"sub/near.yaml":     "email: near@x.example\nskills: {C: 3}\nroles: [Supervisor]\nutilization: {call: {capacity: 9}}\n",
		"sub/empty.yaml":    "email: empty@x.example\nskills: {}\nroles: []\ntitle: \"\"\n",
		"sub/a/deep.yaml":   "email: deep@x.example\n",
		"subway/other.yaml": "email: other@x.example\n",
	})))
	if len(tree.Problems) > 0 {
		t.Fatal(texts(tree.Problems))
	}
	const far = `{"call":{"capacity":1,"interruptedBy":["chat"]},"chat":{"capacity":2}}`
	want := map[string]spec.Fields{
		"far@x.example":   spec.FieldsOf(map[spec.Field]spec.Value{"title": `"Far"`, "division": `"EMEA"`, "skills": `{"A":1,"B":1}`, "roles": `["Employee"]`, "utilization": far}),
		"other@x.example": spec.FieldsOf(map[spec.Field]spec.Value{"title": `"Far"`, "division": `"EMEA"`, "skills": `{"A":1,"B":1}`, "roles": `["Employee"]`, "utilization": far}),
		"near@x.example": spec.FieldsOf(map[spec.Field]spec.Value{
			"title": `"Near"`, "division": `"EMEA"`, "skills": `{"A":1,"B":2,"C":3}`, "roles": `["Supervisor"]`, "languages": `{"English":5}`,
			"utilization": `{"call":{"capacity":9,"interruptedBy":["chat"]},"chat":{"capacity":2}}`,
		}),
		"deep@x.example":  spec.FieldsOf(map[spec.Field]spec.Value{"title": `"Near"`, "division": `"EMEA"`, "skills": `{"A":1,"B":2}`, "roles": `["Employee"]`, "languages": `{"English":5}`, "utilization": far}),
		"empty@x.example": spec.FieldsOf(map[spec.Field]spec.Value{"title": `""`, "division": `"EMEA"`, "skills": `{}`, "roles": `[]`, "languages": `{"English":5}`, "utilization": far}),
	}
	got := map[string]spec.Fields{}
	for _, u := range tree.Users {
		u.Fields = u.Fields.Without(spec.Email)
		got[u.Key] = u.Fields
		place := map[string]string{"far@x.example": "_defaults.yaml:1:1", "other@x.example": "_defaults.yaml:1:1",
			"near@x.example": "sub/_defaults.yml:1:1", "deep@x.example": "sub/_defaults.yml:1:1", "empty@x.example": "sub/empty.yaml:4:1"}
		if at := at(u, spec.Title).String(); at != place[u.Key] {
			t.Errorf("%s: title is at %s", u.Key, at)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestBadDefaults(t *testing.T) {
	for _, c := range []struct{ name, content, problem string }{
		{"unknown field", "titel: A\n", `_defaults.yaml:1:1: titel: unknown field; did you mean "title"?`},
		{"email", "email: a@x.example\n", `_defaults.yaml:1:1: email: belongs to one user and cannot be a default; move it into the user's file`},
		{"name", "name: A\n", `_defaults.yaml:1:1: name: belongs to one user and cannot be a default; move it into the user's file`},
		{"id", "id: x\n", `_defaults.yaml:1:1: id: belongs to one user and cannot be a default; move it into the user's file`},
		{"previousEmail", "previousEmail: x\n", `_defaults.yaml:1:1: previousEmail: belongs to one user and cannot be a default; move it into the user's file`},
		{"a bad value is said once, not by each user", "state: on\n", `_defaults.yaml:1:8: state: "on" is not one of active, inactive`},
		{"null", "title:\n", `_defaults.yaml:1:7: title: has no value; leave the field out to not manage it, or write "" to empty it`},
		{"empty", "# nothing\n", `_defaults.yaml:1:1: sets nothing; delete the file`},
		{"two documents", "title: A\n---\ntitle: B\n", `_defaults.yaml:3:1: a _defaults.yaml has one document; merge this one into the first`},
		{"a list", "- title\n", `_defaults.yaml:1:1: must be a map, such as {department: Support}`},
		{"not YAML", "title: [\n", `_defaults.yaml:1:8: opens a list that is not closed; write "]" at its end`},
		{"alias", "title: &a A\n", `_defaults.yaml:1:8: title: has a YAML anchor (&name); write the value out where it is needed, or put it into a _defaults.yaml`},
	} {
		t.Run(c.name, func(t *testing.T) {
			tree := load(t, spec.NewLoader(checkout(t, map[string]string{
				"in/_defaults.yaml": c.content, "in/a.yaml": "email: a@x.example\n", "in/deep/b.yaml": "email: b@x.example\n", "out.yaml": "email: c@x.example\n",
			})))
			if diff := cmp.Diff([]string{"in/" + c.problem}, texts(tree.Problems)); diff != "" {
				t.Error(diff)
			}
			if diff := cmp.Diff([]string{"c@x.example"}, keys(tree)); diff != "" {
				t.Errorf("users below bad defaults are not what was meant: %s", diff)
			}
		})
	}
}

func TestTwoDefaultsInAFolder(t *testing.T) {
	dir := checkout(t, map[string]string{
		"_defaults.yaml": "title: A\n", "_defaults.yml": "title: B\n", "a.yaml": "email: a@x.example\n",
	})
	l := spec.NewLoader(dir)
	tree := load(t, l)
	want := []string{`_defaults.yml:1:1: is beside _defaults.yaml; keep one of the two`}
	if diff := cmp.Diff(want, texts(tree.Problems)); diff != "" || len(tree.Users) > 0 {
		t.Errorf("users %q, %s", keys(tree), diff)
	}
	remove(t, dir, "_defaults.yaml")
	if tree = load(t, l); len(tree.Problems) > 0 || len(tree.Users) != 1 || tree.Users[0].Fields.Get(spec.Title) != `"B"` {
		t.Errorf("after removing one: %q, %q", keys(tree), texts(tree.Problems))
	}
}
