package apply

import (
	"slices"
	"time"

	"usersyncd/spec"
	"usersyncd/state"
	"usersyncd/sync/plan"
)

// Every call is preceded by an intent in the state file, for each field that it writes: what would be told of it in the
// history. The commit that records what came of the call clears it. One that a pass finds is of a call that was
// interrupted, or never answered: package plan has its field read before it is compared, and Resolve takes that in.

// intend records what a call is about to do.
func (r *recorder) intend(call *Call, now time.Time) {
	var commit state.Commit
	for _, c := range call.Changes {
		j := r.jobs[c]
		if call.Creates {
			commit.Intents = append(commit.Intents, state.Intent{Key: c.Key, Plan: r.plan.ID, Started: now})
			j.createSent = now
			continue
		}
		r.resolve(j)
		j.unresolved = r.touched(c, call)
		commit.Writes = append(commit.Writes, r.plan.Intent(c, j.unresolved, now))
	}
	call.intended = now
	r.add(commit)
}

// touched returns the fields of a user that a call may change. Who is restored may have lost any.
func (r *recorder) touched(c *plan.Change, call *Call) []spec.Field {
	fields := slices.Clone(call.Fields)
	if c.Current.Deleted() {
		for f := range c.Desired {
			if r.Policy.Unversioned(f) && !slices.Contains(fields, f) {
				fields = append(fields, f)
			}
		}
		slices.Sort(fields)
	}
	return fields
}

// resolve clears the intents of a job, unless its call may have been carried out without an answer.
func (r *recorder) resolve(j *job) {
	if len(j.unresolved) > 0 && j.doubt != unanswered {
		r.add(state.Commit{ClearWrites: []state.UserFields{{ID: j.change.Current.ID, Fields: j.unresolved}}})
		j.unresolved = nil
	}
}

// recordUncertain adds to the history a call whose answer was lost, when there will be no look any more: a rollback has
// to look at it. Attempts that end alike are told once.
func (r *recorder) recordUncertain(j *job) {
	if j.doubt != unanswered || j.change.Current == nil {
		return
	}
	e, any := r.plan.Event(j.change, j.doubtful, time.Now())
	if e.Uncertain = true; any && !told(r.Store, e) { // twice rather than not at all
		r.add(state.Commit{Events: []state.Event{e}})
	}
}

// told reports whether the last that the history tells of a user is the same uncertain write.
func told(store *state.Store, e state.Event) bool {
	last, err := store.History(state.Query{ID: e.ID, Limit: 1})
	return err == nil && len(last) > 0 && last[0].Uncertain && last[0].Revision == e.Revision && slices.Equal(last[0].Fields, e.Fields)
}
