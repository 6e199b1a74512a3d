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
	"usersyncd/sync/watch"
)

const (
	statusEvery = time.Second
	beatEvery   = time.Second

	// A loop without a step for so long is stuck. Applying and idling take one every few seconds, however
	// long the rate limit keeps them waiting.
	stuckAfter = time.Minute
	// A look at the tree, and the plan, may take a while: 50,000 files on a slow network disk.
	stuckReadAfter = 15 * time.Minute
	// Workers of whom none has begun a request or had an answer for so long are stuck, if they have requests
	// and nothing makes them wait: a request ends after half a minute, answered or not.
	silentAfter = 5 * time.Minute
)

// A supervisor speaks to systemd's service manager, if there is one: ready, status, watchdog.
type supervisor struct {
	beat          atomic.Int64           // when the loop last showed that it idles, in Unix nanoseconds
	moved         atomic.Int64           // when the workers last were seen to move, in Unix nanoseconds
	seen          aimd.Stats             // of the limiter, then
	misconfigured atomic.Pointer[string] // what is wrong with the new configuration, on one line
}

func (*supervisor) notify(state string) { _, _ = sd.SdNotify(false, state) }

// reloading announces that the settings are read again. systemd before 253 ignores the time.
func (s *supervisor) reloading() {
	s.notify(sd.SdNotifyReloading + "\n" + sd.SdNotifyMonotonicUsec())
}

// watch takes a look at the workers. They move if a request has begun or was answered; they need not without
// work, and cannot while the limiter holds all of them back, which the API has asked for.
func (s *supervisor) watch(st usersync.Status, l aimd.Stats, now time.Time) {
	moves := l.Sent != s.seen.Sent || l.Cancelled != s.seen.Cancelled || l.InFlight != s.seen.InFlight
	free := st.Phase == usersync.PhaseIdle || st.Phase == usersync.PhaseApply && st.Progress.InFlight == 0
	shut := l.Waiting > 0 && (l.Gate > 0 || l.Reason == aimd.Exhausted)
	if moves || free || shut {
		s.moved.Store(now.UnixNano())
	}
	s.seen = l
}

// alive reports whether whoever has to take the next step took one lately, and else who did not. The
// watchdog and readiness go by it.
func (d *daemon) alive(now time.Time) (ok bool, why string) {
	var gap time.Duration
	if rate := d.limiter.Stats().Effective; rate > 0 {
		gap = time.Duration(float64(time.Second) / rate)
	}
	return alive(d.Status(), pulse{
		loop: time.Unix(0, d.beat.Load()), workers: time.Unix(0, d.moved.Load()), patience: silentAfter + d.longestWait + gap,
	}, now)
}

// A pulse is when those who do the work last showed that they do.
type pulse struct {
	loop     time.Time     // between two passes
	workers  time.Time     // began a request, had an answer, or were held back by the limiter
	patience time.Duration // how long workers may rest: between two tries, and between two calls at a low rate
}

// alive reports whether whoever has to take the next step took one lately, and else who did not.
func alive(st usersync.Status, p pulse, now time.Time) (ok bool, why string) {
	loop, workers := now.Sub(st.Beat), now.Sub(p.workers)
	switch st.Phase {
	case usersync.PhaseIdle:
		if loop = min(loop, now.Sub(p.loop)); loop >= stuckAfter {
			return false, fmt.Sprintf("the loop has taken no step for %s, between two passes", loop.Round(time.Second))
		}
	case usersync.PhaseApply:
		if loop >= stuckAfter {
			return false, fmt.Sprintf("the loop has taken no step for %s, while applying", loop.Round(time.Second))
		}
		if st.Progress.InFlight > 0 && workers >= p.patience {
			return false, fmt.Sprintf("no call was begun or answered for %s, with %s under way", workers.Round(time.Second), text.Plural(st.Progress.InFlight, "call"))
		}
	case usersync.PhaseScan:
		if rest := min(loop, workers); rest >= stuckReadAfter {
			return false, fmt.Sprintf("reading the specs, and planning, have come no further for %s", rest.Round(time.Second))
		}
	default: // refresh and read: the loop waits for its workers
		if rest := min(loop, workers); rest >= p.patience {
			return false, fmt.Sprintf("no call was begun or answered for %s, in the phase %q", rest.Round(time.Second), st.Phase)
		}
	}
	return true, ""
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
		d.watch(st, l, now)
		ok, why := d.alive(now)
		if !ok && !stuck {
			d.log.Error("it is stuck; the watchdog is not fed until it goes on", "reason", why)
		}
		stuck = !ok
		if watchdog > 0 && now.Sub(fed) >= watchdog/3 && ok {
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
