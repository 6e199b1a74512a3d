package health

import (
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	usersync "usersyncd/sync"
	"usersyncd/sync/control"
	"usersyncd/sync/plan"
)

// A measure is one metric. of hands over its values, of a moment; none where nothing is known. Every label
// has a fixed set of values, but for the revisions, of which there are two at a time, and the version.
type measure struct {
	name, help string
	kind       prometheus.ValueType
	labels     []string
	of         func(at *moment, tell tell)
}

type tell func(value float64, labels ...string)

// A moment is what a scrape is made of.
type moment struct {
	control.Status
	ready bool
}

func measures() []measure {
	return slices.Concat(healthMeasures(), userMeasures(), passMeasures(), limiterMeasures())
}

// gauge is a metric of one value.
func gauge(name, help string, value func(*moment) float64) measure {
	return measure{name: name, help: help, kind: prometheus.GaugeValue, of: func(at *moment, tell tell) { tell(value(at)) }}
}

// counter is a metric of one value that only grows while the process runs.
func counter(name, help string, value func(*moment) float64) measure {
	m := gauge(name, help, value)
	m.kind = prometheus.CounterValue
	return m
}

// flag is 1 or 0.
func flag(name, help string, is func(*moment) bool) measure {
	return gauge(name, help, func(at *moment) float64 { return truth(is(at)) })
}

// timestamp is a moment in Unix seconds; 0 is never, so that an alert sees what never was.
func timestamp(name, help string, of func(*moment) time.Time) measure {
	return gauge(name, help+", in Unix seconds; 0: never.", func(at *moment) float64 {
		t := of(at)
		if t.IsZero() {
			return 0
		}
		return float64(t.UnixNano()) / 1e9
	})
}

// oneOf is 1 for what is and 0 for everything else that may be; what is not known counts as the last.
func oneOf[S ~string](name, help, label string, all []S, is func(*moment) S) measure {
	return measure{name: name, help: help, kind: prometheus.GaugeValue, labels: []string{label}, of: func(at *moment, tell tell) {
		now := among(is(at), all)
		for _, value := range all {
			tell(truth(value == now), string(value))
		}
	}}
}

func among[S ~string](value S, all []S) S {
	if slices.Contains(all, value) {
		return value
	}
	return all[len(all)-1]
}

func truth(is bool) float64 {
	if is {
		return 1
	}
	return 0
}

func healthMeasures() []measure {
	return []measure{
		{"usersyncd_build_info", "1, with the version that runs.", prometheus.GaugeValue, []string{"version"},
			func(at *moment, tell tell) { tell(1, at.Version) }},
		flag("usersyncd_ready", "Whether the daemon does what it is there for, as /readyz says.", func(at *moment) bool { return at.ready }),
		flag("usersyncd_live", "Whether the loop and its workers show signs of life, as /livez says.", func(at *moment) bool { return at.Stuck == "" }),
		flag("usersyncd_credentials_ok", "0 after the API, or its login service, has refused the credentials.", func(at *moment) bool { return !at.CredentialsDead }),
		flag("usersyncd_state_file_ok", "0 while the state file cannot be read or written.", func(at *moment) bool { return at.StateError == "" }),
		counter("usersyncd_state_file_damaged_records_total", "Records of the state file that were lost, and read from the API again.",
			func(at *moment) float64 { return float64(at.Totals.Damaged) }),
		flag("usersyncd_config_in_force", "0 while the configuration on disk is broken, and an older one in force.", func(at *moment) bool { return at.Settings == "" }),
		flag("usersyncd_paused", "Whether a person has paused it: it looks, and changes nothing.", func(at *moment) bool { return at.Paused != nil }),
		flag("usersyncd_watching", "Whether changes of the checkout are noticed by events; 0: it is polled.", func(at *moment) bool { return at.Watch.Mode == "watching" }),
		gauge("usersyncd_watched_directories", "Directories of the checkout that are watched.", func(at *moment) float64 { return float64(at.Watch.Dirs) }),
		timestamp("usersyncd_last_beat_timestamp_seconds", "When the loop or a worker last showed a sign of life", func(at *moment) time.Time { return at.Beat }),
	}
}

