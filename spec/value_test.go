package spec_test

import (
	"math"
	"slices"
	"strings"
	"testing"
	"unicode"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"usersyncd/spec"
)

func TestValuesAreNormalised(t *testing.T) {
	for _, c := range []struct {
		what string
		got  spec.Value
		want spec.Value
	}{
		{"NFC", spec.Text("Jose\u0301"), `"José"`},
		{"space around", spec.Text(" A\u00a0"), `"A"`},
		{"no HTML escapes", spec.Text("<R&D>"), `"<R&D>"`},
		{"broken UTF-8", spec.Text("a\xffb"), "\"a\ufffdb\""},
		{"set", spec.Strings([]string{"b", "a", "b", " a"}), `["a","b"]`},
		{"no strings", spec.Strings(nil), `[]`},
		{"proficiencies", spec.Proficiencies(map[string]float64{"b": 2.5, "a ": 4, "c": math.Copysign(0, -1), "d": math.NaN()}), `{"a":4,"b":2.5,"c":0,"d":0}`},
		{"no proficiencies", spec.Proficiencies(nil), `{}`},
		{"external ids", spec.ExternalIDMap(map[string]string{"workday": " W-1"}), `{"workday":"W-1"}`},
		{"phones", spec.PhoneList([]spec.Phone{
			{Type: "HOME", Media: "SMS", Number: "+1 (317) 555-12.34"},
			{Type: "WORK", Media: "PHONE", Extension: " 4021"},
			{Type: "WORK", Media: "PHONE", Extension: "4021"},
		}), `[{"type":"work","media":"phone","extension":"4021"},{"type":"home","media":"sms","number":"+13175551234"}]`},
		{"no phones", spec.PhoneList(nil), `[]`},
		{"emails", spec.EmailList([]spec.EmailAddress{{Type: "WORK", Address: "B@x.example"}, {Type: "HOME", Address: "A@x.example"}}),
			`[{"type":"home","address":"a@x.example"},{"type":"work","address":"b@x.example"}]`},
		{"locations", spec.LocationList([]spec.Location{{Name: "B"}, {Name: "A", Notes: "1"}}), `[{"name":"A","notes":"1"},{"name":"B"}]`},
		{"roles, a grant each", spec.RoleList([]spec.Role{{Name: "B", Divisions: []string{"Y"}}, {Name: "A"}, {Name: "B"}, {Name: "B", Divisions: []string{"X"}}}),
			`["A","B",{"role":"B","divisions":["X","Y"]}]`},
		{"employer", spec.EmployerOf(spec.EmployerInfo{EmployeeID: " 007 "}), `{"employeeId":"007"}`},
		{"no employer", spec.EmployerOf(spec.EmployerInfo{}), `{}`},
		{"utilization", spec.UtilizationOf(spec.UtilizationSettings{Media: map[string]spec.UtilizationLimit{"CALL": {InterruptedBy: []string{"email", "chat"}}}}), `{"call":{"capacity":0,"interruptedBy":["chat","email"]}}`},
		{"voicemail", spec.VoicemailOf(spec.VoicemailPolicy{AlertTimeoutSeconds: new(0), SendEmailNotifications: new(false)}), `{"alertTimeoutSeconds":0,"sendEmailNotifications":false}`},
	} {
		if c.got != c.want {
			t.Errorf("%s: got %s, want %s", c.what, c.got, c.want)
		}
	}
}

