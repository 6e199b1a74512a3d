package plan_test

import (
	"fmt"
	"strings"
	"testing"

	"usersyncd/spec"
	"usersyncd/state"
	"usersyncd/sync/plan"
)

// Whatever users may have of the same is not taken from many.
func TestLosses(t *testing.T) {
	roles := func(roles ...spec.Role) spec.Value { return spec.RoleList(roles) }
	media := func(capacity int) spec.Value {
		return spec.UtilizationOf(spec.UtilizationSettings{Media: map[string]spec.UtilizationLimit{"call": {Capacity: capacity}, "chat": {Capacity: 2}}})
	}
	for name, tt := range map[string]struct {
		field      spec.Field
		have, want spec.Value
		lost       string // how the reason names it; "": nothing is
	}{
		"a skill":                  {spec.Skills, spec.Proficiencies(map[string]float64{"A": 1, "B": 2}), spec.Proficiencies(map[string]float64{"B": 2}), `take the skill "A" from 21 of the 21 users who have it`},
		"another proficiency":      {spec.Skills, spec.Proficiencies(map[string]float64{"A": 1}), spec.Proficiencies(map[string]float64{"A": 0}), ""},
		"a language":               {spec.Languages, spec.Proficiencies(map[string]float64{"French": 1}), spec.Proficiencies(nil), `take the language "French" from 21`},
		"a queue":                  {spec.Queues, spec.Strings([]string{"A", "B"}), spec.Strings([]string{"B"}), `take the queue "A" from 21`},
		"all queues":               {spec.Queues, spec.Strings([]string{"A", "B", "C"}), spec.Strings(nil), `; the same for 2 more`},
		"one queue for another":    {spec.Queues, spec.Strings([]string{"A"}), spec.Strings([]string{"B"}), `take the queue "A" from 21`},
		"a queue more":             {spec.Queues, spec.Strings([]string{"A"}), spec.Strings([]string{"A", "B"}), ""},
		"a group":                  {spec.Groups, spec.Strings([]string{"G"}), spec.Strings(nil), `take the group "G" from 21`},
		"a role":                   {spec.Roles, roles(spec.Role{Name: "Agent"}), roles(), `take the role "Agent" from 21`},
		"a role in a division":     {spec.Roles, roles(spec.Role{Name: "Agent", Divisions: []string{"EMEA", "US"}}), roles(spec.Role{Name: "Agent", Divisions: []string{"US"}}), `take the role "Agent in EMEA" from 21`},
		"a role at home":           {spec.Roles, roles(spec.Role{Name: "Agent"}, spec.Role{Name: "Agent", Divisions: []string{"US"}}), roles(spec.Role{Name: "Agent", Divisions: []string{"US"}}), `take the role "Agent in the home division" from 21`},
		"a location":               {spec.Locations, spec.LocationList([]spec.Location{{Name: "HQ"}}), spec.LocationList(nil), `take the location "HQ" from 21`},
		"another floor":            {spec.Locations, spec.LocationList([]spec.Location{{Name: "HQ", Notes: "1st"}}), spec.LocationList([]spec.Location{{Name: "HQ", Notes: "2nd"}}), ""},
		"a medium":                 {spec.Utilization, media(1), media(0), `set the capacity for "call" to 0 for 21 of the 21 users who take it`},
		"a medium as by default":   {spec.Utilization, spec.UtilizationOf(spec.UtilizationSettings{}), spec.UtilizationOf(spec.UtilizationSettings{Media: map[string]spec.UtilizationLimit{"call": {}}}), `set the capacity for "call" to 0 for 21`},
		"less of a medium":         {spec.Utilization, media(5), media(1), ""},
		"back to the default":      {spec.Utilization, media(5), spec.UtilizationOf(spec.UtilizationSettings{}), ""},
		"what was 0 before":        {spec.Utilization, media(0), spec.UtilizationOf(spec.UtilizationSettings{Media: map[string]spec.UtilizationLimit{"call": {}}}), ""},
		"something else: no guard": {spec.Certs, spec.Strings([]string{"PCI"}), spec.Strings(nil), ""},
	} {
		t.Run(name, func(t *testing.T) {
			o := org(100)
			for i := range 21 {
				o.tree.Users[i].Fields.Set(tt.field, tt.want)
				u := o.snap.Users[idOf(i)]
				u.Fields.Set(tt.field, tt.have)
				u.LastApplied.Set(tt.field, tt.have)
			}
			p := o.plan(t, defaults(""), now)
			if tt.lost == "" {
				if len(p.Holds) > 0 || outcomes(p)[plan.Planned] != 21 {
					t.Errorf("%v, %v", p.Holds, outcomes(p))
				}
				return
			}
			if held(p, "max-losses") != 21 || !strings.Contains(p.Holds[0].Reason, tt.lost) || !strings.Contains(p.Holds[0].Reason, "the limit is 20 (--max-losses 50%,20)") {
				t.Errorf("%v", p.Holds)
			}
		})
	}
}

