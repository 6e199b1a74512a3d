package plan_test

import (
	"slices"
	"testing"
	"time"

	"usersyncd/spec"
	"usersyncd/state"
	"usersyncd/sync/plan"
)

// own makes a field one of the user's own file, as a loader notes it.
func own(u *spec.User, f spec.Field) *spec.User {
	u.At.Set(f, spec.Pos{File: "u.yaml", Line: 2, Column: 1})
	return u
}

// inherited makes it one of a _defaults.yaml.
func inherited(u *spec.User, f spec.Field) *spec.User {
	u.At.Set(f, spec.Pos{File: "_defaults.yaml", Line: 1, Column: 1})
	return u
}

// Who was switched off by somebody else stays off until released, or until the own spec is edited; what usersyncd did
// itself is reverted by the spec.
func TestReactivations(t *testing.T) {
	on := func() *spec.User {
		return own(declared("a@x.example", "state", "active", "title", "T"), spec.State)
	}
	is := func(applied spec.Fields, state string) *state.User {
		return known("1", "a@x.example", applied, "title", "T", "state", state)
	}
	applied := func(kv ...string) spec.Fields { return fields(append(kv, "title", "T")...) }
	for name, tt := range map[string]struct {
		spec  *spec.User
		known *state.User
		held  bool
	}{
		"deactivated by hand":                      {on(), is(applied("state", "active"), "inactive"), true},
		"deleted by hand":                          {on(), is(applied("state", "active"), state.Deleted), true},
		"deleted by hand, no state declared":       {declared("a@x.example", "title", "T"), is(applied(), state.Deleted), true},
		"deactivated by the spec":                  {on(), is(applied("state", "inactive"), "inactive"), false},
		"adopted, as its own spec says":            {on(), is(nil, "inactive"), false},
		"adopted, as a default says":               {inherited(declared("a@x.example", "state", "active"), spec.State), is(nil, "inactive"), true},
		"managed, and the own spec begins to say":  {on(), is(applied(), "inactive"), false},
		"managed, and a default begins to say":     {inherited(declared("a@x.example", "state", "active"), spec.State), is(applied(), "inactive"), true},
		"deleted, and never managed":               {on(), is(nil, state.Deleted), false},
		"removed by usersyncd":                     {on(), removed(is(nil, "inactive"), "deactivate"), false},
		"removed by usersyncd, and back":           {inherited(declared("a@x.example", "state", "active"), spec.State), removed(is(nil, "inactive"), "deactivate"), false},
		"deleted by usersyncd":                     {on(), removed(is(nil, state.Deleted), "delete"), false},
		"found off before, and the same spec":      {on(), suspended(is(applied("state", "active"), "inactive"), on()), true},
		"found off before, and an edit since":      {own(declared("a@x.example", "state", "active", "title", "New"), spec.Title), suspended(is(applied("state", "active"), "inactive"), on()), false},
		"found off when adopted, and no own spec":  {inherited(declared("a@x.example", "state", "active"), spec.State), suspended(is(applied(), "inactive"), declared("a@x.example")), true},
		"found off when adopted, and an edit":      {on(), suspended(is(applied(), "inactive"), declared("a@x.example")), false},
		"found deleted before, and an edit of own": {on(), suspended(is(applied("state", "active"), state.Deleted), declared("a@x.example")), false},
	} {
		t.Run(name, func(t *testing.T) {
			o := &orgTest{tree: tree(tt.spec), snap: snapshot(tt.known)}
			policy := policy()
			policy.Guard.Reactivations = true
			p := o.plan(t, policy, now)
			if got := held(p, "reactivations"); got > 0 != tt.held {
				t.Fatalf("%v, %v", p.Holds, lines(p))
			}
			if !tt.held {
				if len(p.Todo()) != 1 {
					t.Errorf("%v", lines(p))
				}
				return
			}
			if i := slices.IndexFunc(p.Record.Users, func(u *state.User) bool { return u.Suspended == tt.spec.OwnHash() }); i < 0 && tt.known.Suspended == "" {
				t.Error("what the spec said is not recorded")
			}
			o.apply(p, now)
			if again := o.plan(t, policy, now); held(again, "reactivations") != 1 || again.Holds[0].ID != p.Holds[0].ID {
				t.Errorf("with the next plan: %v, was %s", again.Holds, p.Holds[0].ID)
			}
			off := policy
			off.Guard.Reactivations = false
			if q := o.plan(t, off, now); len(q.Holds) > 0 || len(q.Todo()) != 1 {
				t.Errorf("switched off: %v", lines(q))
			}
			o.snap.Releases = []string{p.Holds[0].ID}
			q := o.plan(t, policy, now)
			if len(q.Holds) > 0 || len(q.Todo()) != 1 {
				t.Fatalf("released: %v", lines(q))
			}
			o.apply(q, now)
			off1 := *o.snap.Users["1"] // and again: what was released is done
			off1.Suspended, off1.Fields = "", cloned(off1.Fields)
			off1.Fields.Set(spec.State, tt.known.Fields.Get(spec.State))
			o.snap.Users["1"] = &off1
			if q := o.plan(t, policy, now); held(q, "reactivations") != 1 {
				t.Errorf("off once more: %v", lines(q))
			}
		})
	}
}

