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
	Changed  int // to be changed
	Applied  int
	Failed   int
	InSync   int // declared, and as declared
	InFlight int // requests under way, or waiting for their turn
	Repairs  int // fields that somebody else had changed, and that were changed back
}

// Done counts the changes that have reached their end.
func (p Progress) Done() int { return p.Applied + p.Failed }

// A recorder notes what comes of a plan: in the state file, in the log and for whoever watches.
type recorder struct {
	Options
	plan     *plan.Plan
	index    *identity.Index
	jobs     jobs
	failures map[string]state.Failure // as the pass found them

	commits []state.Commit       // of this turn
	atEnd   []*plan.Change       // of this turn
	counted bool                 // in this turn, so that the guards' memory is to be recorded
	broken  error                // why the state file takes nothing any more
	ends    map[plan.Outcome]int // changes that have reached their end; Planned: all that are to
	inSync  int                  // declared users who have become as declared
	repairs int
}

// add adds to what this turn records.
func (r *recorder) add(c state.Commit) { r.commits = append(r.commits, c) }

// flush records what this turn has to, in one commit, and only then tells who has come to the end. What could not be
// recorded is tried once more with the next turn's.
func (r *recorder) flush() error {
	if r.counted {
		guards := r.plan.Guards
		r.add(state.Commit{Guards: &guards})
	}
	if err := r.Store.Commit(r.commits...); err != nil {
		r.broken = err
		return err
	}
	for _, c := range r.atEnd {
		r.logChange(c)
	}
	clear(r.commits)
	clear(r.atEnd)
	r.commits, r.atEnd, r.counted = r.commits[:0], r.atEnd[:0], false
	return nil
}

// local records what needs no call: users found equal, users no longer managed, what was released.
func (r *recorder) local(todo []*plan.Change) error {
	for _, u := range r.plan.Record.Users {
		r.index.Put(u)
	}
	for _, c := range todo {
		if c.Action == plan.Unmanage {
			r.end(c, plan.Applied)
		}
	}
	record := r.plan.Record
	if record.ClearReleases = r.plan.HandledReleases; !r.plan.Urgent { // which knows not all that is held
		record.ClearReleases = append(slices.Clip(record.ClearReleases), r.plan.UnknownReleases...)
	}
	r.add(record)
	return r.flush()
}

// end sets what came of a change.
func (r *recorder) end(c *plan.Change, outcome plan.Outcome) {
	c.Outcome = outcome
	r.ends[outcome]++
	if c.UserOutcome() == plan.Applied && !c.Action.Removes() {
		r.inSync++
	}
	r.atEnd = append(r.atEnd, c)
}

// count adds what was done to a user to what the guards remember, and to the repairs those of the fields that were written
// and that somebody else had changed.
func (r *recorder) count(c *plan.Change, before *state.User, touched, written []spec.Field) {
	now := time.Now()
	r.counted = r.plan.Count(c, before, c.Current, touched, now) || r.counted
	r.repairs += r.plan.CountRepairs(c, c.Current, written, now)
}

// report tells how far the pass has come.
func (r *recorder) report(inFlight int) {
	r.Report(Progress{
		Changed: r.ends[plan.Planned] - r.ends[plan.Deferred], Applied: r.ends[plan.Applied], Failed: r.ends[plan.Failed],
		InSync: r.plan.Unchanged + r.inSync, InFlight: inFlight, Repairs: r.repairs,
	})
}

// logChange writes the one line about a change: who, what, why, and how it ended.
func (r *recorder) logChange(c *plan.Change) {
	if c.Action == plan.Unmanage {
		r.Log.Info("user no longer managed", "user", c.Key, "cause", c.Cause, "note", "no longer declared; not changed in Genesys")
		return
	}
	level, attrs := slog.LevelInfo, []any{
		"user", c.Key, "action", c.Action, "cause", c.Cause, "result", c.Outcome, "at", c.Where(),
	}
	texts := func(fields []plan.FieldChange) (all []string) {
		for _, fc := range fields {
			all = append(all, fc.String())
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
		level = slog.LevelWarn
		attrs = append(attrs, "error", text.Escape(c.Err.Error()))
	case c.WaitsFor != "":
		level = slog.LevelWarn
		attrs = append(attrs, "waits for", c.WaitsFor)
	}
	r.Log.Log(context.Background(), level, "user "+string(c.Outcome), attrs...)
}
