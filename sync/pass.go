package sync

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"usersyncd/spec"
	"usersyncd/state"
	"usersyncd/sync/apply"
	"usersyncd/sync/plan"
	"usersyncd/sync/plan/contest"
)

// A pass is one way from the checkout to the organization; see Reconcile.
type pass struct {
	*Reconciler
	mode   Mode
	active *activePass
	began  time.Time
	policy plan.Policy

	scan     *spec.Scan
	tree     *spec.Tree
	meta     state.Meta
	due      bool           // the organization is to be read
	problems []spec.Problem // that leave users out
	invalid  error          // why a strict pass refuses the tree, apart from those in it who are to be inactive
	bind     func() error   // see binder
	releases []string       // of mode.Release, those that no plan has answered

	urgentDone bool       // what is urgent was carried out, and the rest waits for what is to be read
	asOf       time.Time  // what is known of the organization is at least as young
	planned    *plan.Plan // the last that was carried out
}

// mark is what the state file remembers of a tree that is fully applied.
func (p *pass) mark() string { return p.scan.Digest + " " + p.Settings }

// load reads the checkout. A result is that of a pass that has nothing to do: the tree is known to be applied.
func (p *pass) load(ctx context.Context) (done *Result, err error) {
	policy := p.policy
	p.Reconciler.policy.Store(&policy)
	before := p.Status()
	p.set(Status{Phase: "scan", Began: p.began, Users: before.Users, InSync: before.InSync, Revision: before.Revision})
	if p.scan, err = p.Specs.Scan(ctx); err != nil {
		return nil, err
	}
	if p.meta, err = p.Store.Meta(); err != nil {
		return nil, err
	}
	p.standing.Refresh, p.standing.LastApplied, p.standing.Paused = p.meta.Refresh.At, p.meta.Applied, p.meta.Pause
	p.standing.Damaged = max(p.standing.Damaged, uint64(p.meta.Damaged))
	p.due = p.refreshIsDue()
	if p.isApplied() {
		return p.nothing(ctx)
	}
	if p.scan, err = p.lookAgain(ctx, p.scan); err != nil {
		return nil, err
	}
	p.active.scan.Store(p.scan)
	if p.tree, err = p.Specs.Load(ctx, p.scan); err != nil {
		return nil, err
	}
	p.loaded.Store(p.tree)
	p.problems = p.tree.Problems
	if p.mode.Strict && len(p.tree.Problems) > 0 {
		p.problems, p.invalid = nil, &ProblemsError{p.tree.Problems}
		if !plan.Leavers(p.tree) {
			return nil, p.invalid
		}
		p.policy.LeaversOnly = true // and then it is refused
	}
	if len(p.policy.Select.Only) > 0 {
		declared := make(map[string]bool, len(p.tree.Users))
		for _, u := range p.tree.Users {
			declared[u.Key] = true
		}
		return nil, p.policy.Select.Check(declared)
	}
	return nil, nil
}

// refreshIsDue reports whether the pass reads the organization. One that goes on with a pass that was interrupted
// does what that had to do first.
func (p *pass) refreshIsDue() bool {
	age, most := p.began.Sub(p.meta.Refresh.At), p.Refresh // negative if the clock was set back
	if p.resumes {
		most *= 2
	}
	return p.mode.Reread || !p.mode.NoRefresh && (age >= most || age < 0) || p.meta.Refresh.At.IsZero()
}

// isApplied reports whether the tree is known to be fully applied, and nothing else is to be done.
func (p *pass) isApplied() bool {
	c := p.meta.Converged
	return !p.due && len(p.mode.Release) == 0 && c != nil && c.Digest == p.mark() && p.meta.Writes == 0
}

// nothing is the pass over a tree that is applied.
func (p *pass) nothing(ctx context.Context) (*Result, error) {
	if err := p.authorized(ctx); err != nil {
		return nil, err
	}
	users := p.meta.Converged.Users
	if a := p.meta.Applied; a == nil || a.Revision != p.scan.Revision { // a commit that changes no spec
		if err := p.converged(p.mark(), p.scan.Revision, users, state.Commit{}, p.mode.DryRun); err != nil {
			return nil, err
		}
	}
	return p.sumUp(p.began, p.mode, p.scan.Revision, &plan.Plan{ID: "p-0", Unchanged: users, Notes: p.scan.Gaps(), Contested: contest.Remaining(p.contested, p.began)}, nil), nil
}

// known returns what is known of the organization, and reads that first if it is due.
func (p *pass) known(ctx, until context.Context) (*state.Snapshot, error) {
	snap, err := p.Store.Snapshot()
	if err != nil {
		return nil, err
	}
	p.failures = snap.Failures
	snap.Requests = append(snap.Requests, p.releases...)
	if err := p.awaitWrites(until, snap, p.mode); err != nil {
		return nil, err
	}
	p.asOf = time.Now() // a plan is no younger than what it is made of
	fields := p.inUse(p.tree, snap)
	p.bind = p.binder(ctx, snap)
	if p.planned == nil && (p.due || !p.covers(snap.Refresh, fields)) {
		s := p.Status()
		p.set(Status{Phase: "refresh", Began: p.began, Users: len(p.tree.Users), InSync: s.InSync, Revision: p.tree.Revision})
		if err := p.bind(); err != nil {
			return nil, err
		}
		if err := p.refresh(ctx, until, snap, fields, p.mode.DryRun); err != nil {
			return nil, err
		}
	}
	return snap, context.Cause(until)
}

