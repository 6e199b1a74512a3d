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

// A pass is one attempt of Reconcile.
type pass struct {
	*Reconciler
	mode      Mode
	failures  map[string]state.Failure // before it
	before    Totals
	refresher *refresher
	began     time.Time
	policy    plan.Policy

	scan     *spec.Scan
	tree     *spec.Tree
	meta     state.Meta
	due      bool             // a refresh is due
	problems spec.ProblemList // because of which users are excluded
	invalid  error            // why a strict pass refuses the tree; leavers are deactivated nevertheless
	open     func() error     // of refresher.openOnce
	releases []string         // those of mode.Release that no plan has handled

	checked    bool         // the plan is the one of mode.Plan
	urgentDone bool         // what is urgent was carried out
	asOf       time.Time    // what is known of the organization is not older
	carriedOut *plan.Plan   // the last plan that was; nil: none
	closing    state.Commit // what is committed with the result
}

// refresh returns what is known of the organization. It reads the organization first if that is due.
func (p *pass) refresh(ctx, interruptible context.Context) (*state.Snapshot, error) {
	p.refresher.tree = p.tree
	snap, err := p.Store.SnapshotFor(p.tree.Fields)
	if err != nil {
		return nil, err
	}
	p.failures = snap.Failures
	snap.Releases = append(snap.Releases, p.releases...)
	if err := p.refresher.awaitWrites(interruptible, snap); err != nil {
		return nil, err
	}
	p.asOf = time.Now()
	fields := plan.FieldsInUse(p.tree, snap)
	p.open = p.refresher.openOnce(ctx, snap)
	if p.carriedOut == nil && (p.due || !p.refresher.isCovered(snap.Refresh, fields)) {
		p.update(func(s *Status) { s.Phase, s.Users, s.Revision = PhaseRefresh, len(p.tree.Users), p.tree.Revision })
		if err := p.open(); err != nil {
			return nil, err
		}
		if err := p.refresher.refresh(ctx, interruptible, snap, fields); err != nil {
			return nil, err
		}
	}
	return snap, context.Cause(interruptible)
}

// plan makes the plan, with the lookups that it needs. A plan without changes needs none.
func (p *pass) plan(ctx, interruptible context.Context, snap *state.Snapshot) (*plan.Plan, error) {
	p.policy.Schedule.Partial, p.policy.Previous = p.partial, p.carriedOut
	urgent := !p.urgentDone && !p.mode.DryRun && p.meta.Pause == nil && (p.mode.Plan == "" || p.checked)
	next, err := p.refresher.planWithLookups(interruptible, snap, p.open, urgent, func(results *plan.LookupResults) *plan.Plan {
		return plan.New(p.tree, snap, p.policy, results, p.asOf)
	})
	if err != nil {
		return nil, err
	}
	placeProblems(next.Problems, p.Specs)
	if err := p.verifyRemovals(ctx, next); err != nil {
		return nil, err
	}
	if !next.Urgent && (p.invalid == nil || len(next.Changes) > 0 || p.carriedOut != nil) {
		p.publishPlan(next)
		planned := p.newResult(p.began, p.mode, next, p.problems, p.failures)
		planned.Changes = nil // they change meanwhile
		p.update(func(s *Status) { s.Result = planned })
		p.warnNotHeld(next, p.releases)
	}
	return next, nil
}

// placeProblems makes the position of a problem of one name within a field that of the name.
func placeProblems(problems []plan.Problem, specs *spec.Loader) {
	place := specs.Placer()
	for i, problem := range problems[:min(len(problems), spec.MaxProblems)] { // by file
		if problem.Name != "" {
			problems[i].Pos = place(problem.Pos, problem.Name)
		}
	}
	slices.SortFunc(problems, func(a, b plan.Problem) int { return plan.ByPlace(a.Problem, b.Problem) })
}

// endEarly ends a pass that has no plan, or no further one.
func (p *pass) endEarly(interruptible context.Context, err error) (*Result, error) {
	if cause := context.Cause(interruptible); apply.IsCancelled(err) && cause != nil {
		err = cause
	}
	if p.invalid != nil {
		p.Log.Warn("users that are declared inactive could not be deactivated", "error", err)
		err = errors.Join(p.invalid, err)
	}
	if p.carriedOut == nil {
		return nil, err
	}
	return p.report(p.carriedOut, err)
}

