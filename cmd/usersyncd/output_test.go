package main

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"usersyncd/cmd/usersyncd/internal/progress"
	"usersyncd/spec"
	usersync "usersyncd/sync"
	"usersyncd/sync/aimd"
	"usersyncd/sync/apply"
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
		{errors.New("no state"), 1, "no state"},
		{fmt.Errorf("list: %w", apply.ErrUnauthorized), 1, "list: credentials refused"},
		{fmt.Errorf("list: %w", apply.ErrThrottled), 5, "list: throttled"},
		{refused(nil, fmt.Errorf("list: %w", apply.ErrThrottled)), 5, "list: throttled\nnothing was changed"},
		{
			refused(&usersync.Result{Changed: 500, Pending: 380}, &apply.CallError{
				Kind: apply.ErrThrottled, Op: "PATCH /u", Err: &aimd.ParkedError{Until: time.Date(2026, 3, 1, 10, 0, 0, 0, time.UTC)},
			}), 5,
			"PATCH /u: throttled: the API asks for a pause that is too long to wait for: no request before 2026-03-01T10:00:00Z\n" +
				"380 of 500 users not reached; run it again after 2026-03-01T10:00:00Z",
		},
		{refused(nil, context.Canceled), 1, "interrupted; what was sent is recorded, and the next run does the rest"},
		{&exitError{code: exitChanges}, 2, ""},
		{refused(nil, problems), 3, ""},
		{fmt.Errorf("load: %w", problems), 3, "load: the specs have problems, 1 in all; the first: :0:0: is wrong"},
		{fmt.Errorf("scanning d: %w", spec.ErrNoSpecs), 3, "scanning d: no spec file"},
		{outcome(&usersync.Result{Held: 1}), 4, ""},
		{outcome(&usersync.Result{Held: 1, Failed: 1}), 5, ""},
		{outcome(&usersync.Result{Quarantined: 1}), 5, ""},
		{outcome(&usersync.Result{Skipped: 1, Waiting: 1}), 5, ""},
		{outcome(&usersync.Result{Pending: 1}), 5, ""},
		{usage("--output: %q is wrong", "x"), 64, `--output: "x" is wrong`},
	} {
		if got, text := exitCode(test.err), errorText(test.err); got != test.want || text != test.text {
			t.Errorf("%v: exit code %d with %q, not %d with %q", test.err, got, text, test.want, test.text)
		}
	}
}

