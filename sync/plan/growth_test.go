package plan_test

import (
	"cmp"
	"fmt"
	"slices"
	"testing"
	"time"

	"usersyncd/spec"
	"usersyncd/spec/growth"
	"usersyncd/state"
	"usersyncd/sync/plan"
)

// Whatever a committer writes, planning takes time in proportion to it. Each row makes a large change to an organization of n
// users, all of them as declared.
func TestPlanningGrowsWithItsInput(t *testing.T) {
	email := func(i int) string { return fmt.Sprintf("u%04d@x.example", i) }
	set := func(o *orgTest, i int, kv ...string) { // what is declared
		o.tree.Users[i].Fields = o.tree.Users[i].Fields.With(fields(kv...))
	}
	put := func(o *orgTest, i int, f spec.Field, declared, observed spec.Value) {
		o.tree.Users[i].Fields.Set(f, declared)
		u := o.snap.Users[idOf(i)]
		u.Fields.Set(f, observed)
		u.LastApplied.Set(f, observed)
	}
	numbered := func(n int, what string) (names []string) {
		for i := range n {
			names = append(names, fmt.Sprintf("%s %d", what, i))
		}
		return names
	}
	move := func(o *orgTest, i int, to string) {
		u := o.tree.Users[i]
		u.Key = to
		u.Fields.Set(spec.Email, spec.Text(to))
	}
	for _, row := range []struct {
		name string
		n    int // of the smaller size
		edit func(o *orgTest, n int)
	}{
		{"each manages the next", 150, func(o *orgTest, n int) {
			for i := 1; i < n; i++ {
				set(o, i, "manager", email(i-1))
			}
		}},
		{"each manages the one before", 150, func(o *orgTest, n int) {
			for i := range n - 1 {
				set(o, i, "manager", email(i+1))
			}
		}},
		{"a circle of managers", 150, func(o *orgTest, n int) {
			for i := range n {
				set(o, i, "manager", email((i+1)%n))
			}
		}},
		{"a chain of managers that ends in a circle", 150, func(o *orgTest, n int) {
			for i := range n {
				set(o, i, "manager", email(min(i+1, n-2)))
			}
			set(o, n-2, "manager", email(n-1))
			set(o, n-1, "manager", email(n-2))
		}},
		{"new users, each managed by the next, and the last is not created", 150, func(o *orgTest, n int) {
			for i := range n {
				delete(o.snap.Users, idOf(i))
				set(o, i, "manager", email(min(i+1, n-1)), "name", "A")
			}
			o.tree.Users[n-1].Fields.Set("name", "")
		}},
		{"unknown managers", 150, func(o *orgTest, n int) {
			for i := range n {
				set(o, i, "manager", fmt.Sprintf("m%06d@x.example", i))
			}
		}},
		{"all leave a group", 150, func(o *orgTest, n int) {
			for i := range n {
				put(o, i, spec.Groups, spec.Strings(nil), spec.Strings([]string{"All"}))
			}
		}},
		{"each loses a skill of its own", 150, func(o *orgTest, n int) {
			for i := range n {
				put(o, i, spec.Skills, "{}", spec.Proficiencies(map[string]float64{fmt.Sprint(i): 1}))
				put(o, i, spec.Utilization, `{"call":{"capacity":0}}`, `{"call":{"capacity":1}}`)
			}
		}},
		{"the same name and a new address", 150, func(o *orgTest, n int) {
			for i := range n {
				put(o, i, spec.Name, spec.Text("A"), spec.Text("A"))
				move(o, i, "new."+email(i))
			}
		}},
		{"a new address without a note", 150, func(o *orgTest, n int) {
			for i := range n {
				put(o, i, spec.Name, spec.Text(email(i)), spec.Text(email(i)))
				move(o, i, "new."+email(i))
			}
		}},
		{"renamed", 150, func(o *orgTest, n int) {
			for i := range n {
				move(o, i, "new."+email(i))
				o.tree.Users[i].PreviousEmails = []string{email(i)}
			}
		}},
		{"half renamed, half with another name in another file", 1000, func(o *orgTest, n int) {
			for i := range n {
				u := o.snap.Users[idOf(i)]
				u.Declared.File = "old.yaml"
				put(o, i, spec.Name, spec.Text("Another"), spec.Text(email(i)))
				if i%2 == 0 {
					put(o, i, spec.Name, spec.Text(email(i)), spec.Text(email(i)))
					move(o, i, "new."+email(i))
					o.tree.Users[i].PreviousEmails = []string{email(i)}
				}
			}
		}},
		{"each has the address of the next", 150, func(o *orgTest, n int) {
			o.pinned()
			for i := range n {
				move(o, i, email((i+1)%n))
			}
		}},
		{"names exchanged", 150, func(o *orgTest, n int) {
			for i := range n {
				o.snap.Users[idOf(i)].Declared.File, o.snap.Users[idOf(i)].Declared.Ordinal = "u.yaml", i+1
				put(o, i, spec.Name, spec.Text(email((i+1)%n)), spec.Text(email(i)))
				o.tree.Users[i].Ordinal = n - i
			}
		}},
		{"the same employee and external id", 150, func(o *orgTest, n int) {
			for i := range n {
				move(o, i, "new."+email(i))
				put(o, i, spec.Employer, `{"employeeId":"1"}`, `{"employeeId":"1"}`)
				put(o, i, spec.ExternalIDs, `{"hr":"1"}`, `{"hr":"1"}`)
			}
		}},
		{"all removed", 150, func(o *orgTest, _ int) { o.tree.Users = nil }},
		{"all inactive", 150, func(o *orgTest, n int) {
			for i := range n {
				set(o, i, "state", "inactive")
			}
		}},
		{"all inactive in a tree with problems", 150, func(o *orgTest, n int) {
			for i := range n {
				set(o, i, "state", "inactive")
			}
			o.tree.Leavers, o.tree.Users = o.tree.Users, nil
			o.tree.Problems = []spec.Problem{{Message: "broken"}}
		}},
		{"all administrators, and all activated", 150, func(o *orgTest, n int) {
			for i := range n {
				put(o, i, spec.State, spec.Text("active"), spec.Text("inactive"))
				o.admins = append(o.admins, idOf(i))
			}
		}},
		{"all administrators, and their role is taken", 150, func(o *orgTest, n int) {
			for i := range n {
				put(o, i, spec.Roles, "[]", spec.RoleList([]spec.Role{{Name: "Master Admin"}}))
				o.admins = append(o.admins, idOf(i))
			}
		}},
		{"the same id", 150, func(o *orgTest, n int) {
			for i := range n {
				o.tree.Users[i].ID = idOf(0)
			}
		}},
		{"ids of nobody", 250, func(o *orgTest, n int) {
			for i := range n {
				o.tree.Users[i].ID = "nobody" + idOf(i)
			}
		}},
		{"all new", 150, func(o *orgTest, n int) {
			for i := range n {
				delete(o.snap.Users, idOf(i))
				set(o, i, "name", "A")
			}
		}},
		{"all deleted in the organization", 150, func(o *orgTest, n int) {
			for i := range n {
				o.snap.Users[idOf(i)].Fields.Set(spec.State, spec.Text(state.Deleted))
			}
		}},
		{"all contested", 150, func(o *orgTest, n int) {
			for i := range n {
				put(o, i, spec.Department, spec.Text("A"), spec.Text("B"))
				u := o.snap.Users[idOf(i)]
				u.LastApplied.Set(spec.Department, spec.Text("A"))
				u.Repairs = map[spec.Field]state.Repair{spec.Department: {At: []time.Time{now.Add(-time.Minute)}, Pause: time.Hour, Found: spec.Text("B"), Times: 5}}
			}
		}},
		{"one user's queues, groups and roles all differ", 150, func(o *orgTest, n int) {
			*o = *org(1)
			put(o, 0, spec.Queues, spec.Strings(numbered(n, "a")), spec.Strings(numbered(n, "b")))
			put(o, 0, spec.Groups, spec.Strings(numbered(n, "a")), spec.Strings(numbered(n, "b")))
			var roles []spec.Role
			for _, name := range numbered(n, "r") {
				roles = append(roles, spec.Role{Name: name, Divisions: []string{"A"}})
			}
			put(o, 0, spec.Roles, spec.RoleList(roles[:n/2]), spec.RoleList(roles[n/2:]))
		}},
	} {
		t.Run(row.name, func(t *testing.T) {
			growth.Check(t, row.n, func(n int) func() {
				o := org(n)
				row.edit(o, n)
				slices.SortFunc(o.tree.Users, func(a, b *spec.User) int { return cmp.Compare(a.Key, b.Key) })
				return func() { o.plan(t, defaults(plan.Delete), now) }
			})
		})
	}
}

