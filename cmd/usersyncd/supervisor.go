package main

import (
	"cmp"
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	sd "github.com/coreos/go-systemd/v22/daemon"

	"usersyncd/cmd/usersyncd/internal/progress"
	"usersyncd/spec"
	"usersyncd/spec/text"
	usersync "usersyncd/sync"
	"usersyncd/sync/aimd"
	"usersyncd/sync/control/health"
	"usersyncd/sync/watch"
)

const (
	statusEvery = time.Second
	beatEvery   = time.Second
)

// A supervisor speaks to systemd's service manager, if there is one: ready, status, watchdog.
type supervisor struct {
	judge         health.Judge
	misconfigured atomic.Pointer[string] // what is wrong with the new configuration, on one line
}

func (*supervisor) notify(state string) { _, _ = sd.SdNotify(false, state) }

// reloading announces that the settings are read again. systemd before 253 ignores the time.
func (s *supervisor) reloading() {
	s.notify(sd.SdNotifyReloading + "\n" + sd.SdNotifyMonotonicUsec())
}

// stuck says who of the loop and its workers has made no progress for too long; "" if nobody.
func (d *daemon) stuck(now time.Time) string {
	return d.judge.Stuck(d.Status(), d.limiter.Stats(), now)
}

// supervise tells how the daemon is until ctx ends. It says READY when the specs were read for the
// first time, and not only when they were applied, which may take an hour of rate limit.
func (d *daemon) supervise(ctx context.Context) error {
	watchdog, err := sd.SdWatchdogEnabled(false)
	if err != nil {
		return err
	}
	tick := time.NewTicker(statusEvery)
	defer tick.Stop()
	var ready, stuck bool
	var last string
	var fed time.Time
	for {
		select {
		case <-ctx.Done():
			d.notify("STOPPING=1\nSTATUS=stopping: what is in flight is waited for")
			return ctx.Err()
		case <-tick.C:
		}
		now, st, l := time.Now(), d.Status(), d.limiter.Stats()
		if !ready && st.Phase != usersync.PhaseScan && !st.Began.IsZero() {
			ready = true
			d.notify("READY=1")
		}
		if text := d.statusText(st, l, now); text != "" && text != last {
			d.notify("STATUS=" + text)
			last = text
		}
		why := d.stuck(now)
		if why != "" && !stuck {
			d.log.Error("sync loop is not making progress; watchdog pings stopped", "reason", why)
		}
		stuck = why != ""
		if watchdog > 0 && now.Sub(fed) >= watchdog/3 && !stuck {
			d.notify("WATCHDOG=1")
			fed = now
		}
	}
}

// statusText is what "systemctl status" shows, or "" for what was shown before: a look at the tree takes
// less than a second, as a rule, and happens every minute.
func (d *daemon) statusText(st usersync.Status, l aimd.Stats, now time.Time) string {
	if st.Phase == usersync.PhaseScan && now.Sub(st.Began) < 5*time.Second {
		return ""
	}
	said := statusText(st, l, d.limiter.Estimate(l.Expected))
	if w := d.watcher.State(); w.Mode == watch.Polling {
		said += ", polling instead of watching: " + text.OneLine(w.Reason)
	}
	if st.Paused != nil {
		said += ", paused: nothing is changed"
	}
	if broken := d.misconfigured.Load(); broken != nil {
		said += ", the new configuration is broken, the one before is in use: " + *broken
	}
	return said
}

// statusText says in one line how many users there are, of which commit, how many are in sync, what is with
// the others, and how fast it goes.
func statusText(st usersync.Status, l aimd.Stats, left time.Duration) string {
	if st.Phase == usersync.PhaseScan {
		return "reading the specs, and comparing"
	}
	said := fmt.Sprintf("%d users @%s", st.Users, spec.ShortRevision(st.Revision))
	if st.Phase != usersync.PhaseApply && st.Phase != usersync.PhaseIdle {
		return said + ", " + progress.Line(st, l, left)
	}
	if st.Phase == usersync.PhaseIdle && st.LastError != nil {
		return said + ", the last pass ended early: " + text.OneLine(st.LastError.Error())
	}
	r := cmp.Or(st.Result, &usersync.Result{})
	failed := r.Failed
	if st.Phase == usersync.PhaseApply {
		failed = st.Progress.Failed
	}
	others := text.NonZero(text.Of(failed, "failed"), text.Of(r.Quarantined, "in quarantine"), text.Of(r.Held, "held"),
		text.Of(r.HeldInPart, "held in part"), text.Of(r.Skipped, "skipped"))
	if n := len(r.Problems); n > 0 {
		others = append(others, text.Plural(n, "problem")+" in the specs")
	}
	others = append(others, text.NonZero(text.Of(r.Retained, "kept as last applied"))...)
	pending := max(0, st.Users-st.InSync)
	if st.Phase == usersync.PhaseIdle && pending == 0 && len(others) == 0 {
		return said + ", all in sync"
	}
	parts := append([]string{said, fmt.Sprintf("%d in sync", st.InSync), fmt.Sprintf("%d pending", pending)}, others...)
	if st.Phase == usersync.PhaseApply {
		parts = append(parts, progress.Pace(l), text.ShortDuration(left)+" left")
	}
	return strings.Join(parts, ", ")
}
