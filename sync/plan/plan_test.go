package plan_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"usersyncd/spec"
	"usersyncd/state"
	"usersyncd/sync/plan"
)

var now = time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC)

// declared makes a user as a loader would.
func declared(email string, kv ...string) *spec.User {
	u := &spec.User{Key: spec.Key(email), Pos: spec.Pos{File: "u.yaml", Line: 1, Column: 1}, Fields: fields(kv...)}
	u.Fields.Set(spec.Email, spec.Text(u.Key))
	return u
}

func fields(kv ...string) spec.Fields {
	f := spec.Fields{}
	for i := 0; i < len(kv); i += 2 {
		f.Set(spec.Field(kv[i]), spec.Text(kv[i+1]))
	}
	return f
}

// known makes a user as a store would hold it.
func known(id, email string, applied spec.Fields, kv ...string) *state.User {
	f := fields(kv...)
	f.Set(spec.Email, spec.Text(email))
	if _, ok := f.Lookup(spec.State); !ok {
		f.Set(spec.State, spec.Text("active"))
	}
	if applied != nil {
		applied.Set(spec.Email, spec.Text(email))
	}
	u := &state.User{Observed: state.Observed{ID: id, Version: 3, Fields: f}, LastApplied: applied}
	if applied != nil {
		u.Declared.Key = spec.Key(email)
	}
	return u
}

func snapshot(users ...*state.User) *state.Snapshot {
	s := &state.Snapshot{Users: map[string]*state.User{}, CreateIntents: map[string]state.Intent{}, Failures: map[string]state.Failure{}}
	for _, u := range users {
		s.Users[u.ID] = u
	}
	return s
}

func tree(users ...*spec.User) *spec.Tree {
	return &spec.Tree{Digest: "d", Revision: "r", Users: users}
}

func policy() plan.Policy {
	return plan.Policy{Create: true, Adopt: true, Guard: anything()}
}

// anything may be given.
func anything() plan.Guard {
	return plan.Guard{Roles: []string{"*"}, Divisions: []string{"*"}, Queues: []string{"*"}, Groups: []string{"*"}}
}

// lines shows a plan as people see it, one string a user.
func lines(p *plan.Plan) []string {
	out := []string{}
	for _, c := range p.Changes {
		out = append(out, c.String())
	}
	for _, pr := range p.Problems {
		out = append(out, pr.String())
	}
	return out
}

