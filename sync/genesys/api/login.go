package api

import (
	"cmp"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"

	"usersyncd/sync/apply"
)

// tokenPath is below the login service's base URL.
const tokenPath = "/oauth/token"

const (
	refusedPause = 5 * time.Minute // after refused credentials: they may be enabled, or rotated
	longestPause = time.Minute     // after other failures, unless Retry-After is longer
	sparePause   = time.Minute     // after any failure, before a further token is fetched: the known limits count by the minute
	// At most so many failing requests in this time, so that our patience does not overload the login service.
	failureLimit = 10
	failureSpan  = 10 * time.Minute
)

// A login fetches access tokens, for all slots one at a time: the service counts tokens by the client, so a pause after a
// failure holds for all of them. x/oauth2 makes the request.
type login struct {
	config  clientcredentials.Config
	client  *http.Client
	timeout time.Duration // of one request
	jitter  *jitter
	fetched *atomic.Int64
	log     *slog.Logger

	turn chan struct{} // of size 1: held by the slot that fetches

	mu       sync.Mutex
	streak   int         // failures in a row
	failures []time.Time // the last ones
	again    time.Time   // no request before
	err      *apply.CallError
}

// fetch asks for a token for the slot with that number; the caller holds the turn. Without a token it returns the pause
// to make before the next request, and the failure that it is for; or the end of ctx.
func (l *login) fetch(ctx context.Context, number int) (t *oauth2.Token, pause time.Duration, err error) {
	if pause, err := l.paused(time.Now(), number); pause > 0 {
		return nil, pause, err
	}
	if ctx.Err() != nil {
		return nil, 0, fmt.Errorf("fetching an access token: %w", ctx.Err())
	}
	limited, cancel := context.WithTimeout(context.WithValue(ctx, oauth2.HTTPClient, l.client), l.timeout)
	defer cancel()
	t, err = l.config.Token(limited)
	if err == nil {
		l.fetched.Add(1)
		l.succeeded()
		return t, 0, nil
	}
	if ctx.Err() != nil {
		return nil, 0, fmt.Errorf("fetching an access token: %w", ctx.Err())
	}
	now := time.Now()
	l.failed(now, l.explain(err))
	pause, err = l.paused(now, number)
	l.log.WarnContext(ctx, "no access token", "token", number+1, "pause", pause.Round(time.Second).String(), "error", err)
	return nil, pause, err
}

// paused returns how long the slot with that number may make no request, and why. The first slot is
// needed; the others wait until the service has surely recovered.
func (l *login) paused(now time.Time, number int) (time.Duration, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.err == nil {
		return 0, nil
	}
	again := l.again
	if spare := l.failures[len(l.failures)-1].Add(sparePause); number > 0 && spare.After(again) {
		again = spare
	}
	pause := again.Sub(now)
	if pause <= 0 {
		return 0, nil
	}
	e := *l.err
	e.RetryAfter = pause
	return pause, &e
}

func (l *login) succeeded() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.streak, l.again, l.err = 0, time.Time{}, nil
}

// failed sets the pause after a failure: 1, 4, 16, 60 s and so on, half of it random, or what the
// endpoint asks for if that is longer.
func (l *login) failed(now time.Time, e *apply.CallError) {
	l.mu.Lock()
	defer l.mu.Unlock()
	pause := min(time.Second<<(2*min(l.streak, 3)), longestPause)
	pause = max(l.jitter.equal(pause), e.RetryAfter)
	if errors.Is(e, apply.ErrUnauthorized) {
		pause = max(pause, refusedPause)
	}
	l.streak++
	l.failures = append(l.failures, now)
	if n := len(l.failures) - failureLimit; n >= 0 {
		l.failures = l.failures[n:]
		pause = max(pause, l.failures[0].Add(failureSpan).Sub(now))
	}
	l.again, l.err = now.Add(pause), e
}

// explain turns what x/oauth2 reports into our own error. Its text may quote the whole answer, which must not reach a log,
// so only the fields that the vendor's SDK defines are taken over.
func (l *login) explain(err error) *apply.CallError {
	e := &apply.CallError{Kind: apply.ErrThrottled, Op: "POST " + tokenPath}
	refused := (*oauth2.RetrieveError)(nil)
	if !errors.As(err, &refused) {
		e.Kind, e.Err = apply.ErrUnreachable, l.scrub(answerError(e.Op, answer{}, err).Err)
		e.Message = "no access token could be fetched; check the region or login URL, and the network"
		return e
	}
	var body struct {
		Error            string `json:"error"`
		Description      string `json:"description"`
		ErrorDescription string `json:"error_description"`
	}
	_ = json.Unmarshal(refused.Body, &body) // an HTML page leaves it empty
	a := answer{status: refused.Response.StatusCode, header: refused.Response.Header}
	e.Status, e.Code = a.status, foreign(l.redact(body.Error), 100)
	e.Message = foreign(l.redact(cmp.Or(body.ErrorDescription, body.Description, http.StatusText(a.status))), 300)
	e.RetryAfter = retryAfter(a.header, time.Now())
	e.CorrelationID = correlationID(a.header, "")
	limited := strings.Contains(strings.ToLower(string(refused.Body)), "rate limit exceeded")
	switch {
	case a.status >= 500 || a.status == http.StatusRequestTimeout:
		e.Kind = apply.ErrUnreachable
	case a.status >= 300 && a.status < 400:
		e.Kind, e.Message = apply.ErrUnauthorized, "the login service redirects, which is not followed; correct the login URL"+target(a.header)
	case body.Error == "invalid_client":
		e.Kind, e.Message = apply.ErrUnauthorized, e.Message+"; check client id, client secret and region"
	case a.status >= 400 && a.status < 500 && a.status != http.StatusTooManyRequests && !limited:
		e.Kind, e.Message = apply.ErrUnauthorized, e.Message+"; check that the OAuth client is active, of the grant type client credentials, and of this region"
	}
	return e
}

// scrub keeps the error's identity only if its text is free of the secret.
func (l *login) scrub(err error) error {
	if text := err.Error(); l.redact(text) != text {
		return errors.New(l.redact(text))
	}
	return err
}

// redact removes the secret from a text, in every form in which it was sent or a service may quote it.
func (l *login) redact(s string) string {
	if l.config.ClientSecret == "" {
		return s
	}
	for _, secret := range []string{
		base64.StdEncoding.EncodeToString([]byte(l.config.ClientID + ":" + l.config.ClientSecret)),
		l.config.ClientSecret, url.QueryEscape(l.config.ClientSecret),
	} {
		s = strings.ReplaceAll(s, secret, redacted)
	}
	return s
}

// failing returns how often in a row it has failed.
func (l *login) failing() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.streak
}
