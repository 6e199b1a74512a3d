package daemon

import (
	"context"
	"strings"
	"time"

	sd "github.com/coreos/go-systemd/v22/daemon"

	"usersyncd/cmd/usersyncd/internal/progress"
	"usersyncd/spec"
	usersync "usersyncd/sync"
	"usersyncd/sync/aimd"
	"usersyncd/sync/control"
)

const superviseInterval = time.Second

// notifySystemd sends a state to the service manager, if there is one.
func notifySystemd(state string) { _, _ = sd.SdNotify(false, state) }

// notifyReloading announces a reload. systemd before 253 ignores the time.
func notifyReloading() { notifySystemd(sd.SdNotifyReloading + "\n" + sd.SdNotifyMonotonicUsec()) }

// supervise reports to systemd until ctx ends. It sends READY when the specs were read for the first time, and
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
		now, s := time.Now(), d.Status()
		if !ready && s.Phase != usersync.PhaseScan && !s.Began.IsZero() {
			ready = true
			notifySystemd("READY=1")
		}
		if text := statusText(&s, d.Limiter.Stats()); text != status {
			notifySystemd("STATUS=" + text)
			status = text
		}
		if s.Stuck != "" && !stuck {
			d.Log.Error("sync loop is not making progress; watchdog pings stopped", "reason", s.Stuck)
		}
		if stuck = s.Stuck != ""; watchdog > 0 && now.Sub(pinged) >= watchdog/3 && !stuck {
			notifySystemd("WATCHDOG=1")
			pinged = now
		}
	}
}

// statusText is what "systemctl status" shows: the lines of the status page, the revision, and how fast a pass goes.
func statusText(s *control.Status, l aimd.Stats) string {
	var texts []string
	for _, line := range s.Lines() {
		texts = append(texts, line.Text)
	}
	if s.Revision != "" {
		texts = append(texts, "revision "+spec.ShortRevision(s.Revision))
	}
	if s.PassUnderWay() && s.Phase != usersync.PhaseScan { // which takes less than a second, as a rule, and happens every minute
		texts = append(texts, progress.Pace(l))
	}
	return strings.Join(texts, "; ")
}
