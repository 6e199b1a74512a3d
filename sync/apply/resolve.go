package apply

import (
	"slices"
	"time"

	"usersyncd/spec"
	"usersyncd/state"
	"usersyncd/sync/plan"
	"usersyncd/sync/plan/identity"
)

// isConfirmed reports whether a reading of a field, have, shows that a write of it was carried out: the value is there, and
// would not look the same if it were still the one before.
func isConfirmed(index *identity.Index, f spec.Field, before, after, have spec.Value) bool {
	return have != "" && index.Same(f, after, have) && (before == "" || before == after || !index.Same(f, before, have))
}

// A Resolver takes in readings of fields that interrupted calls may have written.
type Resolver struct {
	Store  *state.Store
	Policy *plan.Policy
	Index  *identity.Index
	Snap   *state.Snapshot
}

// Resolve takes in a reading of fields of a user that began at a time: u has the values read. A value that the call wrote counts
// as applied. Otherwise, unless the field is as it was before, no value counts as applied: so what is declared is written,
// and what is there is not taken for drift. It adds to commit what is to be recorded, and removes the intents from the snapshot.
func (r *Resolver) Resolve(u *state.User, fields []spec.Field, at time.Time, commit *state.Commit) {
	guards := plan.Plan{Guards: r.Snap.Guards}
	resolved, events := state.UserFields{ID: u.ID}, []state.Event(nil)
	for _, f := range fields {
		w, interrupted := r.Snap.WriteIntents[u.ID][f]
		if !interrupted || r.Policy.ReadableFrom(f, w.At).After(at) {
			continue
		}
		resolved.Fields = append(resolved.Fields, f)
		fc := w.Fields[0]
		have, known := u.Fields.Lookup(f)
		confirmed := isConfirmed(r.Index, f, fc.Before, fc.After, have)
		if known && (confirmed || fc.Before != "") && !r.Index.Same(f, fc.Before, have) {
			if w.Uncertain = true; !confirmed {
				w.Fields = []state.FieldEvent{{Field: f, Before: fc.Before, After: r.Index.AsDeclared(f, have), Cause: fc.Cause}}
			}
			if n := len(events); n > 0 && events[n-1].Plan == w.Plan && events[n-1].At.Equal(w.At) {
				events[n-1].Fields = append(events[n-1].Fields, w.Fields...)
			} else {
				events = append(events, w)
			}
			if guards.Count(interruptedChange(u, &w), withValue(u, f, fc.Before), u, []spec.Field{f}, time.Now()) {
				r.Snap.Guards = guards.Guards
				commit.Guards = &guards.Guards
			}
		}
		switch last, applied := u.LastApplied.Lookup(f); {
		case confirmed && f == spec.State && plan.Action(w.Action).Removes():
			u.Unmanage()
			u.Removed = w.Action
		case confirmed:
			u.LastApplied = plan.WithWritten(u.LastApplied, spec.Fields{{Field: f, Value: fc.After}}, []spec.Field{f})
		case applied && (!known || !r.Index.Same(f, last, have)):
			u.LastApplied = u.LastApplied.Without(f)
		}
		delete(r.Snap.WriteIntents[u.ID], f)
	}
	if len(resolved.Fields) > 0 {
		commit.ClearWriteIntents = append(commit.ClearWriteIntents, resolved)
	}
	for _, e := range events {
		if !inHistory(r.Store, e) {
			commit.Events = append(commit.Events, e)
		}
	}
}

// interruptedChange is the part of a change that an intent records.
func interruptedChange(u *state.User, w *state.Event) *plan.Change {
	f := w.Fields[0]
	return &plan.Change{
		Key: w.Email, Action: plan.Action(w.Action), Cause: plan.Cause(w.Cause), Current: u, Desired: spec.Fields{{Field: f.Field, Value: f.After}},
		Fields: []plan.FieldChange{{Field: f.Field, Before: f.Before, After: f.After, Cause: plan.Cause(w.Cause)}},
	}
}

func withValue(u *state.User, f spec.Field, v spec.Value) *state.User {
	next := *u
	next.Fields = slices.Clone(u.Fields)
	next.Fields.Set(f, v)
	return &next
}
