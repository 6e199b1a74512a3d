package plan_test

import (
	"fmt"
	"testing"
	"time"

	"usersyncd/spec"
	"usersyncd/state"
	"usersyncd/sync/plan"
)

// defaults is a policy with the limits that the program has by default.
func defaults(onRemoval plan.Action) plan.Policy {
	p := guarded(onRemoval)
	p.Guard.Creations = &plan.Limit{Percent: 10, Floor: 100}
	p.Guard.Addresses = &plan.Limit{Percent: 2, Floor: 5}
	p.Guard.Reactivations, p.Guard.Renames = true, true
	p.Guard.AdminRoles, p.Guard.MinAdmins = []string{"Master Admin"}, 2
	return p
}

// An orgTest is an organization with its checkout, of which a test makes plans and applies them in memory.
type orgTest struct {
	tree   *spec.Tree
	snap   *state.Snapshot
	admins []string // ids
}

// org is an organization of n managed users, all of them as declared.
func org(n int, kv ...string) *orgTest {
	o := &orgTest{admins: []string{"root1", "root2", "root3"}}
	o.tree, o.snap = crowd(n, kv...)
	return o
}

// stateless is the same organization to a run without a state file.
func (o *orgTest) stateless() *orgTest {
	for _, u := range o.snap.Users {
		u.LastApplied = nil
	}
	o.snap.Guards = state.Guards{}
	return o
}

// pinned pins the ids of all declared users, as an export does.
func (o *orgTest) pinned() *orgTest {
	for i, u := range o.tree.Users {
		u.ID = idOf(i)
	}
	return o
}

// plan makes a plan at a time, with an answer to all that it asks for.
func (o *orgTest) plan(t *testing.T, policy plan.Policy, at time.Time) *plan.Plan {
	t.Helper()
	answers := &plan.LookupResults{Names: map[spec.Ref]string{}, Unread: map[string]error{}, IDs: map[string]bool{}, Fresh: map[string]error{}, Searched: map[string]error{}, Memberships: map[plan.Membership]error{}}
	for range 10 {
		p := plan.New(o.tree, o.snap, policy, answers, at)
		if !p.NeedsLookups() {
			return p
		}
		for ref := range p.Lookups.Names {
			answers.Names[ref] = ""
		}
		for m := range p.Lookups.Memberships {
			answers.Memberships[m] = nil
		}
		for id, fields := range p.Lookups.Fields {
			answers.Unread[id] = nil
			for _, f := range fields {
				o.snap.Users[id].Fields.Set(f, spec.Strings(nil))
			}
		}
		for _, id := range p.Lookups.IDs {
			answers.IDs[id] = true
		}
		for id := range p.Lookups.Fresh {
			answers.Fresh[id] = nil
		}
		for key := range p.Lookups.Emails {
			answers.Searched[key] = nil
		}
		if p.Lookups.Admins {
			answers.AdminsRead, answers.Admins = true, o.admins
		}
	}
	t.Fatal("the plan asks again and again")
	return nil
}

// apply carries a plan out as if every call went well, and remembers what a state file would.
func (o *orgTest) apply(p *plan.Plan, at time.Time) { o.begin(p, len(p.Changes), at) }

// begin carries out the first of a plan's changes.
func (o *orgTest) begin(p *plan.Plan, most int, at time.Time) {
	for _, u := range p.Record.Users {
		o.snap.Users[u.ID] = u
	}
	for _, c := range p.Todo()[:min(most, len(p.Todo()))] {
		c.Outcome = plan.Applied
		if c.Action == plan.Unmanage {
			continue
		}
		var before *state.User
		now := &state.User{Observed: state.Observed{ID: "new " + c.Key, Fields: spec.FieldsOf(map[spec.Field]spec.Value{spec.State: spec.Text("active")})}}
		if before = c.Current; before != nil {
			copied := *before
			now = &copied
		}
		now.Fields, now.LastApplied = cloned(now.Fields), cloned(now.LastApplied)
		var fields []spec.Field
		for _, fc := range c.Fields {
			now.Fields.Set(fc.Field, fc.After)
			fields = append(fields, fc.Field)
		}
		for f, v := range c.Desired.All() {
			if !c.Withholds(f) {
				now.LastApplied.Set(f, v)
			}
		}
		p.Count(c, before, now, fields, at)
		if c.Action.Removes() {
			now.Unmanage()
			now.Removed = string(c.Action)
		}
		o.snap.Users[now.ID] = now
	}
	if p.Converged() {
		p.EndImport()
	}
	o.snap.Guards, o.snap.Releases = p.Guards, nil
}

func cloned(f spec.Fields) spec.Fields {
	out := spec.Fields{}
	out = out.With(f)
	return out
}

