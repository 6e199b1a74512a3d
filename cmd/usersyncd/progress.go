package main

import (
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"

	"usersyncd/cmd/usersyncd/internal/logging"
	"usersyncd/spec/text"
	usersync "usersyncd/sync"
	"usersyncd/sync/aimd"
)

const (
	barEvery  = 100 * time.Millisecond
	lineEvery = 10 * time.Second
)

// screen is stderr as the log and the progress share it: on a terminal a log line first takes the bar
// away, which comes back with its next step.
type screen struct {
	w    io.Writer
	json bool // the log is JSON

	mu  sync.Mutex
	bar *progressbar.ProgressBar // nil: none is shown
}

func (s *screen) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.bar != nil {
		_ = s.bar.Clear()
	}
	return s.w.Write(p)
}

// showProgress shows how far the pass is until stop is called: a bar on a terminal, a line every ten
// seconds elsewhere.
func (a *app) showProgress() (stop func()) {
	s := a.screen
	if !logging.IsTerminal(s.w) {
		return every(lineEvery, func(time.Time) {
			if st := a.Status(); st.Phase != usersync.PhaseIdle {
				a.progress(st)
			}
		})
	}
	halt := every(barEvery, func(time.Time) {
		st := a.Status()
		s.step(st, a.progressLine(st))
	})
	return func() { halt(); s.clear() }
}

// progress writes one line: among JSON as JSON.
func (a *app) progress(st usersync.Status) {
	line := a.progressLine(st)
	if a.screen.json {
		done, all := steps(st)
		a.log.Info("progress", "phase", st.Phase, "done", done, "of", all, "status", line)
		return
	}
	fmt.Fprintln(a.screen, line)
}

// steps says how many of how many users are through with the phase.
func steps(st usersync.Status) (done, all int) {
	if st.Phase == usersync.PhaseRead {
		return st.Read, st.Reading
	}
	return st.Progress.Done(), st.Progress.Changed
}

// step draws the bar.
func (s *screen) step(st usersync.Status, line string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if st.Phase == usersync.PhaseIdle {
		return
	}
	if s.bar == nil {
		s.bar = progressbar.NewOptions(-1, progressbar.OptionSetWriter(s.w),
			progressbar.OptionUseANSICodes(true), progressbar.OptionFullWidth(), progressbar.OptionClearOnFinish(), progressbar.OptionSetElapsedTime(false),
			progressbar.OptionSetPredictTime(false),
			progressbar.OptionSetSpinnerChangeInterval(0)) // or a goroutine of its own draws, for ever, over the log
	}
	s.bar.Describe(fit(s.w, line))
	done, all := steps(st)
	if (st.Phase == usersync.PhaseApply || st.Phase == usersync.PhaseRead) && all > 0 {
		s.bar.ChangeMax(all)
		_ = s.bar.Set(done)
	}
}

func (s *screen) clear() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.bar != nil {
		_ = s.bar.Clear()
		s.bar = nil
	}
}

func (a *app) progressLine(st usersync.Status) string {
	l := a.limiter.Stats()
	return progressLine(st, l, a.limiter.Estimate(l.Expected))
}

// progressLine is the same for the bar, the ten-second line and systemd's status. What matters most comes
// first, as a narrow terminal cuts the end off.
func progressLine(st usersync.Status, l aimd.Stats, left time.Duration) string {
	switch st.Phase {
	case usersync.PhaseApply:
	case usersync.PhaseWait:
		return "wait: until the API shows what was written a moment ago"
	case usersync.PhaseRead:
		return fmt.Sprintf("read: %d/%d users, %s left, %s", st.Read, st.Reading, text.ShortDuration(left), pace(l))
	default:
		return string(st.Phase) + ": " + pace(l)
	}
	failed := ""
	if st.Progress.Failed > 0 {
		failed = fmt.Sprintf(", %d failed", st.Progress.Failed)
	}
	return fmt.Sprintf("%d/%d users%s, %s left, %s, %s", st.Progress.Done(), st.Progress.Changed, failed, text.ShortDuration(left), pace(l), text.Plural(l.Expected, "call")+" to go")
}

// pace says how fast it goes, and why. While nothing may be sent, rate and quota mean nothing and the wait
// is all there is to say.
func pace(l aimd.Stats) string {
	quota := "quota ?"
	if l.Windowed {
		quota = fmt.Sprintf("quota %d/%d", l.Left, l.Allowed)
	}
	speed := fmt.Sprintf("%.1f/s, %s", l.Effective, quota)
	switch {
	case l.Gate > 0:
		speed = "waiting " + text.ShortDuration(l.Gate)
	case l.Reason == aimd.Exhausted:
		speed = fmt.Sprintf("quota spent, waiting %s", text.ShortDuration(l.Reset))
	case l.Reason == aimd.InFlight:
		speed = fmt.Sprintf("%d calls under way, %s", l.InFlight, quota)
	case l.Reason == aimd.Rate && l.Throttled > 0:
		speed = fmt.Sprintf("%.1f/s after 429s, %s", l.Effective, quota)
	}
	return fmt.Sprintf("%s, %d throttled", speed, l.Throttled)
}

// fit cuts a text to the terminal's width, less the percentage behind it: a bar that wraps cannot be
// taken away again.
func fit(w io.Writer, text string) string {
	const behind = 16
	f, ok := w.(*os.File)
	if !ok {
		return text
	}
	width, _, err := term.GetSize(int(f.Fd()))
	if err != nil || width <= behind || len(text) <= width-behind {
		return text
	}
	return text[:width-behind-3] + "..."
}
