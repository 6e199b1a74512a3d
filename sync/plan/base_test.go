package plan_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"usersyncd/spec"
	"usersyncd/state"
	"usersyncd/sync/plan"
)

// based is what a plan records as in force of a user, or what is recorded of it if the plan leaves that as it is.
func based(t *testing.T, p *plan.Plan, snap *state.Snapshot, id string) spec.Fields {
	t.Helper()
	base := snap.Users[id].LastApplied
	recorded := 0
	for _, u := range p.Record.Users {
		if u.ID == id {
			base = u.LastApplied
			recorded++
		}
	}
	if recorded > 1 {
		t.Errorf("the user is recorded %d times", recorded)
	}
	return base
}

// Whatever becomes of a user's change, a field that was found equal is in force from then on, one that is no longer
// declared is forgotten, and one that differs stays as it was last written or found equal.
func TestTheBaseAdvancesPerField(t *testing.T) {
	const email = "a@x.example"
	for _, tt := range []struct {
		name    string
		want    plan.Outcome // of the change; "": the plan has none
		with    func(*plan.Policy)
		snap    func(*state.Snapshot)
		answers *plan.LookupResults
	}{
		{name: "drift is only reported", want: plan.Skipped, with: func(p *plan.Policy) { p.ReportDrift = true }},
		{name: "planned", want: plan.Planned},
		{name: "protected", want: plan.Held, with: func(p *plan.Policy) { p.Guard.Protected = []string{email} }},
		{name: "not listed, with too many others", want: plan.Held, snap: func(s *state.Snapshot) { s.Refresh.HeldIDs = []string{"1"} }},
		{name: "in quarantine", want: plan.Quarantined, snap: func(s *state.Snapshot) {
			u := declared(email, "title", "T", "name", "B", "department", "D2")
			s.Failures[email] = state.Failure{Key: email, Desired: u.Hash(), Attempts: 1, Next: now.Add(time.Hour)}
		}},
		{name: "adoption is off", want: plan.Planned, with: func(p *plan.Policy) { p.Adopt, p.Create = false, false }},
		{name: "deferred", want: plan.Deferred, with: func(p *plan.Policy) {
			p.Schedule = hours(t, "Sun 00:00-00:01 UTC")
			p.Schedule.Fields = []spec.Field{"title", "name", "department"}
		}},
	} {
		// The title is drift, the department edited, the name as it is by hand; preferredName is no longer declared.
		applied := fields("title", "T", "name", "A", "department", "D", "preferredName", "P")
		snap := snapshot(known("1", email, applied, "title", "Other", "name", "B", "department", "D", "preferredName", "P"))
		pol := policy()
		if tt.with != nil {
			tt.with(&pol)
		}
		if tt.snap != nil {
			tt.snap(snap)
		}
		department := "D2"
		if tt.name == "drift is only reported" {
			department = "D" // nothing but drift is left
		}
		p := plan.New(tree(declared(email, "title", "T", "name", "B", "department", department)), snap, pol, tt.answers, now)
		if len(p.Changes) != 1 || p.Changes[0].Outcome != tt.want {
			t.Fatalf("%s: %v", tt.name, lines(p))
		}
		want := fields("email", email, "title", "T", "name", "B", "department", "D")
		if diff := cmp.Diff(want, based(t, p, snap, "1")); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, diff)
		}
		if c := p.Changes[0]; cmp.Diff(want, c.Current.LastApplied) != "" {
			t.Errorf("%s: later commits would record %v", tt.name, c.Current.LastApplied)
		}
		if len(snap.Users["1"].LastApplied) != 5 {
			t.Errorf("%s: the plan has changed the snapshot", tt.name)
		}
	}
}

