package rewrite_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"usersyncd/spec"
	"usersyncd/spec/rewrite"
)

// unsaid leaves a fact out of person's.
func unsaid(u *spec.User, fields ...spec.Field) *spec.User {
	for _, f := range fields {
		u.Fields = u.Fields.Without(f)
	}
	return u
}

// nameless has no name but for the one among the pairs.
func nameless(pairs ...string) *spec.User {
	u := person("a@x.example", pairs...)
	if u.Fields.Get(spec.Name) == `"N"` {
		u.Fields = u.Fields.Without(spec.Name)
	}
	return u
}

func TestWriteMergesIntoAFile(t *testing.T) {
	for name, c := range map[string]struct {
		old   string
		users []*spec.User
		want  string // "" if nothing changes
	}{
		"nothing differs": {old: "email: A@x.example # me\ntitle: 'A'\nskills: {B: 2.0, A: 1}\nphones: [{number: \"+34600000001\", extension: \"1\"}]\nvoicemail: {alertTimeoutSeconds: 30}\n",
			users: []*spec.User{nameless("title", `"A"`, "skills", `{"A":1,"B":2}`, "phones", `[{"type":"work","media":"phone","number":"+34999999999","extension":"1"}]`, "voicemail", `{"alertTimeoutSeconds":30,"sendEmailNotifications":true}`, "groups", `[]`)}},
		"a value": {old: "# top\n\nemail: a@x.example\ntitle:   Old   # why\n\n# end\nstate: active\n", users: []*spec.User{nameless("title", `"New, 1"`, "state", `"active"`)},
			want: "# top\n\nemail: a@x.example\ntitle:   \"New, 1\"   # why\n\n# end\nstate: active\n"},
		"styles of text": {old: "email: a@x.example\ntitle: 'It''s'\ndepartment: \"a \\\" b\"\npreferredName: long\n  text # x\nname: |-\n  Old name\nstate: active\n",
			users: []*spec.User{nameless("title", `"T"`, "department", `"D"`, "preferredName", `"P"`, "name", `"N1"`, "state", `"inactive"`)},
			want:  "email: a@x.example\ntitle: T\ndepartment: D\npreferredName: P # x\nname: N1\nstate: inactive\n"},
		"an id and fields in their places": {old: "title: A # t\nemail: a@x.example # e\nqueues:\n- Q\n\n# end\n", users: []*spec.User{nameless("id", someID, "name", `"N1"`, "title", `"A"`, "state", `"active"`, "skills", `{"A":1,"B":2,"C":3,"D":4}`, "queues", `["Q"]`, "groups", `["G"]`)},
			want: "title: A # t\nskills:\n  A: 1\n  B: 2\n  C: 3\n  D: 4\nemail: a@x.example # e\nid: \"" + someID + "\"\nname: N1\nstate: active\nqueues:\n- Q\ngroups: [G]\n\n# end\n"},
		"no line break at the end": {old: "email: a@x.example", users: []*spec.User{nameless("title", `"A"`)}, want: "email: a@x.example\ntitle: A"},
		"CR LF": {old: "email: a@x.example\r\nskills:\r\n  A: 1 # a\r\n  B: 2\r\n  C: 3 # c\r\n", users: []*spec.User{nameless("title", `"A"`, "skills", `{"A":5,"C":3,"D":4}`, "queues", `["1","2","3","4"]`)},
			want: "email: a@x.example\r\ntitle: A\r\nskills:\r\n  A: 5 # a\r\n  C: 3 # c\r\n  D: 4\r\nqueues:\r\n  - \"1\"\r\n  - \"2\"\r\n  - \"3\"\r\n  - \"4\"\r\n"},
		"entries of a map": {old: "email: a@x.example\nskills: # s\n  # first\n  A: 1 # a\n  # second\n  B: 2 # b\n  # third\n  C: 3 # c\n  # last\nstate: active\n", users: []*spec.User{nameless("skills", `{"A":1,"C":4,"D":5}`)},
			want: "email: a@x.example\nskills: # s\n  # first\n  A: 1 # a\n  # second\n  # third\n  C: 4 # c\n  D: 5\n  # last\nstate: active\n"},
		"the last entry of a map": {old: "email: a@x.example\nskills:\n  A: 1\n  B: 2\n", users: []*spec.User{nameless("skills", `{"A":1}`, "queues", `["Q"]`)}, want: "email: a@x.example\nskills:\n  A: 1\nqueues: [Q]\n"},
		"entries of a map on a line": {old: "email: a@x.example\nskills: { A: 1,B: 2, C: 3 , D: 4 } # s\n", users: []*spec.User{nameless("skills", `{"A":2,"C":3,"E":5}`)},
			want: "email: a@x.example\nskills: { A: 2,C: 3, E: 5 } # s\n"},
		"items of a list":          {old: "email: a@x.example\nqueues:\n# q\n- 'A' # a\n- B\n# c\n- C\n", users: []*spec.User{nameless("queues", `["A","C","D"]`)}, want: "email: a@x.example\nqueues:\n# q\n- 'A' # a\n# c\n- C\n- D\n"},
		"items of a list on lines": {old: "email: a@x.example\nqueues: [\n  A, # a\n  B, # b\n  C\n]\n", users: []*spec.User{nameless("queues", `["B","D"]`)}, want: "email: a@x.example\nqueues: [\n  B, D\n]\n"},
		"items with parts": {old: "email: a@x.example\nphones:\n  - type: work # w\n    number: \"+34 600 000 001\"\n  - {type: home, number: \"+34600000002\"}\nroles: [A, {role: B, divisions: [Y, X]}, {role: C}]\n",
			users: []*spec.User{nameless("phones", `[{"type":"mobile","media":"phone","number":"+34600000003"},{"type":"work","media":"phone","number":"+34600000001"}]`, "roles", `["A",{"role":"B","divisions":["X","Y"]},"C",{"role":"D","divisions":["*"]}]`)},
			want:  "email: a@x.example\nphones:\n  - type: work # w\n    number: \"+34 600 000 001\"\n  - {type: mobile, media: phone, number: \"+34600000003\"}\nroles: [A, {role: B, divisions: [Y, X]}, {role: C}, {role: D, divisions: [\"*\"]}]\n"},
		"another list altogether": {old: "email: a@x.example\nqueues:\n  - A # a\n  - B\ngroups: [G] # g\n", users: []*spec.User{nameless("queues", `["C","D"]`, "groups", `["H"]`)}, want: "email: a@x.example\nqueues:\n  - C\n  - D\ngroups: [H] # g\n"},
		"made empty":              {old: "email: a@x.example\nqueues:\n  - A\nskills: # s\n  A: 1\ngroups: [G] # g\ntitle: A # t\n", users: []*spec.User{nameless("queues", `[]`, "skills", `{}`, "groups", `[]`, "title", `""`)}, want: "email: a@x.example\nqueues: []\nskills: {} # s\ngroups: [] # g\ntitle: \"\" # t\n"},
		"was empty":               {old: "email: a@x.example\nqueues: []\nskills: {} # s\n", users: []*spec.User{nameless("queues", `["A"]`, "skills", `{"A":1}`)}, want: "email: a@x.example\nqueues: [A]\nskills: {A: 1} # s\n"},
		"parts of a map":          {old: "email: a@x.example\nemployer:\n  employeeId: \"1\" # i\n  employeeType: \"\"\nvoicemail: {alertTimeoutSeconds: 30}\nutilization:\n  call: {capacity: 1} # c\n  chat: {capacity: 2}\n", users: []*spec.User{nameless("employer", `{"officialName":"A","employeeId":"2"}`, "voicemail", `{"alertTimeoutSeconds":20,"sendEmailNotifications":true}`, "utilization", `{"call":{"capacity":2,"interruptedBy":["chat"]},"chat":{"capacity":2}}`)}, want: "email: a@x.example\nemployer:\n  employeeId: \"2\" # i\n  officialName: A\nvoicemail: {alertTimeoutSeconds: 20}\nutilization:\n  call: {capacity: 2, interruptedBy: [chat]} # c\n  chat: {capacity: 2}\n"},
		"documents":               {old: "--- # one\nemail: b@x.example\n--- # two\nemail: a@x.example\ntitle: A\n...\n", users: []*spec.User{nameless("title", `"B"`), person("b@x.example")}, want: "--- # one\nemail: b@x.example\nname: \"N\"\n--- # two\nemail: a@x.example\ntitle: B\n...\n"},
		"a list of users": {old: "# all\nusers:\n  # a\n  - email: a@x.example\n    queues:\n    - Q\n  # b\n  - title: B\n    email: b@x.example\n",
			users: []*spec.User{nameless("title", `"A"`, "queues", `["Q","R"]`), person("b@x.example", "title", `"C"`)},
			want:  "# all\nusers:\n  # a\n  - email: a@x.example\n    title: A\n    queues:\n    - Q\n    - R\n  # b\n  - title: C\n    email: b@x.example\n    name: \"N\"\n"},
		"users on lines": {old: "users: # u\n  - {email: a@x.example, title: A} # a\n  - {\"title\": B, # b\n    email: b@x.example}\n", users: []*spec.User{nameless("id", someID, "title", `""`, "skills", `{"A":1,"B":2,"C":3,"D":4}`), person("b@x.example", "title", `"C"`)},
			want: "users: # u\n  - {email: a@x.example, id: \"" + someID + "\", title: \"\", skills: {A: 1, B: 2, C: 3, D: 4}} # a\n  - {\"title\": C, # b\n    email: b@x.example, name: \"N\"}\n"},
		"by id":                     {old: "email: old@x.example\nid: " + strings.ToUpper(someID) + "\n", users: []*spec.User{nameless("id", someID)}, want: "email: a@x.example\nid: " + strings.ToUpper(someID) + "\n"},
		"another id":                {old: "email: a@x.example\nid: 00000000-5b1a-4c7d-9e8f-0a1b2c3d4e5f # i\n", users: []*spec.User{nameless("id", someID)}, want: "email: a@x.example\nid: \"" + someID + "\" # i\n"},
		"a rename to come":          {old: "email: new@x.example\n# was\npreviousEmail: a@x.example\ntitle: A\n", users: []*spec.User{nameless("title", `"A"`)}, want: "email: a@x.example\n# was\ntitle: A\n"},
		"a rename, first":           {old: "users:\n- previousEmail: a@x.example\n  email: new@x.example\n", users: []*spec.User{nameless()}, want: "users:\n- email: a@x.example\n"},
		"a rename, before the rest": {old: "users:\n- previousEmail: a@x.example\n  email: new@x.example\n", users: []*spec.User{nameless("name", `"N1"`)}, want: "users:\n- email: a@x.example\n  name: N1\n"},
		"a rename, last":            {old: "users:\n- {title: A, email: new@x.example, previousEmail: a@x.example}\n- previousEmail: b@x.example # p\n  email: new2@x.example\n", users: []*spec.User{nameless("name", `"N1"`), person("b@x.example")}, want: "users:\n- {title: A, email: a@x.example, name: N1}\n- email: b@x.example\n  name: \"N\"\n"},
		"texts of several lines": {old: "email: a@x.example\ntitle: >-\n    Old\n    title\n\nname: \"N\\\n  1\" # n\npreferredName: 'A\n  B'\ndepartment: |-\n\nstate: active\n", users: []*spec.User{nameless("state", `"inactive"`, "title", `"T"`, "name", `"M"`, "department", `"D"`)},
			want: "email: a@x.example\ntitle: T\n\nname: M # n\npreferredName: 'A\n  B'\ndepartment: D\n\nstate: inactive\n"},
		"a rename, in braces":  {old: "{email: new@x.example, previousEmail: a@x.example}\n", users: []*spec.User{nameless()}, want: "{email: a@x.example}\n"},
		"what cannot be said":  {old: "email: a@x.example\ntitle: A\nphones: []\n", users: []*spec.User{nameless("title", "\"\u200b\"", "phones", `[{"type":"work","media":"phone","number":"1"}]`, "skills", `{"A":9}`)}},
		"more than one letter": {old: "email: a@x.example\nname: Zoë 🙂 # é\nqueues: [É, 'Ü', Ñ] # ñ\n", users: []*spec.User{nameless("name", `"Ana"`, "queues", `["É","Ñ"]`)}, want: "email: a@x.example\nname: Ana # é\nqueues: [É, Ñ] # ñ\n"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := checkout(t, map[string]string{"d/u.yml": c.old})
			report := export(t, dir, rewrite.Options{By: spec.Division}, c.users...)
			want := c.want
			if want == "" {
				want = c.old
			}
			if diff := cmp.Diff(map[string]string{"d/u.yml": want}, tree(t, dir)); diff != "" {
				t.Error(diff)
			}
			updated := len(c.users)
			if c.want == "" {
				updated = 0
			}
			if report.Updated != updated || report.Unchanged != len(c.users)-updated || report.Created != 0 || len(report.Skipped) > 0 != (name == "what cannot be said") {
				t.Errorf("%+v", report)
			}
			if again := export(t, dir, rewrite.Options{By: spec.Division}, c.users...); again.Unchanged != len(c.users) {
				t.Errorf("again: %+v", again)
			}
		})
	}
}

