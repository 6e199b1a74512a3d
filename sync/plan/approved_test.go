package plan_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"usersyncd/spec"
	"usersyncd/state"
	"usersyncd/sync/plan"
	"usersyncd/sync/plan/saved"
)

// approved is a plan as a file has it.
func approved(p *plan.Plan, released ...string) *plan.Approved {
	return &plan.Approved{Plan: saved.New(plan.Effects(p.Changes, p.Holds)), Name: "plan.json", Released: released}
}

// effectLines are what a plan sends, a line for each field.
func effectLines(p *plan.Plan) (lines []string) {
	for _, e := range plan.Effects(p.Todo(), nil) {
		if len(e.Fields) == 0 {
			lines = append(lines, e.User+" "+e.Action)
		}
		for _, f := range e.Fields {
			if f.Hold != "" {
				continue
			}
			lines = append(lines, fmt.Sprintf("%s %s %s %s -> %s", e.User, e.Action, f.Name, f.Before, f.After))
		}
	}
	return lines
}

// What a guard holds is not held a second time because it was held when it was planned.
func TestWhatIsHeldIsNotUnapproved(t *testing.T) {
	o, policy := org(100), defaults(plan.Deactivate)
	trespasses()["losses"].does(o, 60) // the queue alone, which max-losses holds
	planned := o.plan(t, policy, now)
	if len(planned.Holds) != 1 || len(planned.Todo()) != 0 {
		t.Fatal(planned.Holds, lines(planned))
	}
	policy.Approved = approved(planned)
	if p := o.plan(t, policy, now); len(p.Holds) != 1 || p.Holds[0].Guard == "plan" {
		t.Error(p.Holds)
	}
}

