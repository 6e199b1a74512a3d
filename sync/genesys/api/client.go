package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"usersyncd/sync/apply"
)

// grace is how long a write in flight may go on when the program is told to stop: its outcome is worth more
// than the seconds. A read is given up at once.
const grace = 20 * time.Second

// Client sends requests at the rate of a Limiter, with a valid access token. Make one with New. Its methods are safe for
// concurrent use.
type Client struct {
	options Options // with the defaults filled in
	base    string
	http    *http.Client
	own     *http.Transport // nil if Options.Transport was given
	login   *login
	slots   []*tokenSlot
	jitter  func(time.Duration) time.Duration // a random time between half of it and all of it
	count   counters
	silence silence

	acceptance acceptance
	pageSizes  sync.Map // by *Operation: the size of a page that is not too large, where the usual one was
}

type counters struct {
	reads, writes, throttled, retried, tokens atomic.Int64
}

// Stats counts what a Client has sent since it was made.
type Stats struct {
	Reads, Writes int64 // requests that went over the wire, each as often as it was sent
	Throttled     int64 // answers 429
	Retried       int64 // further attempts of reads
	Tokens        int64 // access tokens fetched
}

// Stats returns the counts so far.
func (c *Client) Stats() Stats {
	n := &c.count
	return Stats{
		Reads: n.reads.Load(), Writes: n.writes.Load(), Throttled: n.throttled.Load(),
		Retried: n.retried.Load(), Tokens: n.tokens.Load(),
	}
}

// Options returns the options, with the defaults filled in.
func (c *Client) Options() Options { return c.options }

// API returns the base URL in its normal form: what a state file is bound to.
func (c *Client) API() string { return c.base }

// Close closes idle connections.
func (c *Client) Close() {
	if c.own != nil {
		c.own.CloseIdleConnections()
	}
}

// An answer is what came back.
type answer struct {
	status int // 0: none
	header http.Header
	body   []byte // if it is not 2xx: its beginning
}

// Call sends r and returns its answer decoded, after its Check if it has one. The error is a *apply.CallError, or ctx's.
func Call[T any](ctx context.Context, c *Client, r *Request) (T, error) {
	var out T
	_, err := c.Send(ctx, r, func(body *Body) error {
		var fresh T // of every attempt its own: json would mix an answer into the one before
		if err := body.Decode(&fresh); err != nil {
			return err
		}
		out = fresh
		if checked, ok := any(out).(interface{ Check() error }); ok {
			return checked.Check()
		}
		return nil
	})
	return out, err
}

// Send sends r and hands the body of its answer to decode, which must not send anything; nil if the status alone counts. A read
// is retried as the options say, also if decode fails; a write is not. The correlation id is that of the last answer, "" if
// there was none.
func (c *Client) Send(ctx context.Context, r *Request, decode func(*Body) error) (correlationID string, err error) {
	var body []byte
	if r.Body != nil {
		if body, err = json.Marshal(r.Body); err != nil {
			return "", &apply.CallError{Kind: apply.ErrRefused, Op: r.String(), Err: err}
		}
	}
	send := func(timeout time.Duration) (took time.Duration, err error) {
		correlationID, took, err = c.sendLimited(ctx, r, body, timeout, decode)
		return took, err
	}
	if r.Writes() {
		_, err = send(c.options.Timeout)
	} else {
		err = c.withRetries(ctx, r, send)
	}
	return correlationID, err
}

