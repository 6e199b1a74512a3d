package sync

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"usersyncd/state"
	"usersyncd/sync/plan"
)

// Why there is no rollback, for errors.Is.
var (
	// ErrNothingToRollBack is returned when the history has no such write.
	ErrNothingToRollBack = errors.New("the history has no such write")
	// ErrNoNetChange is returned when the writes leave every field as it was before the first of them.
	ErrNoNetChange = errors.New("nothing to undo: these writes cancel each other out")
	// ErrPlanChanged is returned when what would be done is not what was agreed to.
	ErrPlanChanged = errors.New("the plan is another one by now")
)

// Rollback writes back what fields were before the writes that are to be undone. Exactly the fields that
// nobody has changed since: it reads the organization first, and what is not as we had left it stays as it is
// and is reported. Users who were created stay, too.
//
// A person who undoes something does not wait for a change window: no pass would carry it out later.
//
// agreed is the id of the plan that a person has agreed to. Without one nothing is written, and the result is
// that plan. With one, and something to write, the passes are paused first: the checkout still asks for what is
// undone.
func (r *Reconciler) Rollback(ctx context.Context, undo plan.Rollback, agreed, by string) (*Result, error) {
	if (undo.Revision == "") == undo.Since.IsZero() {
		return nil, fmt.Errorf("%w Give one revision, or a time since when", plan.ErrAmbiguous)
	}
	began := time.Now()
	until, active := r.begin(ctx)
	defer r.end(active)
	if meta, err := r.Store.Meta(); err != nil || !undo.Allowed(meta.Pause) {
		return nil, cmp.Or(err, error(errPaused))
	}
	mode := Mode{DryRun: agreed == ""}
	events, err := r.Store.History(state.Query{Revision: undo.Revision, Since: undo.Since})
	if err != nil {
		return nil, err
	}
	if undo.Revision, err = undo.ResolveRevision(events); err != nil {
		return nil, err
	}
	lacks, err := r.lacks(undo, events)
	if err != nil {
		return nil, err
	}
	wanted := plan.UserRollbacks(events, undo.Revision != "")
	if len(wanted) == 0 && len(events) > 0 {
		return nil, fmt.Errorf("undo %s: %w%s", undo, ErrNoNetChange, lacks)
	}
	if len(wanted) == 0 {
		return nil, fmt.Errorf("undo %s: %w%s", undo, ErrNothingToRollBack, lacks)
	}
	snap, err := r.Store.Snapshot()
	if err != nil {
		return nil, err
	}
	snap.Writes = nil // the next pass finds out what came of them
	snap.Releases = append(snap.Releases, undo.Releases...)
	before := r.Status()
	r.update(func(s *Status) {
		s.Phase, s.Began, s.RollbackOf, s.Reading, s.Read = PhaseRefresh, began.UTC(), undo.String(), 0, 0
	})
	defer r.update(func(s *Status) {
		s.Phase, s.RollbackOf = PhaseIdle, ""
		s.Began, s.Plan, s.InSync, s.Reading, s.Read, s.Progress = before.Began, before.Plan, before.InSync, before.Reading, before.Read, before.Progress
	})
	rolledBack := func(p *plan.Plan) *Result {
		res := r.sum(began, mode, undo.Revision, p, nil, snap.Failures)
		if res.Mode = "rollback"; !mode.DryRun {
			r.update(func(s *Status) { s.Totals.Changes = before.Totals.plus(res.Applied, res.Failed) })
		}
		return res
	}
	org := r.observer(Mode{DryRun: true})
	bind := org.binder(ctx, snap)
	if err := bind(); err != nil {
		return nil, err
	}
	// What it reads is for this look alone: a pass that found it in the state file would take for drift, and change
	// back, what the rollback leaves as it is.
	if err := org.readAgain(ctx, wanted, snap); err != nil {
		return nil, err
	}
	p, err := org.answered(ctx, snap, bind, false, func(answers *plan.LookupResults) *plan.Plan {
		return plan.NewRollback(undo, wanted, snap, r.Policy, answers, began)
	})
	if err != nil {
		return nil, err
	}
	if lacks != "" {
		p.Notes = append(p.Notes, "not all of it may be undone"+lacks)
	}
	if agreed != "" {
		if p.ID != agreed {
			return nil, fmt.Errorf("undo %s: %w: %s", undo, ErrPlanChanged, p.ID)
		}
		if !p.Sends() {
			return rolledBack(p), nil
		}
		if err := context.Cause(until); err != nil { // before anything else is recorded
			return nil, err
		}
		pause := undo.Pause(began, by)
		if err := r.Store.Commit(state.Commit{Pause: &pause, RolledBack: true}); err != nil {
			return nil, err
		}
		r.update(func(s *Status) {
			s.Paused = &pause
			if s.Applied != nil {
				undone := *s.Applied
				undone.RolledBack = true
				s.Applied = &undone
			}
		})
		policy := r.Policy
		policy.Schedule = plan.Schedule{} // a person wants it now, and no later pass would carry out what waits
		_, err = r.carryOut(until, p, snap, &policy)
	}
	return rolledBack(p), err
}

// lacks says what is missing, if the history does not go back far enough, or a call was interrupted.
func (r *Reconciler) lacks(undo plan.Rollback, events []state.Event) (string, error) {
	meta, err := r.Store.Meta()
	if err != nil {
		return "", err
	}
	interrupted := ""
	if meta.Writes > 0 {
		interrupted = ": calls were interrupted, and the history has what they did after the next pass; ask again then"
	}
	begins, err := r.Store.HistoryStart()
	if err != nil || begins.IsZero() {
		return interrupted, err
	}
	cut := undo.Since.Before(begins)
	if undo.Revision != "" { // the events of another one are in between, or all of its own are gone
		cut = len(events) == 0 || events[len(events)-1].At.Equal(begins)
	}
	if !cut {
		return interrupted, nil
	}
	return fmt.Sprintf(": the history goes back to %s only, and no longer has what was written before%s", begins.UTC().Format(time.RFC3339), interrupted), nil
}
