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
)

// A pass is one way from the checkout to the organization; see Reconcile.
type pass struct {
	*Reconciler
	mode     Mode
	failures map[string]state.Failure // as it found them
	active   *activePass
	before   Totals
	org      *observer
	began    time.Time
	policy   plan.Policy

	scan     *spec.Scan
	tree     *spec.Tree
	meta     state.Meta
	due      bool           // the organization is to be read
	problems []spec.Problem // that leave users out
	invalid  error          // why a strict pass refuses the tree, apart from those in it who are to be inactive
	bind     func() error   // opens the directory, once, before the first call that matters
	releases []string       // of mode.Release, those that no plan has answered

	urgentDone bool       // what is urgent was carried out, and the rest waits for what is to be read
	asOf       time.Time  // what is known of the organization is at least as young
	planned    *plan.Plan // the last that was carried out
}

// refresh returns what is known of the organization, and reads that first if it is due.
func (p *pass) refresh(ctx, until context.Context) (*state.Snapshot, error) {
	snap, err := p.Store.Snapshot()
	if err != nil {
		return nil, err
	}
	p.failures = snap.Failures
	snap.Releases = append(snap.Releases, p.releases...)
	if err := p.org.awaitWrites(until, snap); err != nil {
		return nil, err
	}
	p.asOf = time.Now() // a plan is no younger than what it is made of
	fields := p.org.inUse(p.tree, snap)
	p.bind = p.org.binder(ctx, snap)
	if p.planned == nil && (p.due || !p.org.covers(snap.Refresh, fields)) {
		p.update(func(s *Status) { s.Phase, s.Users, s.Revision = PhaseRefresh, len(p.tree.Users), p.tree.Revision })
		if err := p.bind(); err != nil {
			return nil, err
		}
		if err := p.org.refresh(ctx, until, snap, fields); err != nil {
			return nil, err
		}
	}
	return snap, context.Cause(until)
}

// plan makes the plan. What it turns out to depend on is asked for, and the plan made again: names that are
// not known to exist, fields that no listing shows, who the administrators are. A plan without changes asks
// nothing.
func (p *pass) plan(ctx, until context.Context, snap *state.Snapshot) (*plan.Plan, error) {
	p.policy.Schedule.Partial, p.policy.Previous = p.partial, p.planned
	urgent := !p.urgentDone && !p.mode.DryRun && p.meta.Pause == nil
	next, err := p.org.answered(until, snap, p.bind, urgent, func(answers *plan.LookupResults) *plan.Plan {
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
	if err := p.stillThere(ctx, next); err != nil {
		return nil, err
	}
	if !next.Urgent && (p.invalid == nil || len(next.Changes) > 0 || p.planned != nil) {
		p.publishPlan(next)
		planned := p.sum(p.began, p.mode, p.tree.Revision, next, p.problems, p.failures)
		planned.Changes = nil // they change meanwhile
		p.update(func(s *Status) { s.Result = planned })
		p.tellUnheld(next, p.releases)
	}
	return next, nil
}

// early is the end of a pass that has no plan, or none after the one that it has carried out. What is wrong with the specs
// is told all the same.
func (p *pass) early(until context.Context, err error) (*Result, error) {
	if cause := context.Cause(until); apply.IsCancelled(err) && cause != nil {
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
		return fmt.Errorf("users were about to count as removed: %w", spec.ErrTreeChanged)
	}
	return err
}

// apply carries a plan out, and adds to it what the pass has done before.
func (p *pass) apply(until context.Context, next *plan.Plan, snap *state.Snapshot) (stopped error) {
	if !next.Urgent {
		p.tellUnheld(next, remaining(next.UnknownReleases, p.releases))
	}
	p.releases = remaining(p.releases, next.HandledReleases)
	stopped = p.send(until, next, snap)
	if p.planned != nil {
		next.AddEarlier(p.planned)
	}
	p.planned = next
	return stopped
}

// send makes a plan's calls, and records that the tree is applied if it is.
func (p *pass) send(until context.Context, next *plan.Plan, snap *state.Snapshot) (stopped error) {
	if next.Sends() {
		if err := p.bind(); err != nil {
			return err
		}
	}
	p.sending()
	if turns := p.policy.Schedule.NextChange(next); !turns.IsZero() {
		var cancel context.CancelFunc
		until, cancel = context.WithDeadlineCause(until, turns, errWindow)
		defer cancel()
	}
	p.partial, stopped = p.carryOut(until, next, snap, &p.policy)
	switch converged := len(p.tree.Problems) == 0 && next.Converged() && p.policy.Select.All(); {
	case stopped != nil:
		return stopped
	case converged:
		return p.converged(p.tree.Revision, len(p.tree.Users), state.Commit{Users: next.DeclarationUpdates, Guards: next.EndImport()})
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
	return p.sumUp(p.tree.Revision, last, p.problems), cmp.Or(stopped, p.invalid)
}

// authorized asks the API whether it accepts the credentials that it has refused: a pass that sends nothing would
// end well, and show nothing of that. One that does is known to be over its trouble before it ends.
func (p *pass) authorized(ctx context.Context) error {
	if !p.refused {
		return nil
	}
	if err := p.Directory.Authorize(ctx); err != nil {
		return err
	}
	p.refused = false
	if errors.Is(p.Status().LastError, apply.ErrUnauthorized) {
		p.update(func(s *Status) { s.LastError = nil })
	}
	return nil
}

// tellUnheld warns of ids that are to be released and under which nothing is held.
func (p *pass) tellUnheld(next *plan.Plan, ids []string) {
	now := make([]string, len(next.Holds))
	for i, h := range next.Holds {
		now[i] = h.ID
	}
	for _, id := range slices.Compact(slices.Sorted(slices.Values(ids))) {
		if !slices.Contains(next.HandledReleases, id) {
			p.Log.Warn("nothing is held under the id that is to be released; what is held may have changed since", "id", id, "held now", now)
		}
	}
}

// converged records that a tree is fully applied, and what else is to be recorded with that.
func (p *pass) converged(revision string, users int, with state.Commit) error {
	if p.mode.DryRun {
		return nil
	}
	p.update(func(s *Status) { s.Applied = &state.Applied{Revision: revision, At: time.Now().UTC()} })
	with.Converged = &state.Converged{Digest: p.mark(), Users: users, Revision: revision}
	return p.Store.Commit(with)
}
