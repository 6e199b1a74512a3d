package sync

import (
	"maps"
	"slices"

	"usersyncd/spec"
	"usersyncd/sync/plan"
)

// A pass may end in the middle of a user's calls. What it has written is in the result, and of a field of which it has
// written a part the rest does not wait for a change window: half of a change may be worse than either.

// noteUnfinished remembers of which fields the pass has written some, and not all, for whoever goes on with them.
func (a *applier) noteUnfinished() {
	if a.plan.RollbackOf != "" {
		return
	}
	if a.unfinished == nil {
		a.unfinished = map[string][]spec.Field{}
	}
	for _, j := range a.order {
		key := j.change.Key
		before := a.unfinished[key]
		delete(a.unfinished, key)
		if j.change.Outcome != plan.Planned {
			continue
		}
		begun := j.stopShort()
		for _, f := range before { // by an earlier pass, which nobody has gone on with
			if j.has(f) && !slices.Contains(begun, f) {
				begun = append(begun, f)
			}
		}
		if len(begun) > 0 {
			a.unfinished[key] = begun
		}
	}
}

// postpone sets apart what of a job's change, as it has become, waits for a change window. Who is made or restored does
// not wait for any.
func (a *applier) postpone(j *job, next *plan.Change) {
	if j.action != plan.Create && j.action != plan.Restore {
		a.schedule.Postpone(next, a.plan.Began)
	}
	j.change.Deferred, j.change.Until = next.Deferred, next.Until
	j.fields = slices.DeleteFunc(slices.Clone(j.fields), func(fc plan.FieldChange) bool { return next.Defers(fc.Field) })
}

// began notes of which of a call's fields some is written now, or may be, and some is not.
func (j *job) began(fields, written []spec.Field) {
	j.begun = slices.DeleteFunc(append(slices.Clone(j.begun), fields...), func(f spec.Field) bool { return slices.Contains(written, f) })
}

// has reports whether a field is in one of the calls that are left.
func (j *job) has(f spec.Field) bool {
	return slices.ContainsFunc(j.calls, func(call *Call) bool { return slices.Contains(call.Fields, f) })
}

// stopShort notes what was done of a change that is not at its end when the pass is, and returns of which fields the rest
// should not wait for a change window.
func (j *job) stopShort() (begun []spec.Field) {
	c := j.change
	for _, fc := range j.fields {
		left := j.has(fc.Field)
		if j.whole { // restored, and to be read: the call is the one that was made
			left = !left
		}
		if !left || j.inDoubt() && slices.Contains(j.lost, fc.Field) { // of the latter the next plan has what is left
			c.Written = append(c.Written, fc)
		}
	}
	if (j.action == plan.Create || j.action == plan.Restore) && c.Current != nil && !c.Current.Deleted() {
		return slices.Collect(maps.Keys(c.Desired))
	}
	return slices.Clone(j.begun)
}