func TestWriteMergesUnderDefaults(t *testing.T) {
	dir := checkout(t, map[string]string{
		"_defaults.yaml": "title: Agent\nskills: {A: 1, B: 1}\nemployer: {employeeType: Full-time}\nvoicemail: {alertTimeoutSeconds: 30}\n",
		"a.yaml":         "email: a@x.example\nskills: {C: 1} # s\nemployer: {employeeId: \"1\"}\n",
		"b.yaml":         "email: b@x.example\nskills: {} # s\n",
	})
	report := export(t, dir, rewrite.Options{},
		unsaid(person("a@x.example", "title", `""`, "skills", `{"A":1,"B":1,"C":2}`, "employer", `{"employeeId":"2"}`, "voicemail", `{"alertTimeoutSeconds":30,"sendEmailNotifications":false}`), spec.Name),
		unsaid(person("b@x.example", "title", `"Agent"`, "skills", `{"A":1,"B":2}`, "employer", `{"employeeType":"Full-time"}`), spec.Name))
	got := tree(t, dir)
	if diff := cmp.Diff("email: a@x.example\ntitle: \"\"\nskills: {C: 2} # s\nemployer: {employeeId: \"2\", employeeType: \"\"}\n", got["a.yaml"]); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff("email: b@x.example\nskills: {B: 2} # s\n", got["b.yaml"]); diff != "" {
		t.Error(diff)
	}
	if report.Updated != 2 || len(report.Skipped) > 0 {
		t.Errorf("%+v", report)
	}
}

