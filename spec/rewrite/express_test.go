package rewrite_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"usersyncd/spec"
	"usersyncd/spec/rewrite"
)

// One entry that the format cannot express is left out; the others are written.
func TestWriteLeavesOutEntries(t *testing.T) {
	const persian = "\u0645\u06cc\u200c\u062e"
	dir := checkout(t, map[string]string{"a.yaml": "email: a@x.example\nskills: {Old: 1} # mine\nqueues: [Q]\n"})
	fields := spec.FieldsOf(map[spec.Field]spec.Value{
		spec.Skills:      spec.Proficiencies(map[string]float64{"A": 1, "B\u2060": 2, persian: 3}),
		spec.Queues:      spec.Strings([]string{"Q", "X\u202eY", "Z\u200d"}),
		spec.Roles:       spec.RoleList([]spec.Role{{Name: "R"}, {Name: "S", Divisions: []string{"D\u2060"}}}),
		spec.Phones:      spec.PhoneList([]spec.Phone{{Type: "work", Media: "phone", Number: "+157197"}, {Type: "home", Media: "phone", Number: "600"}}),
		spec.Utilization: spec.UtilizationOf(spec.UtilizationSettings{Labels: map[string]spec.UtilizationLimit{"V\u2060": {Capacity: 1}, "W": {Capacity: 2}}}),
		spec.Groups:      spec.Strings([]string{"G\u2060"}), // nothing is left: the field is
		spec.Locations:   `[]`,
	})
	users := []*spec.User{{Key: "a@x.example", Fields: fields}, {Key: "b@x.example", Fields: fields}}
	report, err := rewrite.Write(t.Context(), spec.NewLoader(dir), users, rewrite.Options{})
	must(t, err)
	want := `# yaml-language-server: $schema=schema.json
email: b@x.example
# phones[0].number: not exported: "600" is not an international number; write "+", the country code and the number, such as "+34600000001"
phones: [{type: work, media: phone, number: "+157197"}]
# skills."B\u2060": not exported: "B\u2060" contains an invisible character (U+2060); remove it
skills: {A: 1, "` + persian + `": 3}
# roles[1].divisions[0]: not exported: "D\u2060" contains an invisible character (U+2060); remove it
roles: [R]
# queues[1]: not exported: "X\u202eY" contains a text direction character (U+202E); remove it
# queues[2]: not exported: "Z\u200d" contains an invisible character (U+200D); remove it
queues: [Q]
# groups: not exported: groups[0]: "G\u2060" contains an invisible character (U+2060); remove it
# utilization.labels."V\u2060": not exported: "V\u2060" contains an invisible character (U+2060); remove it
utilization: {labels: {W: {capacity: 2}}}
`
	got, err := os.ReadFile(filepath.Join(dir, "b.yaml"))
	must(t, err)
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Error(diff)
	}
	const line = `b.yaml:1:1: skills."B\u2060": b@x.example: not exported, so that a sync would remove it: "B\u2060" contains an invisible character (U+2060); remove it`
	if all := texts(report.Skipped); len(all) != 14 || all[len(all)-2] != line {
		t.Errorf("%q", all)
	}
	tree := load(t, spec.NewLoader(dir))
	if diff := cmp.Diff(tree.Users[1].Fields.Get(spec.Skills), tree.Users[0].Fields.Get(spec.Skills)); diff != "" || tree.Users[0].Fields.Get(spec.Queues) != `["Q"]` {
		t.Error(diff, tree.Users[0].Fields)
	}
	again, err := rewrite.Write(t.Context(), spec.NewLoader(dir), users, rewrite.Options{})
	must(t, err)
	if again.Unchanged != 2 || len(again.Skipped) != 14 {
		t.Errorf("again: %+v", again)
	}
}