func TestPlan(t *testing.T) {
	titled := func(title string) spec.Fields { return fields("title", title) }
	pinned := func(u *spec.User, id string) *spec.User { u.ID = id; return u }
	renamed := func(u *spec.User, from string) *spec.User { u.PreviousEmails = []string{from}; return u }
	for _, tt := range []struct {
		name string
		tree *spec.Tree
		snap *state.Snapshot
		with func(*plan.Policy)
		want []string
	}{
		{
			name: "equal is nothing", // desired a, observed a
			tree: tree(declared("a@x.example", "title", "T")),
			snap: snapshot(known("1", "a@x.example", titled("T"), "title", "T")),
			want: []string{},
		}, {
			name: "edit",
			tree: tree(declared("a@x.example", "title", "New")),
			snap: snapshot(known("1", "a@x.example", titled("T"), "title", "T")),
			want: []string{"~ update a@x.example (edit, u.yaml:1:1)\n    title: \"T\" -> \"New\""},
		}, {
			name: "drift",
			tree: tree(declared("a@x.example", "title", "T")),
			snap: snapshot(known("1", "a@x.example", titled("T"), "title", "Other")),
			want: []string{"~ update a@x.example (drift, u.yaml:1:1)\n    title: \"Other\" -> \"T\""},
		}, {
			name: "edit and drift of two fields",
			tree: tree(declared("a@x.example", "title", "T", "department", "New")),
			snap: snapshot(known("1", "a@x.example", fields("title", "T", "department", "D"), "title", "Other", "department", "D")),
			want: []string{"~ update a@x.example (edit, u.yaml:1:1)\n    title: \"Other\" -> \"T\" (drift)\n    department: \"D\" -> \"New\""},
		}, {
			name: "not managed is left alone",
			tree: tree(declared("a@x.example")),
			snap: snapshot(known("1", "a@x.example", titled("T"), "title", "Other")),
			want: []string{},
		}, {
			name: "what the API does not show was applied",
			tree: tree(declared("a@x.example", "title", "T")),
			snap: snapshot(known("1", "a@x.example", titled("T"))),
			want: []string{},
		}, {
			name: "what the API does not show and was never applied is written",
			tree: tree(declared("a@x.example", "title", "T")),
			snap: snapshot(known("1", "a@x.example", fields())),
			want: []string{"~ update a@x.example (edit, u.yaml:1:1)\n    title: \"T\""},
		}, {
			name: "adopt",
			tree: tree(declared("A@x.example", "title", "T")),
			snap: snapshot(known("1", "a@x.example", nil, "title", "Other")),
			want: []string{"~ update a@x.example (edit, u.yaml:1:1, managed from now on)\n    title: \"Other\" -> \"T\""},
		}, {
			name: "adoption switched off",
			tree: tree(declared("a@x.example", "title", "T")),
			snap: snapshot(known("1", "a@x.example", nil, "title", "Other")),
			with: func(p *plan.Policy) { p.Adopt = false },
			want: []string{"~ update a@x.example (edit, u.yaml:1:1) skipped: adopting users is switched off (--adopt=false)\n    title: \"Other\" -> \"T\""},
		}, {
			name: "missing",
			tree: tree(declared("a@x.example", "name", "A")),
			snap: snapshot(),
			want: []string{"+ create a@x.example (not in Genesys, u.yaml:1:1)\n    email: \"a@x.example\"\n    name: \"A\""},
		}, {
			name: "a new user needs a name",
			tree: tree(declared("a@x.example", "title", "T")),
			snap: snapshot(),
			want: []string{"u.yaml:1:1: name: is required to create this user"},
		}, {
			name: "who is not to be created needs no name",
			tree: tree(declared("a@x.example", "title", "T")),
			snap: snapshot(),
			with: func(p *plan.Policy) { p.Create = false },
			want: []string{"+ create a@x.example (not in Genesys, u.yaml:1:1) skipped: creating users is switched off (--create=false)\n    email: \"a@x.example\"\n    title: \"T\""},
		}, {
			name: "deleted is restored, as active unless declared",
			tree: tree(declared("a@x.example", "title", "T")),
			snap: snapshot(known("1", "a@x.example", titled("T"), "title", "T", "state", "deleted")),
			want: []string{"+ restore a@x.example (not in Genesys, u.yaml:1:1)\n    state: \"deleted\" -> \"active\""},
		}, {
			name: "removed is reported and left",
			tree: tree(declared("b@x.example")),
			snap: snapshot(known("1", "a@x.example", fields()), known("2", "b@x.example", fields())),
			want: []string{"- unmanage a@x.example (no longer declared; not changed in Genesys)"},
		}, {
			name: "nothing is removed while a spec is broken",
			tree: &spec.Tree{ProblemList: spec.ProblemList{Problems: []spec.Problem{{}}}},
			snap: snapshot(known("1", "a@x.example", fields())),
			want: []string{},
		}, {
			name: "a user that was never managed is not removed",
			tree: tree(),
			snap: snapshot(known("1", "a@x.example", nil)),
			want: []string{},
		}, {
			name: "renamed by id",
			tree: tree(pinned(declared("new@x.example"), "1")),
			snap: snapshot(known("1", "old@x.example", fields())),
			want: []string{"~ update new@x.example (edit, u.yaml:1:1)\n    email: \"old@x.example\" -> \"new@x.example\""},
		}, {
			name: "renamed by previousEmail",
			tree: tree(renamed(declared("new@x.example"), "old@x.example")),
			snap: snapshot(known("1", "old@x.example", fields())),
			want: []string{"~ update new@x.example (edit, u.yaml:1:1)\n    email: \"old@x.example\" -> \"new@x.example\""},
		}, {
			name: "the new owner of an address waits for the old one",
			tree: tree(pinned(declared("new@x.example"), "1"), declared("old@x.example", "name", "B")),
			snap: snapshot(known("1", "old@x.example", fields())),
			want: []string{
				"+ create old@x.example (not in Genesys, u.yaml:1:1)\n    email: \"old@x.example\"\n    name: \"B\"",
				"~ update new@x.example (edit, u.yaml:1:1)\n    email: \"old@x.example\" -> \"new@x.example\"",
			},
		}, {
			name: "an unknown id is an error",
			tree: tree(pinned(declared("a@x.example", "name", "A"), "9")),
			snap: snapshot(known("1", "a@x.example", fields())),
			want: []string{
				"u.yaml:1:1: id: no user of this organization has the id \"9\"; correct it, or leave it out to find the user by address",
			},
		}, {
			name: "two specs, one user",
			tree: tree(pinned(declared("a@x.example"), "1"), pinned(declared("b@x.example"), "1")),
			snap: snapshot(known("1", "a@x.example", fields())),
			want: []string{
				"u.yaml:1:1: id: is the same Genesys user (1) as b@x.example, declared at u.yaml:1:1; remove the id from one of them",
				"u.yaml:1:1: id: is the same Genesys user (1) as a@x.example, declared at u.yaml:1:1; remove the id from one of them",
			},
		}, {
			name: "a manager is the same person under an id and an address",
			tree: tree(declared("a@x.example", "manager", "m@x.example"), declared("m@x.example")),
			snap: snapshot(known("1", "a@x.example", fields("manager", "m@x.example"), "manager", "id:2"), known("2", "m@x.example", fields())),
			want: []string{},
		}, {
			name: "reports of a manager who is renamed do not change",
			tree: tree(declared("a@x.example", "manager", "new@x.example"), pinned(declared("new@x.example"), "2")),
			snap: snapshot(known("1", "a@x.example", fields("manager", "old@x.example"), "manager", "id:2"), known("2", "old@x.example", fields())),
			want: []string{"~ update new@x.example (edit, u.yaml:1:1)\n    email: \"old@x.example\" -> \"new@x.example\""},
		}, {
			name: "an unknown manager is left out, and the rest is written",
			tree: tree(declared("a@x.example", "title", "New", "manager", "nobody@x.example")),
			snap: snapshot(known("1", "a@x.example", fields())),
			want: []string{
				"~ update a@x.example (edit, u.yaml:1:1)\n    title: \"New\"\n    manager: \"nobody@x.example\" (not written: see problems)",
				"u.yaml:1:1: manager: no user has the address \"nobody@x.example\", neither in the organization nor in the specs",
			},
		}, {
			name: "a division that may not be given is left out, and the rest is written",
			tree: tree(declared("a@x.example", "title", "New", "division", "Board")),
			snap: snapshot(known("1", "a@x.example", fields(), "division", "Home")),
			with: func(p *plan.Policy) { p.Guard.Divisions = []string{"EMEA"} },
			want: []string{
				"~ update a@x.example (edit, u.yaml:1:1)\n    title: \"New\"\n    division: \"Home\" -> \"Board\" (not written: see problems)",
				"u.yaml:1:1: division: this division is not allowed: \"Board\" is not in --allow-divisions; if it is intended, set --allow-divisions EMEA,Board",
			},
		}, {
			name: "a division that does not exist is not one to be allowed",
			tree: tree(declared("a@x.example", "title", "New", "division", "EMAE")),
			snap: snapshot(known("1", "a@x.example", fields(), "division", "Home")),
			with: func(p *plan.Policy) { p.Guard.Divisions = []string{"EMEA"} },
			want: []string{
				"~ update a@x.example (edit, u.yaml:1:1)\n    title: \"New\"\n    division: \"Home\" -> \"EMAE\" (not written: see problems)",
				"u.yaml:1:1: division: no division is called EMAE",
			},
		}, {
			name: "leavers first, then access, then the rest",
			tree: tree(declared("a@x.example", "title", "New"), declared("b@x.example", "name", "B"), declared("c@x.example", "state", "inactive")),
			snap: snapshot(known("1", "a@x.example", fields()), known("3", "c@x.example", fields())),
			want: []string{
				"~ update c@x.example (edit, u.yaml:1:1)\n    state: \"active\" -> \"inactive\"",
				"+ create b@x.example (not in Genesys, u.yaml:1:1)\n    email: \"b@x.example\"\n    name: \"B\"",
				"~ update a@x.example (edit, u.yaml:1:1)\n    title: \"New\"",
			},
		}, {
			name: "terminal escapes stay text",
			tree: tree(declared("a@x.example", "title", "T")),
			snap: snapshot(known("1", "a@x.example", fields(), "title", "\x1b[2J\u202egnp.exe")),
			want: []string{"~ update a@x.example (edit, u.yaml:1:1)\n    title: \"\\x1b[2J\\u202egnp.exe\" -> \"T\""},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := policy()
			if tt.with != nil {
				tt.with(&p)
			}
			looked := &plan.LookupResults{IDs: map[string]bool{"9": true}, Names: map[spec.Ref]string{{Kind: spec.KindDivision, Name: "EMAE"}: "no division is called EMAE"}}
			got := plan.New(tt.tree, tt.snap, p, looked, now)
			if diff := cmp.Diff(tt.want, lines(got)); diff != "" {
				t.Errorf("plan (-want +got):\n%s", diff)
			}
			again := plan.New(tt.tree, tt.snap, p, looked, now)
			if again.ID != got.ID {
				t.Errorf("the same input made plan %s, then %s", got.ID, again.ID)
			}
		})
	}
}

