package genesys

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"

	usersync "usersyncd/sync"
)

const (
	shortestLife = 5 * time.Minute  // the shortest an OAuth client can be set to; assumed where expires_in is missing
	longestLife  = 24 * time.Hour   // the vendor's default; the legal maximum is 48 h
	refusedPause = 5 * time.Minute  // before refused credentials are tried again: they may be enabled, or rotated
	longestPause = time.Minute      // between failing requests otherwise, a longer Retry-After apart
	failureLimit = 10               // failing requests
	failureSpan  = 10 * time.Minute // in this time, and no more: the login service must survive our patience
)

// A door keeps one access token: fetched when first needed, renewed before it ends, by one caller at
// a time. x/oauth2 makes the request; its own reuse is not used, as it ignores the caller's context,
// asks a failing endpoint once for every caller, and keeps a revoked token for its whole life.
type door struct {
	config   clientcredentials.Config
	client   *http.Client
	timeout  time.Duration // of one request
	patience time.Duration // a longer pause is an error and not a wait
	jitter   *jitter
	fetched  func() // called for each token, for the counters

	turn chan struct{} // of size 1: held while renewing

	mu       sync.Mutex
	token    string
	renewAt  time.Time
	expires  time.Time
	streak   int         // failures in a row
	failures []time.Time // the last ones
	again    time.Time   // no request before
	err      *usersync.CallError
}

func newDoor(config clientcredentials.Config, client *http.Client, o Options, j *jitter, fetched func()) *door {
	return &door{
		config: config, client: client, timeout: o.Timeout, patience: o.Retry.MaxWait, jitter: j, fetched: fetched,
		turn: make(chan struct{}, 1),
	}
}

// Token returns a token that is good for now. It waits for a renewal under way and through short
// pauses of a failing endpoint, but no longer than ctx allows.
func (d *door) Token(ctx context.Context) (string, error) {
	for {
		if token, renew := d.current(time.Now()); token != "" {
			if !renew {
				return token, nil
			}
			select {
			case d.turn <- struct{}{}:
			default:
				return token, nil // somebody renews it; it is still good
			}
		} else {
			select {
			case d.turn <- struct{}{}:
			case <-ctx.Done():
				return "", fmt.Errorf("waiting for an access token: %w", ctx.Err())
			}
		}
		token, pause, err := d.renew(ctx)
		<-d.turn
		if token != "" || err != nil {
			return token, err
		}
		if err := sleep(ctx, pause); err != nil {
			return "", fmt.Errorf("waiting for an access token: %w", err)
		}
	}
}

// Invalidate forgets exactly this token, which the API refused. A newer one stays.
func (d *door) Invalidate(token string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.token == token {
		d.token = ""
	}
}

// current returns the token if it has not ended, and whether it is time to renew it.
func (d *door) current(now time.Time) (token string, renew bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.token == "" || !now.Before(d.expires) {
		return "", false
	}
	return d.token, !now.Before(d.renewAt) && !now.Before(d.again)
}

// renew fetches a token if there still is need; the caller holds the turn. Without token and error
// it is to be called again after the pause.
func (d *door) renew(ctx context.Context) (token string, pause time.Duration, err error) {
	now := time.Now()
	if token, renew := d.current(now); token != "" && !renew {
		return token, 0, nil
	}
	if pause, err := d.paused(now); pause > 0 {
		return "", pause, err
	}
	if ctx.Err() != nil {
		return "", 0, fmt.Errorf("fetching an access token: %w", ctx.Err())
	}
	fetch, cancel := context.WithTimeout(context.WithValue(ctx, oauth2.HTTPClient, d.client), d.timeout)
	defer cancel()
	t, err := d.config.Token(fetch)
	if err != nil {
		if ctx.Err() != nil {
			return "", 0, fmt.Errorf("fetching an access token: %w", ctx.Err())
		}
		d.failed(time.Now(), d.explain(err))
		if token, _ := d.current(time.Now()); token != "" {
			return token, 0, nil // the old one is good for a while yet
		}
		pause, err := d.paused(time.Now())
		return "", pause, err
	}
	d.fetched()
	return d.keep(time.Now(), t), 0, nil
}

