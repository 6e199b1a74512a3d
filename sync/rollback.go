package sync

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"usersyncd/spec"
	"usersyncd/spec/text"
	"usersyncd/state"
	"usersyncd/sync/plan"
)

// Why there is no rollback, for errors.Is.
var (
	// ErrNothingToRollBack is returned when the history has no such write.
	ErrNothingToRollBack = errors.New("the history has no such write")
	// ErrNoNetChange is returned when the writes leave every field as it was before the first of them.
	ErrNoNetChange = errors.New("nothing to roll back: these writes cancel each other out")
	// ErrPlanChanged is returned when the plan is not the one that was confirmed.
	ErrPlanChanged = errors.New("the plan has changed since")
)

// Rollback writes back what fields were before the writes that are to be rolled back, except where they were changed since: it
// reads the organization first. Users that were created stay.
//
// confirmed is the id of the plan that a person has confirmed. Without one nothing is written, and the result is that plan. With
// one, and something to write, passes are paused first, as the checkout still asks for what is rolled back. A rollback does
// not wait for a change window.
func (r *Reconciler) Rollback(ctx context.Context, rb plan.Rollback, confirmed, by string) (*Result, error) {
	if (rb.Revision == "") == rb.Since.IsZero() {
		return nil, fmt.Errorf("%w: give either a revision, or a time since when", plan.ErrAmbiguous)
	}
	began := time.Now()
	interruptible, active := r.begin(ctx, true)
	defer r.end(active)
	meta, err := r.Store.Meta()
	if err != nil || !rb.Allowed(meta.Pause) {
		return nil, cmp.Or(err, error(errPaused))
	}
	events, err := r.Store.History(state.Query{Revision: rb.Revision, Since: rb.Since})
	if err != nil {
		return nil, err
	}
	if rb.Revision, err = rb.ResolveRevision(events); err != nil {
		return nil, err
	}
	missing, err := r.missingHistory(rb, events, meta)
	if err != nil {
		return nil, err
	}
	events = slices.DeleteFunc(events, func(e state.Event) bool { return len(e.Fields) == 0 }) // who was only no longer managed
	users := plan.UserRollbacks(events, rb.Revision != "")
	switch {
	case len(events) == 0:
		return nil, fmt.Errorf("roll back %s: %w%s", spec.ShortRevision(rb.String()), ErrNothingToRollBack, missing)
	case len(users) == 0:
		return nil, fmt.Errorf("roll back %s: %w%s", spec.ShortRevision(rb.String()), ErrNoNetChange, missing)
	}
	snap, err := r.Store.Snapshot()
	if err != nil {
		return nil, err
	}
	snap.WriteIntents = nil // the next pass resolves them
	snap.Releases = append(snap.Releases, rb.Releases...)
	before := r.Status()
	r.update(func(s *Status) {
		s.Phase, s.Began, s.RollbackOf, s.Reading, s.Read = PhaseRefresh, began.UTC(), rb.String(), 0, 0
	})
	defer r.update(func(s *Status) {
		s.Phase, s.RollbackOf = PhaseIdle, ""
		s.Began, s.Plan, s.InSync, s.Reading, s.Read, s.Progress = before.Began, before.Plan, before.InSync, before.Reading, before.Read, before.Progress
	})
	// What it reads is not written to the state file: the next pass would take for drift, and change back, what the rollback
	// does not change.
	refresher := r.newRefresher(Mode{DryRun: true})
	open := refresher.openOnce(ctx, snap)
	if err := open(); err != nil {
		return nil, err
	}
	if err := refresher.readForRollback(ctx, users, snap); err != nil {
		return nil, err
	}
	p, err := refresher.planWithLookups(ctx, snap, open, false, func(results *plan.LookupResults) *plan.Plan {
		return plan.NewRollback(rb, users, snap, r.Policy, results, began)
	})
	if err != nil {
		return nil, err
	}
	if missing != "" {
		p.Notes = append(p.Notes, "this may be incomplete"+missing)
	}
	if confirmed != "" && p.ID != confirmed {
		return nil, fmt.Errorf("roll back %s: %w: %s", spec.ShortRevision(rb.String()), ErrPlanChanged, p.ID)
	}
	if confirmed != "" && p.Sends() {
		if err := context.Cause(interruptible); err != nil { // before anything is recorded
			return nil, err
		}
		pause := rb.Pause(began, by)
		if err := r.Store.Commit(state.Commit{Pause: &pause, RolledBack: true}); err != nil {
			return nil, err
		}
		r.update(func(s *Status) {
			if s.Paused = &pause; s.Applied != nil {
				applied := *s.Applied
				applied.RolledBack = true
				s.Applied = &applied
			}
		})
		policy := r.Policy
		policy.Schedule = plan.Schedule{} // no later pass would write what waits
		_, err = r.carryOut(interruptible, p, snap, &policy)
	}
	res := r.newResult(began, Mode{DryRun: confirmed == ""}, p, spec.ProblemList{}, snap.Failures)
	res.Mode = "rollback"
	if res.Applied > 0 {
		before.InSync = max(0, before.InSync-res.Applied)
		err = errors.Join(err, r.recordRollback(res.Applied))
	}
	return res, err
}

// recordRollback adds a rollback to what is recorded of the last pass.
func (r *Reconciler) recordRollback(users int) error {
	record, err := r.Store.LastPass()
	if err != nil || record == nil {
		return err
	}
	l := decodeLastPass(record)
	l.RolledBack = &RolledBack{At: time.Now().UTC(), Users: users}
	if record, err = json.Marshal(l); err != nil {
		return err
	}
	return r.Store.Commit(state.Commit{Pass: record})
}

func (o *refresher) readForRollback(ctx context.Context, users []*plan.UserRollback, snap *state.Snapshot) error {
	used, details := map[spec.Field]bool{}, map[string][]spec.Field{}
	for _, u := range users {
		for f := range u.Before.All() {
			used[f] = true
			if slices.Contains(o.Policy.DetailFields, f) && snap.Users[u.ID] != nil {
				details[u.ID] = append(details[u.ID], f)
			}
		}
	}
	if err := o.refresh(ctx, ctx, snap, slices.Sorted(maps.Keys(used))); err != nil || len(details) == 0 {
		return err
	}
	unread, err := o.readDetails(ctx, details, snap)
	for id, readErr := range unread {
		if readErr != nil {
			err = errors.Join(err, fmt.Errorf("read user %s: %w", id, readErr))
		}
	}
	return err
}

// missingHistory says what the history lacks of a rollback, to follow a sentence: it does not go back far enough, or a call
// was interrupted.
func (r *Reconciler) missingHistory(rb plan.Rollback, events []state.Event, meta state.Meta) (string, error) {
	interrupted := ""
	if meta.WriteIntents > 0 {
		interrupted = ": calls were interrupted, and the history will have what they did after the next pass; try again then"
	}
	start, err := r.Store.HistoryStart()
	if err != nil || start.IsZero() {
		return interrupted, err
	}
	cut := rb.Since.Before(start)
	if rb.Revision != "" { // other revisions may be in between; its own events may be the oldest, or dropped
		cut = len(events) == 0 || events[len(events)-1].At.Equal(start)
	}
	if !cut {
		return interrupted, nil
	}
	return fmt.Sprintf(": the history goes back to %s only%s", text.Time(start.UTC()), interrupted), nil
}
