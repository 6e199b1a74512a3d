package apply_test

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"path/filepath"
	"testing"
	"time"

	"usersyncd/spec"
	"usersyncd/state"
	"usersyncd/sync/apply"
	"usersyncd/sync/plan"
)

// silent is a directory for which nothing is ever to be sent.
type silent struct{ apply.Writer }

func (silent) Compile([]*plan.Change) []*apply.Call { return nil }

// A change for which the directory has nothing to send is in force: it is done, and planned no more.
func TestNothingToSend(t *testing.T) {
	store, err := state.Open(filepath.Join(t.TempDir(), "state.db"), state.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = store.Close() }()
	known := &state.User{Observed: state.Observed{ID: "a", Version: 1, Fields: spec.FieldsOf(map[spec.Field]spec.Value{
		spec.Email: spec.Text("a@x.example"), spec.Name: spec.Text("A"), spec.State: spec.Text("active"),
	})}}
	if err := store.Commit(state.Commit{Users: []*state.User{known}, Refresh: &state.Refresh{At: time.Now(), Listed: 1}}); err != nil {
		t.Fatal(err)
	}
	policy := plan.Policy{Create: true, Adopt: true}
	tree := &spec.Tree{Users: []*spec.User{{Key: "a@x.example", Fields: spec.FieldsOf(map[spec.Field]spec.Value{
		spec.Email: spec.Text("a@x.example"), spec.Name: spec.Text("A"), spec.Title: spec.Text(""),
	})}}}
	for _, changes := range []int{1, 0} {
		snap, err := store.Snapshot()
		if err != nil {
			t.Fatal(err)
		}
		p := plan.New(tree, snap, policy, nil, time.Now())
		if len(p.Changes) != changes {
			t.Fatalf("%d changes, not %d: %v", len(p.Changes), changes, p.Changes)
		}
		var last apply.Progress
		_, err = apply.Run(context.Background(), p, snap, silent{}, apply.Options{
			Store: store, Policy: &policy, Workers: 1, Log: slog.New(slog.DiscardHandler), Rand: rand.New(rand.NewPCG(1, 2)),
			Report: func(now apply.Progress) { last = now },
		})
		if err != nil || last.Applied != changes || last.Started != 0 {
			t.Errorf("%v: %+v", err, last)
		}
		for _, c := range p.Changes {
			if c.Outcome != plan.Applied {
				t.Errorf("%v", c)
			}
		}
	}
}