// What is not in the approved plan is held, whatever came up since; what is in it is done.
func TestOnlyWhatIsApprovedIsDone(t *testing.T) {
	first := func() *orgTest { // a title, a department, a leaver and a new user
		o := org(40, "title", "T", "department", "D", "state", "active")
		o.tree.Users[3].Fields.Set("title", spec.Text("New"))
		o.tree.Users[4].Fields.Set("department", spec.Text("E"))
		o.tree.Users[5].Fields.Set("state", spec.Text("inactive"))
		o.tree.Users = append(o.tree.Users, declared("new@x.example", "name", "New", "title", "T"))
		return o
	}
	planned := first().plan(t, defaults(plan.Deactivate), now)
	if len(planned.Todo()) != 4 {
		t.Fatal(lines(planned))
	}
	all := effectLines(planned)
	for name, tt := range map[string]struct {
		edit  func(*orgTest, *plan.Policy)
		done  int      // effects; all of them are in the plan
		holds []string // differences
	}{
		"nothing":          {func(*orgTest, *plan.Policy) {}, 6, nil},
		"no state is kept": {func(o *orgTest, _ *plan.Policy) { o.stateless() }, 6, nil},
		"already as wanted": {func(o *orgTest, _ *plan.Policy) {
			o.snap.Users[idOf(3)].Fields.Set("title", spec.Text("New"))
			o.snap.Users[idOf(5)].Fields.Set("state", spec.Text("inactive"))
		}, 4, nil},
		"no longer wanted": {func(o *orgTest, _ *plan.Policy) { o.tree.Users[4].Fields.Set("department", spec.Text("D")) }, 5, nil},
		"another value": {func(o *orgTest, _ *plan.Policy) { o.tree.Users[3].Fields.Set("title", spec.Text("Newer")) }, 5,
			[]string{`update u0003@x.example: title: "T" -> "Newer" (planned: title: "T" -> "New")`}},
		"another value before": {func(o *orgTest, _ *plan.Policy) { o.snap.Users[idOf(3)].Fields.Set("title", spec.Text("U")) }, 5,
			[]string{`update u0003@x.example: title: "U" -> "New" (planned: title: "T" -> "New")`}},
		"another field": {func(o *orgTest, _ *plan.Policy) { o.tree.Users[3].Fields.Set("department", spec.Text("E")) }, 6,
			[]string{`update u0003@x.example: department: "D" -> "E" (not planned)`}},
		"another user": {func(o *orgTest, _ *plan.Policy) { o.tree.Users[6].Fields.Set("title", spec.Text("New")) }, 6,
			[]string{`update u0006@x.example: title: "T" -> "New" (not planned)`}},
		"another leaver": {func(o *orgTest, _ *plan.Policy) { o.tree.Users[7].Fields.Set("state", spec.Text("inactive")) }, 6,
			[]string{`update u0007@x.example: state: "active" -> "inactive" (not planned)`}},
		"no longer managed": {func(o *orgTest, p *plan.Policy) {
			p.OnRemoval = plan.Unmanage
			o.tree.Users = slices.Delete(o.tree.Users, 5, 6) // who would have been deactivated
		}, 5, []string{`stop managing u0005@x.example: not planned`}},
		"a removal": {func(o *orgTest, _ *plan.Policy) { o.tree.Users = slices.Delete(o.tree.Users, 8, 9) }, 6,
			[]string{`deactivate u0008@x.example: state: "active" -> "inactive" (not planned)`}},
		"a user is no longer managed": {func(o *orgTest, p *plan.Policy) {
			p.OnRemoval = plan.Unmanage
			o.tree.Users = slices.Delete(o.tree.Users, 8, 9)
		}, 6, []string{`stop managing u0008@x.example: not planned`}},
		"a leaver is deleted instead": {func(o *orgTest, p *plan.Policy) {
			p.OnRemoval = plan.Delete
			o.tree.Users = slices.Delete(o.tree.Users, 5, 6)
		}, 5, []string{`delete u0005@x.example: state: "active" -> "deleted" (planned: state: "active" -> "inactive")`}},
		"another new user": {func(o *orgTest, _ *plan.Policy) {
			o.tree.Users = append(o.tree.Users, declared("newer@x.example", "name", "Newer"))
		}, 6, []string{`create newer@x.example: email: "newer@x.example" (not planned); name: "Newer" (not planned)`}},
		"the new user with another title": {func(o *orgTest, _ *plan.Policy) { o.tree.Users[40].Fields.Set("title", spec.Text("Boss")) }, 3,
			[]string{`create new@x.example: title: "Boss" (planned: title: "T")`}},
		"the new user exists": {func(o *orgTest, _ *plan.Policy) {
			o.snap.Users["made"] = &state.User{Observed: state.Observed{ID: "made", Fields: spec.FieldsOf(map[spec.Field]spec.Value{"email": spec.Text("new@x.example"), "name": spec.Text("New"), "title": spec.Text("U"), "state": spec.Text("active")})}}
		}, 3, []string{`update new@x.example: title: "U" -> "T" (not planned)`}},
		"a field waits for a window": {func(_ *orgTest, p *plan.Policy) {
			p.Schedule = hours(t, "Sun 00:00-00:01 UTC")
			p.Schedule.Fields = []spec.Field{"title"}
		}, 5, nil},
		"a guard holds it now": {func(_ *orgTest, p *plan.Policy) { p.Guard.Deactivations = &plan.Limit{} }, 5, nil},
	} {
		t.Run(name, func(t *testing.T) {
			o, policy := first(), defaults(plan.Deactivate)
			policy.Approved = approved(planned)
			tt.edit(o, &policy)
			p := o.plan(t, policy, now)
			did := effectLines(p)
			for _, line := range did {
				if !slices.Contains(all, line) {
					t.Errorf("not in the plan: %s", line)
				}
			}
			var differences []string
			for _, h := range p.Holds {
				differences = append(differences, h.Differences...)
				if h.Guard == "plan" && (len(h.Users) != 1 || h.Reason != "1 user is not as planned in plan.json") {
					t.Errorf("%+v", h)
				}
			}
			if len(did) != tt.done || !slices.Equal(differences, tt.holds) {
				t.Errorf("done: %d\n%s\nheld: %q", len(did), strings.Join(did, "\n"), differences)
			}
			if (len(tt.holds) > 0) != (held(p, "plan") > 0) {
				t.Errorf("%v", p.Holds)
			}
		})
	}
}