// plan makes the plan. What it turns out to depend on is asked for, and the plan made again: names that are
// not known to exist, fields that no listing shows, who the administrators are. A plan without changes asks
// nothing.
func (p *pass) plan(ctx context.Context, snap *state.Snapshot) (*plan.Plan, error) {
	p.policy.Schedule.Begun, p.policy.Earlier = p.partial, p.planned
	urgent := !p.urgentDone && !p.mode.DryRun && p.meta.Pause == nil
	next, err := p.answered(ctx, snap, p.bind, urgent, p.mode.DryRun, func(answers *plan.LookupResults) *plan.Plan {
		return plan.New(p.tree, snap, p.policy, answers, p.asOf)
	})
	if err != nil {
		return nil, err
	}
	for i, problem := range next.Problems {
		if problem.Name != "" {
			next.Problems[i].Pos = p.Specs.Place(problem.Pos, problem.Name)
		}
	}
	slices.SortFunc(next.Problems, func(a, b plan.Problem) int { return plan.ByPlace(a.Problem, b.Problem) })
	return next, nil
}

// early is the end of a pass that has no plan, or none after the one that it has carried out. What is wrong with the specs
// is told all the same.
func (p *pass) early(until context.Context, err error) (*Result, error) {
	if cause := context.Cause(until); apply.Ended(err) && cause != nil {
		err = cause
	}
	if p.invalid != nil {
		p.Log.Warn("users who are to be inactive cannot be looked at", "error", err)
		err = errors.Join(p.invalid, err)
	}
	if p.planned == nil {
		return nil, err
	}
	return p.report(p.planned, err)
}

// stillThere checks that who is about to count as removed is not declared by now: the refresh may have taken minutes.
func (p *pass) stillThere(ctx context.Context, next *plan.Plan) error {
	if !next.Removes() {
		return nil
	}
	again, err := p.Specs.Scan(ctx)
	if err == nil && again.Digest == p.scan.Digest {
		return nil
	}
	p.seen = ""
	switch {
	case p.planned != nil:
		return errCheckout
	case err == nil:
		return fmt.Errorf("users were about to count as removed: %w", spec.ErrMoved)
	}
	return err
}

// apply carries a plan out, and records that the tree is applied if it is.
func (p *pass) apply(until context.Context, next *plan.Plan, snap *state.Snapshot) (stopped error) {
	if next.Sends() {
		if err := p.bind(); err != nil {
			return err
		}
	}
	p.sending()
	if turns := p.policy.Schedule.NextTurn(next); !turns.IsZero() {
		var cancel context.CancelFunc
		until, cancel = context.WithDeadlineCause(until, turns, errWindow)
		defer cancel()
	}
	p.partial, stopped = p.carryOut(until, next, snap, &p.policy, Status{Revision: next.Revision, Users: next.Declared()})
	switch converged := len(p.tree.Problems) == 0 && next.Converged() && p.policy.Select.All(); {
	case stopped != nil:
		return stopped
	case converged:
		return p.converged(p.mark(), p.tree.Revision, len(p.tree.Users), state.Commit{Users: next.Redeclared, Guards: next.EndImport()}, false)
	case p.meta.Converged != nil && p.meta.Converged.Digest != "":
		return p.Store.Commit(state.Commit{Converged: &state.Converged{}}) // no tree has an empty digest
	}
	return nil
}

// report sums the pass up, with why it has ended early, if it has.
func (p *pass) report(last *plan.Plan, stopped error) (*Result, error) {
	if last.Urgent { // what it would do else is not known yet
		last.Holds = nil
	}
	return p.sumUp(p.began, p.mode, p.tree.Revision, last, p.problems), cmp.Or(stopped, p.invalid)
}

// authorized asks the API whether it accepts the credentials that it has refused: a pass that sends nothing would
// end well, and show nothing of that. One that does is known to be over its trouble before it ends.
func (r *Reconciler) authorized(ctx context.Context) error {
	if !r.refused {
		return nil
	}
	if err := r.Directory.Authorize(ctx); err != nil {
		return err
	}
	r.refused = false
	if errors.Is(r.standing.Trouble, apply.ErrUnauthorized) {
		r.standing.Trouble = nil
	}
	return nil
}

// tellUnheld warns of ids that are to be released and under which nothing is held.
func (r *Reconciler) tellUnheld(p *plan.Plan, ids []string) {
	now := make([]string, len(p.Holds))
	for i, h := range p.Holds {
		now[i] = h.ID
	}
	for _, id := range slices.Compact(slices.Sorted(slices.Values(ids))) {
		if !slices.Contains(p.Answered, id) {
			r.Log.Warn("nothing is held under the id that is to be released; what is held may have changed since", "id", id, "held now", now)
		}
	}
}

// binder returns what is to be called before the first call that matters, and not for a pass that makes none.
func (r *Reconciler) binder(ctx context.Context, snap *state.Snapshot) func() error {
	bound := false
	return func() error {
		if bound {
			return nil
		}
		org, err := r.Directory.Open(ctx, snap.Users)
		if err != nil {
			return err
		}
		bound = true
		return r.Store.Bind(state.Org{API: r.API, ID: org})
	}
}

// converged records that a tree is fully applied, and what else is to be recorded with that.
func (r *Reconciler) converged(mark, revision string, users int, with state.Commit, dryRun bool) error {
	if dryRun {
		return nil
	}
	r.standing.LastApplied = &state.Applied{Revision: revision, At: time.Now().UTC()}
	with.Converged = &state.Converged{Digest: mark, Users: users, Revision: revision}
	return r.Store.Commit(with)
}
