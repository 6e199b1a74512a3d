package sync

import (
	"slices"
	"time"

	"usersyncd/spec"
	"usersyncd/state"
	"usersyncd/sync/plan"
)

// event is what the history tells of a call that was carried out for a user: nothing, if it settled none of
// the fields that were to change.
func (a *applier) event(c *plan.Change, written []spec.Field, correlation string) []state.Event {
	e := a.eventOf(c)
	e.CorrelationID = correlation
	for _, fc := range c.Fields {
		if slices.Contains(written, fc.Field) {
			e.Fields = append(e.Fields, fieldEvent(&e, fc))
		}
	}
	if len(e.Fields) == 0 {
		return nil
	}
	return []state.Event{e}
}

// eventOf is what the history tells of a write to a user, without the fields.
func (a *applier) eventOf(c *plan.Change) state.Event {
	e := state.Event{
		At: time.Now(), Revision: a.plan.Revision, Plan: a.plan.ID, ID: c.Current.ID, Email: c.Key,
		Action: string(c.Action), Cause: string(c.Cause), Undoes: a.plan.RollbackOf,
	}
	if e.Undoes != "" {
		e.Cause = string(plan.Undone) // a look in between compares as any pass does
	}
	return e
}

func fieldEvent(e *state.Event, fc plan.FieldChange) state.FieldEvent {
	f := state.FieldEvent{Field: fc.Field, Before: fc.Before, After: fc.After}
	if cause := string(fc.Cause); cause != e.Cause && e.Undoes == "" {
		f.Cause = cause
	}
	return f
}

// unknown is what the history tells of a call whose answer was lost, when there will be no look any more: a
// rollback has to look at it. Tries that end alike are told once.
func (a *applier) unknown(j *job) []state.Event {
	if !j.inDoubt() || j.change.Current == nil {
		return nil
	}
	events := a.event(j.change, j.lost, "")
	if len(events) == 0 {
		return nil
	}
	e := &events[0]
	if e.Uncertain = true; a.told(*e) {
		return nil
	}
	return events // twice rather than not at all
}

// told reports whether the last that the history tells of a user is the same uncertain write.
func (r *Reconciler) told(e state.Event) bool {
	last, err := r.Store.History(state.Query{ID: e.ID, Limit: 1})
	return err == nil && len(last) > 0 && last[0].Uncertain && last[0].Revision == e.Revision && slices.Equal(last[0].Fields, e.Fields)
}

// tellUnknown records what is not known when a pass ends early, and that the rest of what was begun is known.
func (a *applier) tellUnknown() {
	var commit state.Commit
	for _, j := range a.order { // also who was only served by somebody else's call
		if j.change.Outcome == plan.Planned {
			commit.Events = append(commit.Events, a.unknown(j)...)
			a.clear(j, &commit)
		}
	}
	a.commits = append(a.commits, commit)
}

// landed returns which fields of a rollback's call, whose answer was lost, a look shows to be written. (Any
// other pass finds what is in force by comparing everything that is desired.)
func (a *applier) landed(j *job, now state.Observed) []spec.Field {
	if a.plan.RollbackOf == "" {
		return nil
	}
	return a.shown(j, now)
}

// shown returns which fields of a call, whose answer was lost, a look shows as they were to be.
func (a *applier) shown(j *job, now state.Observed) []spec.Field {
	return slices.DeleteFunc(slices.Clone(j.lost), func(f spec.Field) bool {
		want, desired := j.change.Desired[f]
		return !desired || !a.index.Same(f, want, now.Fields[f])
	})
}

// found is what the history tells of a call whose answer was lost, once a look shows what it did: of the
// fields that were still to change those that no longer are: it may be somebody else who changed them, which nobody can tell.
func (a *applier) found(j *job, next *plan.Change) []state.Event {
	done := slices.DeleteFunc(slices.Clone(j.lost), next.Names)
	j.lost = nil
	c := *j.change
	c.Current = next.Current
	if c.Current == nil {
		return nil
	}
	events := a.event(&c, done, "")
	for i := range events {
		events[i].Uncertain = j.guess
	}
	return events
}
