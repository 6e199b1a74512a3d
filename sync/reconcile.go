package sync

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"usersyncd/spec"
	"usersyncd/state"
	"usersyncd/sync/apply"
	"usersyncd/sync/plan"
	"usersyncd/sync/plan/contest"
	"usersyncd/sync/plan/digest"
	"usersyncd/sync/plan/saved"
)

// Reconciler makes the organization match the checkout, one pass at a time. Fields are set once, before the first pass; only
// Status, View, Explain, Interrupt and Recheck may be called while a pass is running.
type Reconciler struct {
	Specs     *spec.Loader
	SpecCache string // file of Specs.WriteCache; "" for none
	Store     *state.Store
	Directory Directory
	API       string // base URL: a state file belongs to one organization of one API
	Policy    plan.Policy
	Retry     apply.Retry
	SearchLag time.Duration // for how long the directory's Find may not show a new user
	Workers   int           // maximum of requests in flight
	Refresh   time.Duration // maximum age of a reading of the organization
	Settings  string        // what else a converged tree depends on
	Log       *slog.Logger
	Rand      *rand.Rand // jitter

	FailuresShown bool // see apply.Options
	ChangesShown  bool // see apply.Options

	publisher
	interrupter
	lastPolicy   atomic.Pointer[plan.Policy] // of the last pass, for Explain
	unauthorized bool                        // the API has refused the credentials, and not accepted them since
	resuming     bool                        // the last pass was interrupted

	contested []contest.Contest // after the last pass that had a plan
	// partial are, by address, the fields that the last pass with a plan has written in part.
	partial map[string][]spec.Field
}

// Mode is what a pass does.
type Mode struct {
	Strict       bool // refuse a tree with problems, instead of excluding the users that have them
	DryRun       bool // plan, and change neither the organization nor the state file
	Record       bool // of a dry run: if nothing is to be done, or can be, record that as the last pass
	NoRefresh    bool // use what is known, unless nothing is
	ForceRefresh bool // refresh, however recent the last reading is
	// Release are ids of holds that a person has released for this pass.
	Release []string
	// Approved is a plan that a person has approved: what it does not have is held.
	Approved *plan.Approved
	// Plan is the digest, or the id, of the only plan that may be carried out; "" for any. If the plan is another one, the pass
	// ends with a *PlanChangedError.
	Plan string
}

// Reconcile makes one pass:
//
//	1 load     the whole checkout; done if it is as it was when it was last fully applied
//	2 refresh  what is known of the organization, when due
//	3 plan     compare desired, observed and last applied
//	4 apply    what differs, call by call, each with its commit
//	5 report
//
// When a change window opens or closes meanwhile, it goes back to 3. Interrupt ends it. The Result has what was done, also if
// the error says why the pass ended early.
func (r *Reconciler) Reconcile(ctx context.Context, mode Mode) (*Result, error) {
	began := time.Now()
	interruptible, active := r.begin(ctx, false)
	res, err := r.pass(ctx, interruptible, mode)
	for try := 1; res == nil && errors.Is(err, spec.ErrTreeChanged) && try < maxScanTries; try++ {
		// A checkout is under way, which rarely takes a second; nothing was written yet.
		if err = sleep(interruptible, scanRetryWait); err == nil {
			res, err = r.pass(ctx, interruptible, mode)
		}
	}
	if res == nil && err != nil && (!mode.DryRun || mode.Record) && !errors.Is(err, ErrInterrupted) {
		stopped := err
		if apply.IsCancelled(err) {
			stopped = cmp.Or(context.Cause(ctx), err)
		}
		_ = r.recordEnd(state.Commit{}, nil, stopped, mode.Strict) // err may be why it cannot be written
	}
	r.end(active)
	r.publishEnd(began, res, err, ctx.Err() != nil)
	return res, err
}

