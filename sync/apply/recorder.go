package apply

import (
	"context"
	"log/slog"
	"slices"
	"time"

	"usersyncd/spec"
	"usersyncd/spec/text"
	"usersyncd/state"
	"usersyncd/sync/plan"
	"usersyncd/sync/plan/identity"
	"usersyncd/sync/plan/window"
)

// Progress is how far a plan is carried out. It counts users.
type Progress struct {
	Changed int // to be changed
	Applied int
	Failed  int
	InSync  int // declared users that are as declared
	Started int // requests in flight, or waiting for the limiter
	// Unanswered are users whose last call had no usable answer, so that it is made again, or what it did is looked up.
	Unanswered int
	// Until is when the last request that waits for a time is made; zero if none does.
	Until   time.Time
	Repairs int // fields that somebody else had changed, and that were changed back
}

// Done counts the changes that are complete.
func (p Progress) Done() int { return p.Applied + p.Failed }

// A recorder records the results of a plan: in the state file, in the log and as Progress.
type recorder struct {
	Options
	plan     *plan.Plan
	index    *identity.Index
	jobs     jobIndex
	failures map[string]state.Failure // before the pass

	commits   []state.Commit       // of this turn
	completed []*plan.Change       // in this turn
	counted   bool                 // in this turn: the guards' tallies are to be recorded
	broken    error                // why the state file cannot be written
	outcomes  map[plan.Outcome]int // completed changes; Planned: all changes
	inSync    int                  // declared users that have become as declared
	repairs   int
	warned    int // lines of the log about users who fail or wait
}

const (
	mostWarned    = 200  // of a plan
	longestLogged = 1000 // characters of a field
)

func (r *recorder) add(c state.Commit) { r.commits = append(r.commits, c) }

// flush makes one commit of this turn's, and then logs the completed changes. If it fails, the next turn's flush tries again.
func (r *recorder) flush() error {
	if r.counted {
		guards := r.plan.Guards
		r.add(state.Commit{Guards: &guards})
	}
	if err := r.Store.Commit(r.commits...); err != nil {
		r.broken = err
		return err
	}
	for _, c := range r.completed {
		r.logChange(c)
	}
	clear(r.commits)
	clear(r.completed)
	r.commits, r.completed, r.counted = r.commits[:0], r.completed[:0], false
	return nil
}

// recordPlan records what needs no call: users found equal, users no longer managed, handled releases.
func (r *recorder) recordPlan(todo []*plan.Change) error {
	for _, u := range r.plan.Record.Users {
		r.index.Put(u)
	}
	var unmanaged []state.Event
	for _, c := range todo {
		if c.Action == plan.Unmanage {
			r.setOutcome(c, plan.Applied)
			unmanaged = append(unmanaged, r.plan.Unmanaged(c, time.Now()))
		}
	}
	record, err := r.recordEqual(r.plan.Record)
	if err != nil {
		r.broken = err
		return err
	}
	record.Events = append(record.Events, unmanaged...)
	if record.ClearReleases = r.plan.HandledReleases; !r.plan.Urgent { // an urgent plan does not know all holds
		record.ClearReleases = append(slices.Clip(record.ClearReleases), r.plan.UnknownReleases...)
	}
	r.add(record)
	return r.flush()
}

// recordEqual records most of the managed users that have nothing else to record, as they may be all of the organization, and
// returns the record without these.
func (r *recorder) recordEqual(record state.Commit) (state.Commit, error) {
	intents := make(map[string]bool, len(record.ClearCreateIntents)+len(record.ClearWriteIntents))
	for _, key := range record.ClearCreateIntents {
		intents[key] = true
	}
	for _, w := range record.ClearWriteIntents {
		intents[w.ID] = true
	}
	var alone, others []*state.User
	for _, u := range record.Users {
		if u.LastApplied != nil && !intents[u.ID] && !intents[u.Declared.Key] {
			alone = append(alone, u)
		} else {
			others = append(others, u)
		}
	}
	alone, err := r.Store.CommitMost(alone)
	record.Users = append(alone, others...)
	return record, err
}

func (r *recorder) setOutcome(c *plan.Change, outcome plan.Outcome) {
	c.Outcome = outcome
	r.outcomes[outcome]++
	if c.UserOutcome() == plan.Applied && !c.Action.Removes() {
		r.inSync++
	}
	r.completed = append(r.completed, c)
}

// count adds what was done to a user to the guards' tallies, and the written fields that somebody else had changed to the
// repairs.
func (r *recorder) count(c *plan.Change, before *state.User, touched, written []spec.Field) {
	now := time.Now()
	r.counted = r.plan.Count(c, before, c.Current, touched, now) || r.counted
	r.repairs += r.plan.CountRepairs(c, c.Current, written, now)
}

// progress counts the outcomes so far.
func (r *recorder) progress() Progress {
	return Progress{
		Changed: r.outcomes[plan.Planned] - r.outcomes[plan.Deferred], Applied: r.outcomes[plan.Applied], Failed: r.outcomes[plan.Failed],
		InSync: r.plan.Unchanged + r.inSync, Repairs: r.repairs,
	}
}

// logChange logs a completed change in one line.
func (r *recorder) logChange(c *plan.Change) {
	level, failure := slog.LevelInfo, slog.LevelWarn
	if r.ChangesShown {
		level = slog.LevelDebug
	}
	if c.Action == plan.Unmanage {
		r.Log.Log(context.Background(), level, "user no longer managed", "user", c.Key, "cause", c.Cause, "note", "no longer declared; not changed in Genesys")
		return
	}
	attrs := []any{
		"user", c.Key, "action", c.Action, "cause", c.Cause, "result", c.Outcome, "at", c.Where(),
	}
	if r.FailuresShown {
		failure = slog.LevelDebug
	}
	texts := func(fields []plan.FieldChange) (all []string) {
		for _, fc := range fields {
			all = append(all, text.Cut(fc.String(), longestLogged))
		}
		return all
	}
	if len(c.Fields) > 0 {
		attrs = append(attrs, "fields", texts(c.Fields))
	}
	if len(c.Deferred) > 0 {
		attrs = append(attrs, "waiting", texts(c.Deferred), "until", window.Format(c.Until))
	}
	switch {
	case c.Err != nil:
		level = failure
		attrs = append(attrs, "error", text.Escape(c.Err.Error()))
	case c.WaitsFor != "":
		level = failure
		attrs = append(attrs, "waits for", c.WaitsFor)
	}
	if level == slog.LevelWarn {
		switch r.warned++; {
		case r.warned == mostWarned:
			defer r.Log.Warn("more users that fail or wait are not logged; usersyncd status --output json and the result list them")
		case r.warned > mostWarned:
			return
		}
	}
	r.Log.Log(context.Background(), level, "user "+string(c.Outcome), attrs...)
}