func userMeasures() []measure {
	return []measure{
		gauge("usersyncd_users_declared", "Users in the specs.", func(at *moment) float64 { return float64(at.Users) }),
		{"usersyncd_users", "Users by what is to be done about them.", prometheus.GaugeValue, []string{"state"}, func(at *moment, tell tell) {
			tell(float64(at.InSync), "in_sync")
			tell(float64(at.Pending), "pending")
			tell(float64(at.Held), "held")
			tell(float64(at.Quarantined), "quarantined")
			tell(float64(at.Failed), "failed")
			tell(float64(at.Skipped), "skipped")
			tell(float64(at.Deferred), "deferred")
		}},
		{"usersyncd_guard_held_users", "Users held, by the guard that a person may overrule.", prometheus.GaugeValue, []string{"guard"}, func(at *moment, tell tell) {
			guards := append(plan.Guards(), "other")
			held := map[string]int{}
			for _, h := range at.Holds {
				held[among(h.Guard, guards)] += len(h.Users)
			}
			for _, guard := range guards {
				tell(float64(held[guard]), guard)
			}
		}},
		counter("usersyncd_repairs_total", "Fields that somebody else had changed in Genesys Cloud, and that were changed back.",
			func(at *moment) float64 { return float64(at.Totals.Repairs) }),
		gauge("usersyncd_contested_fields", "Fields of users that somebody else keeps changing back.", func(at *moment) float64 { return float64(at.Contested) }),
		gauge("usersyncd_spec_problems", "Problems in the specs; the users that have them stay as they are.", func(at *moment) float64 { return float64(at.Problems) }),
		{"usersyncd_revision_info", "1, with the revision of the checkout (head) and the one last fully applied.", prometheus.GaugeValue, []string{"kind", "revision"},
			func(at *moment, tell tell) {
				if at.Revision != "" {
					tell(1, "head", at.Revision)
				}
				if at.Applied != nil {
					tell(1, "applied", at.Applied.Revision)
				}
			}},
		flag("usersyncd_in_step", "Whether the checkout's revision is the one last fully applied, without edits that are not committed.",
			func(at *moment) bool {
				return at.Applied != nil && !at.Applied.RolledBack && at.Revision == at.Applied.Revision && !at.Dirty
			}),
		flag("usersyncd_checkout_dirty", "Whether spec files of the checkout differ from its commit.", func(at *moment) bool { return at.Dirty }),
		timestamp("usersyncd_last_applied_timestamp_seconds", "When a revision was last fully applied", func(at *moment) time.Time {
			if at.Applied == nil {
				return time.Time{}
			}
			return at.Applied.At
		}),
		{"usersyncd_changes_total", "Changes of users, by how they ended.", prometheus.CounterValue, []string{"result"}, func(at *moment, tell tell) {
			results := []plan.Outcome{plan.Applied, plan.Failed, "other"}
			ended := map[plan.Outcome]uint64{}
			for result, n := range at.Totals.Changes {
				ended[among(result, results)] += n
			}
			for _, result := range results {
				tell(float64(ended[result]), string(result))
			}
		}},
	}
}

func passMeasures() []measure {
	return []measure{
		timestamp("usersyncd_last_success_timestamp_seconds", "When the last pass ended that nothing stopped", func(at *moment) time.Time { return at.Success }),
		timestamp("usersyncd_last_refresh_timestamp_seconds", "When the organization was last read", func(at *moment) time.Time { return at.Refresh }),
		flag("usersyncd_pass_in_progress", "Whether a pass is under way.", func(at *moment) bool { return at.PassUnderWay() }),
		timestamp("usersyncd_pass_begun_timestamp_seconds", "When the pass under way, or else the last one, began", func(at *moment) time.Time { return at.Began }),
		timestamp("usersyncd_pass_moved_timestamp_seconds", "When its phase last changed, or a user was applied or read", func(at *moment) time.Time { return at.Moved }),
		oneOf("usersyncd_pass_phase", "1 for the phase of the pass.", "phase", append(usersync.Phases(), "other"),
			func(at *moment) usersync.Phase { return at.Phase }),
		gauge("usersyncd_pass_done_users", "Users whom this pass was to change, and who are through.", func(at *moment) float64 { return float64(at.Done) }),
		counter("usersyncd_passes_total", "Passes that have ended.", func(at *moment) float64 { return float64(at.Totals.Passes) }),
		counter("usersyncd_pass_errors_total", "Passes that have ended early.", func(at *moment) float64 { return float64(at.Totals.FailedPasses) }),
		counter("usersyncd_pass_seconds_total", "Time that the passes which have ended took.", func(at *moment) float64 { return at.Totals.PassSeconds }),
	}
}

