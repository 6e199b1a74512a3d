package spec_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"usersyncd/spec"
)

// fixtures are values of fields, and what the loader and the schema make of each.
var fixtures = []struct {
	field    spec.Field
	yaml     string
	value    spec.Value // "" if it is refused
	problems []string   // column, path, message; line 2
	// What only the loader can tell; the schema takes it.
	blind bool
	// What the loader takes, but not the schema, whose words are those that an editor offers.
	strict bool
}{
	{field: "name", yaml: `Ana`, value: `"Ana"`},
	{field: "name", yaml: `""`, problems: []string{"7: name: must not be empty"}},
	{field: "name", yaml: `[Ana]`, problems: []string{"7: name: must be text, not a list"}},
	{field: "name", yaml: `{a: b}`, problems: []string{"7: name: must be text, not a map"}},
	{field: "state", yaml: `inactive`, value: `"inactive"`},
	{field: "state", yaml: `Active`, problems: []string{`8: state: "Active" is not one of active, inactive; did you mean "active"?`}},
	{field: "state", yaml: `deleted`, problems: []string{`8: state: "deleted" is not one of active, inactive`}},
	{field: "title", yaml: `""`, value: `""`},
	{field: "title", yaml: `'007'`, value: `"007"`},
	{field: "title", yaml: `2024-03-01`, value: `"2024-03-01"`},
	{field: "title", yaml: `42`, problems: []string{`8: title: YAML reads this as a number or a boolean; put it in quotes: "42"`}},
	{field: "title", yaml: `true`, problems: []string{`8: title: YAML reads this as a number or a boolean; put it in quotes: "true"`}},
	{field: "title", yaml: `1.5`, problems: []string{`8: title: YAML reads this as a number or a boolean; put it in quotes: "1.5"`}},
	{field: "department", yaml: `R&D`, value: `"R&D"`},
	{field: "manager", yaml: `Luis@X.example`, value: `"luis@x.example"`},
	{field: "manager", yaml: `""`, value: `""`},
	{field: "manager", yaml: `Luis Gómez`, problems: []string{`10: manager: "Luis Gómez" is not an e-mail address; write it as name@example.com`}},
	{field: "division", yaml: `EMEA`, value: `"EMEA"`},
	{field: "division", yaml: `""`, problems: []string{"11: division: must not be empty"}},
	{field: "manager", yaml: `" Luis@X.example "`, value: `"luis@x.example"`},
	{field: "manager", yaml: `" "`, value: `""`, strict: true},
	{field: "state", yaml: `"active "`, value: `"active"`, strict: true},
	{field: "title", yaml: `" manager "`, value: `"manager"`},
	{field: "employer", yaml: `{dateHire: "2024-02-29 ", employeeType: " Full-time"}`, value: `{"employeeType":"Full-time","dateHire":"2024-02-29"}`, strict: true},
	{field: "phones", yaml: `[{extension: "4021 "}]`, value: `[{"type":"work","media":"phone","extension":"4021"}]`},
	{field: "phones", yaml: `[{number: " +34 600000001 "}]`, value: `[{"type":"work","media":"phone","number":"+34600000001"}]`},
	{field: "phones", yaml: `[{number: "+157197"}]`, value: `[{"type":"work","media":"phone","number":"+157197"}]`},
	{field: "phones", yaml: `[{number: "+44 (0)20 7946 0000"}]`, problems: []string{`19: phones[0].number: "+44 (0)20 7946 0000" has a (0), which is dialled within the country only; write "+442079460000"`}},
	{field: "phones", yaml: `[{number: "+49( 0 )30/1234-56"}]`, problems: []string{`19: phones[0].number: "+49( 0 )30/1234-56" has a (0), which is dialled within the country only; write "+4930123456"`}},
	{field: "phones", yaml: `[{number: "+44 [0]20 7946 0000"}]`, problems: []string{`19: phones[0].number: "+44 [0]20 7946 0000" has a (0), which is dialled within the country only; write "+442079460000"`}},
	{field: "phones", yaml: `[{number: "+44 （0）20 7946 0000"}]`, problems: []string{`19: phones[0].number: "+44 （0）20 7946 0000" has a (0), which is dialled within the country only; write "+442079460000"`}},
	{field: "phones", yaml: `[{number: "0049 30 1234–56"}]`, problems: []string{`19: phones[0].number: "0049 30 1234–56" is not an international number; write "+4930123456"`}},
	{field: "phones", yaml: `[{number: "+1"}]`, problems: []string{`19: phones[0].number: "+1" is not an international number; write "+", the country code and the number, such as "+34600000001"`}},
	{field: "preferredName", yaml: `Ana`, value: `"Ana"`},
	{field: "acdAutoAnswer", yaml: `true`, value: `true`},
	{field: "acdAutoAnswer", yaml: `"true"`, problems: []string{"16: acdAutoAnswer: must be true or false"}},
	{field: "certifications", yaml: `[PCI, "007"]`, value: `["007","PCI"]`},
	{field: "certifications", yaml: `PCI`, problems: []string{"17: certifications: must be a list, such as [First name, Second name]"}},
	{field: "certifications", yaml: `[PCI, ""]`, problems: []string{"23: certifications[1]: must not be empty"}},
	{field: "certifications", yaml: `[PCI, PCI]`, problems: []string{`23: certifications[1]: "PCI" is listed twice, first in line 2; keep one`}},
	{field: "profileSkills", yaml: `[]`, value: `[]`},
	{field: "employer", yaml: `{}`, value: `{}`},
	{field: "employer", yaml: `{employeeId: ""}`, value: `{}`},
	{field: "employer", yaml: `{employeeType: "", dateHire: ""}`, value: `{}`},
	{field: "employer", yaml: `{dateHire: "2024-02-29"}`, value: `{"dateHire":"2024-02-29"}`},
	{field: "employer", yaml: `{dateHire: 2023-02-29}`, problems: []string{`22: employer.dateHire: "2023-02-29" is not a date; write it as 2024-03-01 (year-month-day)`}, blind: true},
	{field: "employer", yaml: `{dateHire: 1/3/2024}`, problems: []string{`22: employer.dateHire: "1/3/2024" is not a date; write it as 2024-03-01 (year-month-day)`}},
	{field: "employer", yaml: `{employeeType: full-time}`, problems: []string{`26: employer.employeeType: "full-time" is not one of Full-time, Part-time, Contractor; did you mean "Full-time"?`}},
	{field: "employer", yaml: `{employeeID: "1"}`, problems: []string{`12: employer.employeeID: unknown field; did you mean "employeeId"?`}},
	{field: "phones", yaml: `[{number: "+34 600 000-001"}]`, value: `[{"type":"work","media":"phone","number":"+34600000001"}]`},
	{field: "phones", yaml: `[{media: sms, type: mobile, number: "+34600000001"}, {type: mobile, extension: "07"}]`,
		value: `[{"type":"mobile","media":"phone","extension":"07"},{"type":"mobile","media":"sms","number":"+34600000001"}]`},
	{field: "phones", yaml: `[{number: "600000001"}]`, problems: []string{`19: phones[0].number: "600000001" is not an international number; write "+", the country code and the number, such as "+34600000001"`}},
	{field: "phones", yaml: `[{number: "+0600000001"}]`, problems: []string{`19: phones[0].number: "+0600000001" is not an international number; write "+", the country code and the number, such as "+34600000001"`}},
	{field: "phones", yaml: `[{number: "+1234567890123456"}]`, problems: []string{`19: phones[0].number: "+1234567890123456" is not an international number; write "+", the country code and the number, such as "+34600000001"`}},
	{field: "phones", yaml: `[{number: "+34600000001;ext=1"}]`, problems: []string{`19: phones[0].number: "+34600000001;ext=1" is not an international number; write "+", the country code and the number, such as "+34600000001"`}},
	{field: "phones", yaml: `[{extension: "x12"}]`, problems: []string{`22: phones[0].extension: "x12" is not an extension; write digits only, such as "4021"`}},
	{field: "phones", yaml: `[{type: work}]`, problems: []string{`10: phones[0]: needs a number or an extension, such as {type: work, number: "+34600000001"}`}},
	{field: "phones", yaml: `[{extension: "1"}, {type: work, extension: "2"}]`, problems: []string{`28: phones[1]: a work number for phone is listed twice, first in line 2; keep one`}, blind: true},
	{field: "phones", yaml: `["+34600000001"]`, problems: []string{`10: phones[0]: must be a map, such as {type: work, number: "+34600000001"}`}},
	{field: "phones", yaml: `[{type: work5, media: fax, extension: "1"}]`, problems: []string{
		`17: phones[0].type: "work5" is not one of work, work2, work3, work4, home, mobile, other; did you mean "work"?`,
		`31: phones[0].media: "fax" is not one of phone, sms`}},
	{field: "emails", yaml: `[{type: work, address: A@x.example}]`, value: `[{"type":"work","address":"a@x.example"}]`},
	{field: "emails", yaml: `[{address: a@x.example}]`, problems: []string{`10: emails[0]: needs type, such as {type: home, address: ana@example.com}`}},
	{field: "emails", yaml: `[{type: home}]`, problems: []string{`10: emails[0]: needs address, such as {type: home, address: ana@example.com}`}},
	{field: "emails", yaml: `[{type: other, address: a@x.example}]`, problems: []string{`17: emails[0].type: "other" is not one of work, home`}},
	{field: "emails", yaml: `[{type: home, address: a@x.example}, {type: home, address: b@x.example}]`, problems: []string{`46: emails[1]: a home address is listed twice, first in line 2; keep one`}, blind: true},
	{field: "locations", yaml: `[{name: HQ}]`, value: `[{"name":"HQ"}]`},
	{field: "locations", yaml: `[{notes: 3rd floor}]`, problems: []string{`13: locations[0]: needs name, such as {name: Madrid HQ, notes: 3rd floor}`}},
	{field: "locations", yaml: `[{name: HQ}, {name: HQ, notes: A}]`, problems: []string{`25: locations[1]: "HQ" is listed twice, first in line 2; keep one`}, blind: true},
	{field: "skills", yaml: `{A: 0, B: 5, C: 2.75}`, value: `{"A":0,"B":5,"C":2.75}`},
	{field: "skills", yaml: `{A: 5.1}`, problems: []string{`13: skills.A: "5.1" is out of range; it must be a number from 0 to 5`}},
	{field: "skills", yaml: `{A: -1}`, problems: []string{`13: skills.A: "-1" is out of range; it must be a number from 0 to 5`}},
	{field: "skills", yaml: `{A: .nan}`, problems: []string{`13: skills.A: must be a number from 0 to 5, without quotes`}},
	{field: "skills", yaml: `{A: "4"}`, problems: []string{`13: skills.A: must be a number from 0 to 5, without quotes`}},
	{field: "skills", yaml: `{A: 04}`, problems: []string{`13: skills.A: must be a number from 0 to 5, without quotes`}, blind: true},
	{field: "skills", yaml: `{A: 1e0}`, problems: []string{`13: skills.A: must be a number from 0 to 5, without quotes`}, blind: true},
	{field: "skills", yaml: `[A]`, problems: []string{`9: skills: must be a map, such as {Billing: 4}`}},
	{field: "skills", yaml: `{A: null}`, problems: []string{`13: skills.A: has no value; leave the field out to not manage it`}},
	{field: "skills", yaml: `{"": 1}`, problems: []string{`10: skills."": a name must not be empty`}},
	{field: "languages", yaml: `{A: 3, B: 4.0}`, value: `{"A":3,"B":4}`},
	{field: "languages", yaml: `{A: 2.5}`, problems: []string{`16: languages.A: "2.5" is out of range; it must be a whole number from 0 to 5`}},
	{field: "roles", yaml: `[A, {role: B}, {role: B, divisions: [Y, X]}]`, value: `["A","B",{"role":"B","divisions":["X","Y"]}]`},
	{field: "roles", yaml: `[{divisions: [X]}]`, problems: []string{`9: roles[0]: needs role, such as {role: Supervisor, divisions: [EMEA]}`}},
	{field: "roles", yaml: `[A, {role: A}]`, problems: []string{`12: roles[1]: "A" is listed twice, first in line 2; keep one`}, blind: true},
	{field: "roles", yaml: `[{role: A, divisions: []}]`, problems: []string{`30: roles[0].divisions: is empty; name a division, or leave divisions out to grant the role in the home division`}},
	{field: "roles", yaml: `[{role: A, divisions: ["*"]}]`, value: `[{"role":"A","divisions":["*"]}]`},
	{field: "queues", yaml: `[Q]`, value: `["Q"]`},
	{field: "groups", yaml: `[G]`, value: `["G"]`},
	{field: "utilization", yaml: `{}`, value: `{}`},
	{field: "utilization", yaml: `{call: {capacity: 25, interruptedBy: []}}`, value: `{"call":{"capacity":25}}`},
	{field: "utilization", yaml: `{call: {capacity: 26}}`, problems: []string{`32: utilization.call.capacity: "26" is out of range; it must be a whole number from 0 to 25`}},
	{field: "utilization", yaml: `{call: {interruptedBy: [chat]}}`, problems: []string{`21: utilization.call: needs capacity, such as {capacity: 1, interruptedBy: [call]}`}},
	{field: "utilization", yaml: `{voice: {capacity: 1}}`, problems: []string{`15: utilization.voice: unknown field; the fields here are call, callback, chat, email, message, labels`}},
	{field: "utilization", yaml: `{chat: {capacity: 1, interruptedBy: [cal]}}`, problems: []string{`51: utilization.chat.interruptedBy[0]: "cal" is not one of call, callback, chat, email, message; did you mean "call"?`}},
	{field: "utilization", yaml: `{call: {capacity: 1, includeNonAcd: true}, labels: {" VIP": {capacity: 2, interruptedBy: [Gold, A]}, Gold: {capacity: 0}}}`,
		value: `{"call":{"capacity":1,"includeNonAcd":true},"labels":{"Gold":{"capacity":0},"VIP":{"capacity":2,"interruptedBy":["A","Gold"]}}}`},
	{field: "utilization", yaml: `{labels: {}}`, value: `{"labels":{}}`},
	{field: "utilization", yaml: `{call: {capacity: 1, includeNonAcd: false}}`, value: `{"call":{"capacity":1,"includeNonAcd":false}}`},
	{field: "utilization", yaml: `{call: {capacity: 1, includeNonAcd: "true"}}`, problems: []string{`50: utilization.call.includeNonAcd: must be true or false`}},
	{field: "utilization", yaml: `{call: {capacity: 1, includeNonACD: true}}`, problems: []string{`35: utilization.call.includeNonACD: unknown field; did you mean "includeNonAcd"?`}},
	{field: "utilization", yaml: `{label: {VIP: {capacity: 1}}}`, problems: []string{`15: utilization.label: unknown field; did you mean "labels"?`}},
	{field: "utilization", yaml: `{labels: [VIP]}`, problems: []string{`23: utilization.labels: must be a map, such as {VIP: {capacity: 2}}`}},
	{field: "utilization", yaml: `{labels: null}`, problems: []string{`23: utilization.labels: has no value; leave the field out to not manage it, or write {} to empty it`}},
	{field: "utilization", yaml: `{labels: {VIP: {interruptedBy: [Gold]}}}`, problems: []string{`29: utilization.labels.VIP: needs capacity, such as {capacity: 1, interruptedBy: [call]}`}},
	{field: "utilization", yaml: `{labels: {VIP: {capacity: 1, includeNonAcd: true}}}`, problems: []string{`43: utilization.labels.VIP.includeNonAcd: unknown field; the fields here are capacity, interruptedBy`}},
	{field: "voicemail", yaml: `{sendEmailNotifications: false}`, value: `{"sendEmailNotifications":false}`},
	{field: "voicemail", yaml: `{}`, problems: []string{`12: voicemail: sets nothing; leave it out, or write {alertTimeoutSeconds: 30}`}},
	{field: "voicemail", yaml: `{alertTimeoutSeconds: 1.5}`, problems: []string{`34: voicemail.alertTimeoutSeconds: "1.5" is out of range; it must be a whole number from 0 to 2147483647`}},
	{field: "externalIds", yaml: `{workday: "W-1", sap: "007"}`, value: `{"sap":"007","workday":"W-1"}`},
	{field: "externalIds", yaml: `{workday: ""}`, problems: []string{`24: externalIds.workday: must not be empty`}},
	{field: "externalIds", yaml: `{workday: 7}`, problems: []string{`24: externalIds.workday: YAML reads this as a number or a boolean; put it in quotes: "7"`}},
}

