package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"usersyncd/cmd/usersyncd/internal/config"
	"usersyncd/spec/text"
	usersync "usersyncd/sync"
)

// timeoutError is the cause of a pass that ended because of --timeout. It is a cancellation, and no deadline: what is sent then
// counts as with SIGTERM, and not as a call without a response in time.
type timeoutError struct{ after time.Duration }

func (t *timeoutError) Error() string { return fmt.Sprintf("timed out after %s (--timeout)", t.after) }

// Is makes it a cancellation.
func (t *timeoutError) Is(target error) bool { return target == context.Canceled }

// withTimeout ends a context after --timeout. stop releases it.
func withTimeout(ctx context.Context, c *config.Config) (limited context.Context, stop func()) {
	limited, cancel := context.WithCancelCause(ctx)
	if c.Timeout == 0 {
		return limited, func() { cancel(nil) }
	}
	timer := time.AfterFunc(c.Timeout, func() { cancel(&timeoutError{c.Timeout}) })
	return limited, func() { timer.Stop(); cancel(nil) }
}

// timeoutOf returns the timeout that has ended ctx, and with it what returned err; nil if none has.
func timeoutOf(ctx context.Context, err error) *timeoutError {
	late, _ := errors.AsType[*timeoutError](err)
	if late == nil && errors.Is(err, context.Canceled) {
		late, _ = errors.AsType[*timeoutError](context.Cause(ctx))
	}
	return late
}

// left says what a pass that timed out has not reached; res is nil if it had no plan yet.
func (t *timeoutError) left(res *usersync.Result) error {
	what := "there is no plan yet, and nothing was changed"
	if res != nil {
		what = fmt.Sprintf("%d of %s not reached", res.Pending, text.Plural(res.Changed, "user"))
	}
	return &exitError{code: exitFailed, err: fmt.Errorf("%w: %s; run it again to go on", t, what)}
}
