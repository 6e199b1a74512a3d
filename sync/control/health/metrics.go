package health

import (
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	usersync "usersyncd/sync"
	"usersyncd/sync/control"
	"usersyncd/sync/plan"
)

// maxScrapes is how many scrapes are served at the same time; more get 503.
const maxScrapes = 4

// newRegistry has the daemon's own metrics and those of the process. No library adds to it, as one could to the default
// registry.
func newRegistry(src control.Source, limits func() Limits) *prometheus.Registry {
	r := prometheus.NewRegistry()
	r.MustRegister(collector{src, limits}, collectors.NewGoCollector(), collectors.NewBuildInfoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return r
}

// A collector makes metrics of one Status for each scrape: they cannot differ from "usersyncd status".
type collector struct {
	src    control.Source
	limits func() Limits
}

// Describe implements prometheus.Collector: which metrics there are is seen from a scrape.
func (collector) Describe(chan<- *prometheus.Desc) {}

// Collect implements prometheus.Collector.
func (c collector) Collect(metrics chan<- prometheus.Metric) {
	s := c.src.Status()
	ready, _ := report(checks(s, c.limits(), time.Now()), false)
	e := exporter(metrics)
	e.flag("usersyncd_ready", "Whether the daemon does its job, as /readyz says.", ready)
	e.health(&s)
	e.users(&s)
	e.passes(&s)
	e.limiter(&s.Limiter)
	e.calls(s.Totals.Calls)
}

// An exporter sends metrics to a scrape. Every label has a fixed set of values, but for the revisions, of which there are
// two at a time, and the version.
type exporter chan<- prometheus.Metric

func (e exporter) send(kind prometheus.ValueType, name, help string, value float64, labels ...string) {
	var names, values []string
	for pair := range slices.Chunk(labels, 2) {
		names, values = append(names, pair[0]), append(values, pair[1])
	}
	desc := prometheus.NewDesc(name, help, names, nil)
	metric, err := prometheus.NewConstMetric(desc, kind, value, values...)
	if err != nil { // a label that is not UTF-8: the scrape reports it, and has the rest
		metric = prometheus.NewInvalidMetric(desc, err)
	}
	e <- metric
}

// gauge sends a value; labels are names and values by turns.
func (e exporter) gauge(name, help string, value float64, labels ...string) {
	e.send(prometheus.GaugeValue, name, help, value, labels...)
}

// counter sends a value that only grows while the process runs.
func (e exporter) counter(name, help string, value float64, labels ...string) {
	e.send(prometheus.CounterValue, name, help, value, labels...)
}

// flag sends 1 or 0.
func (e exporter) flag(name, help string, is bool, labels ...string) {
	value := 0.0
	if is {
		value = 1
	}
	e.gauge(name, help, value, labels...)
}

// timestamp sends Unix seconds. 0 is never, so that an alert sees what never was.
func (e exporter) timestamp(name, help string, at time.Time) {
	seconds := 0.0
	if !at.IsZero() {
		seconds = float64(at.UnixNano()) / 1e9
	}
	e.gauge(name, help+", in Unix seconds; 0: never.", seconds)
}

// oneOf sends 1 for the value that is, and 0 for all others.
func oneOf[S ~string](e exporter, name, help, label string, is S, all ...S) {
	for _, value := range append(all, "other") {
		e.flag(name, help, value == known(is, all), label, string(value))
	}
}

// known returns "other" for what is none of all.
func known[S ~string](value S, all []S) S {
	if slices.Contains(all, value) {
		return value
	}
	return "other"
}

func (e exporter) health(s *control.Status) {
	e.gauge("usersyncd_build_info", "1, with the running version.", 1, "version", s.Version)
	e.flag("usersyncd_live", "Whether the loop and its workers make progress, as /livez says.", s.Stuck == "")
	e.flag("usersyncd_credentials_ok", "0 after the API, or its login service, has rejected the credentials.", !s.CredentialsDead)
	e.flag("usersyncd_state_file_ok", "0 while the state file cannot be read or written.", s.StateError == "")
	e.counter("usersyncd_state_file_damaged_records_total", "Records of the state file that were lost, and read from the API again.", float64(s.Totals.Damaged))
	e.flag("usersyncd_config_in_force", "0 while the configuration on disk is invalid, and an older one in use.", s.Settings == "")
	e.flag("usersyncd_paused", "Whether a person has paused it: passes plan, and change nothing.", s.Paused != nil)
	e.flag("usersyncd_watching", "Whether changes of the checkout are noticed by events; 0: it is polled.", s.Watch.Mode == "watching")
	e.gauge("usersyncd_watched_directories", "Directories of the checkout that are watched.", float64(s.Watch.Dirs))
	e.timestamp("usersyncd_last_beat_timestamp_seconds", "When the loop or a worker last took a step", s.Beat)
}

func (e exporter) users(s *control.Status) {
	e.gauge("usersyncd_users_declared", "Users in the specs.", float64(s.Users))
	for _, state := range []struct {
		name  string
		users int
	}{
		{"in_sync", s.InSync}, {"pending", s.Pending}, {"held", s.Held}, {"quarantined", s.Quarantined}, {"failed", s.Failed},
		{"skipped", s.Skipped}, {"deferred", s.Deferred},
	} {
		e.gauge("usersyncd_users", "Users by state.", float64(state.users), "state", state.name)
	}
	held := map[string]int{}
	for _, h := range s.Holds {
		held[known(h.Guard, plan.Guards())] += len(h.Users)
	}
	for _, guard := range append(plan.Guards(), "other") {
		e.gauge("usersyncd_guard_held_users", "Users held, by the guard that a person may overrule.", float64(held[guard]), "guard", guard)
	}
	e.counter("usersyncd_repairs_total", "Fields that somebody else had changed in Genesys Cloud, and that were changed back.", float64(s.Totals.Repairs))
	e.gauge("usersyncd_contested_fields", "Fields of users that somebody else keeps changing back.", float64(s.Contested))
	e.gauge("usersyncd_spec_problems", "Problems in the specs; the users that have them stay as they are.", float64(s.Problems))
	e.flag("usersyncd_checkout_dirty", "Whether spec files of the checkout differ from its commit.", s.Dirty)
	if s.Revision != "" {
		e.gauge("usersyncd_revision_info", "1, with the revision of the checkout (head) and the one last fully applied.", 1, "kind", "head", "revision", s.Revision)
	}
	inStep, appliedAt := false, time.Time{}
	if a := s.Applied; a != nil {
		e.gauge("usersyncd_revision_info", "1, with the revision of the checkout (head) and the one last fully applied.", 1, "kind", "applied", "revision", a.Revision)
		inStep, appliedAt = !a.RolledBack && a.Revision == s.Revision && !s.Dirty, a.At
	}
	e.flag("usersyncd_in_step", "Whether the checkout's revision is the one last fully applied, without edits that are not committed.", inStep)
	e.timestamp("usersyncd_last_applied_timestamp_seconds", "When a revision was last fully applied", appliedAt)
	results := []plan.Outcome{plan.Applied, plan.Failed}
	ended := map[plan.Outcome]uint64{}
	for result, n := range s.Totals.Changes {
		ended[known(result, results)] += n
	}
	for _, result := range append(results, "other") {
		e.counter("usersyncd_changes_total", "Changes of users, by result.", float64(ended[result]), "result", string(result))
	}
}

func (e exporter) passes(s *control.Status) {
	e.timestamp("usersyncd_last_success_timestamp_seconds", "When a pass last completed", s.Success)
	e.timestamp("usersyncd_last_refresh_timestamp_seconds", "When the organization was last read", s.Refresh)
	e.flag("usersyncd_pass_in_progress", "Whether a pass is under way.", s.PassUnderWay())
	e.timestamp("usersyncd_pass_begun_timestamp_seconds", "When the pass under way, or else the last one, began", s.Began)
	e.timestamp("usersyncd_pass_moved_timestamp_seconds", "When its phase last changed, or a user was applied or read", s.Moved)
	oneOf(e, "usersyncd_pass_phase", "1 for the phase of the pass.", "phase", s.Phase, usersync.Phases()...)
	e.gauge("usersyncd_pass_done_users", "Users of this pass that were changed, or failed.", float64(s.Done))
	e.counter("usersyncd_passes_total", "Passes that have ended.", float64(s.Totals.Passes))
	e.counter("usersyncd_pass_errors_total", "Passes that have failed.", float64(s.Totals.FailedPasses))
	e.counter("usersyncd_pass_seconds_total", "Time that the passes which have ended took.", s.Totals.PassSeconds)
}

func (e exporter) limiter(l *control.Limiter) {
	e.gauge("usersyncd_limiter_requests_per_second", "Rate in use.", l.Rate)
	e.gauge("usersyncd_limiter_aimd_requests_per_second", "Rate that AIMD and slow start allow.", l.AIMD)
	oneOf(e, "usersyncd_limiter_reason", "1 for what decides when the next request is sent.", "reason", l.Reason,
		"parked", "gate", "probe", "inflight", "exhausted", "rush", "paced", "rate")
	e.flag("usersyncd_limiter_quota_known", "Whether the API's headers describe the window; the other metrics of the quota exist only then.", l.Windowed)
	if l.Windowed { // else 0 would mean that it is spent
		e.gauge("usersyncd_limiter_quota_allowed_requests", "Requests that the window allows.", float64(l.Allowed))
		e.gauge("usersyncd_limiter_quota_left_requests", "Requests left in the window, less what is left to others.", float64(l.Left))
		e.gauge("usersyncd_limiter_quota_others_requests", "Requests in the window that others made, at least.", float64(l.Others))
		e.gauge("usersyncd_limiter_quota_reset_seconds", "Time until the window ends.", l.Reset)
	}
	e.gauge("usersyncd_limiter_gate_seconds", "Time until the API may be asked again; 0: at once.", l.Gate)
	e.gauge("usersyncd_limiter_in_flight_requests", "Requests sent and not answered.", float64(l.InFlight))
	e.gauge("usersyncd_limiter_expected_requests", "Requests still to be made, as far as known.", float64(l.Expected))
	e.gauge("usersyncd_limiter_estimate_seconds", "Time that these will take.", l.Estimate)
	e.gauge("usersyncd_limiter_tokens", "Access tokens in use.", float64(l.Tokens))
	e.counter("usersyncd_limiter_sent_total", "Requests sent.", float64(l.Sent))
	e.counter("usersyncd_limiter_throttled_total", "Responses with status 429.", float64(l.Throttled))
	e.counter("usersyncd_limiter_decreases_total", "Times that the rate was cut.", float64(l.Decreases))
}

func (e exporter) calls(c usersync.Calls) {
	e.counter("usersyncd_calls_total", "Requests to the API, by kind.", float64(c.Reads), "kind", "read")
	e.counter("usersyncd_calls_total", "Requests to the API, by kind.", float64(c.Writes), "kind", "write")
	e.counter("usersyncd_calls_retried_total", "Requests sent again, after no usable response or with a newer version.", float64(c.Retried))
}
