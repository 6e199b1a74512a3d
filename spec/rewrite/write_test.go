package rewrite_test

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"usersyncd/spec"
	"usersyncd/spec/rewrite"
)

// person is a user of an organization; pairs are fields and values.
func person(key string, pairs ...string) *spec.User {
	u := &spec.User{Key: key, Fields: spec.FieldsOf(map[spec.Field]spec.Value{spec.Email: spec.Text(key), spec.Name: `"N"`})}
	for p := range slices.Chunk(pairs, 2) {
		if p[0] == "id" {
			u.ID = p[1]
			continue
		}
		u.Fields.Set(spec.Field(p[0]), spec.Value(p[1]))
	}
	return u
}

const someID = "3f0c9d2e-5b1a-4c7d-9e8f-0a1b2c3d4e5f"

func export(t testing.TB, dir string, o rewrite.Options, users ...*spec.User) rewrite.Report {
	t.Helper()
	report, err := rewrite.Write(t.Context(), spec.NewLoader(dir), users, o)
	must(t, err)
	return report
}

// tree reads all files of a folder but the schema.
func tree(t testing.TB, dir string) map[string]string {
	t.Helper()
	out := map[string]string{}
	must(t, filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || d.Name() == "schema.json" {
			return err
		}
		content, err := os.ReadFile(name)
		rel, _ := filepath.Rel(dir, name)
		out[filepath.ToSlash(rel)] = string(content)
		return err
	}))
	return out
}

func TestWriteMakesAFileAUser(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new", "org")
	report := export(t, dir, rewrite.Options{By: spec.Division},
		person("Ana.Perez@x.example", "id", someID, "division", `"Sales & EMEA"`, "name", `"Ana Pérez"`, "title", `""`, "state", `"active"`, "acdAutoAnswer", "false",
			"skills", `{"2024":4,"A":1,"B":2,"C":3}`, "queues", `["Q1","Q2"]`, "phones", `[{"type":"work","media":"phone","number":"+34600000001"},{"type":"home","media":"phone","number":"+34600000002"},{"type":"mobile","media":"phone","number":"+34600000003"}]`, "groups", `[]`),
		person("b@x.example"))
	want := map[string]string{
		"sales-emea/ana.perez.yaml": `# yaml-language-server: $schema=../schema.json
email: ana.perez@x.example
id: "3f0c9d2e-5b1a-4c7d-9e8f-0a1b2c3d4e5f"
name: Ana Pérez
state: active
division: "Sales & EMEA"
acdAutoAnswer: false
phones:
  - {type: work, media: phone, number: "+34600000001"}
  - {type: home, media: phone, number: "+34600000002"}
  - {type: mobile, media: phone, number: "+34600000003"}
skills:
  "2024": 4
  A: 1
  B: 2
  C: 3
queues: [Q1, Q2]
`,
		"b.yaml": "# yaml-language-server: $schema=schema.json\nemail: b@x.example\nname: \"N\"\n",
	}
	if diff := cmp.Diff(want, tree(t, dir)); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(rewrite.Report{Created: 2}, report); diff != "" {
		t.Error(diff)
	}
	schema, err := os.ReadFile(filepath.Join(dir, "schema.json"))
	must(t, err)
	if string(schema) != string(spec.Schema()) {
		t.Error("another schema")
	}
	for name, mode := range map[string]fs.FileMode{".": 0o755, "sales-emea": 0o755, "b.yaml": 0o644} {
		info, err := os.Stat(filepath.Join(dir, name))
		must(t, err)
		if info.Mode().Perm()&^mode != 0 {
			t.Errorf("%s has mode %s", name, info.Mode())
		}
	}
}

