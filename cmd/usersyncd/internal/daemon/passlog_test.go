package daemon

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"usersyncd/spec"
	usersync "usersyncd/sync"
	"usersyncd/sync/apply"
	"usersyncd/sync/plan"
)

// What stands for days is said once; a user that was applied is always news.
func TestPassLog(t *testing.T) {
	var log strings.Builder
	p := passLog{log: slog.New(slog.NewTextHandler(&log, nil)), calls: func() usersync.Calls { return usersync.Calls{} }}
	count := func(res *usersync.Result, err error) int {
		log.Reset()
		p.ended(res, err)
		return strings.Count(log.String(), "\n")
	}
	problem := spec.Problem{Pos: spec.Pos{File: "a.yaml", Line: 1, Column: 1}, Message: "is wrong"}
	var many []string
	for i := range 300 {
		many = append(many, strconv.Itoa(i))
	}
	for i, test := range []struct {
		res  usersync.Result
		err  error
		want int
	}{
		{usersync.Result{}, nil, 1}, // at the start it is said that all is in order
		{usersync.Result{}, nil, 0},
		{usersync.Result{Changed: 1, Applied: 1}, nil, 1},
		{usersync.Result{Changed: 1, Applied: 1}, nil, 1},
		{usersync.Result{ProblemList: spec.ProblemList{Problems: []spec.Problem{problem}}}, nil, 2},
		{usersync.Result{ProblemList: spec.ProblemList{Problems: []spec.Problem{problem}}}, nil, 0},
		{usersync.Result{ProblemList: spec.ProblemList{Problems: []spec.Problem{problem, problem}}}, nil, 3},
		{usersync.Result{ProblemList: spec.ProblemList{Problems: make([]spec.Problem, 200), ProblemsLeftOut: 300}}, nil, 52},
		{usersync.Result{ProblemList: spec.ProblemList{Problems: make([]spec.Problem, 200), ProblemsLeftOut: 301}}, nil, 52},
		{usersync.Result{Notes: many, Holds: make([]plan.Hold, 300)}, nil, 102},
		{usersync.Result{Changed: 1, Failed: 1, Failures: []usersync.Failure{{Email: "ana@example.com", Message: "refused"}}}, nil, 1},
		{usersync.Result{Changed: 1, Quarantined: 1, Failures: []usersync.Failure{{Email: "ana@example.com", Message: "waits"}}}, nil, 1},
		{usersync.Result{Changed: 1, Quarantined: 1, Failures: []usersync.Failure{{Email: "ana@example.com", Message: "waits"}}}, nil, 0},
		{usersync.Result{}, errors.New("no network"), 1},
		{usersync.Result{}, context.DeadlineExceeded, 1},
		{usersync.Result{}, context.DeadlineExceeded, 0},
		{usersync.Result{}, nil, 1}, // sync recovered
	} {
		if got := count(&test.res, test.err); got != test.want {
			t.Errorf("%d: %d lines, not %d:\n%s", i, got, test.want, log.String())
		}
	}
}

// A checkout in which somebody left a merge open for a day is one line of the log, after five minutes, and
// one when it is over. A pull, and whatever ends in time, is none.
func TestOpenMergeIsOneAlarm(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log strings.Builder
		p := passLog{log: slog.New(slog.NewTextHandler(&log, nil))}
		said := func(what string, want ...string) {
			t.Helper()
			lines := strings.Split(strings.TrimSuffix(log.String(), "\n"), "\n")
			if log.Len() == 0 {
				lines = nil
			}
			log.Reset()
			if len(lines) != len(want) {
				t.Fatalf("%s: said %d times, want %d: %q", what, len(lines), len(want), lines)
			}
			for i, w := range want {
				if !strings.Contains(lines[i], w) {
					t.Errorf("%s: %q does not say %q", what, lines[i], w)
				}
			}
		}
		unstill := func(what string, lasts time.Duration) {
			for began, n := time.Now(), 0; time.Since(began) < lasts; n++ {
				p.ended(nil, fmt.Errorf("scanning /srv/users: %w (%s, try %d)", spec.ErrTreeChanged, what, n))
				time.Sleep(time.Minute)
			}
		}

		unstill("index.lock", 4*time.Minute)
		p.ended(nil, nil)
		said("a slow pull")
		unstill("index.lock", 4*time.Minute)
		p.ended(nil, errors.New("the API is down"))
		p.ended(nil, nil)
		said("and another, that ends in an outage", "the API is down", "sync recovered")

		unstill(".git/MERGE_HEAD", 24*time.Hour)
		said("a merge left open", `level=ERROR msg="pass failed" error="scanning /srv/users: the checkout is changing (.git/MERGE_HEAD, try 5)" lasts=5m0s note="users stay as last applied`)
		p.ended(nil, nil)
		said("its end", "sync recovered")
	})
}

// An API that is down is one line, however often it is tried: only the correlation id differs.
func TestOutageIsToldOnce(t *testing.T) {
	var log strings.Builder
	p := passLog{log: slog.New(slog.NewTextHandler(&log, nil))}
	for i := range 3 {
		p.ended(nil, fmt.Errorf("list: %w", &apply.CallError{Kind: apply.ErrUncertain, Op: "GET /api/v2/users", Status: 503, CorrelationID: fmt.Sprintf("3f0c5a2e-%d", i)}))
	}
	p.ended(nil, &apply.CallError{Kind: apply.ErrUncertain, Op: "GET /api/v2/users", Status: 504})
	if got := log.String(); strings.Count(got, "pass failed") != 2 || !strings.Contains(got, "3f0c5a2e-0") || !strings.Contains(got, "504") {
		t.Errorf("%s", got)
	}
}

// A problem is logged once for as long as it stays, whatever else is new meanwhile.
func TestAProblemIsLoggedOnce(t *testing.T) {
	var log bytes.Buffer
	p := passLog{log: slog.New(slog.NewTextHandler(&log, nil)), calls: func() usersync.Calls { return usersync.Calls{} }}
	result := func(problem string, notes ...string) *usersync.Result {
		return &usersync.Result{Notes: notes, ProblemList: spec.ProblemList{Problems: []spec.Problem{{Field: "title", Message: problem}}}}
	}
	for _, res := range []*usersync.Result{result("first"), result("first", "a file is not read"), result("first"), result("second"), result("first")} {
		p.ended(res, nil)
	}
	if n := strings.Count(log.String(), "problem in the specs"); n != 3 {
		t.Errorf("%d, not 3:\n%s", n, log.String())
	}
}
