package sync

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"usersyncd/spec"
	"usersyncd/spec/text"
	"usersyncd/state"
	"usersyncd/sync/apply"
	"usersyncd/sync/plan"
	"usersyncd/sync/plan/contest"
	"usersyncd/sync/plan/digest"
	"usersyncd/sync/plan/reference"
)

const (
	maxScanTries     = 10 // of a pass, for a checkout that is being changed
	scanRetryWait    = 500 * time.Millisecond
	maxScanRetryWait = 30 * time.Second       // of Recheck
	confirmDelay     = 200 * time.Millisecond // between two scans of a changed tree
)

// ErrProblems is returned for a tree that a strict pass refuses; it is a *ProblemsError.
var ErrProblems = errors.New("the specs have problems")

// ProblemsError lists the problems of a tree.
type ProblemsError struct{ spec.ProblemList }

func (e *ProblemsError) Error() string {
	return fmt.Sprintf("the specs have problems, %d in all; the first: %s", e.ProblemCount(), e.Problems[0])
}

// Is makes errors.Is find ErrProblems.
func (e *ProblemsError) Is(target error) bool { return target == ErrProblems }

// digest is what the state file records of a tree that is fully applied.
func (p *pass) digest() string { return p.scan.Digest + " " + p.Settings }

// load reads the checkout. A result is that of a pass that has nothing to do, as the tree is known to be applied.
func (p *pass) load(ctx context.Context) (done *Result, err error) {
	policy := p.policy
	p.lastPolicy.Store(&policy)
	p.update(func(s *Status) {
		s.Phase, s.Began, s.Plan, s.Progress, s.Reading, s.Read = PhaseScan, p.began.UTC(), "", apply.Progress{}, 0, 0
	})
	if p.scan, err = p.Specs.Scan(ctx); err != nil {
		return nil, err
	}
	if p.meta, err = p.Store.Meta(); err != nil {
		return nil, err
	}
	p.update(func(s *Status) {
		s.Refresh, s.Applied, s.Paused = p.meta.Refresh.At.UTC(), p.meta.AppliedTree, p.meta.Pause
		s.Totals.Damaged = max(s.Totals.Damaged, uint64(p.meta.Damaged))
	})
	p.due = p.refreshIsDue()
	if p.isApplied() {
		return p.finishUnchanged(ctx)
	}
	if err = p.confirmScan(ctx); err != nil {
		return nil, err
	}
	if p.tree, err = p.Specs.Load(ctx, p.scan); err != nil {
		return nil, err
	}
	p.loaded.Store(p.tree)
	if !p.mode.DryRun {
		p.WriteSpecCache()
	}
	p.problems = p.tree.ProblemList
	if p.mode.Strict && len(p.tree.Problems) > 0 {
		p.problems, p.invalid = spec.ProblemList{}, &ProblemsError{p.tree.ProblemList}
		if !plan.HasLeavers(p.tree) {
			return nil, p.invalid
		}
		p.policy.LeaversOnly = true // then the tree is refused
	}
	return nil, p.checkOnly()
}

// checkOnly returns an error if users are selected by an address that no spec declares.
func (p *pass) checkOnly() error {
	if len(p.policy.Select.Only) == 0 {
		return nil
	}
	declared := make(map[string]bool, len(p.tree.Users))
	for _, u := range slices.Concat(p.tree.Users, p.tree.Leavers) {
		declared[u.Key] = true
	}
	key := p.policy.Select.Unknown(declared)
	if key == "" {
		return nil
	}
	hint, err := p.whoElse(key, declared)
	if err != nil {
		return err
	}
	return fmt.Errorf("--only: %w %s%s", plan.ErrUndeclaredAddress, spec.Text(key).Display(), hint)
}

// whoElse says of an address that no spec declares whose it is or, if it is certainly nobody's, which similar one is declared:
// a known user is never taken for another one.
func (p *pass) whoElse(key string, declared map[string]bool) (string, error) {
	if i := slices.IndexFunc(p.tree.Users, func(u *spec.User) bool { return slices.Contains(u.PreviousEmails, key) }); i >= 0 {
		return fmt.Sprintf("; it is the previousEmail of %s (%s)", text.Escape(p.tree.Users[i].Key), p.tree.Users[i].Pos), nil
	}
	has, err := p.Store.Lookup(key)
	if err != nil {
		return "", err
	}
	had, err := p.Store.Former(key)
	switch {
	case err != nil:
		return "", err
	case len(has) > 0:
		return "; a known user has it: usersyncd explain says more", nil
	case len(had) > 0:
		return "; it was an address of " + text.Escape(had[0].Declared.Key), nil
	case p.meta.Refresh.At.IsZero(): // an account that was not read yet may have it
		return "", nil
	}
	return reference.DidYouMean(key, slices.Collect(maps.Keys(declared))), nil
}

// refreshIsDue reports whether the pass reads the organization. A pass after an interrupted one first continues its work.
func (p *pass) refreshIsDue() bool {
	age, limit := p.began.Sub(p.meta.Refresh.At), p.Refresh // age is negative if the clock was set back
	if p.resuming {
		limit *= 2
	}
	return p.mode.ForceRefresh || !p.mode.NoRefresh && (age >= limit || age < 0) || p.meta.Refresh.At.IsZero()
}

// isApplied reports whether the tree is known to be fully applied, and nothing else is to be done.
func (p *pass) isApplied() bool {
	c := p.meta.Converged
	return !p.due && len(p.mode.Release) == 0 && p.mode.Plan == "" && c != nil && c.Digest == p.digest() && p.meta.WriteIntents == 0
}

func (p *pass) finishUnchanged(ctx context.Context) (res *Result, err error) {
	if err := p.checkAuthorized(ctx); err != nil {
		return nil, err
	}
	users := p.meta.Converged.Users
	nothing := digest.Sum(nil)
	unchanged := &plan.Plan{ID: digest.Short(nothing), Digest: nothing, Revision: p.scan.Revision, Unchanged: users, Notes: p.scan.Notes(), Contested: contest.Remaining(p.contested, p.began)}
	if p.mode.DryRun {
		return p.publishResult(unchanged, spec.ProblemList{}), nil
	}
	if a := p.meta.AppliedTree; a == nil || a.Revision != p.scan.Revision { // a commit that changes no spec
		if p.closing, err = p.converged(p.scan.Revision, users, state.Commit{}); err != nil {
			return nil, err
		}
	}
	return p.report(unchanged, nil)
}

// confirmScan scans a changed tree again, and returns ErrTreeChanged if it is different: somebody may be writing files. (A scan
// fails anyway while git is changing the checkout.)
func (p *pass) confirmScan(ctx context.Context) error {
	if last := p.confirmed.Load(); last == nil || last.Digest != p.scan.Digest {
		if err := sleep(ctx, confirmDelay); err != nil {
			return err
		}
		again, err := p.Specs.Scan(ctx)
		if err != nil {
			return err
		}
		if again.Digest != p.scan.Digest || again.Revision != p.scan.Revision {
			return fmt.Errorf("two scans of it differ: %w", spec.ErrTreeChanged)
		}
		p.scan = again
	}
	p.confirmed.Store(p.scan)
	return nil
}

// WriteSpecCache writes the file SpecCache, if that is worth it.
func (r *Reconciler) WriteSpecCache() {
	if r.SpecCache == "" {
		return
	}
	if err := r.Specs.WriteCache(r.SpecCache); err != nil {
		r.Log.Warn("the cache of parsed specs cannot be written; the next start parses all of them", "error", err)
	}
}
