package plan_test

import (
	"testing"
	"time"

	"usersyncd/spec"
	"usersyncd/state"
	"usersyncd/sync/plan"
)

// Leaving a group may take the role away, and a holder whom we do not see may be nobody.
func TestAdministratorsWhoAreHardToTell(t *testing.T) {
	pol := guarded("")
	pol.Guard.AdminRoles, pol.Guard.MinAdmins = []string{"Master Admin"}, 2
	tr, snap := crowd(5)
	tr.Users[0].Fields[spec.Groups] = spec.Strings(nil)
	snap.Users["id0000"].Fields[spec.Groups] = spec.Strings([]string{"Admins"})
	snap.Users["id0000"].Applied[spec.Groups] = spec.Strings([]string{"Admins"})
	if n := outcomes(plan.New(tr, snap, pol, &plan.LookupResults{Counted: true, Admins: []string{"id0000"}}, now)); n[plan.Held] != 1 {
		t.Errorf("out of the group: %v", n)
	}
	tr, snap = crowd(5)
	leave(0)(tr)
	if n := outcomes(plan.New(tr, snap, pol, &plan.LookupResults{Counted: true, Admins: []string{"id0000", "gone1", "gone2"}}, now)); n[plan.Held] != 1 {
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

func TestDamageHoldsForADay(t *testing.T) {
	for ago, want := range map[time.Duration]plan.Outcome{time.Hour: plan.Held, 25 * time.Hour: plan.Planned} {
		tr, snap := crowd(100)
		tr.Users = tr.Users[1:]
		snap.Guards.Done = []state.Tally{{At: now.Add(-ago), Forgotten: true}}
		if n := outcomes(plan.New(tr, snap, guarded(plan.Delete), nil, now)); n[want] != 1 {
			t.Errorf("damaged %s ago: %v", ago, n)
		}
	}
}
