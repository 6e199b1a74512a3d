package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"golang.org/x/oauth2"

	"usersyncd/sync/apply"
)

const (
	shortestLife = 5 * time.Minute // the shortest an OAuth client can be set to; assumed where expires_in is missing
	longestLife  = 24 * time.Hour  // the vendor's default; the legal maximum is 48 h
	longestPause = time.Minute     // between two tokens that are fetched because the API refuses them
	forgetPause  = 5 * time.Second // before a token is fetched after one that was forgotten; a pass is not made before, either
)

// A tokenSlot keeps one access token: fetched when first needed, renewed before it expires, by one caller at a time.
// x/oauth2's own reuse ignores the caller's context, asks a failing service once for every caller, and keeps a revoked
// token for its whole life.
type tokenSlot struct {
	login  *login
	number int // 0 is the first, which is needed; the others are spare

	mu      sync.Mutex
	token   string
	renewAt time.Time
	expires time.Time

	renewable time.Time     // not renewed before, if the API refuses it
	wait      time.Duration // after the last time
	forgotten time.Time     // when a token was forgotten, since the last one was fetched; else zero
}

// Token returns a valid token. It waits for a request in flight, of whichever slot, but no longer than ctx allows, and
// never for a pause: where one has to be made, it returns how long, and what has failed.
func (s *tokenSlot) Token(ctx context.Context) (token string, pause time.Duration, err error) {
	token, renew := s.current(time.Now())
	if token != "" && !renew {
		return token, 0, nil
	}
	if !s.login.turn.TryAcquire(1) {
		if token != "" {
			return token, 0, nil // it is being renewed, and still valid
		}
		if err := s.login.turn.Acquire(ctx, 1); err != nil {
			return "", 0, fmt.Errorf("waiting for an access token: %w", err)
		}
	}
	defer s.login.turn.Release(1)
	if token, renew = s.current(time.Now()); token != "" && !renew { // somebody else has renewed it
		return token, 0, nil
	}
	if pause := s.forgetPause(time.Now()); pause > 0 {
		return "", pause, &apply.CallError{Kind: apply.ErrUnauthorized, Op: "POST " + tokenPath, RetryAfter: pause,
			Message: "no access token is fetched, as the API has just refused a new one"}
	}
	t, pause, err := s.login.fetch(ctx, s.number)
	if err == nil {
		return s.keep(time.Now(), t), 0, nil
	}
	if token, _ = s.current(time.Now()); token != "" && pause > 0 {
		return token, 0, nil // the old one is still valid
	}
	return "", pause, err
}

// Refused reports whether a request that the API refused with this token is to be sent again: there is a newer token, or one
// may be fetched. That is done again after 1 s, 2 s ... 1 min, so that a request which no token helps does not cost one each
// time.
func (s *tokenSlot) Refused(token string, now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.token != token: // or another request fetches it
		return true
	case now.Before(s.renewable):
		return false
	case now.Sub(s.renewable) > longestPause:
		s.wait = 0
	}
	s.wait = min(max(2*s.wait, time.Second), longestPause)
	s.token, s.renewable = "", now.Add(s.wait)
	return true
}

// Forget forgets this token, which the API refuses for every request. A newer one stays.
func (s *tokenSlot) Forget(token string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.token == token {
		s.token, s.forgotten = "", time.Now()
	}
}

// forgetPause is how long no token is fetched, as one was forgotten: else each request under way would fetch one.
func (s *tokenSlot) forgetPause(now time.Time) time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.forgotten.Add(forgetPause).Sub(now)
}

// refusedUsers is after how many requests in a row the credentials count as refused, and not the requests.
const refusedUsers = 3

// acceptance tells a request that is refused from credentials that are.
type acceptance struct {
	mu      sync.Mutex
	ever    bool // a request was accepted
	refused int  // requests in a row with 401, whatever the token
}

// note records the status of an answer. It reports whether that is a 401 of this request alone.
func (a *acceptance) note(status int) (alone bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	switch {
	case status == http.StatusUnauthorized:
		a.refused++
		return a.ever && a.refused < refusedUsers
	case status != 0 && status != http.StatusTooManyRequests && status < 500:
		a.ever, a.refused = true, 0
	}
	return false
}

// current returns the token if it has not expired, and whether it is time to renew it.
func (s *tokenSlot) current(now time.Time) (token string, renew bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.token == "" || !now.Before(s.expires) {
		return "", false
	}
	return s.token, !now.Before(s.renewAt)
}

func (s *tokenSlot) keep(now time.Time, t *oauth2.Token) string {
	life := min(t.Expiry.Sub(now), longestLife)
	if life <= 0 { // or it was not told
		life = shortestLife
	}
	early := min(max(time.Minute, life/20), life/2)
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.forgotten.IsZero() { // if this one is refused, too, another one will not help
		s.forgotten, s.renewable = time.Time{}, now.Add(longestPause)
	}
	s.token, s.expires, s.renewAt = t.AccessToken, now.Add(life), now.Add(life-early)
	return s.token
}

// tryAnother reports whether a request whose slot has no token goes back to the limiter, which may name another slot and
// does not name this one before the pause is over. Otherwise the failure is the request's error: the first slot stands
// for the credentials, and for a login service that is down for longer.
func (c *Client) tryAnother(number int, pause time.Duration, failure error) bool {
	switch {
	case pause <= 0:
		return false // the caller's context has ended
	case number > 0:
		return true
	case errors.Is(failure, apply.ErrUnauthorized), isCertificate(failure):
		return false
	case !errors.Is(failure, apply.ErrUnreachable), c.login.patient():
		return true // the limiter waits for it, or says that it is too long
	}
	for _, s := range c.slots[1:] {
		if token, _ := s.current(time.Now()); token != "" {
			return true
		}
	}
	return false
}

// TokenURL is where the login service gives out access tokens.
func (c *Client) TokenURL() string { return c.login.config.TokenURL }

// Login fetches an access token, in one attempt, unless there is a valid one.
func (c *Client) Login(ctx context.Context) error {
	_, _, err := c.slots[0].Token(ctx)
	return err
}
