package spec_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"usersyncd/spec"
)

type specTree struct {
	name  string
	files map[string]string
	do    func(t *testing.T, dir string)
	want  []string // problems, and then warnings
}

func manySkills(prefix string, n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, ", %s%d: 1", prefix, i)
	}
	return "skills: {" + b.String()[2:] + "}\n"
}

// clumsyTrees are what people write who mean well. What is said of it names the place, and what to write.
var clumsyTrees = []specTree{
	{name: "a list from a spreadsheet", files: map[string]string{"hr.yaml": "email,name,title\nana@x.example,Ana,Agent\n"}, want: []string{
		`hr.yaml:1:1: must be a map, such as {email: ana@example.com}`,
	}},
	{name: "values with the quotes of a word processor", files: map[string]string{"a.yaml": "email: “ana@x.example”\nstate: “active”\nphones: [{number: “+34600000001”}]\n"}, want: []string{
		`a.yaml:1:8: email: "“ana@x.example”" is not an e-mail address; write it as name@example.com`,
		`a.yaml:2:8: state: "“active”" is not one of active, inactive`,
		`a.yaml:3:19: phones[0].number: "“+34600000001”" is not an international number; write "+34600000001"`,
	}},
	{name: "indented with no-break spaces", files: map[string]string{"a.yaml": "email: a@x.example\nemployer:\n\u00a0\u00a0employeeId: \"1\"\n"}, want: []string{
		`a.yaml:2:10: employer: has no value; leave the field out to not manage it, or write {} to empty it`,
		`a.yaml:3:1: "\u00a0\u00a0employeeId": begins with U+00A0, a space that does not indent; write ordinary spaces`,
	}},
	{name: "addresses from a mail program", files: map[string]string{"a.yaml": "email: Ana Pérez <ana@x.example>\nmanager: mailto:bo@x.example\npreviousEmail: a@x.example, b@x.example\n"}, want: []string{
		`a.yaml:1:8: email: "Ana Pérez <ana@x.example>" is not an e-mail address; write it as name@example.com`,
		`a.yaml:2:10: manager: "mailto:bo@x.example" is not an e-mail address; write it as name@example.com`,
		`a.yaml:3:16: previousEmail: "a@x.example, b@x.example" is not an e-mail address; write it as name@example.com`,
	}},
	{name: "keys as labels of a form", files: map[string]string{"a.yaml": "E-mail: a@x.example\nName: Ana\nJob title: Agent\nphone: \"+34600000001\"\n"}, want: []string{
		`a.yaml:1:1: needs an email, which identifies the user`,
		`a.yaml:1:1: E-mail: unknown field; did you mean "email"?`,
		`a.yaml:2:1: Name: unknown field; did you mean "name"?`,
		`a.yaml:3:1: "Job title": unknown field; the fields here are ` + allKeys,
		`a.yaml:4:1: phone: unknown field; did you mean "phones"?`,
	}},
	{name: "no space after the colon", files: map[string]string{"a.yaml": "email: a@x.example\nskills: {Billing:4, \"Refunds\":3}\n", "b.yaml": "email: b@x.example\ntitle:Agent\nname: Bo\n", "c.yaml": "email:c@x.example\n"}, want: []string{
		`a.yaml:2:10: skills."Billing:4": has no space after the colon; write Billing: 4`,
		`b.yaml:2:1: has no space after the colon; write title: Agent`,
		`c.yaml:1:1: has no space after the colon; write email: c@x.example`,
	}},
	{name: "no space after the dash", files: map[string]string{"a.yaml": "email: a@x.example\nqueues:\n  -Billing\n  -Refunds\n"}, want: []string{
		`a.yaml:3:3: queues: has no space after the dash; write - Billing`,
	}},
	{name: "lists and maps mixed up", files: map[string]string{"a.yaml": "email: a@x.example\nskills:\n- Billing: 4\n- Refunds: 3\nroles: Employee\nqueues: {Billing: 1}\nlanguages: Spanish\n"}, want: []string{
		`a.yaml:3:1: skills: must be a map, such as {Billing: 4}`,
		`a.yaml:5:8: roles: must be a list, such as [Employee, {role: Supervisor, divisions: [EMEA]}]`,
		`a.yaml:6:9: queues: must be a list, such as [First name, Second name]`,
		`a.yaml:7:12: languages: must be a map, such as {Spanish: 5}`,
	}},
	{name: "JSON, line by line", files: map[string]string{"a.yaml": "{\"email\": \"a@x.example\"}\n{\"email\": \"b@x.example\"}\n", "b.yaml": "[{\"email\": \"c@x.example\"}]\n", "c.yaml": "{\n  \"email\": \"d@x.example\",\n  // the boss\n  \"title\": \"Boss\"\n}\n"}, want: []string{
		`a.yaml:2:1: follows the end of a document; write --- between two documents`,
		`b.yaml:1:1: must be a map, such as {users: [{email: ana@example.com}]}`,
		`c.yaml:3:3: begins a text of several lines in brackets, and then comes a colon; write a comma between entries, and # before a comment`,
	}},
	{name: "users that are not a list", files: map[string]string{"a.yaml": "users:\n  email: a@x.example\n", "b.yaml": "users:\n- b@x.example\n- email: c@x.example\n", "c.yaml": "user:\n- email: d@x.example\n"}, want: []string{
		`a.yaml:2:3: users: must be a list, such as [{email: ana@example.com}]`,
		`b.yaml:2:3: users[0]: must be a map, such as {email: ana@example.com}`,
		`c.yaml:1:1: needs an email, which identifies the user`,
		`c.yaml:1:1: user: unknown field; did you mean "users"?`,
	}},
	{name: "dates, hours and words of everyday", files: map[string]string{"a.yaml": "email: a@x.example\nstate: disabled\nacdAutoAnswer: on\nemployer: {dateHire: 01.03.2024, employeeType: Fulltime}\nvoicemail: {alertTimeoutSeconds: 30s}\ntitle: 12:30:45\nlanguages: {Spanish: fluent}\n"}, want: []string{
		`a.yaml:2:8: state: "disabled" is not one of active, inactive`,
		`a.yaml:3:16: acdAutoAnswer: must be true or false`,
		`a.yaml:4:22: employer.dateHire: "01.03.2024" is not a date; write it as 2024-03-01 (year-month-day)`,
		`a.yaml:4:48: employer.employeeType: "Fulltime" is not one of Full-time, Part-time, Contractor; did you mean "Full-time"?`,
		`a.yaml:5:34: voicemail.alertTimeoutSeconds: must be a whole number from 0 to 2147483647, without quotes`,
		`a.yaml:7:22: languages.Spanish: must be a whole number from 0 to 5, without quotes`,
	}},
	{name: "a copy of a file beside it", files: map[string]string{"ana.yaml": "email: a@x.example\nid: 3f0c9d2e-5b1a-4c7d-9e8f-0a1b2c3d4e5f\n", "ana (copy).yaml": "email: a@x.example\nid: 3f0c9d2e-5b1a-4c7d-9e8f-0a1b2c3d4e5f\n", "ana.yaml.orig": "email: a@x.example\n", "Ana.yaml~": ""}, want: []string{
		`ana (copy).yaml:1:8: email: "a@x.example" is also declared at ana.yaml:1:8; keep one of the two`,
		`ana.yaml:1:8: email: "a@x.example" is also declared at ana (copy).yaml:1:8; keep one of the two`,
		`Ana.yaml~:1:1: is not read, as its name does not end in .yaml or .yml; rename it, or move it elsewhere`,
		`ana.yaml.orig:1:1: is not read, as its name does not end in .yaml or .yml; rename it, or move it elsewhere`,
	}},
}

