package health

import (
	"net/http"
	"strings"
	"testing"
	"time"

	usersync "usersyncd/sync"
	"usersyncd/sync/aimd"
	"usersyncd/sync/apply"
)

// The daemon is live only while whoever has to take the next step takes it; and /livez, /readyz and the metric say so of
// the same moment.
func TestJudge(t *testing.T) {
	now := time.Now()
	const timeout = 6 * time.Minute
	for _, test := range []struct {
		phase      usersync.Phase
		inFlight   int
		step, work time.Duration // ago
		want       string        // in the reason; "": live
	}{
		{usersync.PhaseIdle, 0, time.Second, time.Hour, ""},
		{usersync.PhaseIdle, 0, 2 * time.Minute, 0, "the loop has taken no step for 2m0s"},
		{usersync.PhaseApply, 3, 10 * time.Second, time.Minute, ""},
		{usersync.PhaseApply, 3, 2 * time.Minute, 0, "while applying"},
		{usersync.PhaseApply, 3, time.Second, timeout, "answered for 6m0s, with 3 requests in flight"},
		{usersync.PhaseApply, 0, time.Second, time.Hour, ""}, // what is left only waits for its time
		{usersync.PhaseRefresh, 0, time.Hour, 5 * time.Minute, ""},
		{usersync.PhaseRefresh, 0, time.Hour, timeout, `"refresh"`},
		{usersync.PhaseRefresh, 0, time.Second, time.Hour, ""},
		{usersync.PhaseRead, 0, timeout, time.Hour, `"read"`},
		{usersync.PhaseRead, 0, time.Hour, 0, ""},
		{usersync.PhaseWait, 0, 2 * time.Minute, time.Hour, ""},
		{usersync.PhaseScan, 0, 10 * time.Minute, time.Hour, ""},
		{usersync.PhaseScan, 0, time.Hour, time.Minute, ""}, // names are looked up
		{usersync.PhaseScan, 0, 16 * time.Minute, time.Hour, "reading the specs"},
	} {
		j := &Judge{RetryMaxWait: time.Minute}
		st := usersync.Status{Phase: test.phase, Beat: now.Add(-test.step), Progress: apply.Progress{Started: test.inFlight}}
		j.Stuck(st, aimd.Stats{}, now.Add(-test.work)) // it has not been asked before, and so they work
		why := j.Stuck(st, aimd.Stats{}, now)
		if (why == "") != (test.want == "") || !strings.Contains(why, test.want) {
			t.Errorf("%+v: %q", test, why)
		}
		s := healthy(now)
		s.Status, s.Stuck = st, why
		src := fixed(s)
		handlers := Handlers(src, always(Limits{}))
		live, _ := probe(t, handlers, "/livez")
		_, ready := probe(t, handlers, "/readyz")
		metric := samples(t, scrape(t, src))["usersyncd_live"]
		if stuck := strings.HasPrefix(ready, "stuck: "); stuck != (why != "") || (live != http.StatusOK) != stuck || (metric == "0") != stuck {
			t.Errorf("%+v: %q, but /livez answers %d, the metric is %s, and /readyz says %s", test, why, live, metric, ready)
		}
	}
}

// That a low rate, and long waits between two tries, keep workers waiting is allowed for.
func TestJudgeAllowsForTheRate(t *testing.T) {
	now := time.Now()
	st := usersync.Status{Phase: usersync.PhaseRefresh, Beat: now.Add(-time.Hour)}
	for rate, want := range map[float64]bool{0: true, 1: true, 0.01: false} {
		j := &Judge{}
		j.Stuck(st, aimd.Stats{Effective: rate}, now.Add(-workerTimeout-30*time.Second))
		if why := j.Stuck(st, aimd.Stats{Effective: rate}, now); (why != "") != want {
			t.Errorf("at %v requests a second: %q", rate, why)
		}
	}
}

// Workers work if a request begins, ends or is given back; they need not work without requests, and cannot while the API
// has asked for a pause. That time passes is nothing.
func TestWorkersWork(t *testing.T) {
	busy := usersync.Status{Phase: usersync.PhaseApply, Progress: apply.Progress{Started: 2}}
	steady := aimd.Stats{Sent: 7, InFlight: 2, Waiting: 1, Reason: aimd.Rate}
	with := func(change func(*aimd.Stats)) aimd.Stats {
		s := steady
		change(&s)
		return s
	}
	for name, test := range map[string]struct {
		st   usersync.Status
		l    aimd.Stats
		want bool
	}{
		"time alone":         {busy, steady, false},
		"sent":               {busy, with(func(s *aimd.Stats) { s.Sent++ }), true},
		"answered":           {busy, with(func(s *aimd.Stats) { s.InFlight-- }), true},
		"given back":         {busy, with(func(s *aimd.Stats) { s.Cancelled++ }), true},
		"a pause":            {busy, with(func(s *aimd.Stats) { s.Gate = time.Minute; s.Reason = aimd.Gate }), true},
		"a window spent":     {busy, with(func(s *aimd.Stats) { s.Reason = aimd.Exhausted }), true},
		"a pause for nobody": {busy, with(func(s *aimd.Stats) { s.Gate = time.Minute; s.Waiting = 0 }), false},
		"idle":               {usersync.Status{Phase: usersync.PhaseIdle}, steady, true},
		"all wait for later": {usersync.Status{Phase: usersync.PhaseApply}, steady, true},
		"refresh":            {usersync.Status{Phase: usersync.PhaseRefresh}, steady, false},
	} {
		before := time.Unix(1000, 0)
		j := &Judge{}
		j.lastWork(busy, steady, before)
		now := before.Add(time.Hour)
		if worked := j.lastWork(test.st, test.l, now).Equal(now); worked != test.want {
			t.Errorf("%s: worked: %v", name, worked)
		}
	}
}