// So does a rollback of all that was written, and counting what was done after a release.
func TestARollbackGrowsWithItsInput(t *testing.T) {
	growth.Check(t, 250, func(n int) func() {
		o := org(n)
		events := make([]state.Event, n)
		for i := range n {
			u := o.snap.Users[idOf(i)]
			u.Fields.Set(spec.Title, spec.Text("B"))
			u.Fields.Set(spec.Email, spec.Text(fmt.Sprintf("new%04d@x.example", i)))
			events[i] = state.Event{ID: u.ID, Email: u.Key(), Fields: []state.FieldEvent{{Field: spec.Title, Before: spec.Text("A"), After: spec.Text("B")},
				{Field: spec.Email, Before: u.LastApplied.Get(spec.Email), After: u.Fields.Get(spec.Email)}}}
		}
		return func() {
			p := plan.NewRollback(plan.Rollback{Since: now}, plan.UserRollbacks(events, false), o.snap, policy(), nil, now)
			if len(p.Todo()) != n {
				t.Errorf("%d of %d users are rolled back", len(p.Todo()), n)
			}
		}
	})
}

func TestAReleaseGrowsWithItsInput(t *testing.T) {
	growth.Check(t, 300, func(n int) func() {
		o := org(n)
		o.tree.Users = nil
		held := o.plan(t, defaults(plan.Delete), now)
		o.snap.Releases = []string{held.Holds[0].ID}
		p := o.plan(t, defaults(plan.Delete), now)
		return func() {
			if o.apply(p, now); len(p.Todo()) != 0 || len(o.snap.Guards.Tallies) != 0 {
				t.Errorf("%d users are left, %v", len(p.Todo()), o.snap.Guards.Tallies)
			}
		}
	})
}
