package apply

import (
	"slices"
	"time"

	"usersyncd/spec"
	"usersyncd/state"
	"usersyncd/sync/plan"
)

// Every call is preceded by an intent in the state file for each field that it writes: the event that the history will have.
// The commit with the call's result clears it. An intent that a pass finds is of a call that was interrupted or never
// answered: package plan has its field read before it is compared, and a Resolver takes the reading in.

// recordIntents records what a call is about to do.
func (r *recorder) recordIntents(call *Call, now time.Time) {
	var commit state.Commit
	for _, c := range call.Changes {
		j := r.jobs[c]
		if call.Creates {
			commit.CreateIntents = append(commit.CreateIntents, state.Intent{Key: c.Key, Plan: r.plan.ID, Started: now})
			j.createSent = now
			continue
		}
		r.clearIntents(j)
		j.intents = r.mayChange(c, call)
		commit.WriteIntents = append(commit.WriteIntents, r.plan.Intent(c, j.intents, now))
	}
	call.intended = now
	r.add(commit)
}

// mayChange returns the fields of a user that a call may change. A restored user may have lost any.
func (r *recorder) mayChange(c *plan.Change, call *Call) []spec.Field {
	fields := slices.Clone(call.Fields)
	if c.Current.Deleted() {
		for f := range c.Desired.All() {
			if r.Policy.Unversioned(f) && !slices.Contains(fields, f) {
				fields = append(fields, f)
			}
		}
		slices.Sort(fields)
	}
	return fields
}

// clearIntents clears the intents of a job, unless the answer to its call was lost.
func (r *recorder) clearIntents(j *job) {
	if len(j.intents) > 0 && j.uncertain != lostAnswer {
		r.add(state.Commit{ClearWriteIntents: []state.UserFields{{ID: j.change.Current.ID, Fields: j.intents}}})
		j.intents = nil
	}
}

// recordUncertain adds to the history a call whose answer was lost, if its result will not be read any more: a rollback must
// find it. Repeated attempts with the same fields are recorded once.
func (r *recorder) recordUncertain(j *job) {
	if j.uncertain != lostAnswer || j.change.Current == nil {
		return
	}
	e, ok := r.plan.Event(j.change, j.uncertainFields, time.Now())
	if e.Uncertain = true; ok && !inHistory(r.Store, e) {
		r.add(state.Commit{Events: []state.Event{e}})
	}
}

// inHistory reports whether the last event of a user is the same uncertain write. If it cannot be read, the write is rather
// recorded twice than not at all.
func inHistory(store *state.Store, e state.Event) bool {
	last, err := store.History(state.Query{ID: e.ID, Limit: 1})
	return err == nil && len(last) > 0 && last[0].Uncertain && last[0].Revision == e.Revision && slices.Equal(last[0].Fields, e.Fields)
}
