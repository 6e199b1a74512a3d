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
	"time"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"
	"golang.org/x/sync/semaphore"

	"usersyncd/sync/apply"
)

const tokenPath = "/oauth/token" // below the login service's base URL

const (
	refusedPause = 5 * time.Minute // after refused credentials: they may be enabled, or rotated
	sparePause   = time.Minute     // after any failure, before a further token is fetched: the known limits count by the minute
	// At most so many failing requests in this time, so that our patience does not overload the login service.
	failureLimit = 10
	failureSpan  = 10 * time.Minute
)

// A login fetches access tokens, for all slots one at a time: the service counts tokens by the client, so a pause after a
// failure holds for all of them. x/oauth2 makes the request.
type login struct {
	config  clientcredentials.Config
	options Options
	http    *http.Client
	jitter  func(time.Duration) time.Duration
	count   *counters
	silence *silence

	turn *semaphore.Weighted // of 1: held by the slot that fetches

	mu       sync.Mutex
	streak   int           // failures in a row
	silent   time.Duration // that requests in a row waited without an answer
	failures []time.Time   // the last ones
	again    time.Time     // no request before
	err      *apply.CallError

	warned      *apply.CallError // of the failures in a row, the last one that was logged as a warning
	warnedPause time.Duration
}

// fetch asks for a token for the slot with that number; the caller holds the turn. Without a token it returns the pause
// to make before the next request, and the failure that it is for; or the end of ctx.
func (l *login) fetch(ctx context.Context, number int) (t *oauth2.Token, pause time.Duration, err error) {
	if pause, err := l.paused(time.Now(), number); pause > 0 {
		return nil, pause, err
	}
	var failure *apply.CallError
	began := time.Now()
	if ctx.Err() == nil {
		t, failure = l.request(ctx)
	}
	switch {
	case ctx.Err() != nil && t == nil:
		return nil, 0, fmt.Errorf("fetching an access token: %w", ctx.Err())
	case failure == nil:
		l.count.tokens.Add(1)
		l.succeeded()
		return t, 0, nil
	}
	now := time.Now()
	l.failed(now, failure, now.Sub(began))
	pause, err = l.paused(now, number)
	l.options.Logger.Log(ctx, l.level(failure, pause), "no access token", "token", number+1, "pause", pause.Round(time.Second).String(), "error", err)
	return nil, pause, err
}

// request makes one request.
func (l *login) request(ctx context.Context) (*oauth2.Token, *apply.CallError) {
	ctx, cancel := context.WithTimeout(context.WithValue(ctx, oauth2.HTTPClient, l.http), l.options.Timeout)
	defer cancel()
	answered := l.silence.watch(ctx, "POST "+tokenPath)
	t, err := l.config.Token(ctx)
	r, refused := errors.AsType[*oauth2.RetrieveError](err)
	if refused {
		answered(nil)
	} else {
		answered(err)
	}
	if err == nil {
		return t, nil
	}
	if refused {
		return nil, l.refusal(answer{status: r.Response.StatusCode, header: r.Response.Header, body: r.Body})
	}
	e := answerError("POST "+tokenPath, answer{}, err)
	e.Kind = apply.ErrUnreachable
	if !isCertificate(err) {
		e.Message = "no access token could be fetched; check the region or login URL, and the network"
	}
	if shown := e.Err.Error(); l.redact(shown) != shown { // x/oauth2 quotes an answer that it cannot read
		e.Err = errors.New(l.redact(shown))
	}
	return nil, e
}

// refusal is the error of an answer without a token. Of its text only what the vendor's SDK defines is shown
// (AuthErrorResponse), and without the secret.
func (l *login) refusal(got answer) *apply.CallError {
	var a struct {
		Error            string `json:"error"`
		Description      string `json:"description"`
		ErrorDescription string `json:"error_description"`
	}
	_ = json.Unmarshal(got.body, &a) // an HTML page leaves it empty
	e := &apply.CallError{
		Kind: apply.ErrThrottled, Op: "POST " + tokenPath, Status: got.status, Code: foreign(l.redact(a.Error), 100),
		Message:    foreign(l.redact(cmp.Or(a.ErrorDescription, a.Description, http.StatusText(got.status))), 300),
		RetryAfter: retryAfter(got.header, time.Now()), CorrelationID: correlationID(got.header, ""),
	}
	limited := strings.Contains(strings.ToLower(string(got.body)), "rate limit exceeded")
	switch {
	case e.Status >= 500 || e.Status == http.StatusRequestTimeout:
		e.Kind = apply.ErrUnreachable
	case e.Status >= 300 && e.Status < 400:
		e.Kind, e.Message = apply.ErrUnauthorized, "the login service redirects, which is not followed; correct the login URL"+target(got.header)
	case a.Error == "invalid_client":
		e.Kind, e.Message = apply.ErrUnauthorized, e.Message+"; check client id, client secret and region"
	case e.Status >= 400 && e.Status != http.StatusTooManyRequests && !limited:
		e.Kind, e.Message = apply.ErrUnauthorized, e.Message+"; check that the OAuth client is active, of the grant type client credentials, and of this region"
	}
	return e
}

// redact removes the secret from a text, in every form in which it was sent or a service may quote it.
func (l *login) redact(s string) string {
	secret := string(l.options.ClientSecret)
	for _, form := range []string{base64.StdEncoding.EncodeToString([]byte(l.options.ClientID + ":" + secret)), secret, url.QueryEscape(secret)} {
		s = strings.ReplaceAll(s, form, redacted)
	}
	return s
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
	l.streak, l.silent, l.again, l.err, l.warned = 0, 0, time.Time{}, nil, nil
}

// level is how a failure is logged: of those in a row the first is a warning, one of another kind, and one whose pause is ten
// times that of the last warning.
func (l *login) level(e *apply.CallError, pause time.Duration) slog.Level {
	l.mu.Lock()
	defer l.mu.Unlock()
	if w := l.warned; w != nil && errors.Is(w, e.Kind) && w.Status == e.Status && w.Code == e.Code && pause < 10*l.warnedPause {
		return slog.LevelDebug
	}
	l.warned, l.warnedPause = e, pause
	return slog.LevelWarn
}

// failed sets the pause after a failure: the same as before the API is read again, or what the service asks for if that is
// longer. The request took so long.
func (l *login) failed(now time.Time, e *apply.CallError, took time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.silent += took; !isTimeout(e) {
		l.silent = 0
	}
	pause := min(l.options.Retry.MinWait<<min(l.streak, 10), l.options.Retry.MaxWait)
	pause = max(l.jitter(pause), e.RetryAfter)
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

// patient reports whether another request is worth waiting for, after failures in a row.
func (l *login) patient() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.streak <= l.options.Retry.Max && l.silent < silenceLimit/2
}
