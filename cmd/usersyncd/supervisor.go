package main

import (
	"context"
	"sync/atomic"
	"time"

	sd "github.com/coreos/go-systemd/v22/daemon"

	"usersyncd/spec/text"
	usersync "usersyncd/sync"
	"usersyncd/sync/aimd"
	"usersyncd/sync/watch"
)

const (
	statusEvery = time.Second
	beatEvery   = time.Second
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
	free := st.Phase == "idle" || st.Phase == "apply" && st.InFlight == 0
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
		if !ready && st.Phase != "scan" && !st.Began.IsZero() {
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
	if st.Phase == "scan" && now.Sub(st.Began) < 5*time.Second {
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
