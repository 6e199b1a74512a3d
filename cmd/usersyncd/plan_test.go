package main

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"usersyncd/spec"
	usersync "usersyncd/sync"
	"usersyncd/sync/apply"
	"usersyncd/sync/plan"
)

// All that is read, and then written, shares one quota: a field that is read after another one waits for it, and so do the writes.
// Leavers wait for no read.
func TestEstimates(t *testing.T) {
	// The first 200 calls are sent at once, what is left of a window; then 300 a minute.
	takes := func(n int) time.Duration { return max(0, time.Duration(n-200)*200*time.Millisecond) }
	reads, calls := estimateReads(map[spec.Field]int{spec.Voicemail: 500, spec.Utilization: 200}, takes)
	want := []usersync.ReadEstimate{{Field: spec.Utilization, Users: 200}, {Field: spec.Voicemail, Users: 500, Seconds: 100}}
	if diff := cmp.Diff(want, reads); diff != "" || calls != 700 {
		t.Errorf("%d calls\n%s", calls, diff)
	}
	call := func(lane plan.Lane) *apply.Call { return &apply.Call{Changes: []*plan.Change{{Lane: lane}}} }
	e := estimate([]*apply.Call{call(plan.LaneRest), call(plan.LaneLeavers), call(plan.LaneRest)}, calls, takes)
	lanes := []usersync.LaneEstimate{{Lane: 1, Name: "leavers", Calls: 1, Seconds: 0.1}, {Lane: 3, Name: "the rest", Calls: 2, Seconds: 0.6}}
	if diff := cmp.Diff(lanes, e.Lanes); diff != "" || e.Calls != 3 || e.Seconds != 0.6 {
		t.Errorf("%+v\n%s", e, diff)
	}
}
