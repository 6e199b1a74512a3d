package aimd_test

import (
	"testing"
	"time"

	"usersyncd/sync/aimd"
)

// Whatever bytes a server sends: no panic, rates and waits within bounds, and the way is found back.
func FuzzHeaders(f *testing.F) {
	f.Add(200, "1", "300", "60", "", "")
	f.Add(429, "300", "300", "0", "42", "")
	f.Add(429, "", "", "", "Sun, 01 Mar 2026 09:01:00 GMT", "Sunday, 01-Mar-26 09:00:00 GMT")
	f.Add(503, "-1", "1e400", "60.9, 7", "99999999999999999999999", "Sun Mar  1 09:01:00 2026")
	f.Add(0, "1,2", ",", "0x10", "-0", "\x00")
	f.Fuzz(func(t *testing.T, status int, count, allowed, reset, retryAfter, date string) {
		c := aimd.NewController(aimd.Config{})
		h := header{
			"inin-ratelimit-count": {count}, "Inin-Ratelimit-Allowed": {allowed}, "ININ-RATELIMIT-RESET": {reset, reset},
			"retry-after": {retryAfter}, "Date": {date},
		}
		now := epoch
		for i := range 4 {
			if _, ok := c.Acquire(now); ok {
				c.OnResponse(now, c.OnSend(now), status, h)
			}
			s := c.Stats(now)
			if !(s.Rate >= aimd.DefaultMinRate && s.Effective >= aimd.DefaultMinRate && s.Rate <= aimd.DefaultMaxRate && s.Effective <= s.Rate) {
				t.Fatalf("rates out of bounds: %v", s)
			}
			if s.Left < 0 || s.Left > s.Allowed || s.Reset < 0 || s.Reset > aimd.RetryAfterCap+time.Second {
				t.Fatalf("window out of bounds: %v", s)
			}
			if d := c.Estimate(now, 1000); d < 0 {
				t.Fatalf("estimate %v: %v", d, s)
			}
			wait, ok := c.Acquire(now)
			if until, parked := c.Parked(now); parked {
				if wait = until.Sub(now); wait > 25*time.Hour {
					t.Fatalf("parked for %v", wait)
				}
			} else if wait > aimd.RetryAfterCap+2*time.Second {
				t.Fatalf("waits for %v: %v", wait, s)
			}
			if ok {
				c.OnResponse(now, c.OnSend(now), 200, nil)
			} else if wait == 0 {
				t.Fatalf("step %d: waits for an answer to nothing: %v", i, s)
			}
			now = now.Add(wait)
		}
	})
}
