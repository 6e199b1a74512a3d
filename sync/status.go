package sync

import (
	"context"
	"log/slog"
	"time"

	"usersyncd/state"
	"usersyncd/sync/plan"
)

// Status is where the program stands. It is a value: whoever wants to know reads the current one.
type Status struct {
	Phase    string // scan, wait, refresh, read, apply or idle
	Began    time.Time
	Revision string
	Plan     string
	Undoes   string // a rollback is under way: of what
	Users    int    // declared
	InSync   int    // of these, who are as declared, as far as known; in apply and idle
	Changed  int    // to be changed in this pass
	Applied  int
	Failed   int
	InFlight int // requests under way, or waiting for their turn; in apply
	Reading  int // users whose further fields are read
	Read     int
	Beat     time.Time // of the last step; in apply there is one every few seconds
	// Moved is when the phase last changed, or a user was applied or read: Beat goes on without.
	Moved time.Time
	Last  *Result // of the last pass that had a plan, if it is over
	Err   error   // why the last pass ended early, when idle
	Standing
}

// Standing is what outlasts a pass.
type Standing struct {
	Success     time.Time      // when the last pass ended that nothing stopped, or that was interrupted and had applied something; zero if none did
	Refresh     time.Time      // when the organization was last read
	LastApplied *state.Applied // the tree that was last fully applied; nil if none was
	Paused      *state.Pause   // nothing is changed until somebody ends it
	Trouble     error          // why the last pass that has ended did so early; it stands until one ends well, or the API accepts the credentials again
	Passes      uint64         // that have ended
	Ailing      uint64         // of them, those that ended early
	Succeeded   uint64         // changes of all passes and rollbacks that have ended
	Failures    uint64         // the same, of those that failed
	Repairs     uint64         // fields that somebody else had changed, and that were changed back
	Damaged     uint64         // records of the state file that were lost
}

// Done counts the users of this pass that have reached their end.
func (s Status) Done() int { return s.Applied + s.Failed }

func (s *Status) from(res *Result) {
	s.Revision, s.Plan, s.Users = res.Revision, res.Plan, res.Users
	s.Changed, s.Applied, s.Failed = res.Changed, res.Applied, res.Failed
}

// Status returns the current status. It is safe to call at any time.
func (r *Reconciler) Status() Status {
	if s := r.status.Load(); s != nil {
		return *s
	}
	return Status{Phase: "idle"}
}

func (r *Reconciler) set(s Status) {
	last := r.Status()
	s.Beat, s.Moved, s.Standing = time.Now(), last.Moved, r.standing
	if s.Last == nil {
		s.Last = last.Last
	}
	if s.Phase != last.Phase || s.Applied != last.Applied || s.Read != last.Read || s.Began != last.Began {
		s.Moved = s.Beat
	}
	r.status.Store(&s)
}

// progress publishes how far the pass has come.
func (a *applier) progress() {
	s := Status{Phase: "apply", Began: a.plan.Began, Revision: a.plan.Revision, Plan: a.plan.ID, Users: a.declared,
		InSync: a.plan.Unchanged + a.arrived, InFlight: a.inFlight,
		Changed: a.tally[plan.Planned] - a.tally[plan.Deferred], Applied: a.tally[plan.Applied], Failed: a.tally[plan.Failed]}
	if s.Undoes = a.plan.RollbackOf; s.Undoes != "" { // the checkout is where it was
		before := a.Status()
		s.Revision, s.Users, s.InSync = before.Revision, before.Users, before.InSync
	}
	a.set(s)
}

// end sets what came of a change.
func (a *applier) end(c *plan.Change, outcome plan.Outcome) {
	c.Outcome = outcome
	a.tally[outcome]++
	if c.UserOutcome() == plan.Applied && !c.Action.Removes() {
		a.arrived++
	}
	a.ended = append(a.ended, c)
}

// commit adds to what this turn records; see flush. The error is of an earlier turn.
func (a *applier) commit(c state.Commit) error {
	a.commits = append(a.commits, c)
	return a.broken
}

// flush records what this turn has to, in one commit, and only then tells who has come to the end. What could not be
// recorded is tried once more with the next turn's.
func (a *applier) flush() error {
	if err := a.Store.Commit(a.commits...); err != nil {
		a.broken = err
		return err
	}
	for _, c := range a.ended {
		a.logChange(c)
	}
	a.commits, a.ended = nil, nil
	return nil
}

// logChange writes the one line about a change: who, what, why, and how it ended.
func (a *applier) logChange(c *plan.Change) {
	if c.Action == plan.Unmanage {
		a.Log.Info("user no longer managed", "user", c.Key, "cause", c.Cause, "note", "no longer declared; left in Genesys as it is")
		return
	}
	level, attrs := slog.LevelInfo, []any{
		"user", c.Key, "action", c.Action, "cause", c.Cause, "result", c.Outcome, "at", c.Where(),
	}
	var fields []string
	for _, fc := range c.Fields {
		fields = append(fields, fc.String())
	}
	if len(fields) > 0 {
		attrs = append(attrs, "fields", fields)
	}
	if len(c.Deferred) > 0 {
		var waiting []string
		for _, fc := range c.Deferred {
			waiting = append(waiting, fc.String())
		}
		attrs = append(attrs, "waiting", waiting, "until", plan.WindowTime(c.Until))
	}
	switch {
	case c.Err != nil:
		level = slog.LevelWarn
		attrs = append(attrs, "error", plan.Printable(c.Err.Error()))
	case c.Waits != "":
		level = slog.LevelWarn
		attrs = append(attrs, "waits for", c.Waits)
	}
	a.Log.Log(context.Background(), level, "user "+string(c.Outcome), attrs...)
}
