package genesys

import (
	"cmp"
	"encoding/json"
	"slices"
	"testing"

	"usersyncd/spec"
)

// Each field of the format has one row, which says how it is read and how it is written.
func TestEveryFieldHasARow(t *testing.T) {
	rows := fields()
	for _, info := range spec.AllFields() {
		i := slices.IndexFunc(rows, func(f field) bool { return f.Field == info.Field })
		if i < 0 {
			t.Errorf("%s has no row in fields.go", info.Field)
			continue
		}
		f := rows[i]
		switch {
		case slices.ContainsFunc(rows[i+1:], func(other field) bool { return other.Field == f.Field }):
			t.Errorf("%s has two rows", f.Field)
		case (f.user == "") == (f.detail == nil):
			t.Errorf("%s is to be read from a User, or as a detail", f.Field)
		case (f.patch == "") == (f.steps == nil):
			t.Errorf("%s is to be written with PATCH, or in steps", f.Field)
		case (f.user != "") != (f.decode.parse != nil), (f.post+f.patch != "") != (f.encode != nil), (f.steps != nil) != (len(f.writes) > 0), (f.detail != nil) != (len(f.reads) > 0 && f.user == ""):
			t.Errorf("the row of %s lacks something, or has too much", f.Field)
		case f.details != nil && f.detail == nil, f.expand && f.user == "", f.bulk && f.patch == "":
			t.Errorf("the row of %s contradicts itself", f.Field)
		}
		switch {
		case f.initial != "" && f.initial != "false" && string(f.initial) != cmp.Or(info.Empty(), `""`):
			t.Errorf("a new user has %s in %s, which is empty as %s", f.initial, f.Field, info.Empty())
		case f.bulk && f.Field != spec.ACDAutoAnswer: // UserBulk has nothing else
			t.Errorf("%s is not taken by PATCH /users/bulk", f.Field)
		}
		for _, op := range f.reads {
			if op.Writes() {
				t.Errorf("%s is read with %v", f.Field, op)
			}
		}
		for _, op := range f.writes {
			if !op.Writes() {
				t.Errorf("%s is written with %v", f.Field, op)
			}
		}
	}
	if len(rows) != len(spec.AllFields()) {
		t.Errorf("%d rows for %d fields", len(rows), len(spec.AllFields()))
	}
}

// A text of the API is decoded as JSON has it, also where nothing in it is escaped: what is not UTF-8 is replaced.
func TestOptional(t *testing.T) {
	for raw, want := range map[string]string{`"ana"`: "ana", `"a\"b"`: `a"b`, `"Pérez"`: "Pérez", "\"a\xffb\"": "a\ufffdb", `""`: "", `null`: "", ``: ""} {
		if got, err := optional[string](json.RawMessage(raw)); got != want || err != nil {
			t.Errorf("%q is %q, not %q, %v", raw, got, want, err)
		}
	}
}
