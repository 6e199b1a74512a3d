package main

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"usersyncd/sync/aimd"
	"usersyncd/sync/genesys/sim"
)

// The clock is compared with the API's, and the quota is the one that the headers tell.
func TestDoctorReadsHeaders(t *testing.T) {
	for name, c := range map[string]struct {
		o     sim.Options
		ahead time.Duration // of our clock
		clock verdict
		says  string
		quota verdict
		tells string
	}{
		"well":       {sim.Options{}, 0, fine, "as the API's", fine, "300 calls a window, 3 used (3 by doctor)"},
		"ahead":      {sim.Options{}, 90 * time.Second, doubtful, "ahead of", fine, "300 calls"},
		"behind":     {sim.Options{}, -5 * time.Hour, ill, "hours behind", fine, "300 calls"},
		"no headers": {sim.Options{Quota: sim.Quota{NoHeaders: true}}, 0, fine, "", doubtful, "no answer tells it"},
		"another":    {sim.Options{Quota: sim.Quota{Limit: 180}}, 0, fine, "", fine, "180 calls a window"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			found, _, code := examined(t, served(t, c.o, func(w http.ResponseWriter, _ *http.Request) bool {
				w.Header().Set("Date", time.Now().Add(-c.ahead).UTC().Format(http.TimeFormat))
				return false
			}))
			clock, quota := found["clock"], found["quota"]
			if clock.Verdict != c.clock || !strings.Contains(clock.Found, c.says) || (clock.Fix == "") != (c.clock == fine) || (code == 1) != (c.clock == ill) {
				t.Errorf("code %d, %+v", code, clock)
			}
			if quota.Verdict != c.quota || !strings.Contains(quota.Found, c.tells) || (quota.Fix == "") != (c.quota == fine) {
				t.Errorf("%+v", quota)
			}
		})
	}
}

func TestDoctorJudgesClocks(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for _, c := range []struct {
		sent, received, date time.Duration // after at
		want                 verdict
	}{
		{0, 0, 0, fine},
		{400 * time.Millisecond, 600 * time.Millisecond, 0, fine},
		{29 * time.Second, 30 * time.Second, 0, fine},
		{32 * time.Second, 32 * time.Second, 0, doubtful},
		{0, 0, 32 * time.Second, doubtful},
		{0, 70 * time.Second, 0, fine}, // an answer so late tells little
		{6 * time.Minute, 6 * time.Minute, 0, ill},
		{0, time.Second, 6 * time.Minute, ill},
	} {
		d := &doctor{blocked: map[string]bool{}}
		s := clockSample{date: at.Add(c.date), sent: at.Add(c.sent), received: at.Add(c.received)}
		d.judgeClock(s.ahead())
		if got := d.findings[0]; got.Verdict != c.want {
			t.Errorf("%v: %+v", c, got)
		}
	}
}

func TestDoctorReadsGarbledQuotas(t *testing.T) {
	for _, c := range []struct {
		allowed, count, reset string
		want                  verdict
	}{{"300", "12", "41", fine}, {"", "12", "41", doubtful}, {"300", "x", "41", doubtful}, {"300", "1", "", doubtful}, {"0", "1", "2", doubtful}} {
		l := newListener(aimd.NewDispatcher(aimd.NewPool(1, aimd.Config{})))
		ticket, _, err := l.Acquire(t.Context())
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
		d := &doctor{listener: l, blocked: map[string]bool{}}
		d.checkQuota()
		if got := d.findings[0]; got.Verdict != c.want {
			t.Errorf("%v: %+v", c, got)
		}
	}
}
