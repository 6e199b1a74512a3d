// Package progress shows how far a pass is and how fast it goes: on a terminal, as lines, and in the log.
package progress

import (
	"fmt"
	"io"
	"log/slog"
	"os"
	"sync"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"

	"usersyncd/cmd/usersyncd/internal/logging"
	usersync "usersyncd/sync"
	"usersyncd/sync/aimd"
)

const (
	barInterval = 100 * time.Millisecond
	// LineInterval is the time between two lines where there is no terminal.
	LineInterval = 10 * time.Second
)

// Screen is stderr as the log and the progress share it. On a terminal a log line first clears the bar, which is drawn
// again with its next step.
type Screen struct {
	W    io.Writer
	JSON bool // the log is JSON

	mu  sync.Mutex
	bar *progressbar.ProgressBar // nil: none is shown
}

func (s *Screen) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.bar != nil {
		_ = s.bar.Clear()
	}
	return s.W.Write(p)
}

// Show shows the progress of a pass until stop is called: as a bar on a terminal, else as a line every ten seconds, or
// in the log if that is JSON.
func (s *Screen) Show(status func() usersync.Status, limiter *aimd.Dispatcher, log *slog.Logger) (stop func()) {
	terminal, interval := logging.IsTerminal(s.W), LineInterval
	if terminal {
		interval = barInterval
	}
	halt := every(interval, func(time.Time) {
		st, l := status(), limiter.Stats()
		if st.Phase == usersync.PhaseIdle {
			return
		}
		done, all := st.Progress.Done(), st.Progress.Changed
		if st.Phase == usersync.PhaseRead {
			done, all = st.Read, st.Reading
		}
		switch line := Line(st, l, limiter.Estimate(l.Expected)); {
		case terminal && st.Phase != usersync.PhaseApply && st.Phase != usersync.PhaseRead:
			s.draw(line, 0, 0)
		case terminal:
			s.draw(line, done, all)
		case s.JSON:
			log.Info("progress", "phase", st.Phase, "done", done, "of", all, "status", line)
		default:
			fmt.Fprintln(s, line)
		}
	})
	return func() { halt(); s.clear() }
}

func (s *Screen) draw(line string, done, all int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.bar == nil {
		s.bar = progressbar.NewOptions(-1, progressbar.OptionSetWriter(s.W),
			progressbar.OptionUseANSICodes(true), progressbar.OptionFullWidth(), progressbar.OptionClearOnFinish(), progressbar.OptionSetElapsedTime(false),
			progressbar.OptionSetPredictTime(false),
			progressbar.OptionSetSpinnerChangeInterval(0)) // or a goroutine of its own draws over the log for ever
	}
	s.bar.Describe(fit(s.W, line))
	if all > 0 {
		s.bar.ChangeMax(all)
		_ = s.bar.Set(done)
	}
}

func (s *Screen) clear() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.bar != nil {
		_ = s.bar.Clear()
		s.bar = nil
	}
}

// fit cuts a text to the terminal's width, less the percentage behind it: a bar that wraps cannot be cleared.
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
