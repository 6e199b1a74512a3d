package sync_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"usersyncd/spec"
	"usersyncd/state"
	usersync "usersyncd/sync"
	"usersyncd/sync/genesys/sim"
	"usersyncd/sync/plan"
)

func (w *world) history(q state.Query) []state.Event {
	w.Helper()
	events, err := w.Store.History(q)
	if err != nil {
		w.Fatal(err)
	}
	return events
}

// What the history tells: each write with its fields, its revision and its correlation id.
func TestHistoryOfWrites(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, sim.Options{Users: 2})
		u := w.sim.Users()[0]
		w.write("u.yaml", "email: %s\ntitle: Lead\nskills: {Billing: 3}\n", u.Email)
		w.sim.Define(sim.Skill, "Billing")
		w.write("n.yaml", "email: new@example.com\nname: New\ntitle: Agent\n")
		res := w.pass()
		events := w.history(state.Query{})
		var lines []string
		for _, e := range events {
			if e.CorrelationID == "" || e.Revision != res.Revision || e.Plan != res.Plan || e.ID == "" || e.At.IsZero() {
				t.Errorf("an event lacks something: %+v", e)
			}
			for _, f := range e.Fields {
				lines = append(lines, fmt.Sprintf("%s %s %s: %s -> %s", e.Email, e.Action, f.Field, f.Before.Display(), f.After.Display()))
			}
		}
		got := strings.Join(lines, "\n")
		for _, want := range []string{
			u.Email + ` adopt title: "` + u.Title + `" -> "Lead"`,
			u.Email + ` adopt skills: {} -> {Billing: 3}`,
			`new@example.com create name: (unknown) -> "New"`,
			`new@example.com create title: (unknown) -> "Agent"`,
		} {
			if !strings.Contains(got, want) {
				t.Errorf("no %s in\n%s", want, got)
			}
		}
		if n := len(w.history(state.Query{Email: "new@example.com"})); n == 0 || n == len(events) {
			t.Errorf("%d of %d events are the new user's", n, len(events))
		}
		w.pass()
		if n := len(w.history(state.Query{})); n != len(events) {
			t.Errorf("a pass that wrote nothing left %d events", n-len(events))
		}
	})
}

// A write whose answer was lost is in the history once it is known to have been made, and once only.
func TestHistoryOfALostAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, sim.Options{Users: 40})
		w.declareAll("title: Lead\nacdAutoAnswer: true")
		w.fault("PATCH 50% lost")
		res := w.pass()
		if res.Failed > 0 {
			t.Fatal(show(res))
		}
		told := map[string]int{}
		for _, e := range w.history(state.Query{}) {
			for _, f := range e.Fields {
				if f.Field == spec.Title {
					told[e.Email]++
				}
			}
		}
		for _, u := range w.sim.Users() {
			if told[u.Email] != 1 {
				t.Errorf("the title of %s is told %d times", u.Email, told[u.Email])
			}
		}
	})
}

// A process that was killed between an answer and its commit has written what no history tells. The next pass finds
// it, and a rollback looks at it.
func TestHistoryOfAKilledProcess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, sim.Options{Users: 3})
		w.declareAll("title: One")
		w.pass()
		w.declareAll("title: Two")
		for _, u := range w.sim.Users() {
			w.sim.Edit(u.Email, func(u *sim.User) { u.Title = "Two" }) // as the one that was killed has done
		}
		res, err := w.Reconcile(context.Background(), usersync.Mode{NoRefresh: true})
		if err != nil || res.Applied != 3 {
			t.Fatal(err, show(res))
		}
		told := w.history(state.Query{Revision: res.Revision})
		if len(told) != 3 || !told[0].Uncertain || told[0].Fields[0].Before != spec.Text("One") {
			t.Errorf("told is %+v", told)
		}
		if res := w.rollback(plan.Rollback{Revision: res.Revision}); res.Applied != 3 {
			t.Error(show(res))
		}
	})
}

// A write of which nobody knows what came of it when the pass ends is in the history as that, once, so that a
// rollback looks at it.
func TestHistoryOfWhatNobodyKnows(t *testing.T) {
	for _, tt := range []struct {
		name     string
		faults   []string
		patience time.Duration
	}{
		{"interrupted", []string{"PATCH lost"}, 300 * time.Millisecond},
		{"outage", []string{"PATCH lost", "GET /api/v2/users/* 503"}, time.Hour},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, sim.Options{Users: 3})
				w.declareAll("title: One")
				w.pass()
				w.declareAll("title: Two")
				for _, f := range tt.faults {
					w.fault(f)
				}
				for range 3 { // more passes than one do not tell it again
					ctx, cancel := context.WithTimeout(context.Background(), tt.patience)
					_, _ = w.Reconcile(ctx, usersync.Mode{NoRefresh: true}) // as it may
					cancel()
					time.Sleep(time.Hour)
				}
				w.sim.ClearFaults()
				told := w.history(state.Query{Limit: 4})
				var revision string
				for _, e := range told[:3] {
					if revision = e.Revision; !e.Uncertain || len(e.Fields) != 1 || e.Fields[0].After != spec.Text("Two") {
						t.Errorf("told is %+v", e)
					}
				}
				if told[3].Uncertain {
					t.Errorf("told twice: %+v", told)
				}
				if res := w.rollback(plan.Rollback{Revision: revision}); res.Applied != 3 {
					t.Error(show(res))
				}
				for _, u := range w.sim.Users() {
					if u.Title != "One" {
						t.Errorf("%s has the title %q", u.Email, u.Title)
					}
				}
			})
		})
	}
}
