package plan_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"usersyncd/spec"
	"usersyncd/state"
	"usersyncd/sync/plan"
)

// Up to the limit all goes, above it nothing does, and what is released does; a title of somebody else always goes, and
// so does one of those whose field is held.
func TestLimits(t *testing.T) {
	for name, tt := range trespasses() {
		t.Run(name, func(t *testing.T) {
			for _, n := range []int{9, 10, 11} {
				o := org(40)
				tt.does(o, n)
				policy := tt.policyFor(10)
				p := o.plan(t, policy, now)
				if n <= 10 {
					if len(p.Holds) > 0 || outcomes(p)[plan.Planned] != n {
						t.Errorf("%d of 10 are held: %v", n, p.Holds)
					}
					continue
				}
				if held(p, tt.guard) != n || len(p.Holds) != 1 || outcomes(p)[plan.Held] != n {
					t.Fatalf("%d, the limit is 10: %v, %v", n, p.Holds, outcomes(p))
				}
				if fields := len(p.Holds[0].Fields); (fields == 0) != tt.whole {
					t.Errorf("%d fields are held, whole changes: %v", fields, tt.whole)
				}
				for _, want := range []string{fmt.Sprint(n), "the limit is 10 (--" + tt.guard + " 0%,10)"} {
					if !strings.Contains(p.Holds[0].Reason, want) {
						t.Errorf("the reason is %q, without %q", p.Holds[0].Reason, want)
					}
				}
				again := o.plan(t, policy, now.Add(time.Hour))
				if again.Holds[0].ID != p.Holds[0].ID {
					t.Errorf("the hold is %s, and was %s", again.Holds[0].ID, p.Holds[0].ID)
				}
				o.snap.Releases = []string{p.Holds[0].ID}
				freed := o.plan(t, policy, now)
				if len(freed.Holds) > 0 || outcomes(freed)[plan.Planned] != n {
					t.Errorf("released: %v, %v", freed.Holds, outcomes(freed))
				}
				o.snap.Releases, o.snap.Guards = nil, freed.Guards // of a pass that ended before it could do it
				if later := o.plan(t, policy, now); len(later.Holds) > 0 {
					t.Errorf("released with the pass before: %v", later.Holds)
				}
				o.apply(freed, now)
				if done := o.plan(t, policy, now); len(done.Todo()) > 0 || len(done.Guards.Released) > 0 {
					t.Errorf("done: still %d to do, released %v", len(done.Todo()), done.Guards.Released)
				}
				if tally := o.snap.Guards.Tallies; len(tally) > 0 {
					t.Errorf("what was released counts: %+v", tally)
				}
			}
		})
	}
}

// What was done counts for 24 hours, whatever the clock does in between.
func TestLimitsCountForADay(t *testing.T) {
	for name, tt := range trespasses() {
		t.Run(name, func(t *testing.T) {
			o := org(60)
			tt.does(o, 10)
			policy := tt.policyFor(10)
			p := o.plan(t, policy, now)
			if len(p.Holds) > 0 {
				t.Fatalf("ten are held: %v", p.Holds)
			}
			o.apply(p, now)
			tt.does(o, 1)
			at := func(ago time.Duration) int { return held(o.plan(t, policy, now.Add(ago)), tt.guard) }
			if tt.done == nil {
				if at(time.Minute) > 0 {
					t.Error("what was done with another plan counts")
				}
				return
			}
			for ago, want := range map[time.Duration]int{
				time.Minute: 1, 23*time.Hour + 59*time.Minute: 1, 24 * time.Hour: 0, 25 * time.Hour: 0,
				-time.Hour: 1, -30 * time.Hour: 1, -1000 * time.Hour: 1, // the clock was set back
			} {
				if n := at(ago); n != want {
					t.Errorf("one more %s later: %d held, want %d", ago, n, want)
				}
			}
			back := now.Add(-1000 * time.Hour)
			o.snap.Guards = o.plan(t, policy, back).Guards
			for ago, want := range map[time.Duration]int{23 * time.Hour: 1, 24 * time.Hour: 0} {
				if n := held(o.plan(t, policy, back.Add(ago)), tt.guard); n != want {
					t.Errorf("%s after the clock was set back: %d held, want %d", ago, n, want)
				}
			}
			o.snap.Guards.Tallies = []state.Tally{tt.done(10)}
			o.snap.Guards.Tallies[0].At = now
			o.snap.Guards = o.plan(t, policy, now.Add(3*24*time.Hour)).Guards // the clock was ahead for a while
			if n := at(time.Hour); n != 1 {
				t.Errorf("set back to what it was: %d held", n)
			}
		})
	}
}

