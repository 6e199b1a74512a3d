package api

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync/atomic"
	"time"

	"usersyncd/sync/apply"
)

const (
	// silenceLimit is how long a read waits for a service that does not answer, with all attempts and the pauses between them.
	silenceLimit = 45 * time.Second
	shortestTry  = 5 * time.Second // of these
	// sayAfter is how long nobody may answer until the log says so.
	sayAfter = 10 * time.Second
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

// A silence tells the log, once, that nobody answers, and that somebody does again.
type silence struct {
	log  *slog.Logger
	last atomic.Int64 // when an answer came, in Unix nanoseconds
	said atomic.Bool
}

// watch is called with a request that is sent; answered, with its result.
func (s *silence) watch(ctx context.Context, request string) (answered func(error)) {
	timer := time.AfterFunc(sayAfter, func() {
		if time.Since(time.Unix(0, s.last.Load())) >= sayAfter && s.said.CompareAndSwap(false, true) {
			s.log.WarnContext(ctx, "no answer yet", "request", request, "seconds", sayAfter.Seconds())
		}
	})
	return func(err error) {
		if timer.Stop(); err != nil {
			return
		}
		if s.last.Store(time.Now().UnixNano()); s.said.CompareAndSwap(true, false) {
			s.log.InfoContext(ctx, "requests are answered again")
		}
	}
}

// isTimeout reports whether an error says that nobody answered.
func isTimeout(err error) bool {
	timeout, ok := errors.AsType[net.Error](err)
	return ok && timeout.Timeout()
}
