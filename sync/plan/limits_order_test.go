package plan_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"usersyncd/spec"
	"usersyncd/state"
	"usersyncd/sync/plan"
)

// While removals are held, as many creations are held with them, under one id.
func TestCreationsWaitForRemovals(t *testing.T) {
	for _, tt := range []struct {
		removed, created, held int
	}{{31, 31, 62}, {31, 11, 42}, {31, 10, 31}, {10, 31, 0}} {
		o := org(100)
		trespasses()["removals"].does(o, tt.removed)
		trespasses()["creations"].does(o, tt.created)
		p := o.plan(t, defaults(plan.Delete), now)
		if held(p, "max-removals") != tt.held || len(p.Holds) > 1 {
			t.Fatalf("%+v: %v", tt, p.Holds)
		}
		if tt.held == 0 {
			continue
		}
		if tt.held > tt.removed && !strings.Contains(p.Holds[0].Reason, fmt.Sprintf("would remove 31 of 100 managed users and create %d", tt.created)) {
			t.Errorf("%+v: %s", tt, p.Holds[0].Reason)
		}
		o.snap.Releases = []string{p.Holds[0].ID}
		if p = o.plan(t, defaults(plan.Delete), now); len(p.Holds) > 0 {
			t.Errorf("%+v, released: %v", tt, p.Holds)
		}
	}
	o := org(300) // and what is released under the one guard is not held by the other
	trespasses()["removals"].does(o, 150)
	trespasses()["creations"].does(o, 150)
	o.snap.Releases = []string{o.plan(t, defaults(plan.Delete), now).Holds[0].ID}
	if p := o.plan(t, defaults(plan.Delete), now); len(p.Holds) > 0 {
		t.Errorf("150 for 150: %v", p.Holds)
	}
}

// A restore counts as a creation, unless usersyncd had removed the user itself.
func TestRestoresAreCreations(t *testing.T) {
	for _, ours := range []bool{false, true} {
		o := org(200)
		for _, u := range o.snap.Users {
			if u.ID >= "id0120" {
				continue
			}
			u.Fields.Set(spec.State, spec.Text(state.Deleted))
			u.LastApplied = nil
			if ours {
				u.Removed = "delete"
			}
		}
		p := o.plan(t, defaults(""), now)
		if got := held(p, "max-creations"); ours != (got == 0) || got > 0 && (got != 120 || !strings.Contains(p.Holds[0].Reason, "would create or restore 120 users")) {
			t.Errorf("ours %v: %v", ours, p.Holds)
		}
		policy := policy()
		q := o.plan(t, policy, now)
		o.apply(q, now)
		n := 0
		for _, tally := range o.snap.Guards.Tallies {
			n += tally.Created
		}
		if want := map[bool]int{false: 120, true: 0}[ours]; n != want {
			t.Errorf("ours %v: %d count", ours, n)
		}
	}
}

// The other fields of a user go on while one is held, and whoever refers to somebody whose new address is held refers
// to the old one.
func TestTheRestGoesOn(t *testing.T) {
	o := org(40)
	for _, u := range o.tree.Users {
		u.Fields.Set(spec.Title, spec.Text("New"))
	}
	trespasses()["renames"].does(o, 40)
	o.tree.Users = append(o.tree.Users, declared("zz@x.example", "name", "New hire", "manager", "renamed.u0003@x.example"))
	policy := policy()
	policy.Guard.Addresses = &plan.Limit{Percent: 2, Floor: 5}
	p := o.plan(t, policy, now)
	if held(p, "max-renames") != 40 || len(p.Todo()) != 41 || p.Converged() {
		t.Fatalf("%v, %d to do", p.Holds, len(p.Todo()))
	}
	if !slices.Equal(p.Holds[0].Fields, []spec.Field{spec.Email}) {
		t.Errorf("held are %v", p.Holds[0].Fields)
	}
	for _, c := range p.Changes {
		switch {
		case c.Action == plan.Create:
			if c.Desired.Get(spec.Manager) != spec.Text("u0003@x.example") || len(c.DependsOn) > 0 {
				t.Errorf("the hire's manager is %s, who is waited for as %v", c.Desired.Get(spec.Manager), c.DependsOn)
			}
		case c.HasField(spec.Email) || !c.HasField(spec.Title) || !c.Withholds(spec.Email) || !c.HeldInPart():
			t.Errorf("%s", c)
		}
	}
	o.apply(p, now)
	o.snap.Releases = []string{p.Holds[0].ID} // the titles are done by then
	if q := o.plan(t, policy, now); len(q.Holds) > 0 || len(q.UnknownReleases) > 0 || outcomes(q)[plan.Planned] != 40 {
		t.Errorf("released: %v, %v", q.Holds, outcomes(q))
	}
}

// A rollback is looked at as any plan is: what goes too far of it is held, field by field.
func TestARollbackIsLimited(t *testing.T) {
	o := org(40)
	var events []state.Event
	for i := range 6 {
		u := o.snap.Users[idOf(i)]
		u.Fields.Set(spec.Email, spec.Text(fmt.Sprintf("new%d@x.example", i)))
		u.Fields.Set(spec.Title, spec.Text("New"))
		events = append(events, state.Event{At: now, Revision: "r", ID: u.ID, Email: u.Key(), Action: "update", Cause: "edit", Fields: []state.FieldEvent{
			{Field: spec.Email, Before: spec.Text(fmt.Sprintf("u%04d@x.example", i)), After: u.Fields.Get(spec.Email)},
			{Field: spec.Title, Before: spec.Text("Old"), After: u.Fields.Get(spec.Title)},
		}})
	}
	policy := policy()
	policy.Guard.Addresses = &plan.Limit{Percent: 2, Floor: 5}
	p := plan.NewRollback(plan.Rollback{Revision: "r"}, plan.UserRollbacks(events, true), o.snap, policy, nil, now)
	if held(p, "max-renames") != 6 || !p.Holds[0].Rollback || len(p.Todo()) != 6 {
		t.Fatalf("%v, %d to do", p.Holds, len(p.Todo()))
	}
	for _, c := range p.Todo() {
		if c.HasField(spec.Email) || !c.HasField(spec.Title) || c.Cause != plan.RolledBack {
			t.Errorf("%s", c)
		}
	}
	for i := range events {
		events[i].Fields = events[i].Fields[:1]
	}
	p = plan.NewRollback(plan.Rollback{Revision: "r"}, plan.UserRollbacks(events, true), o.snap, policy, nil, now)
	if len(p.Todo()) > 0 || outcomes(p)[plan.Held] != 6 {
		t.Errorf("with nothing else to do: %v", lines(p))
	}
}
