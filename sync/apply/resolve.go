package apply

import (
	"maps"
	"time"

	"usersyncd/spec"
	"usersyncd/state"
	"usersyncd/sync/plan"
	"usersyncd/sync/plan/identity"
)

// ResolveWrites takes in what a reading, at a time, shows of the fields of a user in which a call was interrupted. What the
// call wanted counts as applied if it is there. Else, unless the field is as it was, nothing does: what is declared is
// written, and what is there is not taken for what somebody else has changed. The history and the guards hear of what
// was done.
func ResolveWrites(store *state.Store, policy *plan.Policy, index *identity.Index, u *state.User, asked []spec.Field, at time.Time, snap *state.Snapshot, commit *state.Commit) {
	guards := plan.Plan{Guards: snap.Guards}
	resolved, events := state.UserFields{ID: u.ID}, []state.Event(nil)
	for _, f := range asked {
		w, begun := snap.Writes[u.ID][f]
		if !begun || policy.ReadableFrom(f, w.At).After(at) {
			continue
		}
		resolved.Fields = append(resolved.Fields, f)
		fc := w.Fields[0]
		have, known := u.Fields[f]
		done := known && index.Same(f, fc.After, have)
		if done && fc.Before != fc.After && fc.Before != "" && index.Same(f, fc.Before, have) {
			done = false // both look alike there, so that nobody can tell: it is sent again
		}
		if known && (done || fc.Before != "") && !index.Same(f, fc.Before, have) {
			if w.Uncertain = true; !done {
				w.Fields = []state.FieldEvent{{Field: f, Before: fc.Before, After: index.AsDeclared(f, have), Cause: fc.Cause}}
			}
			if n := len(events); n > 0 && events[n-1].Plan == w.Plan && events[n-1].At.Equal(w.At) {
				events[n-1].Fields = append(events[n-1].Fields, w.Fields...)
			} else {
				events = append(events, w)
			}
			if guards.Count(interrupted(u, &w), asBefore(u, fc), u, []spec.Field{f}, time.Now()) {
				snap.Guards = guards.Guards
				commit.Guards = &guards.Guards
			}
		}
		switch last, applied := u.Applied[f]; {
		case done && f == spec.State && plan.Action(w.Action).Removes():
			u.Unmanage()
			u.Removed = w.Action
		case done && u.Applied != nil:
			u.Applied = plan.WithWritten(u.Applied, spec.Fields{f: fc.After}, []spec.Field{f})
		case applied && (!known || !index.Same(f, last, have)):
			u.Applied = maps.Clone(u.Applied)
			delete(u.Applied, f)
		}
		delete(snap.Writes[u.ID], f)
	}
	if len(resolved.Fields) > 0 {
		commit.ClearWrites = append(commit.ClearWrites, resolved)
	}
	for _, e := range events {
		if !told(store, e) {
			commit.Events = append(commit.Events, e)
		}
	}
}

// interrupted is the change that an intent is of, as far as it is recorded.
func interrupted(u *state.User, w *state.Event) *plan.Change {
	f := w.Fields[0]
	return &plan.Change{
		Key: w.Email, Action: plan.Action(w.Action), Cause: plan.Cause(w.Cause), Current: u, Desired: spec.Fields{f.Field: f.After},
		Fields: []plan.FieldChange{{Field: f.Field, Before: f.Before, After: f.After, Cause: plan.Cause(w.Cause)}},
	}
}

// asBefore is a user with one field as it was before a write.
func asBefore(u *state.User, f state.FieldEvent) *state.User {
	before := *u
	before.Fields = maps.Clone(u.Fields)
	before.Fields[f.Field] = f.Before
	return &before
}
