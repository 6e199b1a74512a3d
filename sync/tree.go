package sync

import (
	"context"
	"errors"
	"fmt"
	"time"

	"usersyncd/spec"
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

// lookAgain returns a second scan of a tree that has changed, and ErrMoved if it is not the same as the first. In
// a checkout in which git is at work a scan is refused anyway; this is for all the others who write files,
// with no sign of when they have finished.
func (r *Reconciler) lookAgain(ctx context.Context, scan *spec.Scan) (*spec.Scan, error) {
	if scan.Digest == r.seen {
		return scan, nil
	}
	timer := time.NewTimer(secondLook)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	again, err := r.Specs.Scan(ctx)
	if err != nil {
		return nil, err
	}
	if again.Digest != scan.Digest || again.Revision != scan.Revision {
		return nil, fmt.Errorf("two looks at it differ: %w", spec.ErrMoved)
	}
	r.seen = again.Digest
	return again, nil
}
