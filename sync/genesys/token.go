package genesys

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"golang.org/x/oauth2"

	"usersyncd/sync/apply"
)

const (
	shortestLife = 5 * time.Minute // the shortest an OAuth client can be set to; assumed where expires_in is missing
	longestLife  = 24 * time.Hour  // the vendor's default; the legal maximum is 48 h
)

// A door keeps one access token: fetched when first needed, renewed before it ends, by one caller at
// a time. x/oauth2's own reuse is not used, as it ignores the caller's context, asks a failing endpoint
// once for every caller, and keeps a revoked token for its whole life.
type door struct {
	login  *login
	number int // 0 is the first, without which nothing goes

	mu      sync.Mutex
	token   string
	renewAt time.Time
	expires time.Time
}

// Token returns a token that is good for now. It waits for a request under way, of whichever door, but
// no longer than ctx allows, and never for a pause: where one has to be made, it says how long, and what
// has failed.
func (d *door) Token(ctx context.Context) (token string, pause time.Duration, err error) {
	token, renew := d.current(time.Now())
	if token != "" && !renew {
		return token, 0, nil
	}
	select {
	case d.login.turn <- struct{}{}:
	default:
		if token != "" {
			return token, 0, nil // somebody is at it; this one is still good
		}
		select {
		case d.login.turn <- struct{}{}:
		case <-ctx.Done():
			return "", 0, fmt.Errorf("waiting for an access token: %w", ctx.Err())
		}
	}
	defer func() { <-d.login.turn }()
	return d.renew(ctx)
}

// renew fetches a token if there still is need; the caller holds the turn.
func (d *door) renew(ctx context.Context) (token string, pause time.Duration, err error) {
	if token, renew := d.current(time.Now()); token != "" && !renew {
		return token, 0, nil
	}
	t, pause, err := d.login.fetch(ctx, d.number)
	if t != nil {
		return d.keep(time.Now(), t), 0, nil
	}
	if token, _ := d.current(time.Now()); token != "" && pause > 0 {
		return token, 0, nil // the old one is good for a while yet
	}
	return "", pause, err
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
	return d.token, !now.Before(d.renewAt)
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
	return d.token
}

// waits reports whether a call that met a door without a token goes back to the limiter, which may send
// it through another door and shuts this one for the pause. Otherwise what has failed is the call's
// error: the first door speaks for the credentials, and for a login service that is away for longer.
func (c *client) waits(number int, pause time.Duration, failure error) bool {
	switch {
	case pause <= 0:
		return false // the caller's own end
	case number > 0:
		return true
	case errors.Is(failure, apply.ErrUnauthorized):
		return false
	case pause <= c.retry.MaxWait && (!errors.Is(failure, apply.ErrUnreachable) || c.doors[0].login.failing() <= c.retry.Max):
		return true
	}
	for _, d := range c.doors[1:] {
		if token, _ := d.current(time.Now()); token != "" {
			return true
		}
	}
	return false
}
