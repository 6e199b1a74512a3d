package sync

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"usersyncd/spec"
	"usersyncd/state"
	"usersyncd/sync/plan"
)

// Reconciler makes the organization look like the checkout, one pass at a time. Fields are set once,
// before the first pass; only Status, View, Explain, Interrupt and Recheck may be used while a pass is running.
type Reconciler struct {
	Specs     *spec.Loader
	Store     *state.Store
	Directory Directory
	API       string // base URL: a state file belongs to one organization of one API
	Policy    plan.Policy
	Retry     Retry
	SearchLag time.Duration // how long the directory's Find may not see a new user
	Workers   int           // requests under way at once, at most
	Refresh   time.Duration // how old a reading of the organization may become
	Settings  string        // whatever else a converged tree depends on
	Log       *slog.Logger
	Rand      *rand.Rand // jitter

	status   atomic.Pointer[Status]
	view     atomic.Pointer[View]
	active   atomic.Pointer[activePass]
	loaded   atomic.Pointer[spec.Tree]   // that was read last, for Explain
	policy   atomic.Pointer[plan.Policy] // of the pass that has begun last, for Explain
	standing Standing
	refused  bool                     // the API has refused the credentials, and accepted none since
	resumes  bool                     // the last pass was interrupted, so that this one goes on with it
	seen     string                   // digest of the last tree that two looks agreed on
	failures map[string]state.Failure // as the pass found them

	contested []plan.Contest // as the last pass that had a plan left them
	// unfinished are, by address, fields of which the last pass that carried out a plan has written some, and not all.
	unfinished map[string][]spec.Field
}

// Retry says how a call without a usable answer is repeated, within one pass.
type Retry struct {
	Max              int           // times
	MinWait, MaxWait time.Duration // after the first, and at most
	No5xx            bool          // not after an answer 5xx: the user is read, and fails if it was not changed
}

// Mode says what a pass is for.
type Mode struct {
	Strict    bool // refuse a tree with problems, instead of leaving out the users that have them
	DryRun    bool // plan, and change nothing: not there, not in the state file
	NoRefresh bool // trust what is known, unless nothing is
	Reread    bool // refresh, however recent the last reading
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
	until, active := r.begin(ctx)
	res, err := r.pass(ctx, until, active, mode)
	for try := 1; res == nil && errors.Is(err, spec.ErrMoved) && try < stillTries; try++ {
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
	r.standing.Passes++
	r.refused = r.refused || errors.Is(err, ErrUnauthorized)
	r.resumes = errors.Is(err, ErrInterrupted)
	s := r.Status()
	if s.Phase, s.Err = "idle", err; r.resumes {
		s.Err = nil
	}
	switch {
	case err == nil, r.resumes && res != nil && res.Applied > 0:
		r.standing.Success, r.standing.Trouble = time.Now(), nil
	case !r.resumes && ctx.Err() == nil:
		r.standing.Ailing++
		r.standing.Trouble = err
	}
	r.set(s)
	return res, err
}

func (r *Reconciler) pass(ctx, until context.Context, active *activePass, mode Mode) (*Result, error) {
	p := &pass{Reconciler: r, mode: mode, active: active, began: time.Now(), policy: r.Policy, releases: mode.Release}
	if done, err := p.load(ctx); done != nil || err != nil {
		return done, err
	}
	for {
		snap, err := p.known(ctx, until)
		if err != nil {
			return p.early(until, err)
		}
		next, err := p.plan(until, snap)
		switch {
		case err != nil:
			return p.early(until, err)
		case p.invalid != nil && len(next.Changes) == 0 && p.planned == nil:
			return nil, p.invalid
		}
		if err := p.stillThere(ctx, next); err != nil {
			return p.early(until, err)
		}
		if !next.Urgent {
			p.publishPlan(next)
			p.tellUnheld(next, p.releases)
		}
		if err := p.authorized(ctx); err != nil || mode.DryRun {
			return p.report(next, err)
		}
		if p.meta.Pause != nil { // of the organization nothing is changed; what is in force is recorded
			return p.report(next, p.Store.Commit(state.Commit{Users: next.Bases()}))
		}
		if !next.Urgent {
			p.tellUnheld(next, without(next.UnknownReleases, p.releases))
		}
		p.releases = without(p.releases, next.Answered)
		stopped := p.carryOut(until, next, snap)
		if p.planned != nil {
			next.Continue(p.planned)
		}
		turned := errors.Is(stopped, errWindow)
		p.planned, p.urgentDone = next, p.urgentDone || next.Urgent && !turned
		if !turned && (stopped != nil || !next.Urgent) {
			return p.report(next, stopped)
		}
	}
}