// A limit is a share of users, each of whom counts once: not once more because it was removed, or lost something, within the last
// 24 hours and is back.
func TestLimitsCountAUserOnce(t *testing.T) {
	for _, action := range []plan.Action{plan.Unmanage, plan.Deactivate, plan.Delete} {
		for _, back := range []int{0, 4, 14} {
			o, policy := org(500), guarded(action)
			policy.Guard.Removals = &plan.Limit{Percent: 5, Floor: 10}
			all := o.tree.Users
			for _, declared := range [][]*spec.User{all[14:], all[14-back:], all[14-back : 400]} {
				o.tree.Users = declared
				o.apply(o.plan(t, policy, now), now)
			}
			p := o.plan(t, policy, now)
			if want := "would remove 100 of 500 managed users, after 14 in"; len(p.Holds) != 1 || !strings.HasPrefix(p.Holds[0].Reason, want) {
				t.Errorf("%s, %d are back: %v, want %s", action, back, p.Holds, want)
			}
		}
	}
	o, policy := org(60), guarded("")
	policy.Guard.Losses = &plan.Limit{Percent: 50, Floor: 0}
	set := func(n int, queues ...string) {
		for _, u := range o.tree.Users[:n] {
			u.Fields.Set(spec.Queues, spec.Strings(queues))
		}
		o.apply(o.plan(t, policy, now), now)
	}
	set(60, "Billing")
	set(20)
	set(20, "Billing")
	set(11)
	p := o.plan(t, policy, now)
	if want := `would take the queue "Billing" from 11 of the 60 users who have it, after 20 in`; len(p.Holds) != 1 || !strings.HasPrefix(p.Holds[0].Reason, want) {
		t.Errorf("%v, want %s", p.Holds, want)
	}
}

// The floor of removals, deactivations, renames and losses is at most half of the users; that of creations and of plain
// changes stays. The message names the limit in force.
func TestFloorsInASmallOrganization(t *testing.T) {
	for name, tt := range trespasses() {
		for _, stateless := range []bool{false, true} {
			if stateless && name == "removals" {
				continue // nobody is known to be managed
			}
			t.Run(fmt.Sprint(name, " stateless ", stateless), func(t *testing.T) {
				keeps := tt.guard == "max-creations" || tt.guard == "max-changes"
				for _, size := range []struct{ users, half int }{{12, 6}, {11, 6}, {1, 1}} {
					for n := 1; n <= size.users; n++ {
						o := org(size.users)
						if stateless {
							o.stateless()
						}
						tt.does(o, n)
						p := o.plan(t, tt.policyFor(10), now)
						want := 0
						if !keeps && n > size.half || keeps && n > 10 {
							want = n
						}
						if tt.guard == "max-creations" && stateless && size.users <= 10 {
							want = 0 // a new organization
						}
						if held(p, tt.guard) != want {
							t.Errorf("%d of %d: %d held, want %d", n, size.users, held(p, tt.guard), want)
						}
						if want > 0 && !keeps && !strings.Contains(p.Holds[0].Reason, fmt.Sprintf("the limit is %d (--%s 0%%,10; its floor is at most half of %d users)", size.half, tt.guard, size.users)) {
							t.Errorf("%q does not name the limit in force", p.Holds[0].Reason)
						}
					}
				}
			})
		}
	}
}

