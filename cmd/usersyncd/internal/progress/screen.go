// Package progress shows how far a pass is and how fast it goes: on a terminal, as lines, and in the log.
package progress

import (
	"cmp"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync"
	"time"

	"usersyncd/cmd/usersyncd/internal/logging"
	usersync "usersyncd/sync"
	"usersyncd/sync/aimd"
)

const (
	barInterval = 100 * time.Millisecond
	// LineInterval is the time between two lines where there is no terminal.
	LineInterval = 10 * time.Second

	defaultWidth = 80 // of a terminal that does not say
	minBar       = 8  // columns
	spinner      = `|/-\`
)

// Screen is stderr as the log and the progress share it. On a terminal a log line first clears the bar, which is drawn
// again with its next step.
type Screen struct {
	W    io.Writer
	JSON bool // the log is JSON

	mu    sync.Mutex
	shown string // the line on a terminal; "" if there is none
}

func (s *Screen) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.erase()
	return s.W.Write(p)
}

// Show shows the progress of a pass until stop is called: as a bar on a terminal, else as a line every ten seconds, or
// in the log if that is JSON.
func (s *Screen) Show(status func() usersync.Status, limiter *aimd.Dispatcher, log *slog.Logger) (stop func()) {
	terminal, interval := logging.IsTerminal(s.W), LineInterval
	if terminal {
		interval = barInterval
	}
	drawn := 0
	halt := every(interval, func(time.Time) {
		st, l := status(), limiter.Stats()
		if st.Phase == usersync.PhaseIdle {
			return
		}
		done, all := st.Progress.Done(), st.Progress.Changed
		if st.Phase == usersync.PhaseRead {
			done, all = st.Read, st.Reading
		}
		left, counted := limiter.Estimate(l.Expected), st.Phase == usersync.PhaseApply || st.Phase == usersync.PhaseRead
		columns := cmp.Or(logging.Width(s.W), defaultWidth) - 1 // text in the last one may move the cursor to the next line
		switch {
		case terminal && counted:
			line := Line(st, l, left, columns)
			s.draw(line + bar(done, all, columns-len(line)))
		case terminal:
			drawn++
			s.draw(string(spinner[drawn%len(spinner)]) + " " + Line(st, l, left, columns-2))
		case s.JSON:
			log.Info("progress", "phase", st.Phase, "done", done, "of", all, "status", Line(st, l, left, 0))
		default:
			fmt.Fprintln(s, Line(st, l, left, 0))
		}
	})
	return func() { halt(); s.clear() }
}

// draw replaces the line.
func (s *Screen) draw(line string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if line != s.shown {
		fmt.Fprint(s.W, "\r", line, "\x1b[0K")
		s.shown = line
	}
}

func (s *Screen) clear() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.erase()
}

func (s *Screen) erase() {
	if s.shown != "" {
		fmt.Fprint(s.W, "\r\x1b[2K")
		s.shown = ""
	}
}

// bar is a percentage and, if there is room, a bar.
func bar(done, all, columns int) string {
	if all == 0 || columns < len(" 100%") {
		return ""
	}
	percent := fmt.Sprintf(" %3d%%", 100*done/all)
	inside := columns - len(" 100% []")
	if inside < minBar {
		return percent
	}
	full := inside * done / all
	return fmt.Sprintf("%s [%s%s]", percent, strings.Repeat("#", full), strings.Repeat(" ", inside-full))
}