// A user with a problem, or one who cannot be read, is compared all the same.
func TestTheBaseOfAUserWithAProblem(t *testing.T) {
	const email = "a@x.example"
	for name, u := range map[string]*spec.User{
		"nobody has the manager's address": declared(email, "name", "B", "manager", "nobody@x.example"),
		"a field cannot be read":           declared(email, "name", "B", "department", "D"),
	} {
		snap := snapshot(known("1", email, fields("title", "T", "name", "A"), "title", "T", "name", "B", "manager", ""))
		p := plan.New(tree(u), snap, policy(), &plan.LookupResults{Unread: map[string]error{"1": errors.New("forbidden")}}, now)
		if len(p.Problems) != 1 {
			t.Errorf("%s: %v", name, lines(p))
		}
		if diff := cmp.Diff(fields("email", email, "name", "B"), based(t, p, snap, "1")); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// A managed field that is not known any more, and cannot be read, is neither as declared nor different.
func TestAManagedFieldThatCannotBeRead(t *testing.T) {
	const email = "a@x.example"
	for name, tt := range map[string]struct {
		err      error
		problems int
	}{"forbidden": {errors.New("forbidden"), 1}, "not shown yet": {plan.ErrNotShownYet, 0}} {
		policy := policy()
		policy.DetailFields = []spec.Field{spec.Voicemail}
		snap := snapshot(known("1", email, fields("title", "T", "voicemail", "V"), "title", "T"))
		p := plan.New(tree(declared(email, "title", "T", "voicemail", "V")), snap, policy, &plan.LookupResults{Unread: map[string]error{"1": tt.err}}, now)
		if p.Unchanged != 0 || p.DeclaredUsers() != 1 || len(p.Problems) != tt.problems || len(p.Todo()) > 0 || p.Converged() {
			t.Errorf("%s: %d unchanged of %d, %v, %v", name, p.Unchanged, p.DeclaredUsers(), p.Problems, lines(p))
		}
		if base := based(t, p, snap, "1"); base.Get(spec.Voicemail) != spec.Text("V") {
			t.Errorf("%s: applied is %v", name, base)
		}
	}
}

// Whom a plan does not look at stays as recorded: who is not selected, whom a tree with problems does not show, who
// is not managed and does not become so.
func TestTheBaseOfWhomAPlanDoesNotLookAt(t *testing.T) {
	const email = "a@x.example"
	managed := func() *state.User {
		return known("1", email, fields("title", "T", "name", "A"), "title", "T", "name", "B")
	}
	broken := tree()
	broken.Problems = []spec.Problem{{Message: "broken"}}
	for _, tt := range []struct {
		name string
		tree *spec.Tree
		snap *state.Snapshot
		with func(*plan.Policy)
	}{
		{name: "not selected", tree: tree(declared(email, "name", "B"), declared("b@x.example")), snap: snapshot(managed()),
			with: func(p *plan.Policy) { p.Select.Only = []string{"b@x.example"} }},
		{name: "problems", tree: broken, snap: snapshot(managed())},
		{name: "adoption is off", tree: tree(declared(email, "name", "B")), snap: snapshot(known("1", email, nil, "name", "B")),
			with: func(p *plan.Policy) { p.Adopt = false }},
	} {
		pol := policy()
		if tt.with != nil {
			tt.with(&pol)
		}
		if p := plan.New(tt.tree, tt.snap, pol, nil, now); len(p.Record.Users) > 0 {
			t.Errorf("%s: %v is recorded", tt.name, p.Record.Users[0].LastApplied)
		}
	}
}

// Whatever people do to a spec and to the organization, and in whatever order passes come: a field that differs is an
// edit if, and only if, its declared value is another one than when it was last written or found equal, or none was.
func TestEditOrDrift(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		const email = "a@x.example"
		all := []spec.Field{"title", "department", "preferredName"}
		field, value := rapid.SampledFrom(all), rapid.SampledFrom([]string{"A", "B", "C"})
		u := known("1", email, fields(), "title", "A", "department", "A", "preferredName", "A")
		snap := snapshot(u)
		declaredNow := spec.Fields{}
		inForce := spec.Fields{} // what was declared when the field was last written or found equal

		pass := func(report, write bool) {
			d := declared(email)
			d.Fields = d.Fields.With(declaredNow)
			pol := policy()
			pol.ReportDrift = report
			p := plan.New(tree(d), snap, pol, nil, now)
			current := snap.Users["1"]
			inForce = slices.DeleteFunc(inForce, func(v spec.FieldValue) bool { return declaredNow.Get(v.Field) == "" })
			cause := map[spec.Field]plan.Cause{}
			for _, c := range p.Changes {
				for _, fc := range slices.Concat(c.Fields, c.Drift) {
					cause[fc.Field] = fc.Cause
				}
				if n := len(c.Drift); n > 0 && !report {
					rt.Fatalf("drift is left: %v", c)
				}
				for _, fc := range c.Fields {
					if report && fc.Cause == plan.Drift {
						rt.Fatalf("drift is to be written: %v", c)
					}
				}
			}
			for f, want := range declaredNow.All() {
				was, known := inForce.Lookup(f)
				expected := plan.Cause("")
				switch {
				case current.Fields.Get(f) == want:
				case !known || was != want:
					expected = plan.Edit
				default:
					expected = plan.Drift
				}
				if cause[f] != expected {
					rt.Fatalf("%s: declared %s, there is %s, in force was %q: the cause is %q, want %q", f, want, current.Fields.Get(f), was, cause[f], expected)
				}
				if expected == "" {
					inForce.Set(f, want)
				}
			}
			for _, recorded := range p.Record.Users {
				snap.Users[recorded.ID] = recorded
			}
			for _, c := range p.Changes {
				if c.Outcome != plan.Planned || !write {
					continue
				}
				after := *c.Current
				after.Fields = slices.Clone(c.Current.Fields)
				var written []spec.Field
				for _, fc := range c.Fields {
					after.Fields.Set(fc.Field, fc.After)
					inForce.Set(fc.Field, fc.After)
					written = append(written, fc.Field)
				}
				c.Current = &after
				after.LastApplied = p.Applied(c, written)
				snap.Users["1"] = &after
			}
		}
		rt.Repeat(map[string]func(*rapid.T){
			"edit the spec": func(rt *rapid.T) { declaredNow.Set(field.Draw(rt, "field"), spec.Text(value.Draw(rt, "value"))) },
			"take out":      func(rt *rapid.T) { declaredNow = declaredNow.Without(field.Draw(rt, "field")) },
			"edit by hand": func(rt *rapid.T) {
				changed := *snap.Users["1"]
				changed.Version++
				changed.Fields = slices.Clone(changed.Fields)
				changed.Fields.Set(field.Draw(rt, "field"), spec.Text(value.Draw(rt, "value")))
				snap.Users["1"] = &changed
			},
			"pass":   func(rt *rapid.T) { pass(rapid.Bool().Draw(rt, "report"), rapid.Bool().Draw(rt, "write")) },
			"report": func(rt *rapid.T) { pass(true, true) },
		})
	})
}

// What was in force of fields is recorded while passes are paused, and nothing else is.
func TestBasesWhilePaused(t *testing.T) {
	snap := snapshot()
	tr := tree()
	for i, base := range []spec.Fields{fields("title", "T", "name", "A"), nil, fields("title", "T")} {
		email := fmt.Sprintf("%d@x.example", i)
		snap.Users[email] = known(email, email, base, "title", "T", "name", "B")
		tr.Users = append(tr.Users, declared(email, "title", "T"))
	}
	tr.Users = tr.Users[:2] // the third is no longer declared
	p := plan.New(tr, snap, policy(), nil, now)
	bases := p.StillManaged()
	if len(bases) != 1 || cmp.Diff(fields("email", "0@x.example", "title", "T"), bases[0].LastApplied) != "" {
		t.Errorf("%d are recorded while paused: %v", len(bases), bases)
	}
	if len(p.Record.Users) != 3 {
		t.Errorf("%d are recorded", len(p.Record.Users))
	}
}