// Who is deactivated or removed in the same plan is no loser, neither in the plan nor in what counts; and a deactivation
// goes on whatever else of the user is held.
func TestLeaversAreNoLosers(t *testing.T) {
	for _, leavers := range []int{0, 5} {
		o := org(100)
		trespasses()["losses"].does(o, 23)
		for i := 23; i < 100; i++ {
			o.snap.Users[idOf(i)].Fields.Set(spec.Queues, spec.Strings(nil))
		}
		for i := range leavers {
			o.tree.Users[i].Fields.Set(spec.State, spec.Text("inactive"))
		}
		p := o.plan(t, defaults(""), now)
		if want := map[int]int{0: 23, 5: 0}[leavers]; held(p, "max-losses") != want {
			t.Errorf("%d of 23 leave: %v", leavers, p.Holds)
		}
		o.apply(p, now)
		if leavers > 0 && o.snap.Guards.Tallies[0].Losses["queues Billing"] != 18 {
			t.Errorf("counted are %+v", o.snap.Guards.Tallies)
		}
	}
	o := org(100)
	trespasses()["losses"].does(o, 60)
	o.tree.Users[0].Fields.Set(spec.State, spec.Text("inactive"))
	p := o.plan(t, defaults(""), now)
	if held(p, "max-losses") != 59 || outcomes(p)[plan.Planned] != 1 || p.Todo()[0].Key != "u0000@x.example" || len(p.Todo()[0].Fields) != 2 {
		t.Errorf("%v, %v", p.Holds, outcomes(p))
	}
}

// The share is one of those who have it now and those who lost it within the day.
func TestHoldersAreThoseOfYesterday(t *testing.T) {
	for _, tt := range []struct {
		holders, lost, losers int
		held                  bool
	}{
		{holders: 60, losers: 30}, {holders: 60, losers: 31, held: true},
		{holders: 40, lost: 20, losers: 10},             // 30 of 60
		{holders: 40, lost: 20, losers: 11, held: true}, // 31 of 60
		{holders: 5, lost: 15, losers: 5},               // the floor
		{holders: 6, lost: 15, losers: 6, held: true},
	} {
		o := org(100)
		trespasses()["losses"].does(o, tt.losers)
		for i := tt.holders; i < 100; i++ {
			o.snap.Users[idOf(i)].Fields.Set(spec.Queues, spec.Strings(nil))
		}
		o.snap.Guards.Tallies = []state.Tally{{At: now, Losses: map[string]int{"queues Billing": tt.lost}}}
		p := o.plan(t, defaults(""), now)
		if held(p, "max-losses") > 0 != tt.held {
			t.Errorf("%+v: %v", tt, p.Holds)
		}
		if tt.held && tt.lost > 0 && !strings.Contains(p.Holds[0].Reason, fmt.Sprintf("after %d in the last 24 hours", tt.lost)) {
			t.Errorf("%+v: %s", tt, p.Holds[0].Reason)
		}
	}
}

// Of two fields of one user that one is held of which too many lose something.
func TestOnlyTheFieldIsHeld(t *testing.T) {
	o := org(100)
	trespasses()["losses"].does(o, 60)
	for i := range 10 {
		skills := spec.Proficiencies(map[string]float64{"A": 1})
		u := o.snap.Users[idOf(i)]
		u.Fields.Set(spec.Skills, skills)
		u.LastApplied.Set(spec.Skills, skills)
		o.tree.Users[i].Fields.Set(spec.Skills, spec.Proficiencies(nil))
	}
	p := o.plan(t, defaults(""), now)
	if held(p, "max-losses") != 60 || outcomes(p)[plan.Held] != 50 || outcomes(p)[plan.Planned] != 10 {
		t.Fatalf("%v, %v", p.Holds, outcomes(p))
	}
	for _, c := range p.Todo() {
		if !c.HasField(spec.Skills) || !c.Withholds(spec.Queues) {
			t.Errorf("%s", c)
		}
	}
}
