package api

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"time"

	"github.com/cenkalti/backoff/v5"

	"usersyncd/sync/apply"
)

// withRetries makes a read until another attempt would not change the outcome. No ticket is held in a pause.
func (c *Client) withRetries(ctx context.Context, r *Request, attempt func() error) error {
	_, err := backoff.Retry(ctx, func() (struct{}, error) {
		err := attempt()
		if err != nil && !c.temporary(err) {
			return struct{}{}, backoff.Permanent(err)
		}
		return struct{}{}, err
	},
		backoff.WithBackOff(&pauses{left: c.options.Retry.Max, next: c.options.Retry.MinWait, retry: *c.options.Retry, jitter: c.jitter}),
		backoff.WithMaxElapsedTime(0),
		backoff.WithNotify(func(error, time.Duration) { c.count.retried.Add(1) }),
	)
	if err != nil && ctx.Err() != nil {
		return fmt.Errorf("%v: %w", r, ctx.Err())
	}
	return err
}

// temporary reports whether another attempt may succeed.
func (c *Client) temporary(err error) bool {
	answered, certificate := (*apply.CallError)(nil), (*tls.CertificateVerificationError)(nil)
	if c.options.Retry.No5xx && errors.As(err, &answered) && answered.Status >= 500 {
		return false
	}
	return errors.Is(err, apply.ErrUncertain) && !errors.As(err, &certificate)
}

// pauses doubles from MinWait to MaxWait, Max times, with equal jitter. (The library's own
// exponential pauses draw from the global source, which a test cannot seed.)
type pauses struct {
	left   int
	next   time.Duration
	retry  Retry
	jitter *jitter
}

// NextBackOff implements backoff.BackOff.
func (p *pauses) NextBackOff() time.Duration {
	if p.left == 0 {
		return backoff.Stop
	}
	d := p.next
	p.left, p.next = p.left-1, min(2*p.next, p.retry.MaxWait)
	return p.jitter.equal(d)
}

// Reset implements backoff.BackOff.
func (p *pauses) Reset() { p.left, p.next = p.retry.Max, p.retry.MinWait }