func limiterMeasures() []measure {
	return []measure{
		gauge("usersyncd_limiter_requests_per_second", "Rate used now.", func(at *moment) float64 { return at.Limiter.Rate }),
		gauge("usersyncd_limiter_aimd_requests_per_second", "Rate that AIMD and slow start allow.", func(at *moment) float64 { return at.Limiter.AIMD }),
		oneOf("usersyncd_limiter_reason", "1 for what decides when the next request is sent.", "reason",
			[]string{"parked", "gate", "probe", "inflight", "exhausted", "rush", "paced", "rate", "other"}, func(at *moment) string { return at.Limiter.Reason }),
		flag("usersyncd_limiter_quota_known", "Whether the API's headers describe the window; the other metrics of the quota exist only then.",
			func(at *moment) bool { return at.Limiter.Windowed }),
		windowed("usersyncd_limiter_quota_allowed_requests", "Requests that the window allows.", func(l *control.Limiter) float64 { return float64(l.Allowed) }),
		windowed("usersyncd_limiter_quota_left_requests", "Requests left in the window, less what is left to others.", func(l *control.Limiter) float64 { return float64(l.Left) }),
		windowed("usersyncd_limiter_quota_others_requests", "Requests in the window that others made, at least.", func(l *control.Limiter) float64 { return float64(l.Others) }),
		windowed("usersyncd_limiter_quota_reset_seconds", "Time until the window ends.", func(l *control.Limiter) float64 { return l.Reset }),
		gauge("usersyncd_limiter_gate_seconds", "Time until the API may be asked again; 0: at once.", func(at *moment) float64 { return at.Limiter.Gate }),
		gauge("usersyncd_limiter_in_flight_requests", "Requests sent and not answered.", func(at *moment) float64 { return float64(at.Limiter.InFlight) }),
		gauge("usersyncd_limiter_expected_requests", "Requests still to be made, as far as known.", func(at *moment) float64 { return float64(at.Limiter.Expected) }),
		gauge("usersyncd_limiter_estimate_seconds", "Time that these will take.", func(at *moment) float64 { return at.Limiter.Estimate }),
		gauge("usersyncd_limiter_tokens", "Access tokens in use.", func(at *moment) float64 { return float64(at.Limiter.Tokens) }),
		counter("usersyncd_limiter_sent_total", "Requests let through.", func(at *moment) float64 { return float64(at.Limiter.Sent) }),
		counter("usersyncd_limiter_throttled_total", "Answers 429.", func(at *moment) float64 { return float64(at.Limiter.Throttled) }),
		counter("usersyncd_limiter_decreases_total", "Times that the rate was cut.", func(at *moment) float64 { return float64(at.Limiter.Decreases) }),
		{"usersyncd_calls_total", "Requests to the API, by kind.", prometheus.CounterValue, []string{"kind"}, func(at *moment, tell tell) {
			tell(float64(at.Totals.Calls.Reads), "read")
			tell(float64(at.Totals.Calls.Writes), "write")
		}},
		counter("usersyncd_calls_retried_total", "Requests sent again, after no usable answer or with a newer version.",
			func(at *moment) float64 { return float64(at.Totals.Calls.Retried) }),
	}
}

// windowed is a gauge of the quota, which is not there while nothing is known of it: 0 would mean that it is spent.
func windowed(name, help string, value func(*control.Limiter) float64) measure {
	return measure{name: name, help: help, kind: prometheus.GaugeValue, of: func(at *moment, tell tell) {
		if at.Limiter.Windowed {
			tell(value(&at.Limiter))
		}
	}}
}
