package daemon

import (
	"cmp"
	"context"
	"fmt"
	"strings"
	"time"

	sd "github.com/coreos/go-systemd/v22/daemon"

	"usersyncd/cmd/usersyncd/internal/progress"
	"usersyncd/spec"
	"usersyncd/spec/text"
	usersync "usersyncd/sync"
	"usersyncd/sync/aimd"
	"usersyncd/sync/watch"
)

const superviseInterval = time.Second

// notifySystemd sends a state to the service manager, if there is one.
func notifySystemd(state string) { _, _ = sd.SdNotify(false, state) }

// notifyReloading announces a reload. systemd before 253 ignores the time.
func notifyReloading() { notifySystemd(sd.SdNotifyReloading + "\n" + sd.SdNotifyMonotonicUsec()) }

// supervise tells systemd how the daemon is until ctx ends. It says READY when the specs were read for the first time, and
// not only when they were applied, which may take an hour of rate limit.
func (d *Daemon) supervise(ctx context.Context) error {
	watchdog, err := sd.SdWatchdogEnabled(false)
	if err != nil {
		return err
	}
	tick := time.NewTicker(superviseInterval)
	defer tick.Stop()
	ready, stuck, status, pinged := false, false, "", time.Time{}
	for {
		select {
		case <-ctx.Done():
			notifySystemd("STOPPING=1\nSTATUS=stopping: waiting for requests in flight")
			return ctx.Err()
		case <-tick.C:
		}
		now, st, l := time.Now(), d.Reconciler.Status(), d.Limiter.Stats()
		if !ready && st.Phase != usersync.PhaseScan && !st.Began.IsZero() {
			ready = true
			notifySystemd("READY=1")
		}
		if text := d.statusText(st, l, now); text != "" && text != status {
			notifySystemd("STATUS=" + text)
			status = text
		}
		reason := d.judge.Stuck(st, l, now)
		if reason != "" && !stuck {
			d.Log.Error("sync loop is not making progress; watchdog pings stopped", "reason", reason)
		}
		if stuck = reason != ""; watchdog > 0 && now.Sub(pinged) >= watchdog/3 && !stuck {
			notifySystemd("WATCHDOG=1")
			pinged = now
		}
	}
}

// statusText is what "systemctl status" shows, or "" for what was shown before: a scan takes less than a second, as a rule,
// and happens every minute.
func (d *Daemon) statusText(st usersync.Status, l aimd.Stats, now time.Time) string {
	if st.Phase == usersync.PhaseScan && now.Sub(st.Began) < 5*time.Second {
		return ""
	}
	all := statusText(st, l, d.Limiter.Estimate(l.Expected))
	if w := d.Watcher.State(); w.Mode == watch.Polling {
		all += ", polling instead of watching: " + text.OneLine(w.Reason)
	}
	if st.Paused != nil {
		all += ", paused: no changes are made"
	}
	if reason := d.invalid.Load(); reason != nil {
		all += ", new configuration is invalid, the previous one is in use: " + *reason
	}
	return all
}

// statusText says in one line how many users there are, at which revision, how many are in sync, what is with the others,
// and how fast it goes.
func statusText(st usersync.Status, l aimd.Stats, left time.Duration) string {
	if st.Phase == usersync.PhaseScan {
		return "reading the specs, and planning"
	}
	users := fmt.Sprintf("%d users @%s", st.Users, spec.ShortRevision(st.Revision))
	if st.Phase != usersync.PhaseApply && st.Phase != usersync.PhaseIdle {
		return users + ", " + progress.Line(st, l, left)
	}
	if st.Phase == usersync.PhaseIdle && st.LastError != nil {
		return users + ", the last pass failed: " + text.OneLine(st.LastError.Error())
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
		return users + ", all in sync"
	}
	parts := append([]string{users, fmt.Sprintf("%d in sync", st.InSync), fmt.Sprintf("%d pending", pending)}, others...)
	if st.Phase == usersync.PhaseApply {
		parts = append(parts, progress.Pace(l), text.ShortDuration(left)+" left")
	}
	return strings.Join(parts, ", ")
}