func TestDecodeIsTheInverse(t *testing.T) {
	phones := []spec.Phone{{Type: "work", Media: "phone", Number: "+34600000001", Extension: "1"}}
	roles := []spec.Role{{Name: "A"}, {Name: "B", Divisions: []string{"X"}}}
	same(t, "ana", spec.Text)
	same(t, true, spec.Bool)
	same(t, []string{"a", "b"}, spec.Strings)
	same(t, map[string]float64{"a": 2.5}, spec.Proficiencies)
	same(t, map[string]string{"a": "b"}, spec.ExternalIDMap)
	same(t, phones, spec.PhoneList)
	same(t, []spec.EmailAddress{{Type: "home", Address: "a@x.example"}}, spec.EmailList)
	same(t, []spec.Location{{Name: "a", Notes: "b"}}, spec.LocationList)
	same(t, roles, spec.RoleList)
	same(t, spec.EmployerInfo{OfficialName: "a", EmployeeID: "b", EmployeeType: "Full-time", DateHire: "2024-03-01"}, spec.EmployerOf)
	limits := map[string]spec.UtilizationLimit{"call": {Capacity: 3, InterruptedBy: []string{"chat"}, IncludeNonACD: new(false), Default: true, OwnNonACD: true}}
	same(t, spec.UtilizationSettings{Media: limits}, spec.UtilizationOf)
	same(t, spec.UtilizationSettings{Media: limits, Labels: map[string]spec.UtilizationLimit{"A & B": {Capacity: 1, InterruptedBy: []string{"C"}}}}, spec.UtilizationOf)
	same(t, spec.UtilizationSettings{Labels: map[string]spec.UtilizationLimit{}}, spec.UtilizationOf)
	same(t, spec.VoicemailPolicy{AlertTimeoutSeconds: new(3)}, spec.VoicemailOf)
}

func same[T any](t *testing.T, v T, value func(T) spec.Value) {
	t.Helper()
	got, err := spec.Decode[T](value(v))
	if diff := cmp.Diff(v, got); diff != "" || err != nil {
		t.Error(err, diff)
	}
}

func TestDecodeRefusesWhatIsNoValueOfTheType(t *testing.T) {
	for _, v := range []spec.Value{"", "{", `"a" "b"`, `["a"]`, `{"typ":"work"}`} {
		if got, err := spec.Decode[spec.Phone](v); err == nil || got != (spec.Phone{}) {
			t.Errorf("%s: got %v, %v", v, got, err)
		}
	}
}

func TestEqual(t *testing.T) {
	phones := func(p ...spec.Phone) spec.Value { return spec.PhoneList(p) }
	number := spec.Phone{Type: "work", Media: "phone", Number: "+34600000001"}
	extension := spec.Phone{Type: "work", Media: "phone", Extension: "4021"}
	both := spec.Phone{Type: "work", Media: "phone", Number: "+34600000001", Extension: "4021"}
	mobile := spec.Phone{Type: "mobile", Media: "phone", Number: "+34600000002", Extension: "4022"}
	rewritten := spec.Phone{Type: "mobile", Media: "phone", Number: "+34999", Extension: "4022"}
	for _, c := range []struct {
		what              string
		field             spec.Field
		desired, observed spec.Value
		want              bool
	}{
		{"same text", spec.Title, `"A"`, `"A"`, true},
		{"other text", spec.Title, `"A"`, `"a"`, false},
		{"unknown", spec.Title, `""`, "", false},
		{"numbers decide", spec.Phones, phones(number), phones(spec.Phone{Type: "work", Media: "phone", Number: "+34600000002"}), false},
		{"extensions decide", spec.Phones, phones(both), phones(extension), true},
		{"also the other way", spec.Phones, phones(extension), phones(both), true},
		{"whatever stands beside", spec.Phones, phones(number, mobile), phones(rewritten, number), true},
		{"an extension more", spec.Phones, phones(number), phones(both), false},
		{"another type", spec.Phones, phones(extension), phones(spec.Phone{Type: "home", Media: "phone", Extension: "4021"}), false},
		{"an entry more", spec.Phones, phones(mobile), phones(mobile, number), false},
		{"phones unknown", spec.Phones, phones(), "", false},
		{"phones damaged", spec.Phones, phones(), "[", false},
		{"only what is managed", spec.Voicemail, `{"alertTimeoutSeconds":30}`, `{"alertTimeoutSeconds":30,"sendEmailNotifications":true}`, true},
		{"what is managed", spec.Voicemail, `{"alertTimeoutSeconds":30}`, `{"alertTimeoutSeconds":31,"sendEmailNotifications":true}`, false},
		{"what is not known", spec.Voicemail, `{"sendEmailNotifications":false}`, `{"alertTimeoutSeconds":31}`, false},
		{"employer is one whole", spec.Employer, `{"employeeId":"1"}`, `{"officialName":"A","employeeId":"1"}`, false},
	} {
		if got := spec.Equal(c.field, c.desired, c.observed); got != c.want {
			t.Errorf("%s: got %t", c.what, got)
		}
	}
}

