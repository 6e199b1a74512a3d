package plan_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"usersyncd/spec"
	"usersyncd/state"
	"usersyncd/sync/apply"
	"usersyncd/sync/plan"
)

// Leaving a group may take the role away, and a holder whom we do not see may be nobody.
func TestAdministratorsWhoAreHardToTell(t *testing.T) {
	pol := guarded("")
	pol.Guard.AdminRoles, pol.Guard.MinAdmins = []string{"Master Admin"}, 2
	tr, snap := crowd(5)
	tr.Users[0].Fields.Set(spec.Groups, spec.Strings(nil))
	snap.Users["id0000"].Fields.Set(spec.Groups, spec.Strings([]string{"Admins"}))
	snap.Users["id0000"].LastApplied.Set(spec.Groups, spec.Strings([]string{"Admins"}))
	if n := outcomes(plan.New(tr, snap, pol, &plan.LookupResults{AdminsRead: true, Admins: []string{"id0000"}}, now)); n[plan.Held] != 1 {
		t.Errorf("out of the group: %v", n)
	}
	tr, snap = crowd(5)
	leave(0)(tr)
	if n := outcomes(plan.New(tr, snap, pol, &plan.LookupResults{AdminsRead: true, Admins: []string{"id0000", "gone1", "gone2"}}, now)); n[plan.Held] != 1 {
		t.Errorf("holders whom nobody sees: %v", n)
	}
}

// Where somebody else owns the addresses, a manager is found by the declared one all the same.
func TestAManagerWhoseAddressIsUnmanaged(t *testing.T) {
	boss := declared("boss@new.example")
	boss.ID = "b"
	agent := declared("a@x.example", "manager", "boss@new.example")
	snap := snapshot(known("b", "boss@old.example", fields()), known("a", "a@x.example", fields(), "manager", ""))
	pol := policy()
	pol.Unmanaged = []spec.Field{spec.Email}
	p := plan.New(tree(boss, agent), snap, pol, nil, now)
	if len(p.Changes) != 1 || p.Changes[0].Key != "a@x.example" || p.Changes[0].Outcome != plan.Planned {
		t.Errorf("%v", lines(p))
	}
}

// For a day after the state file was damaged every removal, creation and change of address is held, however few there
// are, and until it is released. A plain change is not.
func TestDamageHoldsForADay(t *testing.T) {
	for _, name := range []string{"removals", "creations", "renames", "plain changes"} {
		tt := trespasses()[name]
		for ago, forgotten := range map[time.Duration]bool{time.Hour: true, 24*time.Hour - time.Minute: true, 24 * time.Hour: false, 25 * time.Hour: false} {
			o := org(100)
			tt.does(o, 1)
			o.snap.Guards.Tallies = []state.Tally{{At: now.Add(-ago), Incomplete: true}}
			p := o.plan(t, defaults(plan.Delete), now)
			want := 0
			if forgotten && name != "plain changes" {
				want = 1
			}
			if n := held(p, tt.guard); n != want || len(p.Holds) != want || len(p.Todo()) != 1-want {
				t.Errorf("%s, damaged %s ago: %d held, %v", name, ago, n, p.Holds)
			}
			if want == 0 {
				continue
			}
			if !strings.Contains(p.Holds[0].Reason, "the state file was damaged within 24 hours") {
				t.Errorf("%s: %s", name, p.Holds[0].Reason)
			}
			o.snap.Releases = []string{p.Holds[0].ID}
			if p := o.plan(t, defaults(plan.Delete), now); len(p.Holds) > 0 || len(p.Todo()) != 1 {
				t.Errorf("%s, released: %v", name, p.Holds)
			}
		}
	}
}

// A new organization is not told from one of which the state file has lost everything.
func TestNoFirstImportAfterDamage(t *testing.T) {
	o := org(0)
	trespasses()["creations"].does(o, 3)
	o.snap.Guards.Tallies = []state.Tally{{At: now, Incomplete: true}}
	p := o.plan(t, defaults(""), now)
	if held(p, "max-creations") != 3 || !p.Guards.FirstImport.IsZero() {
		t.Errorf("%v, %+v", p.Holds, p.Guards)
	}
	o.snap.Guards = p.Guards
	if p := o.plan(t, defaults(""), now.Add(24*time.Hour)); len(p.Holds) > 0 {
		t.Errorf("a day later: %v", p.Holds)
	}
}

