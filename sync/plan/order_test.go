package plan_test

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"usersyncd/state"
)

// The same input gives the same plan and the same record, in the same order, though the snapshot holds maps.
func TestSameInputGivesTheSameRecord(t *testing.T) {
	o := org(8, "state", "inactive")
	o.snap.CreateIntents = map[string]state.Intent{}
	for i := range 8 {
		o.snap.Users[idOf(i)].Suspended = "a hash"
		gone := fmt.Sprintf("gone%d@x.example", i)
		o.snap.CreateIntents[gone] = state.Intent{}
		o.snap.Failures[gone] = state.Failure{Key: gone}
	}
	first := o.plan(t, defaults(""), now).Record
	if len(first.Users) != 8 || len(first.ClearCreateIntents) != 8 || len(first.ClearFailures) != 8 {
		t.Fatalf("recorded: %+v", first)
	}
	for range 5 {
		if diff := cmp.Diff(first, o.plan(t, defaults(""), now).Record); diff != "" {
			t.Fatal(diff)
		}
	}
}