// sendLimited sends r once as far as its effect goes: a 429 and the first 401 of a token were not carried out. It took so long
// from the last sending.
func (c *Client) sendLimited(ctx context.Context, r *Request, body []byte, timeout time.Duration, decode func(*Body) error) (correlation string, took time.Duration, err error) {
	var refused []int // tokens that were renewed for this request
	var throttled answer
	id := r.Method + r.url("")
	if len(r.Args) == 0 { // the body says what it is about
		id += string(body)
	}
	for {
		ticket, n, err := c.options.Limiter.Acquire(ctx, r.Operation.String(), id)
		switch {
		case err != nil && ctx.Err() != nil:
			return correlation, took, fmt.Errorf("%v: %w", r, ctx.Err())
		case err != nil:
			return correlation, took, throttledError(r, throttled, err)
		case n < 0 || n >= len(c.slots):
			c.options.Limiter.Cancel(ticket, 0)
			return correlation, took, &apply.CallError{Kind: apply.ErrRefused, Op: r.String(), Err: fmt.Errorf("the limiter names token %d of %d", n, len(c.slots))}
		}
		slot := c.slots[n]
		token, pause, err := slot.Token(ctx)
		if err != nil {
			if !c.tryAnother(n, pause, err) {
				c.options.Limiter.Cancel(ticket, 0)
				return correlation, took, err
			}
			c.options.Limiter.Cancel(ticket, pause)
			continue
		}
		began := time.Now()
		a, err := c.send(ctx, r, body, token, timeout, decode)
		took = time.Since(began)
		c.options.Limiter.Release(ticket, a.status, a.header)
		correlation = correlationID(a.header, "")
		switch a.status {
		case http.StatusTooManyRequests:
			c.count.throttled.Add(1)
			throttled = a
			if !c.options.Retry.No429 {
				continue
			}
		case http.StatusUnauthorized:
			if decodeError(a.body).Code == codeAddress { // no token helps
				return correlation, took, c.result(ctx, r, a, err)
			}
			if !slices.Contains(refused, n) && slot.Refused(token, time.Now()) {
				refused = append(refused, n)
				continue
			}
		}
		err = c.result(ctx, r, a, err)
		e := (*apply.CallError)(nil)
		switch alone := c.acceptance.note(a.status); {
		case alone && errors.As(err, &e):
			e.Kind, e.Message = apply.ErrRefused, e.Message+"; other requests are accepted, so this one alone is refused"
		case a.status == http.StatusUnauthorized:
			slot.Forget(token)
		}
		return correlation, took, err
	}
}

// send makes one request. The timeout starts here, after the wait for the limiter. The answer holds what was received
// even if the error says that it was not all, or cannot be read.
func (c *Client) send(ctx context.Context, r *Request, body []byte, token string, timeout time.Duration, decode func(*Body) error) (a answer, err error) {
	began := time.Now()
	defer func() {
		c.options.Logger.DebugContext(ctx, "request", "method", r.Method, "path", root+r.Path, "status", a.status,
			"ms", time.Since(began).Milliseconds(), "correlationId", correlationID(a.header, ""))
	}()
	if r.Writes() {
		c.count.writes.Add(1)
		var stop context.CancelFunc
		ctx, stop = withGrace(ctx, grace)
		defer stop()
	} else {
		c.count.reads.Add(1)
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	var reader io.Reader
	if body != nil {
		reader = bytes.NewReader(body)
	}
	req, err := http.NewRequestWithContext(ctx, r.Method, r.url(c.base), reader)
	if err != nil {
		return answer{}, err
	}
	// No Idempotency-Key: it would make net/http send a write again by itself.
	req.Header.Set("Authorization", "Bearer "+token)
	req.Header.Set("Accept", "application/json")
	req.Header.Set("User-Agent", c.options.userAgent())
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	answered := c.silence.watch(ctx, r.String())
	resp, err := c.http.Do(req)
	if answered(err); err != nil {
		return answer{}, err
	}
	defer func() { _ = resp.Body.Close() }() // read to its end, or given up
	a, err = r.read(resp, decode)
	if a.status > 299 {
		a.body = bytes.ReplaceAll(a.body, []byte(token), []byte(redacted)) // a gateway may quote what it refuses
	}
	return a, err
}

// withGrace returns a context that ends d after ctx does.
func withGrace(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	late, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() {
		timer := time.AfterFunc(d, cancel)
		context.AfterFunc(late, func() { timer.Stop() })
	})
	return late, func() { stop(); cancel() }
}

// result is the error of a request, nil for a good answer.
func (c *Client) result(ctx context.Context, r *Request, a answer, err error) error {
	switch {
	case a.status != 0 && (a.status < 200 || a.status > 299):
		return statusError(r, a)
	case err != nil && ctx.Err() != nil && !r.Writes():
		return fmt.Errorf("%v: %w", r, ctx.Err()) // but a write that was sent may have been carried out
	case err != nil:
		return answerError(r.String(), a, err)
	}
	return nil
}
