package selection_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"usersyncd/spec"
	"usersyncd/spec/selection"
)

func TestSelectionMatches(t *testing.T) {
	ana := spec.FieldsOf(map[spec.Field]spec.Value{
		spec.Email: `"ana@x.example"`, spec.Name: `"Ana Pérez"`, spec.State: `"active"`, spec.Department: `"Sales, EMEA"`, spec.Title: `""`,
		spec.Division: `"EMEA"`, spec.Manager: `"luis@x.example"`, spec.ACDAutoAnswer: `false`,
		spec.Skills: `{"Billing":4}`, spec.Queues: `["Billing ES"]`, spec.Certs: `[]`,
		spec.Roles:  `["Employee",{"role":"Supervisor","divisions":["APAC"]}]`,
		spec.Phones: `[{"type":"work","media":"phone","number":"+34600000001"}]`, spec.Emails: `[{"type":"home","address":"a@home.example"}]`,
		spec.Locations: `[{"name":"HQ","notes":"3rd floor"}]`, spec.ExternalIDs: `{"workday":"W-1"}`,
	})
	for text, want := range map[string]bool{
		``:                                     true,
		`  `:                                   true,
		`email=ANA@x.example`:                  true,
		`name=ana pérez`:                       true,
		`name=Ana`:                             false,
		`department="Sales, EMEA"`:             true,
		` department = "sales, emea" `:         true,
		`department=Sales`:                     false,
		`title=`:                               true,
		`preferredName=`:                       false, // she has none that is known
		`division=EMEA,state=active`:           true,
		`division=EMEA,state=inactive`:         false,
		`division=APAC,division=emea`:          true,
		`division=APAC,division=LATAM`:         false,
		`manager=Luis@x.example`:               true,
		`acdAutoAnswer=false`:                  true,
		`acdAutoAnswer=true`:                   false,
		`skills=billing`:                       true,
		`skills=4`:                             false,
		`queues=Billing es`:                    true,
		`certifications=PCI`:                   false,
		`roles=supervisor`:                     true,
		`roles=employee`:                       true,
		`roles=APAC`:                           false,
		`phones=+34 600 000 001`:               true,
		`emails=A@home.example`:                true,
		`locations=hq`:                         true,
		`locations=3rd floor`:                  false,
		`externalIds=Workday`:                  true,
		`externalIds=W-1`:                      false,
		`groups=Madrid`:                        false,
		`roles=Nobody,roles=Employee,title=""`: true,
	} {
		s, err := selection.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		if got := s.Matches(ana); got != want {
			t.Errorf("%s: got %t", text, got)
		}
		again, err := selection.Parse(s.String())
		if err != nil {
			t.Fatal(err)
		}
		if again.Matches(ana) != want || again.String() != s.String() || s.Empty() != (s.String() == "") {
			t.Errorf("%s becomes %s", text, s)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	var all []string
	for _, info := range spec.AllFields() {
		all = append(all, string(info.Field))
	}
	fields := strings.Join(all, ", ")
	for text, want := range map[string]string{
		`departement=Sales`:     `unknown field "departement"; did you mean "department"?`,
		`id=1`:                  `unknown field "id"; the fields are ` + fields,
		`Sales`:                 `"Sales" is not of the form field=value`,
		`state=active,`:         `"" is not of the form field=value`,
		`state=active,Sales`:    `"Sales" is not of the form field=value`,
		`state=on`:              `state is active or inactive, not "on"`,
		`acdAutoAnswer=yes`:     `acdAutoAnswer is true or false, not "yes"`,
		`title="A`:              `title: "\"A" has no closing quote`,
		`title="A" B`:           `title: "B" follows the closing quote; a comma goes there`,
		`title=A "B"`:           `title: "A \"B\"" has a quote inside; put the whole value in quotes`,
		`title="A"title="B"`:    `title: "title=\"B\"" follows the closing quote; a comma goes there`,
		"\x1b[31m\u202e=Sales!": `unknown field "\x1b[31m\u202e"; the fields are ` + fields,
	} {
		s, err := selection.Parse(text)
		if err == nil || err.Error() != want || !s.Empty() {
			t.Errorf("%s: got %v", text, err)
		}
	}
}

func TestSelectionReadsWhatItWrites(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		value := rapid.StringMatching(`[a-b",\\= é]{0,6}`).Draw(t, "value")
		quoted := ""
		for _, r := range value {
			if r == '"' || r == '\\' {
				quoted += `\`
			}
			quoted += string(r)
		}
		s, err := selection.Parse(`title="` + quoted + `",state=active`)
		if err != nil {
			t.Fatal(err)
		}
		if !s.Matches(spec.FieldsOf(map[spec.Field]spec.Value{spec.Title: spec.Text(value), spec.State: `"active"`})) || s.Matches(spec.FieldsOf(map[spec.Field]spec.Value{spec.Title: spec.Text(value + "x"), spec.State: `"active"`})) {
			t.Fatalf("%q", s)
		}
	})
}

// FuzzParse: what is taken is written so that it is read as the same.
func FuzzParse(f *testing.F) {
	for _, text := range []string{"", "state=active", `department="a, b",title=`, `title="\"\\"`, "title=\xff", "title=a\\b,title=\u00a0"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		s, err := selection.Parse(text)
		if err != nil {
			return
		}
		again, err := selection.Parse(s.String())
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(s.String(), again.String()); diff != "" || s.Empty() != again.Empty() {
			t.Errorf("%q: %s", text, diff)
		}
	})
}
