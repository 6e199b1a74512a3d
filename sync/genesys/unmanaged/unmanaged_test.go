package unmanaged_test

import (
	"encoding/json"
	"testing"

	"usersyncd/sync/genesys/unmanaged"
)

// Where there is nothing but contacts, what is kept has the form of earlier versions. What an answer shows replaces what was
// known, and what it does not show stays, in another process, too.
func TestWhatIsKept(t *testing.T) {
	var k unmanaged.Known
	k.Reset()
	for _, c := range []struct{ employer, locations, opaque string }{
		{"", "", `[1]`},
		{`{"employeeId":"7","officialName":null,"later":null}`, `[{"notes":"1st","floorplanId":"f","locationDefinition":{"id":"a","name":"A"}}]`, `[1]`},
		{`{"employeeId":"7","later":{"a":[1]}}`, "", `{"addresses":[1],"employerInfo":{"later":{"a":[1]}}}`},
		{"null", `[{"id":"b","coordinates":{"x":1}},{"locationDefinition":{"id":"a"}}]`,
			`{"addresses":[1],"employerInfo":{"later":{"a":[1]}},"locations":{"b":{"coordinates":{"x":1}}}}`},
		{"{}", "", `{"addresses":[1],"locations":{"b":{"coordinates":{"x":1}}}}`},
		{"", "[]", `[1]`},
	} {
		p, err := k.Learn("u", json.RawMessage("[1]"), json.RawMessage(c.employer), json.RawMessage(c.locations))
		if got := string(p.Opaque()); err != nil || got != c.opaque {
			t.Errorf("%s %s: kept %s, %v, want %s", c.employer, c.locations, got, err, c.opaque)
		}
		var later unmanaged.Known
		later.Reset()
		later.Put("u", p.Opaque())
		if p, err = later.Learn("u", json.RawMessage("[2]"), nil, nil); err != nil || string(unmanaged.Parse(p.Opaque()).Addresses) != "[2]" ||
			len(p.Employer) != len(k.Of("u").Employer) || len(p.Locations) != len(k.Of("u").Locations) {
			t.Errorf("%s %s: another process knows %+v, %v", c.employer, c.locations, p, err)
		}
	}
	for _, wrong := range [][2]string{{"[]", ""}, {"", "{}"}, {"1", ""}} {
		if _, err := k.Learn("u", nil, json.RawMessage(wrong[0]), json.RawMessage(wrong[1])); err == nil {
			t.Errorf("no error for %v", wrong)
		}
	}
}