// Who was to be deactivated or deleted, and is by somebody else meanwhile, is no longer managed as planned; somebody else's user is not.
func TestAnApprovedRemovalIsDoneBySomebodyElse(t *testing.T) {
	for _, tt := range []struct {
		removal plan.Action
		state   string
	}{{plan.Deactivate, "inactive"}, {plan.Delete, "deleted"}} {
		o, policy := org(40, "title", "T", "state", "active"), defaults(tt.removal)
		o.tree.Users = slices.Delete(o.tree.Users, 5, 6)
		planned := o.plan(t, policy, now)
		policy.Approved = approved(planned)
		o.snap.Users[idOf(5)].Fields.Set("state", spec.Text(tt.state))
		if p := o.plan(t, policy, now); len(p.Holds) > 0 || len(p.Todo()) != 1 {
			t.Errorf("%s, %s: %v, %v", tt.removal, tt.state, p.Holds, lines(p))
		}
		o.snap.Users[idOf(6)].Fields.Set("state", spec.Text(tt.state))
		o.tree.Users = slices.Delete(o.tree.Users, 5, 6)
		if p := o.plan(t, policy, now); len(p.Holds) != 1 || fmt.Sprint(p.Holds[0].Users) != "[u0006@x.example]" {
			t.Errorf("%s, %s, and another user: %v, %v", tt.removal, tt.state, p.Holds, lines(p))
		}
	}
}

// What a guard held when the plan was made stays held, unless it is released for this pass; the release of what the plan does
// not have changes nothing.
func TestAnApprovedPlanReleasesNothing(t *testing.T) {
	make := func() *orgTest {
		o := org(40, "title", "T")
		o.tree.Users = o.tree.Users[:20]
		return o
	}
	planned := make().plan(t, defaults(plan.Deactivate), now)
	if len(planned.Todo()) != 0 || len(planned.Holds) != 1 || len(planned.Holds[0].Users) != 20 {
		t.Fatal(lines(planned))
	}
	id := planned.Holds[0].ID
	for name, tt := range map[string]struct {
		edit        func(*orgTest)
		released    bool
		done        int
		guard, plan int // users that these hold
	}{
		"held":                     {func(*orgTest) {}, false, 0, 20, 0},
		"released":                 {func(o *orgTest) { o.snap.Releases = []string{id} }, true, 20, 0, 0},
		"no longer held":           {func(o *orgTest) { o.tree.Users = make().tree.Users[:20]; o.snap.Guards.Released = nil; o.restore(30) }, false, 0, 0, 10},
		"released, and one more":   {func(o *orgTest) { o.snap.Releases = []string{id}; o.tree.Users = o.tree.Users[:19] }, true, 0, 21, 0},
		"a release that was given": {func(o *orgTest) { o.snap.Releases = []string{id} }, false, 0, 0, 20},
	} {
		o, policy := make(), defaults(plan.Deactivate)
		tt.edit(o)
		policy.Approved = approved(planned)
		if tt.released {
			policy.Approved.Released = []string{id}
		}
		p := o.plan(t, policy, now)
		if len(p.Todo()) != tt.done || held(p, "max-removals") != tt.guard || held(p, "plan") != tt.plan {
			t.Errorf("%s: %d are done\n%v", name, len(p.Todo()), p.Holds)
		}
	}
}

// restore declares the first n users again.
func (o *orgTest) restore(n int) {
	for i := len(o.tree.Users); i < n; i++ {
		o.tree.Users = append(o.tree.Users, declared(fmt.Sprintf("u%04d@x.example", i), "title", "T"))
	}
}

