package genesys

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"usersyncd/sync/apply"
)

// maxAnswer limits an answer. A page of 500 users with the fields we ask for is about 1 MiB; with the
// most an organization could plausibly put into them it stays under 16.
const maxAnswer = 16 << 20

// grace is how long a write that is under way may go on when the program is told to stop. Its outcome
// is worth more than the seconds; a read is given up at once.
const grace = 20 * time.Second

// client sends requests: with the limiter's leave, with a good token, and with everything that the
// API wants sent again sent again.
type client struct {
	base      string
	http      *http.Client
	own       *http.Transport // nil if it was given
	doors     []*door
	limiter   Limiter
	timeout   time.Duration
	retry     Retry
	jitter    *jitter
	userAgent string
	log       *slog.Logger
	count     counters
}

type counters struct {
	reads, writes, throttled, retried, tokens atomic.Int64
}

// A request is one call of the API, before the base URL and the token are put to it.
type request struct {
	method string
	path   string   // with its variables named, such as {id}
	values []string // of the variables, in their order
	query  url.Values
	body   any    // marshalled to JSON; nil for none
	writes bool   // it changes something: sent once
	needs  string // the permission, for a 403
}

func (r *request) op() string { return r.method + " " + r.target() }

// target is the path with the values of its variables, escaped.
func (r *request) target() string {
	path := r.path
	for _, v := range r.values {
		before, rest, _ := strings.Cut(path, "{")
		_, after, _ := strings.Cut(rest, "}")
		path = before + url.PathEscape(v) + after // in which a brace is escaped, too
	}
	return path
}

// An answer is what came back: whole, or as far as it went.
type answer struct {
	status int // 0: none
	header http.Header
	body   []byte
}

// call sends r and returns its answer decoded. The error is a *CallError, or ctx's.
func call[T interface{ check() error }](ctx context.Context, c *client, r *request) (T, error) {
	var out T
	err := c.do(ctx, r, func(body []byte) error {
		var fresh T // of every try its own: json would mix an answer into the one before
		if err := json.Unmarshal(body, &fresh); err != nil {
			return err
		}
		out = fresh
		return out.check()
	})
	return out, err
}

func (c *client) do(ctx context.Context, r *request, decode func([]byte) error) error {
	var body []byte
	if r.body != nil {
		var err error
		if body, err = json.Marshal(r.body); err != nil {
			return &apply.CallError{Kind: apply.ErrRefused, Op: r.op(), Err: err}
		}
	}
	if r.writes {
		return c.granted(ctx, r, body, decode)
	}
	return c.retrying(ctx, r, func() error { return c.granted(ctx, r, body, decode) })
}

// granted sends r once as far as its effect goes: a 429 and the first 401 of a door were not carried out.
func (c *client) granted(ctx context.Context, r *request, body []byte, decode func([]byte) error) error {
	var refused []int // doors that were renewed for this call
	for {
		ticket, n, err := c.limiter.Acquire(ctx)
		if err != nil {
			return c.notGranted(ctx, r, err)
		}
		if n < 0 || n >= len(c.doors) {
			c.limiter.Cancel(ticket, 0)
			return &apply.CallError{Kind: apply.ErrRefused, Op: r.op(), Err: fmt.Errorf("the limiter names token %d of %d", n, len(c.doors))}
		}
		door := c.doors[n]
		token, pause, err := door.Token(ctx)
		if err != nil {
			if c.waits(n, pause, err) {
				c.limiter.Cancel(ticket, pause)
				continue
			}
			c.limiter.Cancel(ticket, 0)
			return err
		}
		a, err := c.send(ctx, r, body, token)
		c.limiter.Release(ticket, a.status, a.header)
		note(ctx, r, a)
		switch a.status {
		case http.StatusTooManyRequests:
			c.count.throttled.Add(1)
			if !c.retry.No429 {
				continue
			}
		case http.StatusUnauthorized:
			door.Invalidate(token)
			if !slices.Contains(refused, n) {
				refused = append(refused, n)
				continue
			}
		}
		return c.outcome(ctx, r, a, err, decode)
	}
}

// notGranted explains why the limiter did not let r out.
func (c *client) notGranted(ctx context.Context, r *request, err error) error {
	if ctx.Err() != nil {
		return fmt.Errorf("%s: %w", r.op(), ctx.Err())
	}
	return &apply.CallError{Kind: apply.ErrThrottled, Op: r.op(), Err: err}
}

// send makes one request. The time starts here, after the limiter's leave. The answer holds what came
// even if the error says that it was not all.
func (c *client) send(ctx context.Context, r *request, body []byte, token string) (a answer, err error) {
	began := time.Now()
	defer func() {
		c.log.DebugContext(ctx, "request", "method", r.method, "path", r.path, "status", a.status,
			"ms", time.Since(began).Milliseconds(), "correlationId", correlationID(a.header, errorBody{}))
	}()
	if r.writes {
		c.count.writes.Add(1)
		var stop context.CancelFunc
		ctx, stop = lingering(ctx, grace)
		defer stop()
	} else {
		c.count.reads.Add(1)
	}
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	target := c.base + r.target()
	if len(r.query) > 0 {
		target += "?" + r.query.Encode()
	}
	var reader io.Reader
	if body != nil {
		reader = bytes.NewReader(body)
	}
	req, err := http.NewRequestWithContext(ctx, r.method, target, reader)
	if err != nil {
		return answer{}, err
	}
	// No Idempotency-Key: it would make net/http send a write again by itself.
	req.Header.Set("Authorization", "Bearer "+token)
	req.Header.Set("Accept", "application/json")
	req.Header.Set("User-Agent", c.userAgent)
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return answer{}, err
	}
	defer func() { _ = resp.Body.Close() }() // read to its end, or given up
	a = answer{status: resp.StatusCode, header: resp.Header}
	a.body, err = io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	if err == nil && len(a.body) > maxAnswer {
		a.body, err = nil, fmt.Errorf("the answer is larger than %d MiB", maxAnswer>>20)
	}
	if a.status > 299 {
		a.body = bytes.ReplaceAll(a.body, []byte(token), []byte(redacted)) // a gateway may quote what it refuses
	}
	return a, err
}

// lingering returns a context that ends d after ctx does.
func lingering(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	late, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() {
		timer := time.AfterFunc(d, cancel)
		context.AfterFunc(late, func() { timer.Stop() })
	})
	return late, func() { stop(); cancel() }
}

// outcome decodes a good answer, or explains a bad one.
// Without decode nothing in it counts.
func (c *client) outcome(ctx context.Context, r *request, a answer, err error, decode func([]byte) error) error {
	switch {
	case a.status != 0 && (a.status < 200 || a.status > 299):
		return refusal(r.op(), r.needs, a)
	case a.status != 0 && decode == nil:
		return nil
	case err != nil && ctx.Err() != nil && !r.writes:
		return fmt.Errorf("%s: %w", r.op(), ctx.Err()) // but a write that was sent may have been carried out
	case err != nil:
		return unusable(r.op(), a, err)
	}
	if media, _, _ := mime.ParseMediaType(a.header.Get("Content-Type")); media != "application/json" && !strings.HasSuffix(media, "+json") {
		return unusable(r.op(), a, fmt.Errorf("the answer is %q and not JSON: is this the API, or a proxy's page?", printable(media, 60)))
	}
	if err := decode(a.body); err != nil {
		return unusable(r.op(), a, fmt.Errorf("the answer cannot be read: %w", err))
	}
	return nil
}
