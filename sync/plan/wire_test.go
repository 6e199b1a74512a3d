package plan

import (
	"encoding/json"
	"errors"
	"testing"

	"pgregory.net/rapid"

	"usersyncd/spec"
)

// A change that has crossed the socket prints itself as it did before, and crosses once more as it did. Lost are
// the lane and what applying needs; the reason of a change that waits for another is a note from then on.
func TestChangeCrosses(t *testing.T) {
	text := rapid.OneOf(rapid.String(), rapid.SampledFrom([]string{"", "<a>&b", "é\u2028\n", `"\u003c"`, "null"}))
	value := rapid.Custom(func(t *rapid.T) spec.Value {
		switch rapid.IntRange(0, 3).Draw(t, "kind") {
		case 0:
			return ""
		case 1:
			return `{"Billing":4,"<&>":2.5}`
		case 2:
			return `[1,true,false,null,"é"]`
		}
		return spec.Text(text.Draw(t, "text"))
	})
	cause := rapid.SampledFrom([]Cause{Edit, Drift, Missing, Removed, RolledBack})
	fields := rapid.SliceOf(rapid.Custom(func(t *rapid.T) FieldChange {
		return FieldChange{Field: rapid.SampledFrom([]spec.Field{spec.Title, spec.Manager}).Draw(t, "field"),
			Before: value.Draw(t, "before"), After: value.Draw(t, "after"), Cause: cause.Draw(t, "its cause")}
	}))
	rapid.Check(t, func(t *rapid.T) {
		c := &Change{
			Key: text.Draw(t, "key"), Pos: spec.Pos{File: text.Draw(t, "file"), Line: rapid.IntRange(0, 9).Draw(t, "line"), Column: rapid.IntRange(0, 9).Draw(t, "column")},
			Cause: cause.Draw(t, "cause"), Action: rapid.SampledFrom([]Action{Create, Adopt, Restore, Update, Unmanage, Deactivate, Delete}).Draw(t, "action"),
			Outcome: rapid.SampledFrom([]Outcome{Planned, Applied, Failed, Held, Quarantined, Skipped}).Draw(t, "outcome"),
			Fields:  fields.Draw(t, "fields"), Drift: fields.Draw(t, "drift"),
		}
		switch c.Outcome { // as a pass sets them
		case Failed:
			c.Err = errors.New(text.Draw(t, "error"))
		case Held:
			c.Hold, c.Note = rapid.SampledFrom([]string{"", "p-1"}).Draw(t, "hold"), text.Draw(t, "note")
		case Quarantined:
			c.Note = text.Draw(t, "note")
		case Skipped:
			if c.WaitsFor = rapid.SampledFrom([]string{"", "ana@example.com"}).Draw(t, "waits"); c.WaitsFor == "" {
				c.Note = text.Draw(t, "note")
			}
		}
		data, err := json.Marshal(c)
		if err != nil {
			t.Fatal(err)
		}
		crossed := &Change{}
		if err := json.Unmarshal(data, crossed); err != nil {
			t.Fatal(err)
		}
		if got, want := crossed.String(), c.String(); got != want {
			t.Errorf("it prints\n%s, not\n%s\n%s", got, want, data)
		}
		again, err := json.Marshal(crossed)
		if err != nil || string(again) != string(data) {
			t.Errorf("%v\n%s, not\n%s", err, again, data)
		}
	})
}