// A user in quarantine waits for its time, unless its spec changes or somebody asks.
func TestPlanQuarantine(t *testing.T) {
	user := declared("a@x.example", "title", "New")
	snap := snapshot(known("1", "a@x.example", fields()))
	snap.Failures["a@x.example"] = state.Failure{Key: "a@x.example", Desired: user.Hash(), Attempts: 2, Next: now.Add(time.Hour), Message: "refused"}

	for _, tt := range []struct {
		name  string
		user  *spec.User
		at    time.Time
		retry bool
		want  plan.Outcome
	}{
		{"before its time", user, now, false, plan.Quarantined},
		{"at its time", user, now.Add(time.Hour), false, plan.Planned},
		{"asked for", user, now, true, plan.Planned},
		{"edited", declared("a@x.example", "title", "Newer"), now, false, plan.Planned},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := policy()
			p.IgnoreQuarantine = tt.retry
			got := plan.New(tree(tt.user), snap, p, nil, tt.at)
			if len(got.Changes) != 1 || got.Changes[0].Outcome != tt.want {
				t.Fatalf("got %v, want one change %s", lines(got), tt.want)
			}
			if tt.want == plan.Quarantined && !strings.Contains(got.Changes[0].Note, "2026-03-01T10:00:00Z") {
				t.Errorf("the note does not say when it is tried again: %s", got.Changes[0].Note)
			}
		})
	}
}

// A new user and the new manager: the order is kept by need, not by name.
func TestPlanNeeds(t *testing.T) {
	a := declared("a@x.example", "name", "A", "manager", "b@x.example")
	b := declared("b@x.example", "name", "B")
	got := plan.New(tree(a, b), snapshot(), policy(), nil, now)
	if diff := cmp.Diff([]string{"b@x.example"}, got.Changes[0].DependsOn); diff != "" {
		t.Errorf("needs (-want +got):\n%s", diff)
	}

	p := policy()
	p.Create = false
	existing := snapshot(known("1", "a@x.example", fields()))
	got = plan.New(tree(a, b), existing, p, nil, now)
	for _, c := range got.Changes {
		if c.Outcome != plan.Skipped {
			t.Errorf("%s is %s; a report of somebody who will not be created cannot be applied", c.Key, c.Outcome)
		}
	}
}
