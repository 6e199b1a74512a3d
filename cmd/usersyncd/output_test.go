package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"usersyncd/cmd/usersyncd/internal/progress"
	"usersyncd/spec"
	usersync "usersyncd/sync"
	"usersyncd/sync/aimd"
	"usersyncd/sync/apply"
	"usersyncd/sync/plan"
)

func TestExitCodes(t *testing.T) {
	problems := &usersync.ProblemsError{ProblemList: spec.ProblemList{Problems: []spec.Problem{{Message: "is wrong"}}}}
	for _, test := range []struct {
		err  error
		want int
		text string // what main prints
	}{
		{nil, 0, ""},
		{outcome(&usersync.Result{Changed: 3, Applied: 3}), 0, ""},
		{errors.New("no state"), 1, "usersyncd: no state"},
		{fmt.Errorf("list: %w", apply.ErrUnauthorized), 1, "usersyncd: list: credentials refused"},
		{fmt.Errorf("list: %w", apply.ErrThrottled), 5, "usersyncd: list: throttled"},
		{refused(process{}, nil, fmt.Errorf("list: %w", apply.ErrThrottled)), 5, "usersyncd: list: throttled\nnothing was changed"},
		{
			refused(process{}, &usersync.Result{Changed: 500, Pending: 380}, &apply.CallError{
				Kind: apply.ErrThrottled, Op: "PATCH /u", Err: &aimd.ParkedError{Until: time.Date(2026, 3, 1, 10, 0, 0, 0, time.UTC)},
			}), 5,
			"usersyncd: PATCH /u: throttled: the API asks for a pause that is too long to wait for: no request before 2026-03-01T10:00:00Z\n" +
				"left to do: 380 of 500 users; run it again after 2026-03-01T10:00:00Z",
		},
		{refused(process{}, nil, context.Canceled), 1, "usersyncd: interrupted; what was sent is recorded, and the next run does the rest"},
		{&exitError{code: exitChanges}, 2, ""},
		{refused(process{stderr: new(strings.Builder)}, nil, problems), 3, ""},
		{fmt.Errorf("load: %w", problems), 3, "usersyncd: load: the specs have problems, 1 in all; the first: :0:0: is wrong"},
		{fmt.Errorf("scanning d: %w", spec.ErrNoSpecs), 3, "usersyncd: scanning d: no spec file"},
		{outcome(&usersync.Result{Held: 1}), 4, ""},
		{outcome(&usersync.Result{Held: 1, Failed: 1}), 5, ""},
		{outcome(&usersync.Result{Quarantined: 1}), 5, ""},
		{outcome(&usersync.Result{Skipped: 1, Waiting: 1}), 5, ""},
		{outcome(&usersync.Result{Pending: 1}), 5, ""},
		{usage("--output: %q is wrong", "x"), 64, `usersyncd: --output: "x" is wrong`},
	} {
		if got, text := exitCode(test.err), errorText(test.err); got != test.want || text != test.text {
			t.Errorf("%v: exit code %d with %q, not %d with %q", test.err, got, text, test.want, test.text)
		}
	}
}

func TestProgressLine(t *testing.T) {
	for _, test := range []struct {
		st   usersync.Status
		l    aimd.Stats
		want string
	}{
		{usersync.Status{Phase: usersync.PhaseRefresh}, aimd.Stats{Effective: 5}, "refresh: 5.0/s, quota ?, 0 throttled"},
		{usersync.Status{Phase: usersync.PhaseApply, Progress: apply.Progress{Changed: 40, Applied: 7, Failed: 1}}, aimd.Stats{Effective: 4.25, Windowed: true, Left: 12, Allowed: 300, Throttled: 2, Expected: 33},
			"8/40 users, 1 failed, 1m30s left, 4.2/s, quota 12/300, 2 throttled, 33 calls to go"},
		{usersync.Status{Phase: usersync.PhaseApply, Progress: apply.Progress{Changed: 40}}, aimd.Stats{Reason: aimd.Exhausted, Windowed: true, Allowed: 300, Reset: 2e9, Expected: 40},
			"0/40 users, 1m30s left, quota spent, waiting 2.0s, 0 throttled, 40 calls to go"},
		{usersync.Status{Phase: usersync.PhaseApply, Progress: apply.Progress{Changed: 40}}, aimd.Stats{Gate: 9e9, Expected: 1}, "0/40 users, 1m30s left, waiting 9.0s, 0 throttled, 1 call to go"},
		{usersync.Status{Phase: usersync.PhaseApply, Progress: apply.Progress{Changed: 40}}, aimd.Stats{Reason: aimd.InFlight, InFlight: 10, Effective: 40, Windowed: true, Left: 7, Allowed: 300},
			"0/40 users, 1m30s left, 10 calls under way, quota 7/300, 0 throttled, 0 calls to go"},
		{usersync.Status{Phase: usersync.PhaseApply, Progress: apply.Progress{Changed: 40}}, aimd.Stats{Reason: aimd.Rate, Effective: 2.5, Throttled: 3},
			"0/40 users, 1m30s left, 2.5/s after 429s, quota ?, 3 throttled, 0 calls to go"},
	} {
		got := progress.Line(test.st, test.l, 90e9)
		if got != test.want {
			t.Errorf("%q, not %q", got, test.want)
		}
		if test.st.Phase == usersync.PhaseApply && !strings.Contains(got[:60-16-len("...")], " left") { // as fit cuts it on 60 columns
			t.Errorf("%q: a narrow terminal does not show the time left", got)
		}
	}
}

// Nothing that a spec or Genesys holds can forge a line of the result or move the cursor.
func TestResultIsPrintable(t *testing.T) {
	res := &usersync.Result{Users: 1, Changes: []*plan.Change{{
		Key: "a@example.com\x1b[2J", Action: plan.Update, Cause: plan.Edit, Outcome: plan.Failed,
		Err:    errors.New("refused\n0 users: all good\x07"),
		Fields: []plan.FieldChange{{Field: spec.Title, Before: `"a\nb\u001b[31m"`, After: `"c"`}},
	}}}
	var b strings.Builder
	printResult(&b, res)
	if strings.ContainsAny(b.String(), "\x1b\x07\r") || strings.Count(b.String(), "\n") != 3 {
		t.Errorf("%q", b.String())
	}
}

func TestCounts(t *testing.T) {
	change := func(a plan.Action, o plan.Outcome) *plan.Change {
		return &plan.Change{Action: a, Outcome: o}
	}
	for want, changes := range map[string][]*plan.Change{
		"nothing to do": nil,
		"2 to create, 1 to update, 1 waiting or skipped": {
			change(plan.Update, plan.Planned), change(plan.Create, plan.Planned),
			change(plan.Create, plan.Planned), change(plan.Update, plan.Quarantined),
		},
		"1 to restore, 1 to adopt, 1 to unmanage": {
			change(plan.Unmanage, plan.Planned), change(plan.Adopt, plan.Planned), change(plan.Restore, plan.Planned),
		},
	} {
		if got := counts(slices.Clone(changes)); got != want {
			t.Errorf("%q, not %q", got, want)
		}
	}
}