func TestWriteNamesFiles(t *testing.T) {
	users := []*spec.User{
		person("ana@x.example"), person("ana@y.example"), // the same local part
		person("a+b@x.example"), person("a-b@x.example"), person("a+b@y.example"), // and then the same address, to a slug
		person("müßig.łódź@x.example"), person("_defaults@x.example"), person("李雷@x.example"), person("luis@x.example", "department", `"schema.json"`),
		person("eva@x.example", "department", `"../Up"`), person("noa@x.example", "department", `".git"`), person("old@x.example"), person("a@x.example", "department", `"営業"`),
	}
	existing := map[string]string{"Old.yaml": "email: other@x.example\n"}
	first := checkout(t, existing)
	export(t, first, rewrite.Options{By: spec.Department}, users...)
	got := slices.Sorted(maps.Keys(tree(t, first)))
	for _, name := range got {
		base := filepath.Base(name)
		if name != "Old.yaml" && (strings.ToLower(name) != name || strings.Trim(base, "abcdefghijklmnopqrstuvwxyz0123456789.-_") != "" || strings.HasPrefix(base, ".") || strings.HasPrefix(base, "_")) {
			t.Errorf("bad name %s", name)
		}
	}
	for _, name := range []string{"ana-x.example.yaml", "ana-y.example.yaml", "a-b-y.example.yaml", "mussig.lodz.yaml", "defaults.yaml", "schema-json/luis.yaml", "up/eva.yaml", "git/noa.yaml", "old-x.example.yaml"} {
		if !slices.Contains(got, name) {
			t.Errorf("no %s in %q", name, got)
		}
	}
	slices.Reverse(users)
	second := checkout(t, existing)
	export(t, second, rewrite.Options{By: spec.Department}, users...)
	if diff := cmp.Diff(tree(t, first), tree(t, second)); diff != "" {
		t.Error(diff)
	}
	if len(load(t, spec.NewLoader(first)).Users) != len(users)+1 {
		t.Error("not everybody is there")
	}
}

func TestWriteLeavesOutWhatTheFormatCannotSay(t *testing.T) {
	dir := t.TempDir()
	report := export(t, dir, rewrite.Options{},
		person("a@x.example", "id", "no-uuid", "title", "\"A\u200bB\"", "department", "\"A\u202eB\"", "phones", `[{"type":"work","media":"phone","number":"600"}]`, "skills", `{"A":6}`,
			"languages", `{"A":1.5}`, "preferredName", `"A\nB"`, "queues", `broken`, "groups", `["G"]`),
		person("no address"), person("b@x.example", "name", `""`), person("b@x.example", "id", someID))
	const want = `# yaml-language-server: $schema=schema.json
email: a@x.example
# id: not exported: it is not a Genesys id
name: "N"
# title: not exported: "A\u200bB" contains an invisible character (U+200B); remove it
# department: not exported: "A\u202eB" contains a text direction character (U+202E); remove it
# preferredName: not exported: "A\nB" contains a line break (U+000A); remove it
# phones: not exported: phones[0].number: "600" is not an international number; write "+", the country code and the number, such as "+34600000001"
# skills: not exported: skills.A: "6" is out of range; it must be a number from 0 to 5
# languages: not exported: languages.A: "1.5" is out of range; it must be a whole number from 0 to 5
# queues: not exported: it is not a value
groups: [G]
`
	got := tree(t, dir)
	if diff := cmp.Diff(want, got["a.yaml"]); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff("# yaml-language-server: $schema=schema.json\nemail: b@x.example\n# name: not exported: must not be empty\n", got["b.yaml"]); diff != "" {
		t.Error(diff)
	}
	var where []string
	for _, p := range report.Skipped {
		where = append(where, p.File+" "+p.Field)
	}
	if diff := cmp.Diff([]string{". email", ". email", "a.yaml department", "a.yaml id", "a.yaml languages", "a.yaml phones", "a.yaml preferredName",
		"a.yaml queues", "a.yaml skills", "a.yaml title", "b.yaml name"}, where); diff != "" {
		t.Error(diff)
	}
	if text := report.Skipped[len(report.Skipped)-1].String(); text != "b.yaml:1:1: name: b@x.example: not exported: must not be empty" {
		t.Error(text)
	}
	if report.Created != 2 {
		t.Errorf("%+v", report)
	}
	before := tree(t, dir)
	export(t, dir, rewrite.Options{}, person("a@x.example", "phones", `[{"type":"work","media":"phone","number":"600"}]`))
	if diff := cmp.Diff(before, tree(t, dir)); diff != "" {
		t.Error(diff)
	}
}

