package api

import (
	"context"
	"errors"
	"fmt"
	"time"

	"usersyncd/sync/apply"
)

// withRetries makes a read until another attempt would not change the outcome. The pauses double from MinWait to MaxWait;
// no ticket is held in them.
func (c *Client) withRetries(ctx context.Context, r *Request, attempt func(timeout time.Duration) (took time.Duration, err error)) error {
	wait, silent := c.options.Retry.MinWait, time.Duration(0)
	for left := c.options.Retry.Max; ; {
		took, err := attempt(min(c.options.Timeout, silenceLimit-silent))
		if silent += took; !isTimeout(err) {
			silent = 0
		}
		pause := time.Duration(0)
		switch {
		case err != nil && ctx.Err() != nil:
			return fmt.Errorf("%v: %w", r, ctx.Err())
		case errors.Is(err, apply.ErrRequestThrottled): // it was not sent
			if pause = apply.RetryAfter(err); !apply.Waits(ctx, pause) {
				return err
			}
		case err == nil || left == 0 || !c.temporary(err):
			return err
		default:
			left--
			c.count.retried.Add(1)
			pause = c.jitter(wait)
			wait = min(2*wait, c.options.Retry.MaxWait)
			if silent > 0 {
				silent += pause
			}
			if silent > silenceLimit-shortestTry {
				return err
			}
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return fmt.Errorf("%v: %w", r, ctx.Err())
		}
	}
}

// temporary reports whether another attempt may succeed.
func (c *Client) temporary(err error) bool {
	answered := (*apply.CallError)(nil)
	if c.options.Retry.No5xx && errors.As(err, &answered) && answered.Status >= 500 {
		return false
	}
	return errors.Is(err, apply.ErrUncertain) && !errors.Is(err, errTooLarge)
}
