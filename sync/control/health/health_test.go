package health

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"usersyncd/state"
	usersync "usersyncd/sync"
	"usersyncd/sync/control"
)

func probe(t *testing.T, handlers map[string]http.Handler, target string) (status int, body string) {
	t.Helper()
	path, _, _ := strings.Cut(target, "?")
	w := httptest.NewRecorder()
	handlers[path].ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, target, nil))
	return w.Code, w.Body.String()
}

func TestReady(t *testing.T) {
	now := time.Date(2026, 11, 24, 3, 0, 0, 0, time.UTC)
	ago := func(d time.Duration) time.Time { return now.Add(-d) }
	// late is a pass that began well and takes its time.
	late := func(s *control.Status) {
		s.Phase, s.Success, s.Began, s.Moved = "apply", ago(2*time.Hour), ago(2*time.Hour), ago(10*time.Second)
		s.Done, s.Pending, s.Failed = 400, 49600, 0
	}
	fresh := func(s *control.Status) {
		*s = control.Status{Now: now, Started: ago(time.Minute), Status: usersync.Status{Beat: ago(time.Second)}}
	}
	failed := func(s *control.Status) { s.Error, s.Success = "GET /api/v2/users: outcome unknown", ago(time.Hour) }
	default100 := Limits{Interval: time.Minute, MaxHeld: 100, MaxQuarantined: 100}

	for name, tt := range map[string]struct {
		change func(*control.Status)
		limits Limits
		want   []string // each part of a reason, in their order
	}{
		"all is well":             {func(*control.Status) {}, default100, nil},
		"a success 3 minutes ago": {func(s *control.Status) { s.Success = ago(3 * time.Minute) }, default100, nil},
		"none for longer":         {func(s *control.Status) { s.Success = ago(3*time.Minute + time.Second) }, default100, []string{"no pass has completed for 3m1s, and none is under way"}},
		"the interval is longer":  {func(s *control.Status) { s.Success = ago(10 * time.Minute) }, Limits{Interval: 5 * time.Minute, MaxHeld: -1, MaxQuarantined: -1}, nil},
		"the interval is shorter": {func(s *control.Status) { s.Success = ago(31 * time.Second) }, Limits{Interval: 10 * time.Second, MaxHeld: -1, MaxQuarantined: -1}, []string{"completed for 31s"}},
		"one pass was lost":       {func(s *control.Status) { s.Error, s.Success = "x", ago(2*time.Minute) }, default100, nil},

		"nothing has begun":              {fresh, default100, []string{"starting: no pass has ended yet, between two passes"}},
		"the first pass scans":           {func(s *control.Status) { fresh(s); s.Phase = "scan" }, default100, []string{"starting: no pass has ended yet, reading the specs"}},
		"the first pass refreshes":       {func(s *control.Status) { fresh(s); s.Phase = "refresh" }, default100, []string{"starting: no pass has ended yet, reading the organization"}},
		"the first pass waits at a gate": {func(s *control.Status) { fresh(s); s.Phase, s.Limiter.Gate = "refresh", 90 }, default100, []string{"starting: no pass has ended yet, reading the organization, waiting 1m30s as the API asked"}},
		"the first pass changed nobody":  {func(s *control.Status) { fresh(s); s.Phase, s.Pending = "apply", 50000 }, default100, []string{"starting: no pass has ended yet, applying, 0 users done and 50000 pending"}},
		"the first pass works":           {func(s *control.Status) { late(s); s.Success, s.Applied = time.Time{}, nil }, default100, nil},
		"everybody fails in the first":   {func(s *control.Status) { late(s); s.Success, s.Failed = time.Time{}, 400 }, default100, []string{"starting: no pass has ended yet, applying, 400"}},
		"the first pass failed":          {func(s *control.Status) { fresh(s); s.Phase, s.Error = "idle", "x" }, default100, []string{"starting: no pass has completed yet, the last one failed"}},

		"hours of work":      {late, default100, nil},
		"it gets nowhere":    {func(s *control.Status) { late(s); s.Moved = ago(4 * time.Minute) }, default100, []string{"no progress for 4m0s, applying, 400 users done and 49600 pending"}},
		"it waits at a gate": {func(s *control.Status) { late(s); s.Moved, s.Limiter.Gate = ago(9*time.Minute), 60 }, default100, nil},
		"its probe is out": {func(s *control.Status) {
			late(s)
			s.Moved, s.Limiter.Reason, s.Limiter.InFlight = ago(10*time.Minute), "probe", 1
		}, default100, nil},
		"nothing is asked": {func(s *control.Status) {
			late(s)
			s.Moved, s.Limiter.Reason, s.Limiter.InFlight = ago(4*time.Minute), "probe", 0
		}, default100, []string{"no progress for 4m0s"}},
		"one gate after another":   {func(s *control.Status) { late(s); s.Moved, s.Limiter.Gate = ago(14*time.Minute), 60 }, default100, []string{"no progress for 14m0s"}},
		"a slow window, and often": {func(s *control.Status) { late(s); s.Moved = ago(2 * time.Minute) }, Limits{Interval: time.Second, MaxHeld: -1, MaxQuarantined: -1}, nil},
		"users are read for long":  {func(s *control.Status) { late(s); s.Phase, s.Done, s.Read, s.Reading = "read", 0, 10, 50000 }, default100, nil},
		"reading gets nowhere": {func(s *control.Status) {
			late(s)
			s.Phase, s.Read, s.Reading, s.Moved = "read", 10, 50000, ago(time.Hour)
		}, default100, []string{"no progress for 1h0m0s, reading users, 10 of 50000"}},
		"a listing takes ten minutes": {func(s *control.Status) {
			late(s)
			s.Phase, s.Done, s.Moved, s.Beat = "refresh", 0, ago(10*time.Minute), ago(10*time.Minute)
		}, default100, nil},

		"the API is down, idle":           {failed, default100, []string{"no pass has completed for 1h0m0s, the last one failed"}},
		"the API is down, it tries again": {func(s *control.Status) { failed(s); s.Phase, s.Moved = "refresh", now }, default100, []string{"completed for 1h0m0s"}},
		"the API is down, all fail":       {func(s *control.Status) { failed(s); s.Phase, s.Moved, s.Done, s.Failed = "apply", now, 20, 20 }, default100, []string{"completed for 1h0m0s"}},
		"reads after a pass in which all failed": {func(s *control.Status) {
			failed(s)
			s.Phase, s.Moved, s.Done, s.Failed, s.Reading, s.Read = "read", now, 0, 4000, 500, 300
		}, default100, nil},
		"the API is back":          {func(s *control.Status) { failed(s); s.Phase, s.Moved, s.Done, s.Failed = "apply", now, 20, 19 }, default100, nil},
		"the API asks for an hour": {func(s *control.Status) { failed(s); s.Limiter.Reason, s.Limiter.Gate = "parked", 3600 }, default100, []string{"the API asks for a pause of 1h0m0s"}},

		"credentials are dead":   {func(s *control.Status) { s.CredentialsDead = true }, default100, []string{"API rejects the credentials"}},
		"the state file is full": {func(s *control.Status) { s.StateError = "no space left on device" }, default100, []string{"state file cannot be read or written"}},
		"stuck":                  {func(s *control.Status) { s.Stuck = "no step\nfor 2m" }, default100, []string{"stuck: no step for 2m"}},

		"as many held as may be":   {func(s *control.Status) { s.Held = 100 }, default100, nil},
		"more held":                {func(s *control.Status) { s.Held = 101 }, default100, []string{"101 users are held, more than 100"}},
		"held is not looked at":    {func(s *control.Status) { s.Held = 101 }, Limits{MaxHeld: -1, MaxQuarantined: -1}, nil},
		"more in quarantine":       {func(s *control.Status) { s.Quarantined = 101 }, default100, []string{"101 users are in quarantine, more than 100"}},
		"quarantine not looked at": {func(s *control.Status) { s.Quarantined = 101 }, Limits{MaxHeld: -1, MaxQuarantined: -1}, nil},
		"the zero value is strict": {func(*control.Status) {}, Limits{}, []string{"3 users are held, more than 0", "4 users are in quarantine, more than 0"}},
		"paused is a wish":         {func(s *control.Status) { s.Paused = &state.Pause{At: now} }, default100, nil},
		"the old settings do":      {func(s *control.Status) { s.Settings = "broken" }, default100, nil},
		"the clock was set back": {func(s *control.Status) {
			s.Success, s.Beat, s.Moved = ago(-time.Hour), ago(-time.Hour), ago(-time.Hour)
		}, default100, nil},
		"several troubles, in full": {func(s *control.Status) { s.CredentialsDead, s.Held = true, 500; failed(s) }, default100, []string{"completed for 1h0m0s, the API rejects the credentials", "API rejects the credentials", "500 users"}},
	} {
		s := healthy(now)
		tt.change(&s)
		var got []string
		for _, c := range checks(s, tt.limits, now) {
			if c.err != "" {
				got = append(got, c.err)
			}
		}
		if len(got) != len(tt.want) {
			t.Errorf("%s: %q, want %q", name, got, tt.want)
			continue
		}
		for i, part := range tt.want {
			if !strings.Contains(got[i], part) || strings.Contains(got[i], "\n") {
				t.Errorf("%s: %q, want %q in one line", name, got[i], part)
			}
		}
	}
}