func TestDisplay(t *testing.T) {
	for v, want := range map[spec.Value]string{
		"":                               "(unknown)",
		spec.Text(""):                    `""`,
		spec.Text("José Pérez"):          `"José Pérez"`,
		spec.Text("\x1b[31m\u202e"):      `"\x1b[31m\u202e"`,
		spec.Text("a\u200bb\u00a0c"):     `"a\u200bb\u00a0c"`,
		spec.Bool(true):                  "true",
		spec.Strings([]string{"b", "a"}): `["a", "b"]`,
		spec.Strings(nil):                "[]",
		spec.Proficiencies(map[string]float64{"Billing": 4, "Tier 2\x1b": 2.5}):        `{Billing: 4, "Tier 2\x1b": 2.5}`,
		spec.RoleList([]spec.Role{{Name: "A"}, {Name: "B", Divisions: []string{"X"}}}): `["A", {role: "B", divisions: ["X"]}]`,
		"{\x1b":    `"{\x1b"`,
		`"a" "\n"`: `"\"a\" \"\\n\""`,
		"[1":       `"[1"`,
		"null":     "null",
	} {
		if got := v.Display(); got != want {
			t.Errorf("%q: got %s, want %s", string(v), got, want)
		}
	}
}

func TestDisplayPrintsOnlyWhatCanBeSeen(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := rapid.String().Draw(t, "s")
		for _, v := range []spec.Value{spec.Text(s), spec.Value(s), spec.ExternalIDMap(map[string]string{s: s})} {
			if i := strings.IndexFunc(v.Display(), func(r rune) bool { return r != ' ' && !unicode.IsPrint(r) }); i >= 0 {
				t.Fatalf("%q shows %q", string(v), v.Display())
			}
		}
	})
}

func TestHash(t *testing.T) {
	one := spec.FieldsOf(map[spec.Field]spec.Value{spec.Email: spec.Text("a@x.example"), spec.Title: spec.Text("A"), spec.Skills: spec.Proficiencies(nil)})
	seen := []string{one.Hash()}
	for _, f := range []spec.Fields{nil, spec.FieldsOf(map[spec.Field]spec.Value{spec.Title: spec.Text("A")}), spec.FieldsOf(map[spec.Field]spec.Value{spec.Title: spec.Text("")}), spec.FieldsOf(map[spec.Field]spec.Value{spec.Department: spec.Text("A")}),
		spec.FieldsOf(map[spec.Field]spec.Value{spec.Title: `"A"`, spec.Department: `"B"`}), spec.FieldsOf(map[spec.Field]spec.Value{spec.Title: `"B"`, spec.Department: `"A"`})} {
		if h := f.Hash(); slices.Contains(seen, h) || len(h) != 64 {
			t.Errorf("%v has hash %s", f, h)
		} else {
			seen = append(seen, h)
		}
	}
}

func TestConstructorsAreStable(t *testing.T) {
	text := rapid.OneOf(rapid.String(), rapid.StringOfN(rapid.RuneFrom([]rune("aA e\u0301\u200b\u1e9b\u0323\uac00\u1100\u2028 <")), 0, 9, -1))
	rapid.Check(t, func(t *rapid.T) {
		s := text.Draw(t, "text")
		again, err := spec.Decode[string](spec.Text(s))
		if err != nil || spec.Text(again) != spec.Text(s) {
			t.Fatalf("Text(%q) is %s, and then %s", s, spec.Text(s), spec.Text(again))
		}
		if k := spec.Key(s); spec.Key(k) != k {
			t.Fatalf("Key(%q) is %q, and then %q", s, k, spec.Key(k))
		}
		list := rapid.SliceOf(text).Draw(t, "list")
		mixed := rapid.Permutation(list).Draw(t, "mixed")
		if a, b := spec.Strings(list), spec.Strings(append(mixed, list...)); a != b {
			t.Fatalf("order or repetition counts: %s, %s", a, b)
		}
		var roles []spec.Role
		for _, name := range list {
			roles = append(roles, spec.Role{Name: name, Divisions: rapid.SliceOfN(text, 0, 2).Draw(t, "divisions")})
		}
		decoded, err := spec.Decode[[]spec.Role](spec.RoleList(roles))
		if err != nil || spec.RoleList(decoded) != spec.RoleList(roles) {
			t.Fatalf("roles %s become %s (%v)", spec.RoleList(roles), spec.RoleList(decoded), err)
		}
	})
}
