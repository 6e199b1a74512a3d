package health

import (
	"bytes"
	"fmt"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"

	"usersyncd/state"
	usersync "usersyncd/sync"
	"usersyncd/sync/control"
	"usersyncd/sync/plan"
)

// scrape returns what Prometheus reads.
func scrape(t *testing.T, src control.Source) string {
	t.Helper()
	w := httptest.NewRecorder()
	Handlers(src, always(Limits{MaxHeld: 10, MaxQuarantined: 10}))["/metrics"].ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/metrics", nil))
	if w.Code != http.StatusOK {
		t.Fatalf("%d: %s", w.Code, w.Body)
	}
	return w.Body.String()
}

// samples are the values of a scrape, by name and labels.
func samples(t *testing.T, text string) map[string]string {
	t.Helper()
	found := map[string]string{}
	for line := range strings.Lines(text) {
		if !strings.HasPrefix(line, "#") {
			at := strings.LastIndexByte(line, ' ')
			found[line[:at]] = strings.TrimSpace(line[at+1:])
		}
	}
	return found
}

func TestMetricsPassPromlint(t *testing.T) {
	for name, s := range map[string]control.Status{"all known": healthy(time.Now()), "nothing known": {}} {
		problems, err := promlint.New(strings.NewReader(scrape(t, fixed(s)))).Lint()
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range problems {
			t.Errorf("%s: %s: %s", name, p.Metric, p.Text)
		}
	}
}

func TestMetricsTellTheStatus(t *testing.T) {
	now := time.Now()
	got := samples(t, scrape(t, fixed(healthy(now))))
	for series, want := range map[string]string{
		`usersyncd_build_info{version="v1.2.3"}`:                  "1",
		`usersyncd_ready`:                                         "1",
		`usersyncd_live`:                                          "1",
		`usersyncd_credentials_ok`:                                "1",
		`usersyncd_state_file_ok`:                                 "1",
		`usersyncd_state_file_damaged_records_total`:              "8",
		`usersyncd_config_in_force`:                               "1",
		`usersyncd_paused`:                                        "0",
		`usersyncd_watching`:                                      "1",
		`usersyncd_watched_directories`:                           "12",
		`usersyncd_users_declared`:                                "500",
		`usersyncd_users{state="in_sync"}`:                        "490",
		`usersyncd_users{state="pending"}`:                        "1",
		`usersyncd_users{state="failed"}`:                         "2",
		`usersyncd_users{state="held"}`:                           "3",
		`usersyncd_users{state="quarantined"}`:                    "4",
		`usersyncd_users{state="skipped"}`:                        "5",
		`usersyncd_users{state="deferred"}`:                       "6",
		`usersyncd_spec_problems`:                                 "7",
		`usersyncd_repairs_total`:                                 "21",
		`usersyncd_contested_fields`:                              "9",
		`usersyncd_guard_held_users{guard="max-removals"}`:        "3",
		`usersyncd_guard_held_users{guard="min-admins"}`:          "0",
		`usersyncd_revision_info{kind="head",revision="aaaa"}`:    "1",
		`usersyncd_revision_info{kind="applied",revision="aaaa"}`: "1",
		`usersyncd_in_step`:                                       "1",
		`usersyncd_checkout_dirty`:                                "0",
		`usersyncd_pass_in_progress`:                              "0",
		`usersyncd_pass_phase{phase="idle"}`:                      "1",
		`usersyncd_pass_phase{phase="apply"}`:                     "0",
		`usersyncd_passes_total`:                                  "60",
		`usersyncd_pass_errors_total`:                             "1",
		`usersyncd_pass_seconds_total`:                            "71.5",
		`usersyncd_limiter_requests_per_second`:                   "4.5",
		`usersyncd_limiter_aimd_requests_per_second`:              "9",
		`usersyncd_limiter_reason{reason="paced"}`:                "1",
		`usersyncd_limiter_reason{reason="gate"}`:                 "0",
		`usersyncd_limiter_quota_known`:                           "1",
		`usersyncd_limiter_quota_allowed_requests`:                "300",
		`usersyncd_limiter_quota_left_requests`:                   "212",
		`usersyncd_limiter_quota_others_requests`:                 "18",
		`usersyncd_limiter_quota_reset_seconds`:                   "43",
		`usersyncd_limiter_gate_seconds`:                          "0",
		`usersyncd_limiter_in_flight_requests`:                    "2",
		`usersyncd_limiter_expected_requests`:                     "11",
		`usersyncd_limiter_estimate_seconds`:                      "2.5",
		`usersyncd_limiter_tokens`:                                "1",
		`usersyncd_limiter_sent_total`:                            "1234",
		`usersyncd_limiter_throttled_total`:                       "3",
		`usersyncd_limiter_decreases_total`:                       "1",
		`usersyncd_calls_total{kind="read"}`:                      "1200",
		`usersyncd_calls_total{kind="write"}`:                     "34",
		`usersyncd_calls_retried_total`:                           "5",
		`usersyncd_changes_total{result="applied"}`:               "40",
		`usersyncd_changes_total{result="failed"}`:                "2",
		`usersyncd_changes_total{result="other"}`:                 "0",
	} {
		if got[series] != want {
			t.Errorf("%s is %q, want %q", series, got[series], want)
		}
	}
	for _, name := range []string{"go_goroutines", "process_start_time_seconds", "process_open_fds"} {
		if got[name] == "" {
			t.Errorf("%s is missing", name)
		}
	}
}