// The release of a hold of the guard lets nothing through.
func TestWhatIsNotApprovedCannotBeReleased(t *testing.T) {
	o, policy := org(10, "title", "T"), defaults(plan.Deactivate)
	policy.Approved = approved(o.plan(t, policy, now))
	o.tree.Users[3].Fields.Set("title", spec.Text("New"))
	p := o.plan(t, policy, now)
	o.snap.Releases = []string{p.Holds[0].ID}
	policy.Approved.Released = o.snap.Releases
	again := o.plan(t, policy, now)
	if len(again.Todo()) != 0 || again.Holds[0].ID != p.Holds[0].ID || !slices.Equal(again.UnknownReleases, o.snap.Releases) {
		t.Errorf("%v\n%v", lines(again), again.UnknownReleases)
	}
	if text := p.Holds[0].String(); text != "Held: 1 user is not as planned in plan.json. If this is intended, plan again.\n  update u0003@x.example: title: \"T\" -> \"New\" (not planned)" {
		t.Error(text)
	}
}

// The rest of a creation that the pass has begun is done; so it is not of a user whom somebody else has created.
func TestTheRestOfACreation(t *testing.T) {
	creation := func() *orgTest {
		o := org(10, "title", "T")
		o.tree.Users = append(o.tree.Users, declared("new@x.example", "name", "New", "title", "T", "department", "D"))
		return o
	}
	planned := creation().plan(t, defaults(""), now)
	exists := func(o *orgTest) *state.User {
		u := &state.User{Observed: state.Observed{ID: "made", Fields: spec.FieldsOf(map[spec.Field]spec.Value{"email": spec.Text("new@x.example"), "name": spec.Text("New"), "title": spec.Text("Given"), "department": spec.Text("D"), "state": spec.Text("active")})}}
		o.snap.Users["made"] = u
		return u
	}
	for name, tt := range map[string]struct {
		edit func(*orgTest, *plan.Policy)
		done int
	}{
		"somebody else": {func(o *orgTest, _ *plan.Policy) { exists(o) }, 0},
		"just now":      {func(o *orgTest, _ *plan.Policy) { exists(o).CreatedAt = now.Unix() }, 1},
		"an intent": {func(o *orgTest, _ *plan.Policy) {
			exists(o)
			o.snap.CreateIntents = map[string]state.Intent{"new@x.example": {Started: now}}
		}, 1},
		"this pass": {func(o *orgTest, p *plan.Policy) {
			exists(o)
			p.Previous = creation().plan(t, defaults(""), now)
			p.Previous.Changes[0].Outcome = plan.Applied
		}, 1},
		"this pass has tried": {func(o *orgTest, p *plan.Policy) {
			exists(o)
			p.Previous = creation().plan(t, defaults(""), now)
		}, 0},
		"this pass, and somebody else has moved the user": {func(o *orgTest, _ *plan.Policy) {
			u := exists(o)
			u.CreatedAt = now.Unix()
			u.Fields.Set("department", spec.Text("X"))
			o.tree.Users[10].Fields.Set("department", spec.Text("E"))
		}, 1},
	} {
		o, policy := creation(), defaults("")
		policy.Approved = approved(planned)
		tt.edit(o, &policy)
		p := o.plan(t, policy, now)
		if n := len(effectLines(p)); n != tt.done || held(p, "plan") == 0 && tt.done == 0 {
			t.Errorf("%s: %d fields are done\n%v", name, n, lines(p))
		}
	}
}

