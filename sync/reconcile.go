package sync

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"slices"
	"sync/atomic"
	"time"

	"usersyncd/spec"
	"usersyncd/state"
	"usersyncd/sync/apply"
	"usersyncd/sync/plan"
	"usersyncd/sync/plan/contest"
)

// Reconciler makes the organization look like the checkout, one pass at a time. Fields are set once,
// before the first pass; only Status, View, Explain, Interrupt and Recheck may be used while a pass is running.
type Reconciler struct {
	Specs     *spec.Loader
	Store     *state.Store
	Directory Directory
	API       string // base URL: a state file belongs to one organization of one API
	Policy    plan.Policy
	Retry     apply.Retry
	SearchLag time.Duration // how long the directory's Find may not see a new user
	Workers   int           // requests under way at once, at most
	Refresh   time.Duration // how old a reading of the organization may become
	Settings  string        // whatever else a converged tree depends on
	Log       *slog.Logger
	Rand      *rand.Rand // jitter

	publisher
	interrupter
	policy  atomic.Pointer[plan.Policy] // of the pass that has begun last, for Explain
	refused bool                        // the API has refused the credentials, and accepted none since
	resumes bool                        // the last pass was interrupted, so that this one goes on with it
	seen    string                      // digest of the last tree that two looks agreed on

	contested []contest.Contest // as the last pass that had a plan left them
	// partial are, by address, fields of which the last pass that carried out a plan has written some, and not all.
	partial map[string][]spec.Field
}

// Mode says what a pass is for.
type Mode struct {
	Strict       bool // refuse a tree with problems, instead of leaving out the users that have them
	DryRun       bool // plan, and change nothing: not there, not in the state file
	NoRefresh    bool // trust what is known, unless nothing is
	ForceRefresh bool // refresh, however recent the last reading
	// Release are ids of what guards hold, which a person lets through in this pass.
	Release []string
}

// Reconcile makes one pass:
//
//	1 load     the whole checkout, and nothing else if it is as it was when it was last fully applied
//	2 refresh  what is known of the organization, when due
//	3 plan     compare desired, observed and last applied
//	4 apply    what differs, call by call, each with its commit
//	5 report
//
// When a change window opens or closes on the way, it goes back to 3. Interrupt ends it. It acts on what is there now,
// never on what an event said. The Result holds what was done even when the error says why the pass ended early.
func (r *Reconciler) Reconcile(ctx context.Context, mode Mode) (*Result, error) {
	began := time.Now()
	until, active := r.begin(ctx)
	res, err := r.pass(ctx, until, active, mode)
	for try := 1; res == nil && errors.Is(err, spec.ErrTreeChanged) && try < stillTries; try++ {
		// Somebody is checking out; nothing was written yet. It rarely takes a second.
		timer := time.NewTimer(stillWait)
		select {
		case <-timer.C:
			res, err = r.pass(ctx, until, active, mode)
		case <-until.Done():
			timer.Stop()
			err = context.Cause(until)
		}
	}
	r.end(active)
	r.conclude(began, res, err, ctx.Err() != nil)
	return res, err
}

// pass makes one attempt at a pass. When ctx ends it is over at once; when until does, as soon as a listing that is under
// way is finished and what is in flight has come back.
func (r *Reconciler) pass(ctx, until context.Context, active *activePass, mode Mode) (*Result, error) {
	p := &pass{Reconciler: r, mode: mode, active: active, before: r.Status().Totals, org: r.observer(mode), began: time.Now(), releases: mode.Release}
	p.policy = r.Policy
	if done, err := p.load(ctx); done != nil || err != nil {
		return done, err
	}
	for {
		snap, err := p.refresh(ctx, until)
		if err != nil {
			return p.early(until, err)
		}
		next, err := p.plan(ctx, until, snap)
		switch {
		case err != nil:
			return p.early(until, err)
		case p.invalid != nil && len(next.Changes) == 0 && p.planned == nil:
			return nil, p.invalid
		}
		if err := p.authorized(ctx); err != nil || mode.DryRun {
			return p.report(next, err)
		}
		if p.meta.Pause != nil { // of the organization nothing is changed; what is in force is recorded
			return p.report(next, p.Store.Commit(state.Commit{Users: next.AppliedOnly()}))
		}
		stopped := p.apply(until, next, snap)
		turned := errors.Is(stopped, errWindow) // a change window has opened or closed: another plan
		p.urgentDone = p.urgentDone || next.Urgent && !turned
		if !turned && (stopped != nil || !next.Urgent) {
			return p.report(next, stopped)
		}
	}
}

// conclude publishes how a pass has ended, unless it was its caller who has ended it.
func (r *Reconciler) conclude(began time.Time, res *Result, err error, cancelled bool) {
	r.refused = r.refused || errors.Is(err, apply.ErrUnauthorized)
	r.resumes = errors.Is(err, ErrInterrupted)
	r.update(func(s *Status) {
		s.Phase = PhaseIdle
		s.Totals.Passes++
		s.Totals.PassSeconds += time.Since(began).Seconds()
		switch {
		case err == nil, r.resumes && res != nil && res.Applied > 0:
			s.Success, s.LastError = time.Now().UTC(), nil
		case !r.resumes && !cancelled:
			s.Totals.FailedPasses++
			s.LastError = err
		}
	})
}

// observer returns one for a pass, and asks the directory what its API cannot do.
func (r *Reconciler) observer(mode Mode) *observer {
	r.Policy.Limits = r.Directory.Limits()
	return &observer{r.Directory, r.API, r.Store, &r.Policy, r.Log, &r.publisher, &r.interrupter, mode.DryRun, mode.Strict || mode.DryRun}
}

// carryOut carries a plan out, and publishes how far it is.
func (r *Reconciler) carryOut(ctx context.Context, p *plan.Plan, snap *state.Snapshot, policy *plan.Policy) (partial map[string][]spec.Field, err error) {
	before, users := r.Status(), p.DeclaredUsers()
	return apply.Run(ctx, p, snap, r.Directory, apply.Options{
		Store: r.Store, Policy: policy, Retry: r.Retry, SearchLag: r.SearchLag, Workers: r.Workers, Log: r.Log, Rand: r.Rand,
		Report: func(now apply.Progress) {
			r.update(func(s *Status) {
				s.Phase, s.Began, s.Plan, s.Progress, s.Reading, s.Read = PhaseApply, p.Began.UTC(), p.ID, now, 0, 0
				if s.Revision, s.Users, s.InSync = p.Revision, users, now.InSync; p.RollbackOf != "" { // the checkout stays where it is
					s.Revision, s.Users, s.InSync = before.Revision, before.Users, max(0, before.InSync-now.Changed)
				}
				s.Totals.Changes = before.Totals.plus(now.Applied, now.Failed)
				s.Totals.Repairs = before.Totals.Repairs + uint64(now.Repairs) //nolint:gosec // it is not negative
			})
		},
	})
}

// Recheck interrupts the pass under way if the checkout is another one than it works on, once that is still. It
// returns when that is decided, or ctx or the pass has ended. If it reports false, another pass has to look: it has
// interrupted this one, or could not tell, or there is a new commit that changes no spec.
//
// A pass gets at least as long to send as it has taken to plan: whoever edits all the time does not stop it.
func (r *Reconciler) Recheck(ctx context.Context) (current bool) {
	a := r.active.Load()
	return a != nil && a.recheck(ctx, r.Specs)
}

// remaining returns what of a list is not done.
func remaining(all, done []string) []string {
	return slices.DeleteFunc(slices.Clone(all), func(one string) bool { return slices.Contains(done, one) })
}