// pass makes one attempt at a pass. When ctx or interruptible ends, it begins no further
// call, awaits the writes in flight for at most 20 seconds, and records them. A listing under way is given up when ctx ends,
// and completed when only interruptible does.
func (r *Reconciler) pass(ctx, interruptible context.Context, mode Mode) (*Result, error) {
	p := &pass{Reconciler: r, mode: mode, before: r.Status().Totals, refresher: r.newRefresher(mode), began: time.Now(), releases: mode.Release}
	p.policy = r.Policy
	p.policy.Approved = mode.Approved
	if done, err := p.load(ctx); done != nil || err != nil {
		return done, err
	}
	for {
		snap, err := p.refresh(ctx, interruptible)
		if err != nil {
			return p.endEarly(interruptible, err)
		}
		next, err := p.plan(ctx, interruptible, snap)
		switch {
		case err != nil:
			return p.endEarly(interruptible, err)
		case p.invalid != nil && len(next.Changes) == 0 && p.carriedOut == nil:
			return nil, p.invalid
		}
		if err := p.checkPlan(next); err != nil {
			return p.report(next, err)
		}
		if err := p.checkAuthorized(ctx); err != nil || mode.DryRun {
			return p.report(next, err)
		}
		if p.meta.Pause != nil { // nothing is changed, but what is applied is recorded
			p.closing.Users = next.StillManaged()
			return p.report(next, nil)
		}
		stopped := p.apply(interruptible, next, snap)
		replan := errors.Is(stopped, errWindow)
		p.urgentDone = p.urgentDone || next.Urgent && !replan
		if !replan && (stopped != nil || !next.Urgent) {
			return p.report(next, stopped)
		}
	}
}

// A PlanChangedError is returned for a plan that is not the one to be carried out. Nothing was applied.
type PlanChangedError struct{ Now, Want string } // ids or digests

func (e *PlanChangedError) Error() string {
	if digest.IsEmpty(e.Now) {
		return fmt.Sprintf("there is nothing to do now, and the plan was to be %s: nothing was applied", e.Want)
	}
	return fmt.Sprintf("the plan is %s now, not %s: nothing was applied", e.Now, e.Want)
}

// checkPlan requires that the first plan of the pass is the one to be carried out. What the pass plans after it is limited to
// what it has.
func (p *pass) checkPlan(next *plan.Plan) error {
	want := p.mode.Plan
	if want == "" || p.checked {
		return nil
	}
	if want != next.ID && want != next.Digest {
		now := next.Digest
		if len(want) < len(now) {
			now = next.ID
		}
		return &PlanChangedError{now, want}
	}
	p.checked = true
	if p.policy.Approved == nil {
		p.policy.Approved = &plan.Approved{Plan: saved.New(plan.Effects(next.Changes, next.Holds)), Name: next.ID}
	}
	return nil
}

// publishEnd publishes that a pass has ended. An error does not count if the caller has cancelled it.
func (r *Reconciler) publishEnd(began time.Time, res *Result, err error, cancelled bool) {
	r.unauthorized = r.unauthorized || errors.Is(err, apply.ErrUnauthorized)
	r.resuming = errors.Is(err, ErrInterrupted)
	r.update(func(s *Status) {
		s.Phase = PhaseIdle
		s.Totals.Passes++
		s.Totals.PassSeconds += time.Since(began).Seconds()
		switch {
		case err == nil, r.resuming && res != nil && res.Applied > 0:
			s.Success, s.LastError = time.Now().UTC(), nil
		case !r.resuming && !cancelled:
			s.Totals.FailedPasses++
			s.LastError = err
		}
	})
}

// carryOut makes the calls of a plan, see apply.Run, and publishes the progress.
func (r *Reconciler) carryOut(ctx context.Context, p *plan.Plan, snap *state.Snapshot, policy *plan.Policy) (partial map[string][]spec.Field, err error) {
	before, users := r.Status(), p.DeclaredUsers()
	return apply.Run(ctx, p, snap, r.Directory, apply.Options{
		Store: r.Store, Policy: policy, Retry: r.Retry, SearchLag: r.SearchLag, Workers: r.Workers, Log: r.Log, Rand: r.Rand,
		FailuresShown: r.FailuresShown, ChangesShown: r.ChangesShown,
		Report: func(now apply.Progress) {
			r.update(func(s *Status) {
				s.Phase, s.Plan, s.Progress, s.Reading, s.Read = PhaseApply, p.ID, now, 0, 0
				if s.Revision, s.Users, s.InSync = p.Revision, users, now.InSync; p.RollbackOf != "" { // the checkout has not changed
					s.Revision, s.Users, s.InSync = before.Revision, before.Users, max(0, before.InSync-now.Changed)
				}
				s.Totals.Changes = before.Totals.plus(now.Applied, now.Failed)
				s.Totals.Repairs = before.Totals.Repairs + uint64(now.Repairs) //nolint:gosec // it is not negative
			})
		},
	})
}