func TestFields(t *testing.T) {
	for _, c := range fixtures {
		t.Run(string(c.field)+" "+c.yaml, func(t *testing.T) {
			tree := load(t, spec.NewLoader(checkout(t, map[string]string{"a.yaml": "email: a@x.example\n" + string(c.field) + ": " + c.yaml + "\n"})))
			var want []string
			for _, p := range c.problems {
				want = append(want, "a.yaml:2:"+p)
			}
			if diff := cmp.Diff(want, texts(tree.Problems)); diff != "" {
				t.Error(diff)
			}
			var got spec.Value
			if len(tree.Users) > 0 {
				got = tree.Users[0].Fields.Get(c.field)
			}
			if got != c.value {
				t.Errorf("got %s, want %s", got, c.value)
			}
		})
	}
}

// fixtureOf is YAML that a field takes, and its value. A plain text is read as the title is.
func fixtureOf(info spec.FieldInfo) (yaml string, value spec.Value) {
	for _, c := range fixtures {
		if c.field == info.Field && c.value != "" {
			return c.yaml, c.value
		}
	}
	if plain := info.Empty() == `""` && !info.RefersToUser; plain {
		return "Senior agent", `"Senior agent"`
	}
	return "", ""
}

func TestEveryFieldHasFixtures(t *testing.T) {
	for _, info := range spec.AllFields() {
		if _, value := fixtureOf(info); value == "" && info.Field != spec.Email { // which has a test of its own
			t.Errorf("%s is never taken", info.Field)
		}
		if got, ok := spec.Lookup(info.Field); !ok || got.Field != info.Field {
			t.Errorf("looking %s up: %v", info.Field, got)
		}
	}
	if _, ok := spec.Lookup("nothing"); ok {
		t.Error("found a field that is not there")
	}
}

