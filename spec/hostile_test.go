package spec_test

import (
	"fmt"
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/google/go-cmp/cmp"

	"usersyncd/spec"
)

// hostile are inputs that YAML libraries are known to misread, choke on or crash on, and what is said of
// each as u.yaml. They also seed the fuzz targets.
var hostile = []struct {
	name, content string
	problems      []string
}{
	{"unknown field", "email: a@x.example\nemial: b\n", []string{`2:1: emial: unknown field; did you mean "email"?`}},
	{"unknown field, nothing close", "email: a@x.example\nusers_: 1\nqwertyuiop: 1\n", []string{
		`2:1: users_: unknown field; did you mean "users"?`, `3:1: qwertyuiop: unknown field; the fields here are ` + allKeys}},
	{"password", "email: a@x.example\npassword: secret\n", []string{`2:1: password: is not part of the format: a password cannot be read back, so it cannot be compared; remove it`}},
	{"duplicate key", "email: a@x.example\nemail: b@x.example\n", []string{`2:1: email: is set twice, first in line 1; keep one`}},
	{"duplicate key in another Unicode form", "email: a@x.example\nskills: {Caf\u00e9: 1, Cafe\u0301: 2}\n", []string{`2:19: skills."Café": is set twice, first in line 2; keep one`}},
	{"octal", "email: a@x.example\nemployer: {employeeId: 007123}\n", []string{`2:24: employer.employeeId: YAML reads this as a number or a boolean; put it in quotes: "007123"`}},
	{"hexadecimal", "email: a@x.example\nemployer: {employeeId: 0x1F}\n", []string{`2:24: employer.employeeId: YAML reads this as a number or a boolean; put it in quotes: "0x1F"`}},
	{"number with plus", "email: a@x.example\nphones: [{number: +4915112345678}]\n", []string{`2:19: phones[0].number: YAML reads this as a number or a boolean; put it in quotes: "+4915112345678"`}},
	{"extension without quotes", "email: a@x.example\nphones: [{extension: 0421}]\n", []string{`2:22: phones[0].extension: YAML reads this as a number or a boolean; put it in quotes: "0421"`}},
	{"number as a key", "email: a@x.example\nskills: {0x1F: 1}\n", []string{`2:10: skills."0x1F": YAML does not read this key as text; put it in quotes: "0x1F"`}},
	{"yes is no truth value", "email: a@x.example\nacdAutoAnswer: yes\n", []string{`2:16: acdAutoAnswer: must be true or false`}},
	{"True is not true", "email: a@x.example\nacdAutoAnswer: True\n", []string{`2:16: acdAutoAnswer: must be true or false`}},
	{"no is text", "email: a@x.example\ntitle: no\n", nil},
	{"null", "email: a@x.example\ntitle: null\nskills: ~\nroles:\nname: Null\n", []string{
		`2:8: title: has no value; leave the field out to not manage it, or write "" to empty it`,
		`3:9: skills: has no value; leave the field out to not manage it, or write {} to empty it`,
		`4:7: roles: has no value; leave the field out to not manage it, or write [] to empty it`,
		`5:7: name: has no value; leave the field out to not manage it`,
	}},
	{"null email", "email:\n", []string{`1:7: email: has no value; leave the field out to not manage it`}},
	{"second document is read too", "email: a@x.example\n---\nemail: b@x.example\ntitel: A\n", []string{`4:1: titel: unknown field; did you mean "title"?`}},
	{"empty", "", []string{`1:1: declares no user; delete the file to remove its users`}},
	{"comments only", "# email: a@x.example\n", []string{`1:1: declares no user; delete the file to remove its users`}},
	{"empty documents only", "---\n---\n", []string{`1:1: declares no user; delete the file to remove its users`}},
	{"empty list of users", "users: []\n", []string{`1:8: users: declares no user; delete the file to remove its users`}},
	{"null document", "~\n", []string{`1:1: has no value; leave the field out to not manage it, or write {} to empty it`}},
	{"null list of users", "users:\n", []string{`1:7: users: has no value; leave the field out to not manage it, or write [] to empty it`}},
	{"null user", "users: [~]\n", []string{`1:9: users[0]: has no value; remove the item`}},
	{"text as document", "hello\n", []string{`1:1: must be a map, such as {email: ana@example.com}`}},
	{"list as document", "- email: a@x.example\n", []string{`1:1: must be a map, such as {users: [{email: ana@example.com}]}`}},
	{"fields beside a list of users", "users: [{email: a@x.example}]\ntitle: A\n", []string{`2:1: title: unknown field; the fields here are users`}},
	{"merge key beside a list of users", "users: [{email: a@x.example}]\n<<: {title: A}\n", []string{`2:1: "<<": << (a YAML merge key) is not supported; put what users share into a _defaults.yaml`}},
	{"two lists of users", "users: [{email: a@x.example}]\nusers: [{email: b@x.example}]\n", []string{`2:1: users: is set twice, first in line 1; keep one`}},
	{"no email", "name: Ana\n", []string{`1:1: needs an email, which identifies the user`}},
	{"merge key", "<<: {email: evil@x.example}\n", []string{`1:1: "<<": << (a YAML merge key) is not supported; put what users share into a _defaults.yaml`}},
	{"merge key with a list as key", "<<:\n? -\n", []string{
		`1:1: "<<": << (a YAML merge key) is not supported; put what users share into a _defaults.yaml`,
		`2:3: "": a key must be text, not a list or a map`,
	}},
	{"keys that cannot be hashed", "email: a@x.example\n<<: {email: b@x.example}\n? [a]\n: 1\n", []string{
		`2:1: "<<": << (a YAML merge key) is not supported; put what users share into a _defaults.yaml`,
		`3:3: "": a key must be text, not a list or a map`,
	}},
	{"template", "email: a@x.example\ntitle: {{ title }}\n", []string{`2:8: title: begins with {{, as a template does; write what the template engine should have made of it`}},
	{"version", "%YAML 1.2\n---\nemail: a@x.example\n...\n%YAML 1.1\n---\nemail: b@x.example\ntitle: \"a\n%YAML 1.2\"\n", nil},
	{"null as a key", "email: a@x.example\n? \n: 1\n", []string{`2:2: "": YAML does not read this key as text; put it in quotes: ""`}},
	{"binary tag", "email: a@x.example\ntitle: !!binary aGVsbG8AG1szMW0=\n", []string{`2:8: title: has a YAML tag ("!!binary"); remove the tag`}},
	{"tag that does nothing", "email: a@x.example\ntitle: !!str A\n", []string{`2:8: title: has a YAML tag ("!!str"); remove the tag`}},
	{"own tag", "email: a@x.example\ntitle: !secret A\n", []string{`2:8: title: has a YAML tag ("!secret"); remove the tag`}},
	{"terminal escape", `{email: a@x.example, title: "\e[31m"}`, []string{`1:29: title: "\x1b[31m" contains a control character (U+001B); remove it`}},
	{"NUL", `{email: a@x.example, title: "\0"}`, []string{`1:29: title: "\x00" contains a control character (U+0000); remove it`}},
	{"text direction", `{email: a@x.example, title: "\u202Eroot"}`, []string{`1:29: title: "\u202eroot" contains a text direction character (U+202E); remove it`}},
	{"isolate", `{email: a@x.example, title: "\u2066root"}`, []string{`1:29: title: "\u2066root" contains a text direction character (U+2066); remove it`}},
	{"zero width", "email: a@x.example\ntitle: a\u200bb\n", []string{`2:8: title: "a\u200bb" contains an invisible character (U+200B); remove it`}},
	{"zero width in an address", "email: a\u200d@x.example\n", []string{`1:8: email: "a\u200d@x.example" contains an invisible character (U+200D); remove it`}},
	{"zero width in a key", "email: a@x.example\nskills: {A\u2060: 1}\n", []string{`2:10: skills."A\u2060": "A\u2060" contains an invisible character (U+2060); remove it`}},
	{"line break in a value", "email: a@x.example\ntitle: |\n  A\n  B\n", []string{`2:8: title: "A\nB\n" contains a line break (U+000A); remove it`}},
	{"raw escape", "email: a@x.example\n# \x1b[31m\n", []string{`2:3: has a control character (U+001B) here, which hides or reorders text; remove it`}},
	{"raw text direction in a comment", "email: a@x.example # \u202e\n", []string{`1:22: has a text direction character (U+202E) here, which hides or reorders text; remove it`}},
	{"line separator ends a comment unseen", "# a\u2028email: evil@x.example\n", []string{`1:4: has an invisible character (U+2028) here, which hides or reorders text; remove it`}},
	{"next line ends a comment unseen", "# a\u0085email: evil@x.example\n", []string{`1:4: has a control character (U+0085) here, which hides or reorders text; remove it`}},
	{"lone carriage return", "# a\remail: evil@x.example\n", []string{`1:4: has a lone carriage return; end lines with LF or CR LF`}},
	{"invalid UTF-8", "email: a@x.example\ntitle: caf\xe9\n", []string{`2:11: is not UTF-8 (byte 0xE9); save it as UTF-8`}},
	{"incomplete UTF-8 at the end", "0: [:!00 \xef", []string{`1:10: is not UTF-8 (byte 0xEF); save it as UTF-8`}},
	{"byte order mark", "\xef\xbb\xbfemail: a@x.example\n", []string{`1:1: starts with a byte order mark; save it as UTF-8 without BOM`}},
	{"UTF-16", utf16le("email: a@x.example\n"), []string{`1:1: is UTF-16; save it as UTF-8`}},
	{"UTF-16 without BOM", utf16le("email: a@x.example\n")[2:], []string{`1:2: has a control character (U+0000) here, which hides or reorders text; remove it`}},
	{"alias", "email: a@x.example\ntitle: &t A\ndepartment: *t\n", []string{
		`2:8: title: has a YAML anchor (&name); write the value out where it is needed, or put it into a _defaults.yaml`,
		`3:13: department: is a YAML alias (*name); write the value out, or put it into a _defaults.yaml`,
	}},
	{"alias to itself", "email: a@x.example\nroles: &a [*a]\n", []string{
		`2:8: roles: has a YAML anchor (&name); write the value out where it is needed, or put it into a _defaults.yaml`}},
	{"alias of nothing", "email: *a\n", []string{`1:8: begins with *, which makes it a YAML alias of something that does not exist; put the text in quotes: "*a"`}},
	{"alias bomb", aliasBomb(), bombProblems()},
	{"deep", "email: a@x.example\nroles: " + strings.Repeat("[", 9) + strings.Repeat("]", 9), []string{
		`2:9: roles[0]: must be a map, such as Employee or {role: Supervisor, divisions: [EMEA]}`,
		`2:15: roles[0][0][0][0][0][0][0]: is nested more than 8 levels deep; the format needs fewer`}},
	{"very deep", strings.Repeat("[", 20_000), []string{`1:9002: is nested more than 8 levels deep; the format needs fewer`}},
	{"very deep, block", strings.Repeat("- ", 30_000), []string{`1:18003: is nested more than 8 levels deep; the format needs fewer`}},
	{"many values", "email: a@x.example\nroles: [" + strings.Repeat("A,", 200_000) + "]", []string{`1:1: has more than 200000 values; split it into several files`}},
	{"syntax", "email: a@x.example\nroles: [A\n", []string{`2:8: opens a list that is not closed; write "]" at its end`}},
	{"tab as indentation", "email: a@x.example\nemployer:\n\temployeeId: A\n", []string{`3:1: is a tab, which does not indent in YAML; use spaces`}},
	{"text after a document", "{email: a@x.example, state: inactive}\n]\n", []string{`2:1: "]" closes nothing; remove it, or put the text in quotes`}},
	{"two users without a separator", "{email: a@x.example}\n{email: b@x.example}\n", []string{`2:1: follows the end of a document; write --- between two documents`}},
	{"explicit key form is fine", "? email\n: a@x.example\n", nil},
}