// paused returns how long no request may be made, and an error if that is too long to wait.
func (d *door) paused(now time.Time) (time.Duration, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	pause := d.again.Sub(now)
	if pause <= 0 {
		return 0, nil
	}
	if pause <= d.patience && !errors.Is(d.err, usersync.ErrUnauthorized) {
		return pause, nil
	}
	e := *d.err
	e.RetryAfter = pause
	return pause, &e
}

func (d *door) keep(now time.Time, t *oauth2.Token) string {
	life := t.Expiry.Sub(now)
	if t.Expiry.IsZero() || life <= 0 {
		life = shortestLife
	}
	life = min(life, longestLife)
	early := min(max(time.Minute, life/20), life/2)
	d.mu.Lock()
	defer d.mu.Unlock()
	d.token, d.expires, d.renewAt = t.AccessToken, now.Add(life), now.Add(life-early)
	d.streak, d.again, d.err = 0, time.Time{}, nil
	return d.token
}

// failed sets the pause after a failure: 1, 4, 16, 60 s and so on, half of it random, or what the
// endpoint asks for if that is longer.
func (d *door) failed(now time.Time, e *usersync.CallError) {
	d.mu.Lock()
	defer d.mu.Unlock()
	pause := min(time.Second<<(2*min(d.streak, 3)), longestPause)
	pause = max(d.jitter.equal(pause), e.RetryAfter)
	if errors.Is(e, usersync.ErrUnauthorized) {
		pause = max(pause, refusedPause)
	}
	d.streak++
	d.failures = append(d.failures, now)
	if n := len(d.failures) - failureLimit; n >= 0 {
		d.failures = d.failures[n:]
		pause = max(pause, d.failures[0].Add(failureSpan).Sub(now))
	}
	d.again, d.err = now.Add(pause), e
}

// explain turns what x/oauth2 reports into our own error. Its text may quote the whole answer, which
// is nobody's business, so only the fields that the vendor's SDK defines are taken over.
func (d *door) explain(err error) *usersync.CallError {
	e := &usersync.CallError{Kind: usersync.ErrThrottled, Op: "POST " + tokenPath}
	refused := (*oauth2.RetrieveError)(nil)
	if !errors.As(err, &refused) {
		e.Kind, e.Err = usersync.ErrUnreachable, d.scrub(unusable(e.Op, answer{}, err).Err)
		e.Message = "no access token to be had; check the region or login URL, and the network"
		return e
	}
	var body struct {
		Error            string `json:"error"`
		Description      string `json:"description"`
		ErrorDescription string `json:"error_description"`
	}
	_ = json.Unmarshal(refused.Body, &body) // an HTML page leaves it empty
	a := answer{status: refused.Response.StatusCode, header: refused.Response.Header}
	e.Status, e.Code = a.status, d.redact(printable(body.Error, 100))
	e.Message = d.redact(printable(cmp.Or(body.ErrorDescription, body.Description, http.StatusText(a.status)), 300))
	e.RetryAfter = retryAfter(a.header, time.Now())
	e.CorrelationID = correlationID(a.header, errorBody{})
	limited := strings.Contains(strings.ToLower(string(refused.Body)), "rate limit exceeded")
	switch {
	case a.status >= 300 && a.status < 400:
		e.Kind, e.Message = usersync.ErrUnauthorized, "the login service redirects, which is not followed; correct the login URL"+target(a.header)
	case body.Error == "invalid_client":
		e.Kind, e.Message = usersync.ErrUnauthorized, e.Message+"; check client id, client secret and region"
	case a.status >= 400 && a.status < 500 && a.status != http.StatusTooManyRequests && a.status != http.StatusRequestTimeout && !limited:
		e.Kind, e.Message = usersync.ErrUnauthorized, e.Message+"; check that the OAuth client is active, of the grant type client credentials, and of this region"
	}
	return e
}

// scrub keeps the error's identity only if its text is free of the secret.
func (d *door) scrub(err error) error {
	if text := err.Error(); d.redact(text) != text {
		return errors.New(d.redact(text))
	}
	return err
}

func (d *door) redact(s string) string {
	if d.config.ClientSecret == "" {
		return s
	}
	return strings.ReplaceAll(s, d.config.ClientSecret, redacted)
}