// hostileTrees are what somebody writes who wants a reviewer, the program or a user to believe something else.
var hostileTrees = []specTree{
	{name: "an address like the admin's", files: map[string]string{"a.yaml": "email: \u0430dmin@x.example\nstate: inactive\n", "b.yaml": "email: admin@x.example\n", "c.yaml": "email: c@x.example\nmanager: admin@x.ex\u0430mple\n"}, want: []string{
		`a.yaml:1:8: email: "аdmin@x.example" has the Cyrillic letter 'а' (U+0430) among Latin letters; type the Latin letter or, if this is the address, write "\u0430dmin@x.example"`,
		`c.yaml:2:10: manager: "admin@x.exаmple" has the Cyrillic letter 'а' (U+0430) among Latin letters; type the Latin letter or, if this is the address, write "admin@x.ex\u0430mple"`,
	}},
	{name: "a key that hides", files: map[string]string{"a.yaml": "email: a@x.example\nstate: active\nst\u200date: inactive\nState: inactive\n\"sta\\u200bte\": inactive\n"}, want: []string{
		`a.yaml:3:1: "st\u200date": "st\u200date" contains an invisible character (U+200D); remove it`,
		`a.yaml:4:1: State: unknown field; did you mean "state"?`,
		`a.yaml:5:1: "sta\u200bte": "sta\u200bte" contains an invisible character (U+200B); remove it`,
	}},
	{name: "text behind the right margin", files: map[string]string{"a.yaml": "email: a@x.example # fine" + strings.Repeat(" ", 300) + "\u2028roles: [Admin]\n", "b.yaml": "email: b@x.example\ntitle: \"A\\u202e\\u2066B\"\n"}, want: []string{
		`a.yaml:1:326: has an invisible character (U+2028) here, which hides or reorders text; remove it`,
		`b.yaml:2:8: title: "A\u202e\u2066B" contains a text direction character (U+202E); remove it`,
	}},
	{name: "instructions in invisible letters", files: map[string]string{"a.yaml": "email: a@x.example\ntitle: Agent\U000e0041\U000e0044\U000e004d\nskills: {\"Billing\ufe0f\": 1, \"Bill\u2060ing\": 2}\n"}, want: []string{
		`a.yaml:2:8: title: "Agent\U000e0041\U000e0044\U000e004d" contains an invisible character (U+E0041); remove it`,
		`a.yaml:3:10: skills."Billing️": "Billing️" contains an invisible character (U+FE0F); remove it`,
		`a.yaml:3:25: skills."Bill\u2060ing": "Bill\u2060ing" contains an invisible character (U+2060); remove it`,
	}},
	{name: "defaults that name a user", files: map[string]string{"_defaults.yaml": "email: admin@x.example\nid: 3f0c9d2e-5b1a-4c7d-9e8f-0a1b2c3d4e5f\npreviousEmail: b@x.example\nusers: []\n", "a.yaml": "email: a@x.example\n"}, want: []string{
		`_defaults.yaml:1:1: email: belongs to one user and cannot be a default; move it into the user's file`,
		`_defaults.yaml:2:1: id: belongs to one user and cannot be a default; move it into the user's file`,
		`_defaults.yaml:3:1: previousEmail: belongs to one user and cannot be a default; move it into the user's file`,
		`_defaults.yaml:4:1: users: unknown field; the fields here are state, title, department, manager, division, preferredName, acdAutoAnswer, certifications, profileSkills, employer, phones, emails, locations, skills, languages, roles, queues, groups, utilization, voicemail, externalIds`,
	}},
	{name: "a map that grows from folder to folder", files: map[string]string{"_defaults.yaml": manySkills("A", 600), "s/_defaults.yaml": manySkills("B", 400), "s/a.yaml": "email: a@x.example\n", "s/b.yaml": "email: b@x.example\nskills: {C: 1}\n", "s/s/_defaults.yaml": manySkills("D", 700), "s/s/c.yaml": "users:\n- email: c@x.example\n- email: d@x.example\n  skills: {}\n"}, want: []string{
		`s/b.yaml:2:9: skills: has more than 1000 entries, with those that it inherits; remove some`,
		`s/s/_defaults.yaml:1:9: skills: has more than 1000 entries, with those that it inherits; remove some`,
	}},
	{name: "two defaults", files: map[string]string{"_defaults.yaml": "roles: [Employee]\n", "_DEFAULTS.YML": "roles: [Admin]\n", "a.yaml": "email: a@x.example\n"}, want: []string{
		`_defaults.yaml:1:1: is beside _DEFAULTS.YML; keep one of the two`,
	}},
	{name: "another's identity", files: map[string]string{"a.yaml": "email: a@x.example\nid: 3f0c9d2e-5b1a-4c7d-9e8f-0a1b2c3d4e5f\n", "b.yaml": "email: B@x.example\nid: 3F0C9D2E-5B1A-4C7D-9E8F-0A1B2C3D4E5F\npreviousEmail: [a@x.example, b@X.example]\n"}, want: []string{
		`a.yaml:2:5: id: "3f0c9d2e-5b1a-4c7d-9e8f-0a1b2c3d4e5f" is also the id at b.yaml:2:5; correct one of the two`,
		`b.yaml:2:5: id: "3f0c9d2e-5b1a-4c7d-9e8f-0a1b2c3d4e5f" is also the id at a.yaml:2:5; correct one of the two`,
		`b.yaml:3:17: previousEmail[0]: "a@x.example" is still declared at a.yaml:1:8; remove one of the two`,
		`b.yaml:3:30: previousEmail[1]: is the same as email; remove it`,
	}},
	{name: "YAML's own programs", files: map[string]string{"a.yaml": "email: a@x.example\ntitle: !!python/object/apply:os.system [id]\ndepartment: &d X\nname: *d\n<<: {roles: [Admin]}\n", "b.yaml": "%TAG ! tag:x,2000:\n---\nemail: b@x.example\ntitle: !x y\n", "c.yaml": "email: c@x.example\n? [roles]\n: [Admin]\n"}, want: []string{
		`a.yaml:2:8: title: has a YAML tag ("!!python/object/apply:os.system"); remove the tag`,
		`a.yaml:3:13: department: has a YAML anchor (&name); write the value out where it is needed, or put it into a _defaults.yaml`,
		`a.yaml:4:7: name: is a YAML alias (*name); write the value out, or put it into a _defaults.yaml`,
		`a.yaml:5:1: "<<": << (a YAML merge key) is not supported; put what users share into a _defaults.yaml`,
		`b.yaml:4:8: title: has a YAML tag ("tag:x,2000:x"); remove the tag`,
		`c.yaml:2:3: "": a key must be text, not a list or a map`,
	}},
	{name: "numbers that others read differently", files: map[string]string{"a.yaml": "email: a@x.example\nskills: {A: 0x5, B: 0o4, C: 1_0, D: 1e0, E: +3, F: .5, G: 5.0000000000000001}\nutilization: {call: {capacity: 0x19}}\nphones: [{extension: \"\u0664\u0660\u0662\u0661\"}]\n"}, want: []string{
		`a.yaml:2:13: skills.A: must be a number from 0 to 5, without quotes`,
		`a.yaml:2:21: skills.B: must be a number from 0 to 5, without quotes`,
		`a.yaml:2:29: skills.C: must be a number from 0 to 5, without quotes`,
		`a.yaml:2:37: skills.D: must be a number from 0 to 5, without quotes`,
		`a.yaml:2:45: skills.E: must be a number from 0 to 5, without quotes`,
		`a.yaml:2:52: skills.F: must be a number from 0 to 5, without quotes`,
		`a.yaml:3:32: utilization.call.capacity: must be a whole number from 0 to 25, without quotes`,
		`a.yaml:4:22: phones[0].extension: "٤٠٢١" is not an extension; write digits only, such as "4021"`,
	}},
	{name: "a file that takes long", files: map[string]string{"a.yaml": "email: a@x.example\nroles: " + strings.Repeat("[", 1<<20), "b.yaml": "email: b@x.example\nroles: [" + strings.Repeat("A,", 900_000) + "]\n", "c.yaml": "email: c@x.example\ntitle: \"" + strings.Repeat("\\", 1<<20) + "\n", "d.yaml": strings.Repeat("? ", 1<<19)}, want: []string{
		`a.yaml:2:9009: is nested more than 8 levels deep; the format needs fewer`,
		`b.yaml:1:1: has more than 200000 values; split it into several files`,
		`c.yaml:2:8: begins with a quote that is not closed; write " at the end of the text`,
		`d.yaml:1:18003: is nested more than 8 levels deep; the format needs fewer`,
	}},
	{name: "what is no file", files: map[string]string{"ok.yaml": "email: a@x.example\n"}, do: func(t *testing.T, dir string) {
		must(t, os.Symlink("/proc/self/environ", filepath.Join(dir, "a.YAML")))
		must(t, os.Symlink("ok.yaml", filepath.Join(dir, "_defaults.yaml")))
		must(t, os.Mkdir(filepath.Join(dir, "b.Yml"), 0o755))
		must(t, os.WriteFile(filepath.Join(dir, "c\u202elmay.yaml"), nil, 0o600))
	}, want: []string{
		`_defaults.yaml:1:1: is a symbolic link; put the file itself there`,
		`a.YAML:1:1: is a symbolic link; put the file itself there`,
		`b.Yml:1:1: is a folder with the name of a spec file; rename it`,
		`c\u202elmay.yaml:1:1: has invisible characters in its name; rename it`,
	}},
}

func TestTrees(t *testing.T) {
	for _, c := range append(clumsyTrees, hostileTrees...) {
		t.Run(c.name, func(t *testing.T) {
			dir := checkout(t, c.files)
			if c.do != nil {
				c.do(t, dir)
			}
			tree := load(t, spec.NewLoader(dir))
			if diff := cmp.Diff(c.want, append(texts(tree.Problems), tree.Warnings.Lines()...)); diff != "" {
				t.Error(diff)
			}
		})
	}
}