func TestWriteUnderDefaults(t *testing.T) {
	dir := checkout(t, map[string]string{
		"_defaults.yaml":      "title: Agent\nstate: active\nemployer: {employeeType: Full-time}\n",
		"emea/_defaults.yaml": "division: EMEA\nskills: {A: 1}\nqueues: [Q]\nutilization: {call: {capacity: 1, interruptedBy: [chat]}}\n",
	})
	report := export(t, dir, rewrite.Options{By: spec.Division},
		person("a@x.example", "division", `"EMEA"`, "state", `"active"`, "title", `""`, "skills", `{"A":1,"B":2}`, "queues", `["Q"]`, "employer", `{"employeeId":"7","employeeType":"Full-time"}`),
		person("b@x.example", "division", `"EMEA"`, "state", `"inactive"`, "title", `"Agent"`, "skills", `{}`, "queues", `[]`, "employer", `{"employeeId":"8"}`, "utilization", `{"call":{"capacity":2}}`),
		person("c@x.example", "division", `"EMEA"`, "skills", `{"B":2}`, "employer", `{}`, "utilization", `{"chat":{"capacity":2}}`))
	got := tree(t, dir)
	for name, want := range map[string]string{
		"emea/a.yaml": "email: a@x.example\nname: \"N\"\ntitle: \"\"\nemployer: {employeeId: \"7\"}\nskills: {B: 2}\n",
		"emea/b.yaml": "email: b@x.example\nname: \"N\"\nstate: inactive\nemployer: {employeeId: \"8\", employeeType: \"\"}\nskills: {}\nqueues: []\nutilization: {call: {capacity: 2, interruptedBy: []}}\n",
		"emea/c.yaml": `email: c@x.example
name: "N"
employer: {}
# skills: not exported: a _defaults.yaml above sets A too, and a user's file cannot remove it
# utilization: not exported: a _defaults.yaml above sets call too, and a user's file cannot remove it
`,
	} {
		if diff := cmp.Diff("# yaml-language-server: $schema=../schema.json\n"+want, got[name]); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
	if len(report.Skipped) != 2 {
		t.Error(texts(report.Skipped))
	}
	for _, u := range load(t, spec.NewLoader(dir)).Users {
		if u.Key == "b@x.example" && (u.Fields.Get(spec.Employer) != `{"employeeId":"8"}` || u.Fields.Get(spec.Utilization) != `{"call":{"capacity":2}}` || u.Fields.Get(spec.Skills) != `{}`) {
			t.Errorf("%v", u.Fields)
		}
	}
}

func TestWriteExportsTheFieldsAskedFor(t *testing.T) {
	dir := checkout(t, map[string]string{"b.yaml": "email: b@x.example\ntitle: Old\nstate: active\n"})
	export(t, dir, rewrite.Options{Fields: []spec.Field{spec.State}}, person("a@x.example", "title", `"A"`, "state", `"active"`),
		person("b@x.example", "title", `"New"`, "state", `"inactive"`))
	if diff := cmp.Diff(map[string]string{
		"a.yaml": "# yaml-language-server: $schema=schema.json\nemail: a@x.example\nname: \"N\"\nstate: active\n",
		"b.yaml": "email: b@x.example\ntitle: Old\nstate: inactive\n",
	}, tree(t, dir)); diff != "" {
		t.Error(diff)
	}
}

func TestWriteRefuses(t *testing.T) {
	big := "email: a@x.example\n" + strings.Repeat("# "+strings.Repeat("x", 98)+"\n", 20_762)
	for name, c := range map[string]struct {
		files map[string]string
		users []*spec.User
		o     rewrite.Options
		want  string
	}{
		"problems":              {files: map[string]string{"a.yaml": "emial: a@x.example\n", "b.yaml": "email: b@x.example\n"}, want: "a.yaml:1:1: needs an email, which identifies the user (and 1 more problems)"},
		"an unknown field":      {o: rewrite.Options{Fields: []spec.Field{"x"}}, want: `there is no field "x"`},
		"other folders":         {o: rewrite.Options{By: spec.Title}, want: `folders can be made by division or department, not by "title"`},
		"too large":             {files: map[string]string{"a.yaml": big}, users: []*spec.User{person("a@x.example", "title", `"`+strings.Repeat("x", 600)+`"`)}, want: "a.yaml: is larger than 2 MiB"},
		"two with one id":       {users: []*spec.User{person("a@x.example", "id", someID), person("b@x.example", "id", someID)}, want: "contradict each other"},
		"a key that is no line": {files: map[string]string{"a.yaml": "? email\n: a@x.example\n"}, users: []*spec.User{person("a@x.example")}, want: "a.yaml: "},
	} {
		t.Run(name, func(t *testing.T) {
			dir := checkout(t, c.files)
			_, err := rewrite.Write(t.Context(), spec.NewLoader(dir), c.users, c.o)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Fatal(err)
			}
			if got := tree(t, dir); len(got) != len(c.files) {
				t.Errorf("wrote %q", got)
			}
			if _, err := os.Stat(filepath.Join(dir, "schema.json")); err == nil {
				t.Error("wrote the schema")
			}
			if invalid, ok := errors.AsType[*spec.InvalidError](err); name == "problems" && (!ok || len(invalid.Problems) != 2) {
				t.Error(invalid)
			}
		})
	}
}

