package spec_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"usersyncd/spec"
)

// checkout writes files, by slash-separated path, to a new folder.
func checkout(t testing.TB, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, content := range files {
		write(t, dir, name, content)
	}
	return dir
}

func write(t testing.TB, dir, name, content string) {
	t.Helper()
	name = filepath.Join(dir, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}

func load(t testing.TB, l *spec.Loader) *spec.Tree {
	t.Helper()
	s, err := l.Scan(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	tree, err := l.Load(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	return tree
}

func keys(tree *spec.Tree) []string {
	var out []string
	for _, u := range tree.Users {
		out = append(out, u.Key)
	}
	return out
}

func texts(problems []spec.Problem) []string {
	var out []string
	for _, p := range problems {
		out = append(out, p.String())
	}
	return out
}

func TestLoadReadsTheWholeFormat(t *testing.T) {
	text, rest := everything, spec.Fields{}
	for _, info := range spec.AllFields() {
		if yaml, value := fixtureOf(info); !strings.Contains(everything, "\n"+string(info.Field)+": ") {
			text += string(info.Field) + ": " + yaml + "\n"
			rest.Set(info.Field, value)
		}
	}
	tree := load(t, spec.NewLoader(checkout(t, map[string]string{"users/madrid/ana.yaml": text})))
	if len(tree.Problems) > 0 || len(tree.Users) != 1 {
		t.Fatalf("got %d users, problems %q", len(tree.Users), texts(tree.Problems))
	}
	u := tree.Users[0]
	want := &spec.User{
		Key: "ana.perez@example.com", ID: "3f0c9d2e-5b1a-4c7d-9e8f-0a1b2c3d4e5f", PreviousEmails: []string{"ana@example.com"},
		Pos: spec.Pos{File: "users/madrid/ana.yaml", Line: 2, Column: 1},
		Fields: spec.FieldsOf(map[spec.Field]spec.Value{
			spec.Email: `"ana.perez@example.com"`, spec.Name: `"Ana Pérez"`, spec.State: `"active"`,
			spec.Title: `"Senior agent"`, spec.Department: `"Support"`, spec.Manager: `"luis.gomez@example.com"`,
			spec.Division: `"EMEA"`, spec.PreferredName: `"Ana"`, spec.ACDAutoAnswer: `false`,
			spec.Certs: `["ISO","PCI"]`, spec.ProfileSkills: `["Chess"]`,
			spec.Employer: `{"officialName":"Ana Pérez","employeeId":"007123","employeeType":"Full-time","dateHire":"2024-03-01"}`,
			spec.Phones:   `[{"type":"work","media":"phone","number":"+34600000001","extension":"4021"}]`,
			spec.Emails:   `[{"type":"home","address":"ana@home.example"}]`, spec.Locations: `[{"name":"Madrid HQ","notes":"3rd floor"}]`,
			spec.Skills: `{"Billing":4,"Refunds":2.5}`, spec.Languages: `{"English":3,"Spanish":5}`,
			spec.Roles: `["Employee",{"role":"Supervisor","divisions":["EMEA"]}]`, spec.Queues: `["Billing ES"]`, spec.Groups: `["Madrid"]`,
			spec.Utilization: `{"call":{"capacity":1},"message":{"capacity":3,"interruptedBy":["call"]}}`,
			spec.Voicemail:   `{"alertTimeoutSeconds":30,"sendEmailNotifications":true}`, spec.ExternalIDs: `{"workday":"W-1"}`,
		}),
	}
	want.Fields = want.Fields.With(rest)
	if diff := cmp.Diff(want, u, cmpopts.IgnoreFields(spec.User{}, "At")); diff != "" {
		t.Error(diff)
	}
	for f := range u.Fields.All() {
		if _, ok := u.At.Of(f); !ok {
			t.Errorf("%s has no place", f)
		}
	}
	if got := at(u, spec.Skills).String(); got != "users/madrid/ana.yaml:19:1" {
		t.Errorf("skills is at %s", got)
	}
}

const everything = `# yaml-language-server: $schema=schema.json
email: Ana.Perez@example.com
name: Ana Pérez
id: 3F0C9D2E-5b1a-4c7d-9e8f-0a1b2c3d4e5f
previousEmail: Ana@example.com
state: active
title: Senior agent
department: Support
manager: Luis.Gomez@example.com
division: EMEA
preferredName: Ana
acdAutoAnswer: false
certifications: [PCI, ISO]
profileSkills: [Chess]
employer: {officialName: Ana Pérez, employeeId: "007123", employeeType: Full-time, dateHire: 2024-03-01}
phones: [{type: work, number: "+34 (600) 000-001", extension: "4021", media: phone}]
emails: [{type: home, address: Ana@home.example}]
locations: [{name: Madrid HQ, notes: 3rd floor}]
skills: {Billing: 4, Refunds: 2.5}
languages: {Spanish: 5, English: 3.0}
roles: [{role: Supervisor, divisions: [EMEA]}, Employee]
queues: [Billing ES]
groups: [Madrid]
utilization: {call: {capacity: 1}, message: {capacity: 3, interruptedBy: [call]}}
voicemail: {alertTimeoutSeconds: 30, sendEmailNotifications: true}
externalIds: {workday: "W-1"}
`

func TestLoadReadsEveryFormOfDocument(t *testing.T) {
	tree := load(t, spec.NewLoader(checkout(t, map[string]string{
		"one.yaml":       "email: one@x.example\n",
		"many.yml":       "---\nemail: two@x.example\n---\nemail: three@x.example\n---\n",
		"list.yaml":      "users:\n  - email: four@x.example\n  - {email: five@x.example}\n",
		"crlf.yaml":      "email: six@x.example\r\ntitle: A\r\n",
		"Año nuevo.yaml": "email: seven@x.example\n",
		// Not spec files.
		"README.md": "# users", "a.json": "{", ".hidden.yaml": ": [", ".github/workflows/ci.yaml": "on: push", ".git/x.yaml": "[",
	})))
	want := []string{"five@x.example", "four@x.example", "one@x.example", "seven@x.example", "six@x.example", "three@x.example", "two@x.example"}
	if diff := cmp.Diff(want, keys(tree)); diff != "" || len(tree.Problems) > 0 || tree.Files != 5 {
		t.Errorf("%d files, problems %q, users %s", tree.Files, texts(tree.Problems), diff)
	}
}

// A user keeps its ordinal when other users of the file are edited, get a problem or come behind it.
func TestOrdinal(t *testing.T) {
	for name, c := range map[string]struct {
		text string
		want map[string]int
	}{
		"one user":             {"email: a@x.example\n", map[string]int{"a": 0}},
		"one user in a list":   {"users:\n- email: a@x.example\n", map[string]int{"a": 0}},
		"an empty document":    {"email: a@x.example\n---\n", map[string]int{"a": 0}},
		"a list":               {"users:\n- email: b@x.example\n- email: a@x.example\n", map[string]int{"b": 1, "a": 2}},
		"documents":            {"email: b@x.example\n---\n---\nemail: a@x.example\n", map[string]int{"b": 1, "a": 2}},
		"documents and a list": {"email: c@x.example\n---\nusers: [{email: b@x.example}, {email: a@x.example}]\n---\nemail: d@x.example\n", map[string]int{"c": 1, "b": 2, "a": 3, "d": 4}},
		"one with a problem":   {"users:\n- email: b@x.example\n  titel: B\n- email: a@x.example\n", map[string]int{"a": 2}},
		"one that is no user":  {"users:\n- b\n- email: a@x.example\n- &c {email: c@x.example}\n- email: d@x.example\n", map[string]int{"a": 2, "d": 4}},
	} {
		t.Run(name, func(t *testing.T) {
			got := map[string]int{}
			for _, u := range load(t, spec.NewLoader(checkout(t, map[string]string{"u.yaml": c.text, "v.yaml": "email: v@x.example\n"}))).Users {
				got[strings.TrimSuffix(u.Key, "@x.example")] = u.Ordinal
			}
			c.want["v"] = 0
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestOneBadUserLeavesTheOthersOfItsFile(t *testing.T) {
	tree := load(t, spec.NewLoader(checkout(t, map[string]string{
		"list.yaml": "users:\n" +
			"- email: a@x.example\n" +
			"- {email: b@x.example, title: &t A}\n" +
			"- {email: c@x.example, title: A, title: B}\n" +
			"- email: d@x.example\n  skills: {Billing: 9}\n" +
			"- email: e@x.example\n",
	})))
	want := []string{
		`list.yaml:3:31: users[1].title: has a YAML anchor (&name); write the value out where it is needed, or put it into a _defaults.yaml`,
		`list.yaml:4:34: users[2].title: is set twice, first in line 4; keep one`,
		`list.yaml:6:21: users[3].skills.Billing: "9" is out of range; it must be a number from 0 to 5`,
	}
	if diff := cmp.Diff(want, texts(tree.Problems)); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"a@x.example", "e@x.example"}, keys(tree)); diff != "" {
		t.Error(diff)
	}
}

func TestOnlyChangedFilesAreParsed(t *testing.T) {
	dir := checkout(t, map[string]string{
		"a.yaml": "email: a@x.example\n", "b.yaml": "email: b@x.example\n",
		"sub/_defaults.yaml": "title: A\n", "sub/c.yaml": "email: c@x.example\n", "sub/deep/d.yaml": "email: d@x.example\n",
	})
	l := spec.NewLoader(dir)
	steps := []struct {
		what   string
		do     func()
		parsed int
		title  spec.Value // of d
	}{
		{"first", func() {}, 5, `"A"`},
		{"nothing", func() {}, 0, `"A"`},
		{"same content written again", func() { write(t, dir, "a.yaml", "email: a@x.example\n") }, 0, `"A"`},
		{"one file", func() { write(t, dir, "a.yaml", "email: a@x.example\ntitle: B\n") }, 1, `"A"`},
		{"defaults: the file and those below", func() { write(t, dir, "sub/_defaults.yaml", "title: C\n") }, 3, `"C"`},
		{"a file of its own level", func() { write(t, dir, "sub/deep/_defaults.yaml", "title: D\n") }, 2, `"D"`},
		{"defaults gone", func() { remove(t, dir, "sub/deep/_defaults.yaml") }, 1, `"C"`},
		{"file gone", func() { remove(t, dir, "b.yaml") }, 0, `"C"`},
		{"file back: it was forgotten", func() { write(t, dir, "b.yaml", "email: b@x.example\n") }, 1, `"C"`},
		{"renamed", func() { remove(t, dir, "b.yaml"); write(t, dir, "c.yaml", "email: b@x.example\n") }, 1, `"C"`},
	}
	previous := ""
	for _, s := range steps {
		s.do()
		tree := load(t, l)
		if tree.Parsed != s.parsed {
			t.Errorf("%s: parsed %d files, want %d", s.what, tree.Parsed, s.parsed)
		}
		if u := tree.Users[len(tree.Users)-1]; u.Fields.Get(spec.Title) != s.title {
			t.Errorf("%s: %s has title %s, want %s", s.what, u.Key, u.Fields.Get(spec.Title), s.title)
		}
		fresh := load(t, spec.NewLoader(dir))
		fresh.Parsed = tree.Parsed
		if diff := cmp.Diff(fresh, tree, cmp.AllowUnexported(spec.Positions{})); diff != "" {
			t.Errorf("%s: not what a new loader reads: %s", s.what, diff)
		}
		if same := s.parsed == 0 && s.what != "file gone"; same != (tree.Digest == previous) {
			t.Errorf("%s: the digest is the one before: %t, want %t", s.what, !same, same)
		}
		previous = tree.Digest
	}
}

func remove(t *testing.T, dir, name string) {
	t.Helper()
	if err := os.Remove(filepath.Join(dir, name)); err != nil {
		t.Fatal(err)
	}
}

func TestLoadNoticesThatTheTreeMoved(t *testing.T) {
	for what, change := range map[string]func(dir string){
		"changed": func(dir string) { write(t, dir, "a.yaml", "email: b@x.example\n") },
		"gone":    func(dir string) { remove(t, dir, "a.yaml") },
		"a defaults file changed": func(dir string) {
			write(t, dir, "_defaults.yaml", "title: B\n")
		},
		"all gone": func(dir string) {
			if err := os.Rename(dir, dir+"-old"); err != nil {
				t.Fatal(err)
			}
		},
	} {
		dir := filepath.Join(checkout(t, map[string]string{"x/a.yaml": "email: a@x.example\n", "x/_defaults.yaml": "title: A\n"}), "x")
		l := spec.NewLoader(dir)
		s, err := l.Scan(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		change(dir)
		if tree, err := l.Load(t.Context(), s); !errors.Is(err, spec.ErrTreeChanged) || tree != nil {
			t.Errorf("%s: got %v, %v", what, tree, err)
		}
	}
}

func TestDuplicateUsersAreBothRefused(t *testing.T) {
	const id, other = "3f0c9d2e-5b1a-4c7d-9e8f-0a1b2c3d4e5f", "4f0c9d2e-5b1a-4c7d-9e8f-0a1b2c3d4e5f"
	tree := load(t, spec.NewLoader(checkout(t, map[string]string{
		"a.yaml": "email: Ana@x.example\n",
		"b.yaml": "title: A\nemail: ANA@X.example\n",
		"c.yaml": "users:\n- email: ana@x.example\n",
		"d.yaml": "email: jose\u0301@x.example\n",
		"e.yaml": "email: jos\u00e9@x.example\n",
		"f.yaml": "email: f@x.example\nid: " + id + "\n",
		"g.yaml": "email: g@x.example\nid: " + strings.ToUpper(id) + "\n",
		"h.yaml": "email: h@x.example\ntitle: 7\n", // has a problem of its own, and still counts
		"i.yaml": "email: h@x.example\n",
		"p.yaml": "email: p@x.example\nid: " + other + "\npreviousEmail: p.old@x.example\n", // a copy is one problem
		"q.yaml": "email: p@x.example\nid: " + other + "\npreviousEmail: p.old@x.example\n",
		"j.yaml": "email: j@x.example\npreviousEmail: K@x.example\n",
		"k.yaml": "email: k@x.example\n",
		"l.yaml": "email: l@x.example\npreviousEmail: L@x.example\n",
		"m.yaml": "email: m@x.example\npreviousEmail: old@x.example\n",
		"n.yaml": "email: n@x.example\npreviousEmail: old@x.example\n",
		"o.yaml": "email: fine@x.example\npreviousEmail: gone@x.example\n",
	})))
	want := []string{
		`a.yaml:1:8: email: "ana@x.example" is also declared at b.yaml:2:8; keep one of the two`,
		`b.yaml:2:8: email: "ana@x.example" is also declared at a.yaml:1:8; keep one of the two`,
		`c.yaml:2:10: users[0].email: "ana@x.example" is also declared at a.yaml:1:8; keep one of the two`,
		`d.yaml:1:8: email: "josé@x.example" is also declared at e.yaml:1:8; keep one of the two`,
		`e.yaml:1:8: email: "josé@x.example" is also declared at d.yaml:1:8; keep one of the two`,
		`f.yaml:2:5: id: "` + id + `" is also the id at g.yaml:2:5; correct one of the two`,
		`g.yaml:2:5: id: "` + id + `" is also the id at f.yaml:2:5; correct one of the two`,
		`h.yaml:1:8: email: "h@x.example" is also declared at i.yaml:1:8; keep one of the two`,
		`h.yaml:2:8: title: YAML reads this as a number or a boolean; put it in quotes: "7"`,
		`i.yaml:1:8: email: "h@x.example" is also declared at h.yaml:1:8; keep one of the two`,
		`j.yaml:2:16: previousEmail: "k@x.example" is still declared at k.yaml:1:8; remove one of the two`,
		`l.yaml:2:16: previousEmail: is the same as email; remove it`,
		`m.yaml:2:16: previousEmail: "old@x.example" is also a previousEmail at n.yaml:2:16; correct one of the two`,
		`n.yaml:2:16: previousEmail: "old@x.example" is also a previousEmail at m.yaml:2:16; correct one of the two`,
		`p.yaml:1:8: email: "p@x.example" is also declared at q.yaml:1:8; keep one of the two`,
		`q.yaml:1:8: email: "p@x.example" is also declared at p.yaml:1:8; keep one of the two`,
	}
	if diff := cmp.Diff(want, texts(tree.Problems)); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"fine@x.example", "k@x.example"}, keys(tree)); diff != "" {
		t.Error(diff)
	}
}

// at is where a field was set; the zero Pos if it was not.
func at(u *spec.User, f spec.Field) spec.Pos {
	pos, _ := u.At.Of(f)
	return pos
}