// verifyRemovals checks that users which are about to be removed are still not declared: the refresh may have taken minutes.
func (p *pass) verifyRemovals(ctx context.Context, next *plan.Plan) error {
	if !next.Removes() {
		return nil
	}
	again, err := p.Specs.Scan(ctx)
	if err == nil && again.Digest == p.scan.Digest {
		return nil
	}
	p.confirmed.Store(nil)
	switch {
	case p.carriedOut != nil:
		return errCheckout
	case err == nil:
		return fmt.Errorf("users were about to be removed: %w", spec.ErrTreeChanged)
	}
	return err
}

// apply carries a plan out and keeps it, together with what the pass has done before, as p.carriedOut.
func (p *pass) apply(interruptible context.Context, next *plan.Plan, snap *state.Snapshot) (stopped error) {
	if !next.Urgent {
		p.warnNotHeld(next, without(next.UnknownReleases, p.releases))
	}
	p.releases = without(p.releases, next.HandledReleases)
	stopped = p.send(interruptible, next, snap)
	if p.carriedOut != nil {
		next.AddEarlier(p.carriedOut)
	}
	p.carriedOut = next
	return stopped
}

// without returns the elements of a list that are not in another one.
func without[T comparable](all, others []T) []T {
	return slices.DeleteFunc(slices.Clone(all), func(one T) bool { return slices.Contains(others, one) })
}

// send carries a plan out until the next change window opens or closes, and records whether the tree is applied.
func (p *pass) send(interruptible context.Context, next *plan.Plan, snap *state.Snapshot) (stopped error) {
	if next.Sends() {
		if err := p.open(); err != nil {
			return err
		}
	}
	p.startSending()
	if at := p.policy.Schedule.NextChange(next); !at.IsZero() {
		var cancel context.CancelFunc
		interruptible, cancel = context.WithDeadlineCause(interruptible, at, errWindow)
		defer cancel()
	}
	p.partial, stopped = p.carryOut(interruptible, next, snap, &p.policy)
	p.closing = state.Commit{}
	switch converged := len(p.tree.Problems) == 0 && next.Converged() && p.policy.Select.All(); {
	case stopped != nil:
		return stopped
	case converged:
		p.closing, stopped = p.converged(p.tree.Revision, len(p.tree.Users), state.Commit{Users: next.DeclarationUpdates, Guards: next.EndImport()})
	case p.meta.Converged != nil && p.meta.Converged.Digest != "":
		p.closing = state.Commit{Converged: &state.Converged{}} // no tree has an empty digest
	}
	return stopped
}

// report ends the pass with its result. stopped is why it has ended early, if it has.
func (p *pass) report(last *plan.Plan, stopped error) (*Result, error) {
	if last.Urgent { // the other holds are not known
		last.Holds = nil
	}
	res, stopped := p.publishResult(last, p.problems), cmp.Or(stopped, p.invalid)
	if p.mode.DryRun && (!p.mode.Record || len(last.Todo()) > 0 || p.meta.Refresh.At.IsZero()) {
		return res, stopped
	}
	return res, cmp.Or(stopped, p.recordResult(last, res, stopped))
}

// checkAuthorized asks the API whether it accepts credentials that it has refused: otherwise a pass that sends nothing would
// succeed.
func (p *pass) checkAuthorized(ctx context.Context) error {
	if !p.unauthorized {
		return nil
	}
	if err := p.Directory.Authorize(ctx); err != nil {
		return err
	}
	p.unauthorized = false
	if errors.Is(p.Status().LastError, apply.ErrUnauthorized) {
		p.update(func(s *Status) { s.LastError = nil })
	}
	return nil
}

func (p *pass) warnNotHeld(next *plan.Plan, ids []string) {
	held := make([]string, len(next.Holds))
	for i, h := range next.Holds {
		held[i] = h.ID
	}
	for _, id := range slices.Compact(slices.Sorted(slices.Values(ids))) {
		if !slices.Contains(next.HandledReleases, id) {
			p.Log.Warn("nothing is held under the id to be released: what is held, or a setting, has changed since; release that under its own id", "id", id, "held now", held)
		}
	}
}

// converged returns a commit that also records that a tree is fully applied. Most of its users are recorded at once.
func (p *pass) converged(revision string, users int, commit state.Commit) (state.Commit, error) {
	p.update(func(s *Status) { s.Applied = &state.AppliedTree{Revision: revision, At: time.Now().UTC()} })
	var err error
	if commit.Users, err = p.Store.CommitMost(commit.Users); err != nil {
		return state.Commit{}, err
	}
	commit.Converged = &state.Converged{Digest: p.digest(), Users: users, Revision: revision}
	return commit, nil
}
