package plan_test

import (
	"slices"
	"testing"

	"usersyncd/spec"
	"usersyncd/state"
	"usersyncd/sync/plan"
)

// A sentence is one that the README's table of guards says.
type sentence struct {
	says   string
	make   func() *orgTest
	harm   func(c *plan.Change) bool // what would be done to a user
	off    func(g *plan.Guard)       // takes the guard out
	policy func(p *plan.Policy)
}

func sentences() []sentence {
	with := func(change func(o *orgTest)) func() *orgTest {
		return func() *orgTest {
			o := org(100).pinned()
			o.admins = []string{"id0050", "id0051"}
			change(o)
			return o
		}
	}
	names := func(f spec.Field) func(c *plan.Change) bool {
		return func(c *plan.Change) bool { return c.HasField(f) }
	}
	does := func(a plan.Action) func(c *plan.Change) bool {
		return func(c *plan.Change) bool { return c.Action == a }
	}
	trespass := func(name string, n int) func() *orgTest {
		return func() *orgTest { o := org(100); trespasses()[name].does(o, n); return o }
	}
	admin := func(change func(o *orgTest)) func() *orgTest { // of the user 50, who is one
		return with(func(o *orgTest) {
			o.snap.Users["id0050"].Fields.Set(spec.Roles, spec.RoleList([]spec.Role{{Name: "Master Admin"}}))
			change(o)
		})
	}
	noAdmins := func(g *plan.Guard) { g.MinAdmins = 0 }
	all := []sentence{
		{says: "removals", make: trespass("removals", 11), harm: does(plan.Delete), off: func(g *plan.Guard) { g.Removals = nil }},
		{says: "creations with removals", make: func() *orgTest {
			o := org(100)
			trespasses()["removals"].does(o, 11)
			trespasses()["creations"].does(o, 11)
			return o
		}, harm: does(plan.Create), off: func(g *plan.Guard) { g.Removals = nil }},
		{says: "deactivations", make: trespass("deactivations", 21), harm: names(spec.State), off: func(g *plan.Guard) { g.Deactivations = nil }},
		{says: "creations", make: trespass("creations", 101), harm: does(plan.Create), off: func(g *plan.Guard) { g.Creations = nil }},
		{says: "restores", make: func() *orgTest {
			o := org(300)
			for i := range 101 {
				u := o.snap.Users[idOf(i)]
				u.LastApplied = nil
				u.Fields.Set(spec.State, spec.Text(state.Deleted))
			}
			o.admins = []string{"id0250", "id0251"}
			return o
		}, harm: does(plan.Restore), off: func(g *plan.Guard) { g.Creations = nil }},
		{says: "renames", make: trespass("renames", 6), harm: names(spec.Email), off: func(g *plan.Guard) { g.Addresses = nil }},
		{says: "renames by drift", make: with(func(o *orgTest) {
			for i := range 6 {
				o.snap.Users[idOf(i)].Fields.Set(spec.Email, spec.Text("other."+o.tree.Users[i].Key))
			}
		}), harm: names(spec.Email), off: func(g *plan.Guard) { g.Addresses = nil }},
		{says: "what looks like a rename", make: func() *orgTest {
			o := org(100)
			o.snap.Users["id0000"].Fields.Set(spec.Name, spec.Text("Ana"))
			o.tree.Users[0] = declared("ana.perez@x.example", "name", "Ana", "state", "active")
			return o
		}, harm: does(plan.Create), off: func(g *plan.Guard) { g.Renames = false }},
		{says: "who looks renamed", make: func() *orgTest {
			o := org(100)
			o.snap.Users["id0000"].Fields.Set(spec.Name, spec.Text("Ana"))
			o.tree.Users[0] = declared("ana.perez@x.example", "name", "Ana", "state", "active")
			return o
		}, harm: does(plan.Delete), off: func(g *plan.Guard) { g.Renames = false }},
		{says: "an id that was copied", make: with(func(o *orgTest) {
			o.snap.Users["id0000"].Fields.Set(spec.Name, spec.Text("Ana"))
			o.tree.Users[0] = declared("bo@x.example", "name", "Bo")
			o.tree.Users[0].ID = "id0000"
		}), harm: names(spec.Name), off: func(g *plan.Guard) { g.Renames = false }},
		{says: "plain changes", make: trespass("plain changes", 21), harm: names(spec.Title), off: func(g *plan.Guard) { g.Changes = nil }},
		{says: "deactivated by somebody else", make: with(func(o *orgTest) { o.snap.Users["id0000"].Fields.Set(spec.State, spec.Text("inactive")) }),
			harm: names(spec.State), off: func(g *plan.Guard) { g.Reactivations = false }},
		{says: "deleted by somebody else", make: with(func(o *orgTest) { o.snap.Users["id0000"].Fields.Set(spec.State, spec.Text(state.Deleted)) }),
			harm: does(plan.Restore), off: func(g *plan.Guard) { g.Reactivations = false }},
		{says: "adopted, and active by a default", make: with(func(o *orgTest) {
			o.snap.Users["id0000"].LastApplied = nil
			o.snap.Users["id0000"].Fields.Set(spec.State, spec.Text("inactive"))
			inherited(o.tree.Users[0], spec.State)
		}), harm: names(spec.State), off: func(g *plan.Guard) { g.Reactivations = false }},
		{says: "an administrator's address", make: admin(func(o *orgTest) {
			o.tree.Users[50].Key = "evil@x.example"
			o.tree.Users[50].Fields.Set(spec.Email, spec.Text("evil@x.example"))
		}), harm: names(spec.Email), off: noAdmins},
		{says: "an administrator's deletion", make: admin(func(o *orgTest) { o.tree.Users = slices.Delete(o.tree.Users, 50, 51) }), harm: does(plan.Delete), off: noAdmins},
		{says: "an administrator's restore", make: admin(func(o *orgTest) {
			u := o.snap.Users["id0050"]
			u.Fields.Set(spec.State, spec.Text(state.Deleted))
			u.LastApplied = nil
			u.Removed = "delete"
		}), harm: does(plan.Restore), off: noAdmins},
		{says: "an administrator's activation", make: admin(func(o *orgTest) {
			o.snap.Users["id0050"].Fields.Set(spec.State, spec.Text("inactive"))
			o.snap.Users["id0050"].LastApplied.Set(spec.State, spec.Text("inactive"))
		}), harm: names(spec.State), off: noAdmins},
		{says: "the last administrators deactivated", make: admin(func(o *orgTest) { o.tree.Users[50].Fields.Set(spec.State, spec.Text("inactive")) }), harm: names(spec.State), off: noAdmins},
		{says: "the last administrators removed", make: admin(func(o *orgTest) { o.tree.Users = slices.Delete(o.tree.Users, 50, 51) }), harm: does(plan.Deactivate), off: noAdmins,
			policy: func(p *plan.Policy) { p.OnRemoval = plan.Deactivate }},
		{says: "the last administrators without the role", make: admin(func(o *orgTest) { o.tree.Users[50].Fields.Set(spec.Roles, spec.RoleList(nil)) }), harm: names(spec.Roles), off: noAdmins},
		{says: "protected users", make: with(func(o *orgTest) { o.tree.Users[0].Fields.Set(spec.Title, spec.Text("New")) }), harm: names(spec.Title),
			off: func(g *plan.Guard) { g.Protected = nil }, policy: func(p *plan.Policy) { p.Guard.Protected = []string{"id0000"} }},
	}
	for f, v := range map[spec.Field]struct{ have, want spec.Value }{
		spec.Skills:      {spec.Proficiencies(map[string]float64{"A": 1}), spec.Proficiencies(nil)},
		spec.Languages:   {spec.Proficiencies(map[string]float64{"A": 1}), spec.Proficiencies(nil)},
		spec.Queues:      {spec.Strings([]string{"A"}), spec.Strings(nil)},
		spec.Groups:      {spec.Strings([]string{"A"}), spec.Strings(nil)},
		spec.Roles:       {spec.RoleList([]spec.Role{{Name: "A"}}), spec.RoleList(nil)},
		spec.Locations:   {spec.LocationList([]spec.Location{{Name: "A"}}), spec.LocationList(nil)},
		spec.Utilization: {spec.UtilizationOf(spec.UtilizationSettings{Media: map[string]spec.UtilizationLimit{"call": {Capacity: 1}}}), spec.UtilizationOf(spec.UtilizationSettings{Media: map[string]spec.UtilizationLimit{"call": {}}})},
	} {
		all = append(all, sentence{says: "the same of " + string(f), make: with(func(o *orgTest) {
			o.admins = nil
			for i := range 30 {
				u := o.snap.Users[idOf(i)]
				u.Fields.Set(f, v.have)
				u.LastApplied.Set(f, v.have)
				o.tree.Users[i].Fields.Set(f, v.want)
			}
		}), harm: names(f), off: func(g *plan.Guard) { g.Losses = nil }, policy: func(p *plan.Policy) { p.Guard.MinAdmins, p.Guard.Changes = 0, nil }})
	}
	for f, may := range map[spec.Field]func(g *plan.Guard) *[]string{
		spec.Roles:    func(g *plan.Guard) *[]string { return &g.Roles },
		spec.Division: func(g *plan.Guard) *[]string { return &g.Divisions },
		spec.Queues:   func(g *plan.Guard) *[]string { return &g.Queues },
		spec.Groups:   func(g *plan.Guard) *[]string { return &g.Groups },
	} {
		want := spec.Strings([]string{"A"})
		switch f {
		case spec.Roles:
			want = spec.RoleList([]spec.Role{{Name: "A"}})
		case spec.Division:
			want = spec.Text("A")
		}
		all = append(all, sentence{says: "what may be given: " + string(f), make: with(func(o *orgTest) {
			o.snap.Users["id0000"].Fields.Set(f, spec.Strings(nil))
			o.tree.Users[0].Fields.Set(f, want)
		}), harm: names(f), off: func(g *plan.Guard) { *may(g) = []string{"*"} }, policy: func(p *plan.Policy) { *may(&p.Guard) = nil }})
	}
	return all
}

// Each guard does what its sentence says, and without it that is not done.
func TestEachGuardIsNeeded(t *testing.T) {
	for _, s := range sentences() {
		t.Run(s.says, func(t *testing.T) {
			policy := defaults(plan.Delete)
			policy.Guard.Changes = &plan.Limit{Percent: 10, Floor: 20}
			if s.policy != nil {
				s.policy(&policy)
			}
			harmed := func() int {
				n := 0
				for _, c := range s.make().plan(t, policy, now).Todo() {
					if s.harm(c) {
						n++
					}
				}
				return n
			}
			if n := harmed(); n > 0 {
				t.Errorf("it is done to %d users", n)
			}
			s.off(&policy.Guard)
			if harmed() == 0 {
				t.Error("without the guard it is not done either: nothing shows that the guard works")
			}
		})
	}
}