func TestProgressLine(t *testing.T) {
	applying := func(p apply.Progress) usersync.Status {
		return usersync.Status{Phase: usersync.PhaseApply, Progress: p}
	}
	busy := aimd.Stats{Effective: 4.25, Windowed: true, Left: 12, Allowed: 300, Throttled: 2, Expected: 33}
	synctest.Test(t, func(t *testing.T) {
		for _, test := range []struct {
			st      usersync.Status
			l       aimd.Stats
			columns int
			want    string
		}{
			{usersync.Status{Phase: usersync.PhaseRefresh}, aimd.Stats{Effective: 5}, 0, "reading the organization: 5.0 calls/s"},
			{usersync.Status{Phase: usersync.PhaseScan}, aimd.Stats{Effective: 5}, 0, "reading the specs"},
			{usersync.Status{Phase: usersync.PhaseRefresh}, aimd.Stats{Reason: aimd.Exhausted, Effective: 5, Windowed: true, Allowed: 300, Reset: 1e8}, 0, "reading the organization: 5.0 calls/s, 0 of 300 calls left"},
			{usersync.Status{Phase: usersync.PhaseRefresh}, aimd.Stats{Effective: 5, Gate: 9e8}, 0, "reading the organization: 5.0 calls/s"},
			{usersync.Status{Phase: usersync.PhaseRead, Reading: 9, Read: 2}, busy, 0, "reading single users: 2/9, 1m30s left, 4.2 calls/s, 12 of 300 calls left, 2 answered 429"},
			{usersync.Status{Phase: usersync.PhaseWait}, busy, 0, "waiting until the API shows the last writes"},
			{applying(apply.Progress{Changed: 40, Applied: 7, Failed: 1}), busy, 0, "8/40 users, 1 failed, 1m30s left, 4.2 calls/s, 12 of 300 calls left, 2 answered 429, 33 calls to go"},
			{applying(apply.Progress{Changed: 40, Applied: 7, Failed: 1}), busy, 79, "8/40 users, 1 failed, 1m30s left, 4.2 calls/s, 33 calls to go"},
			{applying(apply.Progress{Changed: 40, Applied: 7, Failed: 1}), busy, 64, "8/40 users, 1 failed, 1m30s left, 4.2 calls/s, 33 calls to go"},
			{applying(apply.Progress{Changed: 40, Applied: 7, Failed: 1}), busy, 39, "8/40 users, 1m30s left, 4.2 calls/s"},
			{applying(apply.Progress{Changed: 50000, Applied: 12000, Failed: 1}), busy, 39, "12001/50000 users, 1m30s left"},
			{applying(apply.Progress{Changed: 40, Applied: 7, Failed: 1}), busy, 20, "8/40 users"},
			{applying(apply.Progress{Changed: 100, Applied: 57}), aimd.Stats{Reason: aimd.Rate, Effective: 18.2, Throttled: 3, Expected: 43}, 39, "57/100 users, 1m30s left"},
			{applying(apply.Progress{Changed: 40, Applied: 7, Failed: 1}), busy, 5, "8/40 "},
			{applying(apply.Progress{Changed: 40}), aimd.Stats{Reason: aimd.Exhausted, Windowed: true, Allowed: 300, Reset: 2e9, Expected: 40}, 79, "0/40 users, 1m30s left, waiting 2.0s for the next calls, 40 calls to go"},
			{applying(apply.Progress{Changed: 40}), aimd.Stats{Gate: 9e9, Expected: 1}, 79, "0/40 users, 1m30s left, waiting 9.0s, as the API asks, 1 call to go"},
			{applying(apply.Progress{Changed: 40}), aimd.Stats{Reason: aimd.InFlight, InFlight: 10, Effective: 40, Windowed: true, Left: 7, Allowed: 300, Expected: 9}, 79,
				"0/40 users, 1m30s left, 10 calls under way, 7 of 300 calls left, 9 calls to go"},
			{applying(apply.Progress{Changed: 40}), aimd.Stats{Reason: aimd.Rate, Effective: 2.5, Throttled: 3, Expected: 2}, 0,
				"0/40 users, 1m30s left, 2.5 calls/s, slower after a 429, 3 answered 429, 2 calls to go"},
			// Nothing is to be sent now.
			{applying(apply.Progress{Changed: 40, Applied: 38, Unanswered: 2, Until: time.Now().Add(6500 * time.Millisecond)}), aimd.Stats{Effective: 9}, 79,
				"38/40 users, 6.5s left, looking up 2 calls without a response"},
			{applying(apply.Progress{Changed: 40, Applied: 38, Unanswered: 2, Until: time.Now().Add(6500 * time.Millisecond)}), aimd.Stats{Effective: 9}, 39, "38/40 users, 6.5s left"},
			{applying(apply.Progress{Changed: 40, Applied: 38, Unanswered: 1, Started: 1}), aimd.Stats{Effective: 9}, 79, "38/40 users, looking up 1 call without a response"},
			{applying(apply.Progress{Changed: 40, Applied: 38, Started: 2}), aimd.Stats{Effective: 9}, 79, "38/40 users, waiting for 2 responses"},
			{applying(apply.Progress{Changed: 40, Applied: 38, Until: time.Now().Add(time.Minute)}), aimd.Stats{Effective: 9}, 79, "38/40 users, 1m0s left, waiting to try again"},
		} {
			left := 90 * time.Second
			if test.l.Expected == 0 && test.st.Phase == usersync.PhaseApply {
				left = 0
			}
			if got := progress.Line(test.st, test.l, left, test.columns); got != test.want {
				t.Errorf("%d columns: %q, not %q", test.columns, got, test.want)
			}
		}
	})
}