// held counts the users of whom a guard holds something.
func held(p *plan.Plan, guard string) int {
	n := 0
	for _, h := range p.Holds {
		if h.Guard == guard {
			n += len(h.Users)
		}
	}
	return n
}

// A trespass is what a guard limits.
type trespass struct {
	guard string
	does  func(o *orgTest, n int)      // n users more than before
	done  func(n int) state.Tally      // nil: it does not count from plan to plan
	whole bool                         // the whole change is held
	off   func(g *plan.Guard)          // takes the guard out
	limit func(g *plan.Guard, max int) // of all that there are
}

func trespasses() map[string]trespass {
	return map[string]trespass{
		"removals": {
			guard: "max-removals", whole: true,
			does:  func(o *orgTest, n int) { o.tree.Users = o.tree.Users[:len(o.tree.Users)-n] },
			done:  func(n int) state.Tally { return state.Tally{Removed: n} },
			off:   func(g *plan.Guard) { g.Removals = nil },
			limit: func(g *plan.Guard, n int) { g.Removals = &plan.Limit{Floor: n} },
		},
		"deactivations": {
			guard: "max-deactivations", whole: true,
			does: func(o *orgTest, n int) {
				for _, u := range pick(o, n, func(u *spec.User) bool { return u.Fields.Get(spec.State) == spec.Text("active") }) {
					u.Fields.Set(spec.State, spec.Text("inactive"))
				}
			},
			done:  func(n int) state.Tally { return state.Tally{Deactivated: n} },
			off:   func(g *plan.Guard) { g.Deactivations = nil },
			limit: func(g *plan.Guard, n int) { g.Deactivations = &plan.Limit{Floor: n} },
		},
		"creations": {
			guard: "max-creations", whole: true,
			does: func(o *orgTest, n int) {
				for range n {
					o.tree.Users = append(o.tree.Users, declared(fmt.Sprintf("zz%04d@x.example", len(o.tree.Users)), "name", "New", "state", "active"))
				}
			},
			done:  func(n int) state.Tally { return state.Tally{Created: n} },
			off:   func(g *plan.Guard) { g.Creations = nil },
			limit: func(g *plan.Guard, n int) { g.Creations = &plan.Limit{Floor: n} },
		},
		"renames": {
			guard: "max-renames",
			does: func(o *orgTest, n int) {
				for i, u := range o.tree.Users {
					if n > 0 && u.ID == "" {
						n--
						u.ID = idOf(i)
						u.Key = "renamed." + u.Key
						u.Fields.Set(spec.Email, spec.Text(u.Key))
					}
				}
			},
			done:  func(n int) state.Tally { return state.Tally{Renamed: n} },
			off:   func(g *plan.Guard) { g.Addresses = nil },
			limit: func(g *plan.Guard, n int) { g.Addresses = &plan.Limit{Floor: n} },
		},
		"losses": {
			guard: "max-losses",
			does: func(o *orgTest, n int) {
				for _, u := range pick(o, n, func(u *spec.User) bool { return u.Fields.Get(spec.Queues) == "" }) {
					u.Fields.Set(spec.Queues, spec.Strings([]string{"Sales"}))
				}
				for _, u := range o.snap.Users {
					if u.Fields.Get(spec.Queues) == "" {
						u.Fields.Set(spec.Queues, spec.Strings([]string{"Billing", "Sales"}))
					}
				}
			},
			done:  func(n int) state.Tally { return state.Tally{Losses: map[string]int{"queues Billing": n}} },
			off:   func(g *plan.Guard) { g.Losses = nil },
			limit: func(g *plan.Guard, n int) { g.Losses = &plan.Limit{Floor: n} },
		},
		"plain changes": {
			guard: "max-changes",
			does: func(o *orgTest, n int) {
				for _, u := range pick(o, n, func(u *spec.User) bool { return u.Fields.Get(spec.Title) == "" }) {
					u.Fields.Set(spec.Title, spec.Text("New"))
				}
			},
			off:   func(g *plan.Guard) { g.Changes = nil },
			limit: func(g *plan.Guard, n int) { g.Changes = &plan.Limit{Floor: n} },
		},
	}
}

func pick(o *orgTest, n int, is func(*spec.User) bool) []*spec.User {
	var some []*spec.User
	for _, u := range o.tree.Users {
		if len(some) < n && is(u) {
			some = append(some, u)
		}
	}
	return some
}

// policyFor limits what a test is about alone.
func (tt trespass) policyFor(limit int) plan.Policy {
	p := policy()
	p.OnRemoval = plan.Deactivate
	tt.limit(&p.Guard, limit)
	return p
}

// idOf is the id of the i-th user of a crowd.
func idOf(i int) string { return fmt.Sprintf("id%04d", i) }
