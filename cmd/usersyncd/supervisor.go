package main

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	sd "github.com/coreos/go-systemd/v22/daemon"

	usersync "usersyncd/sync"
)

const (
	statusEvery = time.Second
	beatEvery   = time.Second
	// A loop without a step for so long is stuck. Applying and idling take a step every few seconds,
	// however long the rate limit keeps them waiting; a listing of a large organization may take a while.
	stuckAfter     = time.Minute
	stuckReadAfter = 15 * time.Minute
)

// A supervisor speaks to systemd's service manager, if there is one: ready, status, watchdog.
type supervisor struct {
	beat atomic.Int64 // when the loop last showed that it idles, in Unix nanoseconds
}

func (*supervisor) notify(state string) { _, _ = sd.SdNotify(false, state) }

// alive reports whether whoever has to take the next step took one lately.
func (s *supervisor) alive(st usersync.Status, now time.Time) bool {
	switch st.Phase {
	case "idle":
		return now.Sub(time.Unix(0, s.beat.Load())) < stuckAfter || now.Sub(st.Beat) < stuckAfter
	case "apply":
		return now.Sub(st.Beat) < stuckAfter
	}
	return now.Sub(st.Beat) < stuckReadAfter
}

// reloading announces that the tree is read again on request. systemd before 253 ignores the time.
func (s *supervisor) reloading() {
	s.notify(sd.SdNotifyReloading + "\n" + sd.SdNotifyMonotonicUsec())
}

// supervise tells how the daemon is until ctx ends. It says READY when the specs were read for the
// first time, and not only when they were applied, which may take an hour of rate limit.
func (s *supervisor) supervise(ctx context.Context, a *app) error {
	watchdog, err := sd.SdWatchdogEnabled(false)
	if err != nil {
		return err
	}
	tick := time.NewTicker(statusEvery)
	defer tick.Stop()
	var ready bool
	var last string
	var fed time.Time
	for {
		select {
		case <-ctx.Done():
			s.notify("STOPPING=1\nSTATUS=stopping: what is in flight is waited for")
			return ctx.Err()
		case <-tick.C:
		}
		st := a.Status()
		if !ready && st.Phase != "scan" && !st.Began.IsZero() {
			ready = true
			s.notify("READY=1")
		}
		if text := a.statusText(st); text != last {
			s.notify("STATUS=" + text)
			last = text
		}
		if watchdog > 0 && time.Since(fed) >= watchdog/3 && s.alive(st, time.Now()) {
			s.notify("WATCHDOG=1")
			fed = time.Now()
		}
	}
}

// statusText is what "systemctl status" shows.
func (a *app) statusText(st usersync.Status) string {
	revision := st.Revision
	if len(revision) > 12 {
		revision = revision[:12]
	}
	at := fmt.Sprintf("%d users @%s", st.Users, revision)
	switch {
	case st.Phase != "idle":
		return at + ", " + a.progressLine(st)
	case st.Err != nil:
		// A line of its own would be a message of its own.
		return at + ", the last pass ended early: " + strings.Join(strings.Fields(st.Err.Error()), " ")
	}
	if r := st.Last; r != nil && r.Failed+r.Quarantined+r.Skipped+r.Held+len(r.Problems) > 0 {
		return fmt.Sprintf("%s, %d failed or in quarantine, %d skipped, %d held, %d problems in the specs",
			at, r.Failed+r.Quarantined, r.Skipped, r.Held, len(r.Problems))
	}
	return at + ", all in sync"
}