func TestWhatCanBeEmptied(t *testing.T) {
	for _, info := range spec.AllFields() {
		for _, empty := range []string{`""`, "[]", "{}"} {
			tree := load(t, spec.NewLoader(checkout(t, map[string]string{"a.yaml": "email: a@x.example\n" + string(info.Field) + ": " + empty + "\n"})))
			if ok := len(tree.Problems) == 0; ok != (empty == info.Empty()) {
				t.Errorf("%s: %s: problems %q; Info.Empty is %q", info.Field, empty, texts(tree.Problems), info.Empty())
			}
		}
	}
}

func TestAddresses(t *testing.T) {
	for address, ok := range map[string]bool{
		"a@x.example": true, "ana.perez+queue@x-y.example.com": true, "o'neil@x.example": true, "josé@exámple.example": true, "a@1.example": true,
		"": false, "a": false, "@x.example": false, "a@": false, "a@x": false, "a@x.": false, "a@.example": false, "a@x..example": false,
		".a@x.example": false, "a.@x.example": false, "a..b@x.example": false, "a@b@x.example": false, "a b@x.example": false,
		"Ana <a@x.example>": false, "a@-x.example": false, "a@x-.example": false, "a@x_y.example": false, " a@x.example ": true, "a@[127.0.0.1]": false,
	} {
		tree := load(t, spec.NewLoader(checkout(t, map[string]string{"a.yaml": `email: "` + address + "\"\n"})))
		if got := len(tree.Users) == 1; got != ok {
			t.Errorf("%q: %q", address, texts(tree.Problems))
		}
		if ok && tree.Users[0].Key != spec.Key(strings.TrimSpace(address)) {
			t.Errorf("%q has key %q", address, tree.Users[0].Key)
		}
	}
}
