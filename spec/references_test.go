package spec_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"usersyncd/spec"
)

func TestReferences(t *testing.T) {
	for _, c := range []struct {
		field spec.Field
		value spec.Value
		want  []spec.Ref
	}{
		{spec.Skills, `{"Refunds":2.5,"Billing":4}`, []spec.Ref{{Kind: "skill", Name: "Billing"}, {Kind: "skill", Name: "Refunds"}}},
		{spec.Languages, `{"Spanish":5}`, []spec.Ref{{Kind: "language", Name: "Spanish"}}},
		{spec.Division, `"EMEA"`, []spec.Ref{{Kind: "division", Name: "EMEA"}}},
		{spec.Roles, `["Employee",{"role":"Supervisor","divisions":["EMEA","APAC"]},{"role":"Employee","divisions":["EMEA"]}]`, []spec.Ref{
			{Kind: "role", Name: "Employee"}, {Kind: "role", Name: "Supervisor"}, {Kind: "division", Name: "APAC"}, {Kind: "division", Name: "EMEA"}}},
		{spec.Roles, `[{"role":"Supervisor","divisions":["*"]}]`, []spec.Ref{{Kind: "role", Name: "Supervisor"}}},
		{spec.Queues, `["B","A"]`, []spec.Ref{{Kind: "queue", Name: "A"}, {Kind: "queue", Name: "B"}}},
		{spec.Groups, `["Madrid (3f0c9d2e-5b1a-4c7d-9e8f-0a1b2c3d4e5f)"]`, []spec.Ref{{Kind: "group", Name: "Madrid (3f0c9d2e-5b1a-4c7d-9e8f-0a1b2c3d4e5f)"}}},
		{spec.Locations, `[{"name":"HQ","notes":"1"},{"name":"Annex"}]`, []spec.Ref{{Kind: "location", Name: "Annex"}, {Kind: "location", Name: "HQ"}}},
		{spec.Skills, `{}`, nil},
		{spec.Roles, `[]`, nil},
		{spec.Division, `""`, nil},
		{spec.Queues, ``, nil},
		{spec.Queues, `{"A":1}`, nil},
		{spec.Title, `"EMEA"`, nil},
		{spec.Manager, `"luis@x.example"`, nil},
	} {
		if diff := cmp.Diff(c.want, spec.References(c.field, c.value)); diff != "" {
			t.Errorf("%s of %s: %s", c.value, c.field, diff)
		}
	}
}

func TestReferencesAreThereOnceAndInOneOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		name := rapid.StringMatching(`[A-C*]`)
		var roles []spec.Role
		for range rapid.IntRange(0, 6).Draw(t, "grants") {
			roles = append(roles, spec.Role{Name: name.Draw(t, "role"), Divisions: rapid.SliceOfN(name, 0, 3).Draw(t, "divisions")})
		}
		refs := spec.References(spec.Roles, spec.RoleList(roles))
		seen := map[spec.Ref]bool{}
		for _, r := range refs {
			if seen[r] || r.Kind == spec.KindDivision && r.Name == spec.AllDivisions {
				t.Fatalf("%v in %v", r, refs)
			}
			seen[r] = true
		}
		if diff := cmp.Diff(refs, spec.References(spec.Roles, spec.RoleList(rapid.Permutation(roles).Draw(t, "again")))); diff != "" {
			t.Fatal(diff)
		}
	})
}

func TestIsEmpty(t *testing.T) {
	for _, info := range spec.AllFields() {
		if info.Empty() != "" && !spec.IsEmpty(info.Field, spec.Value(info.Empty())) {
			t.Errorf("%s of %s is not empty", info.Empty(), info.Field)
		}
		for _, v := range []spec.Value{"", `"a"`, `["a"]`, `{"a":1}`, "false"} {
			if spec.IsEmpty(info.Field, v) {
				t.Errorf("%s of %s is empty", v, info.Field)
			}
		}
		if info.Empty() == "" && (spec.IsEmpty(info.Field, `""`) || spec.IsEmpty(info.Field, `{}`) || spec.IsEmpty(info.Field, `[]`)) {
			t.Errorf("%s cannot be emptied", info.Field)
		}
	}
	if spec.IsEmpty("unknown", `""`) {
		t.Error("an unknown field is empty")
	}
}