// An administrator's account is not given into other hands without a person: whatever the number, and whatever else of
// the user goes on.
func TestAdministratorsAccounts(t *testing.T) {
	was := func(state string) func(*orgTest, int) {
		return func(o *orgTest, i int) { o.snap.Users[o.tree.Users[i].ID].Fields.Set(spec.State, spec.Text(state)) }
	}
	for name, tt := range map[string]struct {
		change func(o *orgTest, i int) // of one user
		fields []spec.Field            // that are held; none: all of the change
		what   string
	}{
		"another address": {change: func(o *orgTest, i int) {
			o.tree.Users[i].Key = "evil@x.example"
			o.tree.Users[i].Fields.Set(spec.Email, spec.Text("evil@x.example"))
			o.tree.Users[i].Fields.Set(spec.Title, spec.Text("New"))
		}, fields: []spec.Field{spec.Email}, what: "would change the address of 1 of 3 administrators"},
		"an address that drifted": {change: func(o *orgTest, i int) {
			o.snap.Users[o.tree.Users[i].ID].Fields.Set(spec.Email, spec.Text("other@x.example"))
			o.tree.Users[i].Fields.Set(spec.Title, spec.Text("New"))
		}, fields: []spec.Field{spec.Email}, what: "would change the address of 1 of 3 administrators"},
		"deletion":   {change: func(o *orgTest, i int) { o.tree.Users = slices.Delete(o.tree.Users, i, i+1) }, what: "would delete 1 of 3 administrators"},
		"restore":    {change: was(state.Deleted), what: "would restore 1 of 3 administrators"},
		"activation": {change: was("inactive"), fields: []spec.Field{spec.State}, what: "would activate 1 of 3 administrators"},
	} {
		t.Run(name, func(t *testing.T) {
			policy := policy()
			policy.OnRemoval = plan.Delete
			policy.Guard.AdminRoles, policy.Guard.MinAdmins = []string{"Master Admin"}, 2
			for _, admin := range []bool{true, false} {
				o := org(20).pinned()
				if o.admins = []string{"id0005", "id0006", "id0007"}; admin {
					o.admins[0] = "id0000"
					o.snap.Users["id0000"].Fields.Set(spec.Roles, spec.RoleList([]spec.Role{{Name: "Master Admin"}}))
				}
				tt.change(o, 0)
				p := o.plan(t, policy, now)
				if !admin {
					if len(p.Holds) > 0 || len(p.Todo()) != 1 {
						t.Errorf("somebody else: %v", p.Holds)
					}
					continue
				}
				if held(p, "min-admins") != 1 || len(p.Holds) != 1 || !slices.Equal(p.Holds[0].Fields, tt.fields) {
					t.Fatalf("%v", p.Holds)
				}
				if want := tt.what + " (--min-admins 2)"; p.Holds[0].Reason != want {
					t.Errorf("%q, want %q", p.Holds[0].Reason, want)
				}
				if c := p.Changes[0]; c.HasField(spec.Title) && (c.Outcome != plan.Planned || c.HasField(spec.Email)) {
					t.Errorf("%s", c)
				}
				o.snap.Releases = []string{p.Holds[0].ID}
				if q := o.plan(t, policy, now); len(q.Holds) > 0 || len(q.Todo()) != 1 || len(q.Todo()[0].Withheld) > 0 {
					t.Errorf("released: %v, %v", q.Holds, lines(q))
				}
				o.snap.Releases = nil
				policy := policy
				policy.Guard.MinAdmins = 0
				if q := o.plan(t, policy, now); len(q.Holds) > 0 {
					t.Errorf("switched off: %v", q.Holds)
				}
			}
		})
	}
}

// Who is an administrator is asked only for a plan that needs to know. If it cannot be told, what needs it is held.
func TestAdministratorsWhoCannotBeTold(t *testing.T) {
	policy := policy()
	policy.Guard.AdminRoles, policy.Guard.MinAdmins = []string{"Master Admin"}, 2
	for name, tt := range map[string]struct {
		change func(o *orgTest)
		held   int
	}{
		"a title":       {change: func(o *orgTest) { o.tree.Users[0].Fields.Set(spec.Title, spec.Text("New")) }},
		"a hire":        {change: func(o *orgTest) { trespasses()["creations"].does(o, 1) }},
		"three renames": {change: func(o *orgTest) { trespasses()["renames"].does(o, 3) }, held: 3},
		"an activation": {change: func(o *orgTest) { o.snap.Users["id0000"].Fields.Set(spec.State, spec.Text("inactive")) }, held: 1},
	} {
		o := org(20)
		tt.change(o)
		if p := plan.New(o.tree, o.snap, policy, nil, now); p.Lookups.Admins != (tt.held > 0) {
			t.Errorf("%s: asks %v", name, p.Lookups.Admins)
		}
		p := plan.New(o.tree, o.snap, policy, &plan.LookupResults{AdminsRead: true, AdminsErr: apply.ErrForbidden}, now)
		if held(p, "min-admins") != tt.held || tt.held > 0 && !strings.Contains(p.Holds[0].Reason, "not known whether administrators are among them: forbidden") {
			t.Errorf("%s: %v", name, p.Holds)
		}
	}
}

// A bulk change of addresses is one hold, which says what administrators are in it; one release lets all of it through.
func TestAdministratorsInABulk(t *testing.T) {
	o := org(500)
	o.admins = []string{"id0007", "id0123", "id0400"}
	trespasses()["renames"].does(o, 500)
	p := o.plan(t, defaults(""), now)
	if len(p.Holds) != 1 || held(p, "max-renames") != 500 || !strings.Contains(p.Holds[0].Reason, "(3 administrators among them: renamed.u0007@x.example, ") {
		t.Fatalf("%v", p.Holds)
	}
	o.snap.Releases = []string{p.Holds[0].ID}
	if q := o.plan(t, defaults(""), now); len(q.Holds) > 0 || len(q.Todo()) != 500 {
		t.Errorf("released: %v", q.Holds)
	}
}
