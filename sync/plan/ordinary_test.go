package plan_test

import (
	"fmt"
	"testing"
	"time"

	"usersyncd/spec"
	"usersyncd/sync/plan"
)

// releases makes passes until nothing is left to do, and lets through whatever is held. It counts how often a person
// was needed. The first pass is interrupted after some of the changes.
func releases(t *testing.T, o *orgTest, stateless bool, interrupted int) int {
	t.Helper()
	n := 0
	for pass := range 10 {
		at := now.Add(time.Duration(pass) * 10 * time.Minute)
		if stateless {
			o.stateless()
		}
		p := o.plan(t, defaults(""), at)
		if len(p.Holds) > 0 {
			n++
			for _, h := range p.Holds {
				o.snap.Releases = append(o.snap.Releases, h.ID)
			}
			p = o.plan(t, defaults(""), at) // --once --release, and the daemon's next pass
		}
		if len(p.Todo())+len(p.Holds) == 0 {
			return n
		}
		most := len(p.Changes)
		if pass == 0 && interrupted > 0 {
			most = interrupted
		}
		o.begin(p, most, at)
	}
	t.Fatal("ten passes, and still something to do")
	return n
}

// Ordinary work is not stopped, and what is extraordinary takes one release.
func TestOrdinaryUse(t *testing.T) {
	create := trespasses()["creations"].does
	empty := func() *orgTest {
		o := org(0)
		o.snap.Users["boss"] = known("boss", "boss@x.example", nil)
		create(o, 300)
		return o
	}
	adoption := func(unknown int) func() *orgTest {
		return func() *orgTest {
			o := org(2_000).stateless()
			for i := range unknown {
				delete(o.snap.Users, idOf(i))
				o.tree.Users[i].Fields.Set(spec.Name, spec.Text("N"))
			}
			for _, u := range o.tree.Users {
				u.Fields.Set(spec.Title, spec.Text("Agent"))
			}
			return o
		}
	}
	hires := func(users, n int) func() *orgTest {
		return func() *orgTest { o := org(users); create(o, n); return o }
	}
	domain := func(by func(u *spec.User, id string)) func() *orgTest {
		return func() *orgTest {
			o := org(500)
			o.admins = []string{"id0001", "id0002", "id0003"}
			for i, u := range o.tree.Users {
				by(u, idOf(i))
				u.Key = fmt.Sprintf("u%04d@new.example", i)
				u.Fields.Set(spec.Email, spec.Text(u.Key))
				u.Fields.Set(spec.Title, spec.Text("Agent"))
				if i > 0 {
					u.Fields.Set(spec.Manager, spec.Text("u0000@new.example"))
				}
			}
			return o
		}
	}
	for _, tt := range []struct {
		name                  string
		make                  func() *orgTest
		interrupted           int
		withState, statelessN int
	}{
		{name: "300 people into an empty organization", make: empty},
		{name: "the same, interrupted", make: empty, interrupted: 120, statelessN: 1},
		{name: "adoption of 2,000", make: adoption(0)},
		{name: "the same, interrupted", make: adoption(0), interrupted: 800},
		{name: "adoption of 2,000, of whom 600 are unknown", make: adoption(600), withState: 1, statelessN: 1},
		{name: "a class of 60 at 100", make: hires(100, 60)},
		{name: "a class of 60 at 200", make: hires(200, 60)},
		{name: "a class of 60 at 500", make: hires(500, 60)},
		{name: "5 hires in a team of 8", make: hires(8, 5)},
		{name: "another domain for 500, by id", make: domain(func(u *spec.User, id string) { u.ID = id }), withState: 1, statelessN: 1},
		{name: "another domain for 500, by previousEmail", make: domain(func(u *spec.User, _ string) { u.PreviousEmails = []string{u.Key} }), withState: 1, statelessN: 1},
	} {
		if n := releases(t, tt.make(), false, tt.interrupted); n != tt.withState {
			t.Errorf("%s: %d releases with a state file, want %d", tt.name, n, tt.withState)
		}
		if n := releases(t, tt.make(), true, tt.interrupted); n != tt.statelessN {
			t.Errorf("%s: %d releases without a state file, want %d", tt.name, n, tt.statelessN)
		}
	}
}

// While a bulk is held, the other fields of everybody go on.
func TestABulkHoldsItsFieldAlone(t *testing.T) {
	o := org(500)
	for i, u := range o.tree.Users {
		u.ID, u.Key = idOf(i), fmt.Sprintf("u%04d@new.example", i)
		u.Fields.Set(spec.Email, spec.Text(u.Key))
		u.Fields.Set(spec.Title, spec.Text("Agent"))
	}
	p := o.plan(t, defaults(""), now)
	for _, c := range p.Todo() {
		if !c.HasField(spec.Title) || c.HasField(spec.Email) {
			t.Fatalf("%s", c)
		}
	}
	if len(p.Todo()) != 500 || len(p.Holds) != 1 {
		t.Errorf("%d go on, %v", len(p.Todo()), p.Holds)
	}
}

// The id of a hold is the same for a plan and for the run after it, with a state file or without, whatever else a
// person edits meanwhile.
func TestHoldsKeepTheirIDs(t *testing.T) {
	for name, tt := range trespasses() {
		ids := map[string]bool{}
		for i := range 4 {
			o := org(100)
			tt.does(o, 60)
			if i%2 == 1 && name != "removals" {
				o.stateless()
			}
			if i > 1 && !tt.whole {
				for _, u := range o.tree.Users {
					u.Fields.Set(spec.Department, spec.Text("New"))
				}
			}
			policy := tt.policyFor(10)
			if name == "plain changes" && i > 1 {
				continue // a department is one, too
			}
			p := o.plan(t, policy, now.Add(time.Duration(i)*time.Hour))
			if len(p.Holds) != 1 {
				t.Fatalf("%s: %v", name, p.Holds)
			}
			ids[p.Holds[0].ID] = true
		}
		if len(ids) != 1 {
			t.Errorf("%s: %v", name, ids)
		}
	}
	o := org(100) // and for a user who turns out to be deleted: plan looks that up, and a pass does not
	trespasses()["creations"].does(o, 101)
	before := o.plan(t, defaults(""), now).Holds[0].ID
	o.snap.Users["deleted"] = known("deleted", o.tree.Users[150].Key, nil, "state", "deleted")
	p := o.plan(t, defaults(""), now)
	if p.Holds[0].ID != before || p.Changes[50].Action != plan.Restore && outcomes(p)[plan.Held] != 101 {
		t.Errorf("%v, and was %s", p.Holds, before)
	}
}