// Each trouble is seen in a metric of its own.
func TestMetricsTellTrouble(t *testing.T) {
	for _, tt := range []struct {
		series, want string
		change       func(*control.Status)
	}{
		{`usersyncd_ready`, "0", func(s *control.Status) { s.CredentialsDead = true }},
		{`usersyncd_credentials_ok`, "0", func(s *control.Status) { s.CredentialsDead = true }},
		{`usersyncd_live`, "0", func(s *control.Status) { s.Stuck = "no step for a minute" }},
		{`usersyncd_ready`, "0", func(s *control.Status) { s.Stuck = "no step for a minute" }},
		{`usersyncd_state_file_ok`, "0", func(s *control.Status) { s.StateError = "no space left on device" }},
		{`usersyncd_config_in_force`, "0", func(s *control.Status) { s.Settings = "config.yaml:3:1: there is no such setting" }},
		{`usersyncd_paused`, "1", func(s *control.Status) { s.Paused = &state.Pause{At: s.Now, By: "ana"} }},
		{`usersyncd_watching`, "0", func(s *control.Status) { s.Watch = control.Watch{Mode: "polling", Reason: "no watches left"} }},
		{`usersyncd_in_step`, "0", func(s *control.Status) { s.Revision = "bbbb" }},
		{`usersyncd_in_step`, "0", func(s *control.Status) { s.Applied = nil }},
		{`usersyncd_in_step`, "0", func(s *control.Status) { s.Dirty = true }},
		{`usersyncd_checkout_dirty`, "1", func(s *control.Status) { s.Dirty = true }},
		{`usersyncd_last_success_timestamp_seconds`, "0", func(s *control.Status) { s.Success = time.Time{} }},
		{`usersyncd_last_applied_timestamp_seconds`, "0", func(s *control.Status) { s.Applied = nil }},
		{`usersyncd_pass_in_progress`, "1", func(s *control.Status) { s.Phase = "refresh" }},
		{`usersyncd_pass_phase{phase="other"}`, "1", func(s *control.Status) { s.Phase = "dance" }},
		{`usersyncd_limiter_reason{reason="other"}`, "1", func(s *control.Status) { s.Limiter.Reason = "" }},
		{`usersyncd_limiter_quota_left_requests`, "", func(s *control.Status) { s.Limiter.Windowed = false }},
		{`usersyncd_changes_total{result="other"}`, "7", func(s *control.Status) { s.Totals.Changes["adopted"] = 7 }},
		{`usersyncd_guard_held_users{guard="other"}`, "2", func(s *control.Status) {
			s.Holds = append(s.Holds, plan.Hold{Guard: "new", Users: []string{"d@example.com", "e@example.com"}})
		}},
	} {
		s := healthy(time.Now())
		if got := samples(t, scrape(t, fixed(s)))[tt.series]; got == tt.want {
			t.Errorf("%s is %q before anything is wrong", tt.series, got)
		}
		tt.change(&s)
		if got := samples(t, scrape(t, fixed(s)))[tt.series]; got != tt.want {
			t.Errorf("%s is %q, want %q", tt.series, got, tt.want)
		}
	}
}