func removed(u *state.User, how string) *state.User { u.Removed = how; return u }

func suspended(u *state.User, by *spec.User) *state.User { u.Suspended = by.OwnHash(); return u }

// What was found is forgotten once the spec says the same: taken back, it is what usersyncd did.
func TestASuspensionEnds(t *testing.T) {
	off := declared("a@x.example", "state", "inactive")
	o := &orgTest{tree: tree(off), snap: snapshot(suspended(known("1", "a@x.example", fields("state", "active"), "state", "inactive"), declared("a@x.example")))}
	policy := policy()
	policy.Guard.Reactivations = true
	o.apply(o.plan(t, policy, now), now)
	if u := o.snap.Users["1"]; u.Suspended != "" || u.LastApplied.Get(spec.State) != spec.Text("inactive") {
		t.Fatalf("%+v", u)
	}
	o.tree = tree(declared("a@x.example", "state", "active"))
	if p := o.plan(t, policy, now); len(p.Holds) > 0 || len(p.Todo()) != 1 {
		t.Errorf("%v", lines(p))
	}
}

// An inactive user has no roles, so that they are held with the activation.
func TestRolesAreHeldWithTheActivation(t *testing.T) {
	u := inherited(declared("a@x.example", "state", "active", "title", "New"), spec.State)
	u.Fields.Set(spec.Roles, spec.RoleList([]spec.Role{{Name: "Agent"}}))
	policy := policy()
	policy.Guard.Reactivations = true
	p := plan.New(tree(u), snapshot(known("1", "a@x.example", nil, "state", "inactive", "title", "Old")), policy, &plan.LookupResults{Names: map[spec.Ref]string{{Kind: spec.KindRole, Name: "Agent"}: ""}}, now)
	if todo := p.Todo(); len(todo) != 1 || len(todo[0].Fields) != 1 || todo[0].Fields[0].Field != spec.Title {
		t.Errorf("%v", lines(p))
	}
}

// All of them are one hold, and what else changes of them goes on.
func TestReactivationsAreOneHold(t *testing.T) {
	o := org(60)
	for i, u := range o.tree.Users {
		u.Fields.Set(spec.Title, spec.Text("New"))
		o.snap.Users[idOf(i)].Fields.Set(spec.State, spec.Text("inactive"))
	}
	p := o.plan(t, defaults(""), now)
	if len(p.Holds) != 1 || held(p, "reactivations") != 60 || !slices.Equal(p.Holds[0].Fields, []spec.Field{spec.State}) || len(p.Todo()) != 60 {
		t.Errorf("%v, %d to do", p.Holds, len(p.Todo()))
	}
	if want := "would activate 60 of 60 managed users that somebody else has deactivated or deleted (--hold-reactivations)"; p.Holds[0].Reason != want {
		t.Errorf("%q, want %q", p.Holds[0].Reason, want)
	}
	o.apply(p, now)
	o.snap.Releases = []string{p.Holds[0].ID}
	if q := o.plan(t, defaults(""), now.Add(time.Hour)); len(q.Holds) > 0 || len(q.Todo()) != 60 {
		t.Errorf("one release: %v", q.Holds)
	}
}

// Restores of many whom somebody has deleted are held once, and not for their number after that.
func TestOneReleaseForRestores(t *testing.T) {
	o := org(300)
	for i := range 150 {
		o.snap.Users[idOf(i)].Fields.Set(spec.State, spec.Text(state.Deleted))
	}
	p := o.plan(t, defaults(""), now)
	if len(p.Holds) != 1 || held(p, "reactivations") != 150 {
		t.Fatalf("%v", p.Holds)
	}
	o.snap.Releases = []string{p.Holds[0].ID}
	if q := o.plan(t, defaults(""), now); len(q.Holds) > 0 || outcomes(q)[plan.Planned] != 150 {
		t.Errorf("%v", q.Holds)
	}
}
