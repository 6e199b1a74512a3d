package web

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	usersync "usersyncd/sync"
)

func TestFoldFailures(t *testing.T) {
	var all []usersync.Failure
	for i := range 96 {
		id := fmt.Sprintf("0b1ad508-0693-42dd-afba-%012x", i)
		all = append(all, usersync.Failure{Email: fmt.Sprintf("user%02d@example.com", i), File: "oslo/team.yaml", Line: i + 1, Status: 400, Code: "bad.request", CorrelationID: id,
			Message: fmt.Sprintf("failed %d times, next attempt 2026-11-24T03:%02d:00Z: PATCH /api/v2/users/%s: refused: 400 bad.request: the number \"+1%d\" of user%02d@example.com is wrong (correlation id %s)", i%3+2, i%60, id, i, i, id)})
	}
	all = append(all,
		usersync.Failure{Email: "a@example.com", Status: 403, Code: "not.authorized", Message: "PATCH: the role lacks directory:user:edit"},
		usersync.Failure{Email: "b@example.com", Status: 403, Code: "not.authorized", Message: "PATCH: the role lacks directory:user:add"},
		usersync.Failure{Email: "c@example.com", Message: "PATCH: the role lacks directory:user:add"})
	got := foldFailures(all)
	counts := []int{}
	for _, f := range got {
		counts = append(counts, f.Count)
	}
	if diff := cmp.Diff([]int{96, 1, 1, 1}, counts); diff != "" {
		t.Fatal(diff)
	}
	want := pageFailure{Status: 400, Code: "bad.request", CorrelationID: all[0].CorrelationID, Count: 96, Users: got[0].Users,
		Message: `failed 2 times, next attempt 2026-11-24T03:00:00Z: PATCH /api/v2/users/0b1ad508-0693-42dd-afba-000000000000: refused: 400 bad.request: the number "+10" of user00@example.com is wrong`}
	if diff := cmp.Diff(want, got[0]); diff != "" || len(got[0].Users) != shownOfHold || got[0].Users[1] != "user01@example.com (oslo/team.yaml:2)" {
		t.Errorf("%s, %q", diff, got[0].Users)
	}
	if got := foldFailures(nil); got == nil || len(got) > 0 {
		t.Errorf("%v", got)
	}
}