// However many users there are and whatever they are called, there are as many series, and none names them.
func TestSeriesAreBounded(t *testing.T) {
	series := func(text string) (n int) {
		for name := range samples(t, text) {
			if strings.HasPrefix(name, "usersyncd_") {
				n++
			}
		}
		return n
	}
	s := healthy(time.Now())
	before := series(scrape(t, fixed(s)))
	for i := range 1000 {
		email := fmt.Sprintf("u%d@example.com", i)
		s.Holds = append(s.Holds, plan.Hold{ID: email, Guard: email, Users: []string{email}})
		s.Failures = append(s.Failures, usersync.Failure{Email: email, Code: email})
		s.Totals.Changes[plan.Outcome(email)] = 1
	}
	s.Phase, s.Limiter.Reason, s.Watch.Mode = "a@example.com", "a@example.com", "a@example.com"
	text := scrape(t, fixed(s))
	if after := series(text); after != before || before < 50 {
		t.Errorf("%d series, and %d with a thousand users more", before, after)
	}
	if strings.Contains(text, "example.com") {
		t.Error("a scrape names a user")
	}
}

func TestNothingNamesAUser(t *testing.T) {
	const marker = "Ana Perez <ana.perez@example.com>"
	s := healthy(time.Now())
	spread(t, reflect.ValueOf(&s).Elem(), "", marker)
	s.CredentialsDead, s.Held, s.Quarantined = true, 1000, 1000
	check := func(s control.Status) {
		t.Helper()
		bodies := scrape(t, fixed(s))
		for _, target := range []string{"/livez", "/readyz", "/readyz?verbose"} {
			_, body := probe(t, Handlers(fixed(s), always(Limits{})), target)
			bodies += body
		}
		if i := strings.Index(bodies, "ana.perez"); i >= 0 || strings.Contains(bodies, "Ana") {
			t.Errorf("it names a user: %s", bodies[max(0, i-200):min(len(bodies), i+50)])
		}
	}
	check(s)
	s.Success = time.Time{}
	check(s)
	s.Success, s.CredentialsDead = s.Now.Add(-time.Hour), false
	check(s)
	for _, phase := range usersync.Phases() {
		s.Phase = phase
		check(s)
	}
}

// The source moves while it is scraped; under -race this is a proof that nothing is shared.
func TestScrapesWhileTheSourceMoves(t *testing.T) {
	src := fixed(healthy(time.Now()))
	health := Handlers(src, always(Limits{}))
	quit := make(chan struct{})
	var mover, scrapers sync.WaitGroup
	mover.Go(func() {
		for i := uint64(0); ; i++ {
			select {
			case <-quit:
				return
			default:
			}
			s := healthy(time.Now())
			s.Totals.Changes["applied"], s.Revision = i, fmt.Sprint(i)
			src.status.Store(&s)
		}
	})
	for range 4 { // as many as are answered at once
		scrapers.Go(func() {
			for range 20 {
				w := httptest.NewRecorder()
				health["/metrics"].ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/metrics", nil))
				if w.Code != http.StatusOK || !bytes.Contains(w.Body.Bytes(), []byte("usersyncd_ready ")) {
					t.Errorf("%d: %s", w.Code, w.Body)
				}
				probe(t, health, "/readyz?verbose")
			}
		})
	}
	scrapers.Wait()
	close(quit)
	mover.Wait()
}
