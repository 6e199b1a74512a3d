package doctor

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"usersyncd/sync/aimd"
	"usersyncd/sync/genesys/sim"
)

// The clock is compared with the API's, and the quota is the one that the headers tell.
func TestReadsHeaders(t *testing.T) {
	for name, c := range map[string]struct {
		o     sim.Options
		ahead time.Duration // of our clock
		clock Verdict
		says  string
		quota Verdict
		tells string
	}{
		"well":       {sim.Options{}, 0, OK, "as the API's", OK, "300 calls per window, 3 used (3 by doctor)"},
		"ahead":      {sim.Options{}, 90 * time.Second, Warning, "ahead of", OK, "300 calls"},
		"behind":     {sim.Options{}, -5 * time.Hour, Problem, "hours behind", OK, "300 calls"},
		"no headers": {sim.Options{Quota: sim.Quota{NoHeaders: true}}, 0, OK, "", Warning, "no response reports it"},
		"another":    {sim.Options{Quota: sim.Quota{Limit: 180}}, 0, OK, "", OK, "180 calls per window"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			found, r := examined(t, served(t, c.o, func(w http.ResponseWriter, _ *http.Request) bool {
				w.Header().Set("Date", time.Now().Add(-c.ahead).UTC().Format(http.TimeFormat))
				return false
			}))
			clock, quota := found["clock"], found["quota"]
			if clock.Verdict != c.clock || !strings.Contains(clock.Found, c.says) || (clock.Fix == "") != (c.clock == OK) || (r.Problems > 0) != (c.clock == Problem) {
				t.Errorf("%+v", clock)
			}
			if quota.Verdict != c.quota || !strings.Contains(quota.Found, c.tells) || (quota.Fix == "") != (c.quota == OK) {
				t.Errorf("%+v", quota)
			}
		})
	}
}

func TestCompareClocks(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for _, c := range []struct {
		sent, received, date time.Duration // after at
		want                 Verdict
	}{
		{0, 0, 0, OK},
		{400 * time.Millisecond, 600 * time.Millisecond, 0, OK},
		{29 * time.Second, 30 * time.Second, 0, OK},
		{32 * time.Second, 32 * time.Second, 0, Warning},
		{0, 0, 32 * time.Second, Warning},
		{0, 70 * time.Second, 0, OK}, // an answer so late tells little
		{6 * time.Minute, 6 * time.Minute, 0, Problem},
		{0, time.Second, 6 * time.Minute, Problem},
	} {
		s := clockSample{date: at.Add(c.date), sent: at.Add(c.sent), received: at.Add(c.received)}
		if got := compareClocks(s.ahead())[0]; got.Verdict != c.want {
			t.Errorf("%v: %+v", c, got)
		}
	}
}

func TestQuotasThatCannotBeRead(t *testing.T) {
	for _, c := range []struct {
		allowed, count, reset string
		want                  Verdict
	}{{"300", "12", "41", OK}, {"", "12", "41", Warning}, {"300", "x", "41", Warning}, {"300", "1", "", Warning}, {"0", "1", "2", Warning}} {
		l := newListener(aimd.NewDispatcher(aimd.NewPool(1, aimd.Config{})))
		ticket, _, err := l.Acquire(t.Context(), "", "")
		if err != nil {
			t.Fatal(err)
		}
		h := http.Header{}
		for name, v := range map[string]string{"allowed": c.allowed, "count": c.count, "reset": c.reset} {
			if v != "" {
				h.Set("inin-ratelimit-"+name, v)
			}
		}
		l.Release(ticket, 200, h)
		if got := (&examination{listener: l}).quota(t.Context())[0]; got.Verdict != c.want {
			t.Errorf("%v: %+v", c, got)
		}
	}
}
