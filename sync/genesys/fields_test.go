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
		case (f.user != "") != (f.decode.parse != nil):
			t.Errorf("%s needs decode if it has user, and only then", f.Field)
		case (f.post+f.patch != "") != (f.encode != nil):
			t.Errorf("%s needs encode if it has post or patch, and only then", f.Field)
		case (f.steps != nil) != (len(f.writes) > 0):
			t.Errorf("%s needs writes if it has steps, and only then", f.Field)
		case f.user == "" && len(f.reads) == 0:
			t.Errorf("%s needs reads, as it is a detail", f.Field)
		case f.details != nil && f.detail == nil:
			t.Errorf("%s has details, which need detail", f.Field)
		case f.user == "" && f.expand:
			t.Errorf("%s has expand, which needs user", f.Field)
		case f.bulk && f.patch == "":
			t.Errorf("%s has bulk, which needs patch", f.Field)
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