// The floor does not shrink while it is used up.
func TestTheFloorIsOfTheUsersOfYesterday(t *testing.T) {
	o := org(12)
	policy := trespasses()["removals"].policyFor(10)
	for _, n := range []int{4, 2} {
		trespasses()["removals"].does(o, n)
		p := o.plan(t, policy, now)
		if len(p.Holds) > 0 {
			t.Fatalf("six of twelve: %v", p.Holds)
		}
		o.apply(p, now)
	}
	trespasses()["removals"].does(o, 1)
	if p := o.plan(t, policy, now); len(p.Holds) != 1 {
		t.Errorf("the seventh of twelve is removed")
	}
}

// A share is one of the users whom the guard is about.
func TestShares(t *testing.T) {
	for _, tt := range []struct {
		name, guard string
		users, n    int
		held        bool
	}{
		{"renames", "max-renames", 1000, 20, false},
		{"renames", "max-renames", 1000, 21, true},
		{"renames", "max-renames", 100, 5, false},
		{"renames", "max-renames", 100, 6, true},
		{"creations", "max-creations", 3000, 300, false},
		{"creations", "max-creations", 3000, 301, true},
		{"creations", "max-creations", 500, 100, false},
		{"creations", "max-creations", 500, 101, true},
		{"losses", "max-losses", 100, 50, false},
		{"losses", "max-losses", 100, 51, true},
		{"plain changes", "max-changes", 500, 50, false},
		{"plain changes", "max-changes", 500, 51, true},
	} {
		o := org(tt.users)
		trespasses()[tt.name].does(o, tt.n)
		policy := defaults("")
		policy.Guard.Changes = &plan.Limit{Percent: 10, Floor: 20}
		if tt.guard != "max-changes" {
			policy.Guard.Changes = nil
		}
		p := o.plan(t, policy, now)
		if got := held(p, tt.guard); got > 0 != tt.held || got > 0 && got != tt.n {
			t.Errorf("%+v: %d held", tt, got)
		}
	}
}

// A first import is not held, however many passes it takes; it does not count either, and is over when all is applied
// or after a day.
func TestFirstImport(t *testing.T) {
	o := org(0)
	o.snap.Users["boss"] = known("boss", "boss@x.example", nil)
	create := trespasses()["creations"]
	create.does(o, 300)
	policy := defaults("")
	p := o.plan(t, policy, now)
	if len(p.Holds) > 0 || len(p.Todo()) != 300 {
		t.Fatalf("%v, %d to do", p.Holds, len(p.Todo()))
	}
	o.begin(p, 120, now) // it is interrupted
	if len(o.snap.Guards.Tallies) > 0 || !o.snap.Guards.FirstImport.Equal(now) {
		t.Errorf("remembered of the first import: %+v", o.snap.Guards)
	}
	more := o.plan(t, policy, now.Add(time.Hour))
	if len(more.Holds) > 0 || len(more.Todo()) != 180 {
		t.Fatalf("goes on: %v, %d to do", more.Holds, len(more.Todo()))
	}
	if late := o.plan(t, policy, now.Add(24*time.Hour)); held(late, "max-creations") != 180 {
		t.Errorf("a day later: %v", late.Holds)
	}
	if back := o.plan(t, policy, now.Add(-time.Hour)); len(back.Holds) > 0 || !back.Guards.FirstImport.Equal(now.Add(-time.Hour)) {
		t.Errorf("the clock was set back: %v, since %s", back.Holds, back.Guards.FirstImport)
	}
	o.apply(more, now.Add(time.Hour)) // and ends
	if !o.snap.Guards.FirstImport.IsZero() || len(o.snap.Guards.Tallies) > 0 {
		t.Errorf("after it: %+v", o.snap.Guards)
	}
	create.does(o, 101)
	if p := o.plan(t, policy, now.Add(2*time.Hour)); held(p, "max-creations") != 101 {
		t.Errorf("a second import of 101: %v", outcomes(p))
	}
}

// Eleven users, or one who is managed, are no new organization.
func TestNoFirstImport(t *testing.T) {
	for name, o := range map[string]*orgTest{"eleven users": org(11).stateless(), "a managed user": org(1)} {
		trespasses()["creations"].does(o, 101)
		if p := o.plan(t, defaults(""), now); held(p, "max-creations") != 101 {
			t.Errorf("%s: %v", name, outcomes(p))
		}
	}
}