// Whatever has changed since a plan was made: what is done is in it, as it was then and as it is wanted now, and the second
// time nothing is done.
func TestApprovedLaw(t *testing.T) {
	fields := []spec.Field{"title", "department", "state", "name"}
	mutate := func(t *rapid.T, o *orgTest) {
		for range rapid.IntRange(0, 8).Draw(t, "edits") {
			i := rapid.IntRange(0, len(o.tree.Users)-1).Draw(t, "user")
			f := rapid.SampledFrom(fields).Draw(t, "field")
			value := func() spec.Value {
				if f == "state" {
					return spec.Text(rapid.SampledFrom([]string{"active", "inactive"}).Draw(t, "state"))
				}
				return spec.Text(rapid.SampledFrom([]string{"A", "B", "C"}).Draw(t, "value"))
			}
			switch rapid.SampledFrom([]string{"declare", "declare", "edit by hand", "remove", "create", "forget"}).Draw(t, "kind") {
			case "declare":
				o.tree.Users[i].Fields.Set(f, value())
			case "edit by hand":
				u := *o.snap.Users[idOf(rapid.IntRange(0, 29).Draw(t, "account"))]
				u.Fields = slices.Clone(u.Fields)
				u.Fields.Set(f, value())
				o.snap.Users[u.ID] = &u
			case "remove":
				o.tree.Users = slices.Delete(o.tree.Users, i, i+1)
			case "create":
				o.tree.Users = append(o.tree.Users, declared(fmt.Sprintf("new%d@x.example", rapid.IntRange(0, 3).Draw(t, "new")), "name", "New"))
				o.tree.Users = slices.CompactFunc(o.tree.Users, func(a, b *spec.User) bool { return a.Key == b.Key })
			case "forget":
				for _, u := range o.snap.Users {
					u.LastApplied = nil
				}
			}
		}
		seen := map[string]bool{}
		o.tree.Users = slices.DeleteFunc(o.tree.Users, func(u *spec.User) bool { again := seen[u.Key]; seen[u.Key] = true; return again })
	}
	rapid.Check(t, func(rt *rapid.T) {
		removal := rapid.SampledFrom([]plan.Action{plan.Unmanage, plan.Deactivate, plan.Delete}).Draw(rt, "removal")
		o, policy := org(30, "name", "N", "title", "A", "department", "B", "state", "active"), defaults(removal)
		policy.Guard.Reactivations = rapid.Bool().Draw(rt, "reactivations")
		mutate(rt, o)
		planned := o.plan(t, policy, now)
		all := effectLines(planned)
		policy.Approved = approved(planned)
		if rapid.Bool().Draw(rt, "without values") {
			hashed := saved.New(plan.Effects(planned.Changes, planned.Holds))
			hashed.Org = saved.Org{ID: "org", API: "api"}
			policy.Approved.Plan = hashed.WithoutValues()
		}
		mutate(rt, o)
		p := o.plan(t, policy, now.Add(time.Minute))
		free := policy
		free.Approved = nil
		wanted := effectLines(o.plan(t, free, now.Add(time.Minute)))
		did := effectLines(p)
		for _, line := range did {
			id, unmanaged := strings.CutSuffix(line, " unmanage")
			planned := slices.Contains(all, line) || unmanaged && slices.ContainsFunc(all, func(l string) bool { // somebody else has done it
				return strings.HasPrefix(l, id+" deactivate ") || strings.HasPrefix(l, id+" delete ")
			})
			if !planned || !slices.Contains(wanted, line) {
				rt.Fatalf("%s\nis not in the plan\n%s\nor not wanted\n%s", line, strings.Join(all, "\n"), strings.Join(wanted, "\n"))
			}
		}
		for _, line := range wanted { // all of a change that is as planned is done
			if slices.Contains(all, line) && !slices.Contains(did, line) && strings.Contains(line, " update ") {
				rt.Fatalf("%s\nis not done", line)
			}
		}
		// What a problem or another guard has stopped may be done then.
		others := len(p.Problems) > 0 || slices.ContainsFunc(p.Holds, func(h plan.Hold) bool { return h.Guard != "plan" })
		o.apply(p, now.Add(time.Minute))
		for _, line := range effectLines(o.plan(t, policy, now.Add(2*time.Minute))) {
			if !others || !slices.Contains(all, line) || slices.Contains(did, line) {
				rt.Fatalf("the second time: %s\nthe first time:\n%s\n%v", line, strings.Join(did, "\n"), p.Holds)
			}
		}
	})
}
