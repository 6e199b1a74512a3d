package plan_test

import (
	"testing"

	"usersyncd/spec"
	"usersyncd/sync/plan"
)

// A rename onto the address of a managed user, who leaves in the same commit, is nobody's to guess.
func TestRenameOntoManaged(t *testing.T) {
	for _, st := range []string{"active", "deleted"} {
		a := declared("new@x.example", "title", "Ana")
		a.PreviousEmails = []string{"old@x.example"}
		snap := snapshot(known("1", "old@x.example", fields("title", "Ana"), "title", "Ana"), known("2", "new@x.example", fields("title", "Bob"), "title", "Bob", "state", st))
		p := plan.New(tree(a), snap, policy(), nil, now)
		for _, c := range p.Changes {
			if c.Current != nil && c.Current.ID == "2" && c.Action != plan.Unmanage {
				t.Errorf("%s: wrong user", st)
			}
		}
	}
}

// A rename onto an address that a pinned user gives up makes nobody.
func TestRenameChain(t *testing.T) {
	for _, ap := range []spec.Fields{nil, fields()} {
		for _, k := range []string{"b2@x.example", "z2@x.example"} {
			a := declared("new@x.example", "name", "Ana")
			a.PreviousEmails = []string{"old@x.example"}
			b := declared(k)
			b.ID = "2"
			us := []*spec.User{b, a}
			if k > a.Key {
				us = []*spec.User{a, b}
			}
			p := plan.New(tree(us...), snapshot(known("1", "old@x.example", fields()), known("2", "new@x.example", ap)), policy(), nil, now)
			for _, c := range p.Changes {
				if c.Action == plan.Create {
					t.Error("second user made")
				}
			}
		}
	}
}

// Of two known users with one address the same one is planned every time.
func TestRemovedOrder(t *testing.T) {
	seen := map[string]bool{}
	for range 200 {
		p := plan.New(tree(declared("b@x.example")), snapshot(known("1", "a@x.example", fields(), "state", "deleted"), known("2", "a@x.example", fields()), known("3", "b@x.example", fields())), policy(), nil, now)
		for _, c := range p.Changes {
			seen[c.Current.ID] = true
		}
	}
	if len(seen) > 1 {
		t.Errorf("plans differ: %v", seen)
	}
}

// The same for users that are kept as last applied.
func TestLastGoodOrder(t *testing.T) {
	seen := map[string]bool{}
	for range 200 {
		u1 := known("1", "a@x.example", fields("title", "T"), "title", "Drift")
		u1.Fields.Set(spec.Email, spec.Text("typo@x.example"))
		u2 := known("2", "a@x.example", fields("title", "T"), "title", "Drift")
		p := plan.New(&spec.Tree{ProblemList: spec.ProblemList{Problems: []spec.Problem{{}}}}, snapshot(u1, u2), policy(), nil, now)
		for _, c := range p.Changes {
			seen[c.Current.ID] = true
		}
	}
	if len(seen) > 1 {
		t.Errorf("plans differ: %v", seen)
	}
}