func TestWriteFollowsNoLinks(t *testing.T) {
	outside := checkout(t, map[string]string{"schema.json": "theirs"})
	dir := t.TempDir()
	must(t, os.Symlink(filepath.Join(outside, "schema.json"), filepath.Join(dir, "schema.json")))
	must(t, os.Symlink(outside, filepath.Join(dir, "emea")))
	if _, err := rewrite.Write(t.Context(), spec.NewLoader(dir), []*spec.User{person("a@x.example", "division", `"EMEA"`)}, rewrite.Options{By: spec.Division}); err == nil {
		t.Fatal("a link to a folder was taken")
	}
	must(t, os.Remove(filepath.Join(dir, "emea")))
	must(t, os.Symlink(filepath.Join(outside, "gone"), filepath.Join(dir, "emea")))
	if _, err := rewrite.Write(t.Context(), spec.NewLoader(dir), []*spec.User{person("a@x.example", "division", `"EMEA"`)}, rewrite.Options{By: spec.Division}); err == nil {
		t.Fatal("a link to nothing was followed")
	}
	export(t, dir, rewrite.Options{}, person("a@x.example"))
	content, err := os.ReadFile(filepath.Join(outside, "schema.json"))
	must(t, err)
	if entries, _ := os.ReadDir(outside); string(content) != "theirs" || len(entries) != 1 {
		t.Errorf("wrote outside: %q, %v", content, entries)
	}
}

func TestWriteTwiceTouchesNothing(t *testing.T) {
	dir := t.TempDir()
	users := []*spec.User{person("a@x.example", "division", `"EMEA"`, "skills", `{"A":1}`), person("b@x.example", "title", `"A"`)}
	export(t, dir, rewrite.Options{By: spec.Division}, users...)
	long := time.Now().Add(-time.Hour).Truncate(time.Second)
	names := append(slices.Collect(maps.Keys(tree(t, dir))), "schema.json")
	for _, name := range names {
		must(t, os.Chtimes(filepath.Join(dir, name), long, long))
	}
	report := export(t, dir, rewrite.Options{By: spec.Division}, users...)
	if diff := cmp.Diff(rewrite.Report{Unchanged: 2}, report); diff != "" {
		t.Error(diff)
	}
	for _, name := range names {
		if info, err := os.Stat(filepath.Join(dir, name)); err != nil || !info.ModTime().Equal(long) {
			t.Errorf("%s was touched (%v)", name, err)
		}
	}
}

func BenchmarkWrite(b *testing.B) {
	var users []*spec.User
	for i := range 10_000 {
		users = append(users, person(fmt.Sprintf("user%d@x.example", i), "id", fmt.Sprintf("%08d-5b1a-4c7d-9e8f-0a1b2c3d4e5f", i), "division", fmt.Sprintf(`"D%d"`, i%20), "state", `"active"`, "title", `"Agent"`,
			"department", `"Sales"`, "manager", `"boss@x.example"`, "acdAutoAnswer", "true", "certifications", `["PCI"]`, "employer", `{"officialName":"A","employeeId":"7","dateHire":"2020-01-01"}`,
			"phones", `[{"type":"work","media":"phone","number":"+34600000001"}]`, "skills", `{"A":1,"B":2,"C":3,"D":4,"E":5}`, "languages", `{"A":1}`, "roles", `["A",{"role":"B","divisions":["X"]}]`,
			"queues", `["A","B","C","D","E","F"]`, "groups", `["A"]`, "utilization", `{"call":{"capacity":1}}`, "voicemail", `{"alertTimeoutSeconds":30,"sendEmailNotifications":true}`))
	}
	b.Run("new", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			export(b, b.TempDir(), rewrite.Options{By: spec.Division}, users...)
		}
	})
	dir := b.TempDir()
	export(b, dir, rewrite.Options{By: spec.Division}, users...)
	b.Run("again", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			export(b, dir, rewrite.Options{By: spec.Division}, users...)
		}
	})
	b.Run("changed", func(b *testing.B) {
		b.ReportAllocs()
		for i := 0; b.Loop(); i++ {
			for _, u := range users {
				u.Fields.Set(spec.Title, spec.Text(fmt.Sprint("Title ", i)))
			}
			export(b, dir, rewrite.Options{By: spec.Division}, users...)
		}
	})
}
