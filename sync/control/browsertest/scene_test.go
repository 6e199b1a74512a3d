package browsertest

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"strings"
	"sync"
	"testing"
	"time"

	"usersyncd/spec"
	"usersyncd/state"
	usersync "usersyncd/sync"
	"usersyncd/sync/control"
	"usersyncd/sync/control/web"
	"usersyncd/sync/plan"
)

// Text of people who mean harm: markup, a text that turns around, a line break, and one word without an end.
var hostile = []string{
	`<img src=x onerror="document.title='owned'"><script>alert(1)</script>`,
	"\u202egnp.exe\u202c",
	"two\nlines\x1b[31m",
	strings.Repeat("W", 4000),
}

// A scene is a daemon that changes users: half an answer a second, a quota, and now and then a 429.
type scene struct {
	began time.Time

	mu      sync.Mutex
	looks   int
	status  control.Status
	changes []plan.Change
	events  []state.Event
}

func newScene() *scene {
	now := time.Now().UTC()
	s := &scene{began: now}
	s.status = control.Status{
		Schema: control.StatusSchema, Version: "v1.4.0", PID: 4711, Started: now.Add(-26 * time.Hour), Dir: "/srv/users", API: "https://api.mypurecloud.ie",
		Status: usersync.Status{
			Phase: usersync.PhaseApply, Began: now.Add(-2 * time.Minute), Success: now.Add(-3 * time.Minute), Refresh: now.Add(-4 * time.Minute),
			Revision: "9f3c1d7e2ab84455cc01", Applied: &state.AppliedTree{Revision: "77aa0be2d1c94f2e8b6d", At: now.Add(-3 * time.Minute)}, Plan: "p-1f3ac24e",
			Users: 500, InSync: 371,
			Totals: usersync.Totals{Passes: 1560, FailedPasses: 2, Changes: map[plan.Outcome]uint64{plan.Applied: 8}, Calls: usersync.Calls{Total: 9120, Reads: 7811, Writes: 1309, Throttled: 3, Retried: 2}},
		},
		Pending: 112, Changing: 120, Done: 8, Held: 3, Quarantined: 2, Skipped: 1, Deferred: 4, Problems: 2,
		Holds: []plan.Hold{{ID: "p-77aa0be2", Guard: "max-removals", Users: []string{"ana.perez@example.com", "luis.gomez@example.com", "zoe.martin@example.com"},
			Reason: "would remove 3 of 52 managed users, after 9 in the last 24 hours; the limit is 10 (--max-removals 5%,10)"}},
		Failures: []usersync.Failure{{Email: "kim.lee@example.com", File: "madrid/kim.yaml", Line: 3, Status: 400, Code: "bad.request",
			Message: "failed 3 times, next attempt 2026-11-24T03:20:00Z: the phone number is not E.164", CorrelationID: "3f0c5a2e-8a7e-4d0e-9a55-0d0b8c6a1f11"}},
		Specs: []spec.Problem{{Pos: spec.Pos{File: "madrid/jo.yaml", Line: 4, Column: 8}, Field: "skills", Message: `unknown skill "Biling"; did you mean "Billing"?`},
			{Pos: spec.Pos{File: "oslo/_defaults.yaml", Line: 2, Column: 1}, Message: "mapping values are not allowed here"}},
		Watch:   control.Watch{Mode: "watching", Dirs: 12},
		Limiter: control.Limiter{Reason: "paced", Windowed: true, Allowed: 300, Left: 300, Reset: 43, Others: 18, Expected: 140, Estimate: 31, Sent: 100, Tokens: 1},
	}
	for i := range 260 {
		s.changes = append(s.changes, plan.Change{Key: fmt.Sprintf("user%03d@example.com", i), Pos: spec.Pos{File: "madrid/team.yaml", Line: 3 * i, Column: 1},
			Action: plan.Update, Cause: plan.Edit, Lane: plan.LaneRest, Outcome: plan.Planned, Fields: []plan.FieldChange{
				{Field: spec.Department, Before: spec.Text("Sales"), After: spec.Text("Support"), Cause: plan.Edit},
				{Field: spec.Title, Before: spec.Text("Agent"), After: spec.Text("Senior agent"), Cause: plan.Drift}}})
	}
	s.changes[0].Action, s.changes[0].Cause, s.changes[0].Outcome, s.changes[0].Hold = plan.Deactivate, plan.Removed, plan.Held, "p-77aa0be2"
	s.changes[1].Action, s.changes[1].Cause, s.changes[1].Fields = plan.Create, plan.Missing, []plan.FieldChange{
		{Field: spec.Name, After: spec.Text("Ana Pérez"), Cause: plan.Missing}, {Field: spec.Skills, After: spec.Proficiencies(map[string]float64{"Billing": 4, "Refunds": 2.5}), Cause: plan.Missing}}
	s.changes[2].Outcome, s.changes[2].Err = plan.Failed, errors.New("403: the OAuth client's role lacks directory:user:edit in division Oslo")
	for i := range 130 {
		s.events = append(s.events, event(now.Add(-time.Duration(i)*97*time.Second), fmt.Sprintf("agent%03d@example.com", i)))
	}
	return s
}

