package main

import (
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/schollz/progressbar/v3"

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
	mu  sync.Mutex
	w   io.Writer
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
	quit, gone := make(chan struct{}), make(chan struct{})
	tty := isTerminal(s.w)
	every := lineEvery
	if tty {
		every = barEvery
	}
	go func() {
		defer close(gone)
		tick := time.NewTicker(every)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				if st := a.Status(); tty {
					s.step(st, a.limiter.Stats(), a.limiter.Estimate(st.Changed-st.Done()))
				} else if st.Phase != "idle" {
					fmt.Fprintln(s, progressLine(st, a.limiter.Stats(), a.limiter.Estimate(st.Changed-st.Done())))
				}
			case <-quit:
				s.clear()
				return
			}
		}
	}()
	return func() { close(quit); <-gone }
}

// step draws the bar.
func (s *screen) step(st usersync.Status, l aimd.Stats, left time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if st.Phase == "idle" {
		return
	}
	if s.bar == nil {
		s.bar = progressbar.NewOptions(-1, progressbar.OptionSetWriter(s.w),
			progressbar.OptionUseANSICodes(true), progressbar.OptionFullWidth(), progressbar.OptionClearOnFinish(), progressbar.OptionSetElapsedTime(false),
			progressbar.OptionSetPredictTime(false),
			progressbar.OptionSetSpinnerChangeInterval(0)) // or a goroutine of its own draws, for ever, over the log
	}
	s.bar.Describe(progressLine(st, l, left))
	if st.Phase == "apply" && st.Changed > 0 {
		s.bar.ChangeMax(st.Changed)
		_ = s.bar.Set(st.Done())
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

// progressLine is the same for the bar, the ten-second line and systemd's status.
func progressLine(st usersync.Status, l aimd.Stats, left time.Duration) string {
	quota := "quota ?"
	if l.Windowed {
		quota = fmt.Sprintf("quota %d/%d", l.Left, l.Allowed)
	}
	limit := fmt.Sprintf("%.1f/s, %s, %d throttled", l.Effective, quota, l.Throttled)
	switch {
	case st.Phase != "apply":
		return st.Phase + ": " + limit
	case l.Gate > 0:
		limit += fmt.Sprintf(", waiting %s", seconds(l.Gate))
	}
	failed := ""
	if st.Failed > 0 {
		failed = fmt.Sprintf(", %d failed", st.Failed)
	}
	return fmt.Sprintf("%d/%d users%s, %s, %s left", st.Done(), st.Changed, failed, limit, seconds(left))
}