// allKeys is what an unknown key is answered with.
var allKeys = func() (keys string) {
	for _, info := range spec.AllFields() {
		keys += string(info.Field) + ", "
	}
	return keys + "id, previousEmail, users"
}()

func TestHostileFiles(t *testing.T) {
	for _, c := range hostile {
		t.Run(c.name, func(t *testing.T) {
			tree := load(t, spec.NewLoader(checkout(t, map[string]string{"u.yaml": c.content, "good.yaml": "email: good@x.example\n"})))
			var want []string
			for _, p := range c.problems {
				want = append(want, "u.yaml:"+p)
			}
			if diff := cmp.Diff(want, texts(tree.Problems)); diff != "" {
				t.Error(diff)
			}
			if good := len(tree.Users) > 0 && tree.Users[len(tree.Users)-1].Key == "good@x.example"; !good {
				t.Errorf("the other file's user is lost: %q", keys(tree))
			}
			if fine := len(tree.Users) > 1; fine && len(c.problems) > 0 && c.name != "second document is read too" {
				t.Errorf("a file with problems declares %q", keys(tree))
			}
		})
	}
}

func utf16le(s string) string {
	out := []byte{0xff, 0xfe}
	for _, u := range utf16.Encode([]rune(s)) {
		out = append(out, byte(u), byte(u>>8))
	}
	return string(out)
}

// aliasBomb would be 10^9 strings if it were expanded.
func aliasBomb() string {
	var b strings.Builder
	b.WriteString("email: a@x.example\na0: &a0 [x]\n")
	for i := 1; i <= 9; i++ {
		fmt.Fprintf(&b, "a%d: &a%d [%s*a%d]\n", i, i, strings.Repeat(fmt.Sprintf("*a%d,", i-1), 9), i-1)
	}
	return b.String()
}

func bombProblems() (out []string) {
	for i := range 10 {
		out = append(out,
			fmt.Sprintf("%d:1: a%d: unknown field; the fields here are %s", i+2, i, allKeys),
			fmt.Sprintf("%d:5: a%d: has a YAML anchor (&name); write the value out where it is needed, or put it into a _defaults.yaml", i+2, i))
	}
	return out
}