func event(at time.Time, email string) state.Event {
	return state.Event{At: at, Revision: "77aa0be2d1c94f2e8b6d", Plan: "p-0a11", ID: "id", Email: email, Action: "update", Cause: "edit",
		CorrelationID: "8c1e2f30-66aa-4b0d-9d58-64c0f3b1aa01", Fields: []state.FieldEvent{{Field: spec.Title, Before: spec.Text("Agent"), After: spec.Text("Senior agent")}}}
}

// attack puts hostile text wherever text from specs, from the API or from a person can stand.
func (s *scene) attack() {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := strings.Join(hostile, " ")
	for i, bad := range hostile {
		s.changes[i].Key, s.changes[i].Pos.File, s.changes[i].Note = bad+"@example.com", bad, bad
		s.changes[i].Fields = []plan.FieldChange{{Field: spec.Name, Before: spec.Text(bad), After: spec.Text(bad), Cause: plan.Edit}}
		s.events[i] = event(time.Now(), bad+"@example.com")
		s.events[i].Fields, s.events[i].CorrelationID = []state.FieldEvent{{Field: spec.Title, Before: spec.Text(bad), After: spec.Text(bad)}}, bad
	}
	st := &s.status
	st.Dir, st.API, st.Error, st.Settings, st.Version, st.Revision, st.Notes = all, all, all, all, all, all, hostile
	st.Paused = &state.Pause{At: time.Now(), By: all, Reason: all}
	st.Watch = control.Watch{Mode: "polling", Reason: all}
	st.Holds[0].Users, st.Holds[0].Reason = hostile, all
	st.Failures[0].Email, st.Failures[0].Message, st.Failures[0].Code, st.Failures[0].CorrelationID = all, all, all, all
	st.Specs[0].File, st.Specs[0].Field, st.Specs[0].Message = all, all, all
	st.Plan = "p-attack"
	st.Totals.Changes = map[plan.Outcome]uint64{"applied": 99}
}

func (s *scene) set(change func(*control.Status)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change(&s.status)
}

func (s *scene) Status() control.Status {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.looks++
	l := &s.status.Limiter
	l.AIMD = 5 + math.Mod(float64(s.looks)*0.7, 5)
	l.Rate = min(l.AIMD, 4.5)
	l.Sent += 3 + uint64(s.looks%3)
	l.Left = max(0, 300-(7*s.looks)%300)
	if s.looks%9 == 0 {
		l.Throttled++
	}
	st := s.status
	st.Now = time.Now().UTC()
	st.Beat = st.Now
	return st
}

func (s *scene) Plan() []plan.Change {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]plan.Change(nil), s.changes...)
}

func (s *scene) History(q state.Query) ([]state.Event, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]state.Event(nil), s.events[:min(len(s.events), q.Limit)]...), nil
}

// serve shows a source on an address, until stop.
func serve(t *testing.T, address string, src control.Source) (stop func()) {
	t.Helper()
	l, err := web.Listen(t.Context(), web.Options{Address: address, Source: src, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- l.Run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	})
	t.Cleanup(stop)
	return stop
}