func TestWriteTakesNeitherSpecTwice(t *testing.T) {
	other := "11111111-5b1a-4c7d-9e8f-0a1b2c3d4e5f"
	dir := checkout(t, map[string]string{"u.yaml": "email: b@x.example\nid: " + someID + "\n"})
	report := export(t, dir, rewrite.Options{}, unsaid(person("a@x.example", "id", someID), spec.Name), person("b@x.example", "id", other))
	want := map[string]string{"u.yaml": "email: a@x.example\nid: " + someID + "\n", "b.yaml": "# yaml-language-server: $schema=schema.json\nemail: b@x.example\nid: \"" + other + "\"\nname: \"N\"\n"}
	if diff := cmp.Diff(want, tree(t, dir)); diff != "" || report.Created != 1 || report.Updated != 1 {
		t.Errorf("%+v: %s", report, diff)
	}
}

func TestWriteKeepsTheModeOfAFile(t *testing.T) {
	dir := checkout(t, map[string]string{"u.yaml": "email: a@x.example\n"})
	must(t, os.Chmod(filepath.Join(dir, "u.yaml"), 0o600))
	export(t, dir, rewrite.Options{}, person("a@x.example"))
	if info, err := os.Stat(filepath.Join(dir, "u.yaml")); err != nil || info.Mode().Perm() != 0o600 {
		t.Error(info.Mode(), err)
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 2 {
		t.Errorf("left over: %v, %v", entries, err)
	}
}
