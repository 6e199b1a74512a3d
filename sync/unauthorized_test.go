package sync_test

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"usersyncd/sync/apply"
	"usersyncd/sync/genesys/sim"
)

// A user whose requests are always answered 401, while others are accepted, fails alone, and costs one access token.
func TestOneUserUnauthorized(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, sim.Options{Users: 60, Latency: 50 * time.Millisecond})
		w.sim.SetLimit(100_000)
		w.declareAll("title: Clerk")
		w.pass()
		w.declareAll("title: Agent")
		w.fault("PATCH user=" + w.sim.Users()[3].Email + " 401")
		before := w.sim.Ledger().Tokens
		res := w.pass()
		if res.Applied != 59 || res.Failed != 1 || w.withTitle("Agent") != 59 {
			t.Errorf("%d applied, %d failed", res.Applied, res.Failed)
		}
		if n := w.sim.Ledger().Tokens - before; n > 1 {
			t.Errorf("%d tokens were fetched", n)
		}
	})
}

// Credentials that are refused everywhere end the pass after a few requests and a token or two.
func TestEverybodyUnauthorized(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, sim.Options{Users: 60, Latency: 50 * time.Millisecond})
		w.sim.SetLimit(100_000)
		w.declareAll("title: Clerk")
		w.pass()
		w.declareAll("title: Agent")
		w.fault("PATCH 401")
		before := w.sim.Ledger().Tokens
		res, err := w.once()
		if !errors.Is(err, apply.ErrUnauthorized) || res.Failed > 2 {
			t.Errorf("%+v, %v", res, err)
		}
		if n := w.sim.Ledger().Tokens - before; n > 2 {
			t.Errorf("%d tokens were fetched", n)
		}
		w.sim.ClearFaults()
		time.Sleep(time.Hour)
		if w.pass(); w.withTitle("Agent") != 60 {
			t.Error("it does not go on afterwards")
		}
	})
}

// The login service's pauses are waited for like those of the API.
func TestLoginServiceAsksForAPause(t *testing.T) {
	for name, o := range map[string]sim.Options{
		"429 with Retry-After":    {MintLimit: 1, MintLimitStatus: 429},
		"400 rate limit exceeded": {MintLimit: 1, MintLimitStatus: 400},
	} {
		synctest.Test(t, func(t *testing.T) {
			o.Users = 5
			w := newWorld(t, o)
			w.declareAll("title: Clerk")
			w.pass()
			w.declareAll("title: Agent")
			w.fault("PATCH x1 revoked")
			if res, err := w.once(); err != nil || res.Failed > 0 || w.withTitle("Agent") != 5 {
				t.Errorf("%s: %v", name, err)
			}
		})
	}
}
