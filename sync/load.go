package sync

import (
	"context"
	"errors"
	"fmt"
	"time"

	"usersyncd/spec"
	"usersyncd/state"
	"usersyncd/sync/apply"
	"usersyncd/sync/plan"
	"usersyncd/sync/plan/contest"
)

// A checkout that is being changed is tried again for this long, in all.
const (
	stillTries       = 10
	stillWait        = 500 * time.Millisecond
	longestStillWait = 30 * time.Second // of whoever waits for it beside a pass
	// Two scans of a tree that has changed are so far apart.
	secondLook = 200 * time.Millisecond
)

// ErrProblems is returned for a tree that a strict pass refuses; it is a *ProblemsError.
var ErrProblems = errors.New("the specs have problems")

// ProblemsError lists all that is wrong with a tree, by itself.
type ProblemsError struct{ Problems []spec.Problem }

func (e *ProblemsError) Error() string {
	return fmt.Sprintf("the specs have problems, %d in all; the first: %s", len(e.Problems), e.Problems[0])
}

// Is makes errors.Is find ErrProblems.
func (e *ProblemsError) Is(target error) bool { return target == ErrProblems }

// mark is what the state file remembers of a tree that is fully applied.
func (p *pass) mark() string { return p.scan.Digest + " " + p.Settings }

// load reads the checkout. A result is that of a pass that has nothing to do: the tree is known to be applied.
func (p *pass) load(ctx context.Context) (done *Result, err error) {
	policy := p.policy
	p.Reconciler.policy.Store(&policy)
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
		s.Refresh, s.Applied, s.Paused = p.meta.Refresh.At.UTC(), p.meta.Applied, p.meta.Pause
		s.Totals.Damaged = max(s.Totals.Damaged, uint64(p.meta.Damaged))
	})
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
		if !plan.HasLeavers(p.tree) {
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
	return p.mode.ForceRefresh || !p.mode.NoRefresh && (age >= most || age < 0) || p.meta.Refresh.At.IsZero()
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
		if err := p.converged(p.scan.Revision, users, state.Commit{}); err != nil {
			return nil, err
		}
	}
	return p.sumUp(p.scan.Revision, &plan.Plan{ID: "p-0", Unchanged: users, Notes: p.scan.Gaps(), Contested: contest.Remaining(p.contested, p.began)}, nil), nil
}

// lookAgain returns a second scan of a tree that has changed, and ErrTreeChanged if it is not the same as the first. In
// a checkout in which git is at work a scan is refused anyway; this is for all the others who write files,
// with no sign of when they have finished.
func (p *pass) lookAgain(ctx context.Context, scan *spec.Scan) (*spec.Scan, error) {
	if scan.Digest == p.seen {
		return scan, nil
	}
	timer := time.NewTimer(secondLook)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	again, err := p.Specs.Scan(ctx)
	if err != nil {
		return nil, err
	}
	if again.Digest != scan.Digest || again.Revision != scan.Revision {
		return nil, fmt.Errorf("two looks at it differ: %w", spec.ErrTreeChanged)
	}
	p.seen = again.Digest
	return again, nil
}
