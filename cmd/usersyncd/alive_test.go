package main

import (
	"strings"
	"testing"
	"time"

	usersync "usersyncd/sync"
	"usersyncd/sync/aimd"
	"usersyncd/sync/apply"
)

// The watchdog is fed only while whoever has to take the next step takes it.
func TestAlive(t *testing.T) {
	now := time.Now()
	const patience = 6 * time.Minute
	for _, test := range []struct {
		phase               usersync.Phase
		inFlight            int
		loop, step, workers time.Duration // ago
		want                string        // in the reason; "": alive
	}{
		{"idle", 0, time.Second, time.Hour, time.Hour, ""},
		{"idle", 0, time.Hour, time.Second, time.Hour, ""}, // a pass has just ended
		{"idle", 0, 2 * time.Minute, 2 * time.Minute, 0, "the loop has taken no step for 2m0s"},
		{"apply", 3, time.Hour, 10 * time.Second, time.Minute, ""},
		{"apply", 3, time.Second, 2 * time.Minute, 0, "while applying"}, // the loop cannot idle meanwhile
		{"apply", 3, time.Hour, time.Second, patience, "answered for 6m0s, with 3 calls under way"},
		{"apply", 0, time.Hour, time.Second, time.Hour, ""}, // what is left only waits for its time
		{"refresh", 0, time.Hour, time.Hour, 5 * time.Minute, ""},
		{"refresh", 0, time.Second, time.Hour, patience, `"refresh"`},
		{"refresh", 0, time.Hour, time.Second, time.Hour, ""},
		{"read", 0, time.Second, patience, time.Hour, `"read"`},
		{"read", 0, time.Hour, time.Hour, 0, ""},
		{"scan", 0, time.Hour, 10 * time.Minute, time.Hour, ""},
		{"scan", 0, time.Hour, time.Hour, time.Minute, ""}, // names are looked up
		{"scan", 0, time.Second, 16 * time.Minute, time.Hour, "reading the specs"},
	} {
		ok, why := alive(usersync.Status{Phase: test.phase, Beat: now.Add(-test.step), Progress: apply.Progress{InFlight: test.inFlight}},
			pulse{loop: now.Add(-test.loop), workers: now.Add(-test.workers), patience: patience}, now)
		if ok != (test.want == "") || !strings.Contains(why, test.want) {
			t.Errorf("%+v: %v, %q", test, ok, why)
		}
	}
}

// Workers move if a request begins, ends or is given back; they need not move without work, nor while the API
// has asked for a pause. That time passes is nothing.
func TestWorkersMove(t *testing.T) {
	busy := usersync.Status{Phase: usersync.PhaseApply, Progress: apply.Progress{InFlight: 2}}
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
		s := &supervisor{seen: steady}
		now := time.Unix(1000, 0)
		if s.watch(test.st, test.l, now); (s.moved.Load() == now.UnixNano()) != test.want {
			t.Errorf("%s: moved: %v", name, !test.want)
		}
	}
}
