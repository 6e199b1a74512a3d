package main

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"usersyncd/sync/control/health"
	"usersyncd/sync/genesys/sim"
)

// A listing that nobody answers ends each pass within 45 s, and after three intervals the daemon is not ready. It need not be
// restarted.
func TestABlackHoleAtTheListing(t *testing.T) {
	inBubble(t, sim.Options{Users: 6}, "resync-interval: 1m\nrefresh-interval: 1m\n", nil, func(b *bubble) {
		probe := func(path string) int {
			w := httptest.NewRecorder()
			health.Handlers(b.d, b.d.Limits)[path].ServeHTTP(w, httptest.NewRequestWithContext(b.Context(), http.MethodGet, path, nil))
			return w.Code
		}
		time.Sleep(time.Minute)
		if got := probe("/readyz"); got != http.StatusOK {
			b.Fatalf("before: %d", got)
		}
		b.sim.AddFault(sim.Fault{Method: http.MethodGet, Path: "/api/v2/users", Effect: sim.Slow, Delay: time.Hour})
		time.Sleep(time.Minute + 45*time.Second)
		if s := b.d.Status(); s.Error == "" {
			b.Error("the pass is not given up")
		}
		time.Sleep(time.Minute)
		for range 20 { // whatever the pass under way is doing
			time.Sleep(2*time.Minute - 45*time.Second)
			if ready, live := probe("/readyz"), probe("/livez"); ready != http.StatusServiceUnavailable || live != http.StatusOK {
				b.Errorf("meanwhile: ready %d, live %d", ready, live)
			}
		}
		b.sim.ClearFaults()
		time.Sleep(10 * time.Minute)
		if got := probe("/readyz"); got != http.StatusOK {
			b.Errorf("after: %d", got)
		}
	})
}

// An API that refuses every token costs the login service one of them for each pass, after the first.
func TestATokenForEachBackOff(t *testing.T) {
	inBubble(t, sim.Options{Users: 6}, "resync-interval: 1m\nrefresh-interval: 1m\n", nil, func(b *bubble) {
		time.Sleep(time.Minute)
		b.sim.AddFault(sim.Fault{Path: "/api/v2/*", Effect: sim.Status, Code: http.StatusUnauthorized})
		tokens, passes := b.sim.Ledger().Count("POST /oauth/token"), b.d.Status().Totals.Passes
		time.Sleep(time.Hour)
		tokens, passes = b.sim.Ledger().Count("POST /oauth/token")-tokens, b.d.Status().Totals.Passes-passes
		if passes < 12 || tokens > int(passes)+1 {
			b.Errorf("%d tokens for %d passes", tokens, passes)
		}
		b.sim.ClearFaults()
		time.Sleep(10 * time.Minute)
		if s := b.d.Status(); s.Error != "" {
			b.Errorf("after: %s", s.Error)
		}
	})
}
