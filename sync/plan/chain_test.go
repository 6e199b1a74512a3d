package plan_test

import (
	"fmt"
	"strings"
	"testing"

	"usersyncd/spec"
	"usersyncd/state"
	"usersyncd/sync/plan"
)

// A long chain of renames, each to the address that the next user gives up, is planned at once. If the last address is taken
// by a user that keeps it, none of them can be made; and in a cycle neither.
func TestAChainOfRenames(t *testing.T) {
	const n = 3000
	chain := func() (*spec.Tree, *state.Snapshot) {
		tree, snap := &spec.Tree{}, &state.Snapshot{Users: map[string]*state.User{}, Refresh: state.Refresh{At: now}}
		for i := range n {
			id, email, next := fmt.Sprintf("id%04d", i), fmt.Sprintf("u%04d@x.example", i), fmt.Sprintf("u%04d@x.example", i+1)
			known := spec.FieldsOf(map[spec.Field]spec.Value{spec.Email: spec.Text(email), spec.Name: spec.Text(id), spec.State: spec.Text("active")})
			snap.Users[id] = &state.User{Observed: state.Observed{ID: id, Version: 1, Fields: known}, LastApplied: known}
			tree.Users = append(tree.Users, &spec.User{Key: next, ID: id, Pos: spec.Pos{File: "u.yaml", Line: i + 1},
				Fields: spec.FieldsOf(map[spec.Field]spec.Value{spec.Email: spec.Text(next), spec.Name: spec.Text(id), spec.State: spec.Text("active")})})
		}
		return tree, snap
	}
	tree, snap := chain()
	if p := plan.New(tree, snap, plan.Policy{}, nil, now); len(p.Todo()) != n || len(p.Problems) != 0 {
		t.Errorf("free at the end: %d of %d are planned, %d problems", len(p.Todo()), n, len(p.Problems))
	}
	tree, snap = chain()
	last := spec.FieldsOf(map[spec.Field]spec.Value{spec.Email: spec.Text(fmt.Sprintf("u%04d@x.example", n)), spec.Name: spec.Text("Another"), spec.State: spec.Text("active")})
	snap.Users["other"] = &state.User{Observed: state.Observed{ID: "other", Version: 1, Fields: last}}
	p := plan.New(tree, snap, plan.Policy{}, nil, now)
	if len(p.Todo()) != 0 || len(p.Problems) != n {
		t.Fatalf("taken at the end: %d are planned, %d problems", len(p.Todo()), len(p.Problems))
	}
	if !strings.Contains(p.Problems[n-1].Message, "which no spec declares") || !strings.Contains(p.Problems[0].Message, "declared at u.yaml:2:0, who keeps it") {
		t.Errorf("the reasons are %v and %v", p.Problems[n-1], p.Problems[0])
	}
	tree, snap = chain()
	first := tree.Users[n-1]
	first.Key = "u0000@x.example"
	first.Fields.Set(spec.Email, spec.Text(first.Key))
	if p := plan.New(tree, snap, plan.Policy{}, nil, now); len(p.Todo()) != 0 || len(p.Problems) != n || !strings.Contains(p.Problems[0].Message, "these users exchange addresses") {
		t.Errorf("a cycle: %d are planned, %d problems", len(p.Todo()), len(p.Problems))
	}
}