func TestLivez(t *testing.T) {
	for name, tt := range map[string]struct {
		change func(*control.Status)
		status int
		body   string
	}{
		"well":             {func(*control.Status) {}, 200, "ok\n"},
		"stuck":            {func(s *control.Status) { s.Stuck = "the loop has taken no step for 1m1s" }, 503, "stuck: the loop has taken no step for 1m1s\n"},
		"the API is down":  {func(s *control.Status) { s.Error, s.Success = "x", s.Now.Add(-time.Hour) }, 200, "ok\n"}, // a restart does not help
		"credentials dead": {func(s *control.Status) { s.CredentialsDead = true }, 200, "ok\n"},
		"not begun":        {func(s *control.Status) { *s = control.Status{} }, 200, "ok\n"},
	} {
		s := healthy(time.Now())
		tt.change(&s)
		if status, body := probe(t, Handlers(fixed(s), always(Limits{})), "/livez"); status != tt.status || body != tt.body {
			t.Errorf("%s: %d %q, want %d %q", name, status, body, tt.status, tt.body)
		}
	}
}

func TestReadyzBodies(t *testing.T) {
	now := time.Now()
	limits := always(Limits{MaxHeld: 10, MaxQuarantined: 10})
	s := healthy(now)
	s.Paused = &state.Pause{At: time.Date(2026, 11, 24, 3, 0, 0, 0, time.UTC), By: "ana", Reason: "freeze"}
	const paused = "paused since 2026-11-24T03:00:00Z: no changes are made until usersyncd resume\n"
	well := Handlers(fixed(s), limits)
	s.Held, s.CredentialsDead = 11, true
	ill := Handlers(fixed(s), limits)
	const dead, held = "the API rejects the credentials: fix or renew the OAuth client; see usersyncd doctor\n",
		"11 users are held, more than 10: a guard stopped them: see usersyncd status, then release them or fix the specs\n"

	for _, tt := range []struct {
		handlers map[string]http.Handler
		target   string
		status   int
		body     string
	}{
		{well, "/readyz", 200, "ok\n" + paused},
		{well, "/readyz?verbose", 200, "[+]loop ok\n[+]pass ok\n[+]credentials ok\n[+]state-file ok\n[+]held ok\n[+]quarantined ok\n[+]paused ok: " + paused +
			"[+]settings ok\nreadyz check passed\n"},
		{ill, "/readyz", 503, dead + held},
		{ill, "/readyz?verbose=1", 503, "[+]loop ok\n[+]pass ok\n[-]credentials not ok: " + dead + "[+]state-file ok\n[-]held not ok: " + held +
			"[+]quarantined ok\n[+]paused ok: " + paused + "[+]settings ok\nreadyz check failed\n"},
	} {
		if status, body := probe(t, tt.handlers, tt.target); status != tt.status || body != tt.body {
			t.Errorf("%s: %d\n%swant %d\n%s", tt.target, status, body, tt.status, tt.body)
		}
	}
}

// always is limits that no reload changes.
func always(l Limits) func() Limits { return func() Limits { return l } }
