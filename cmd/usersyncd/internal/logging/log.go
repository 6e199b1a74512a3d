// Package logging makes the logger that the settings ask for.
package logging

import (
	"fmt"
	"io"
	"log/slog"
	"strings"
	"time"

	"github.com/lmittmann/tint"
	"golang.org/x/term"

	"usersyncd/spec/text"
)

// New returns a logger that writes lines to out, and its level, which may be changed while it is in use. out leads to
// stderr. The format is auto, text, json or journal, as --log-format describes them: auto is journal if the journal reads
// stderr, and text otherwise. asText reports whether lines of text on stderr fit in with the log.
func New(out, stderr io.Writer, format string, color bool) (log *slog.Logger, level *slog.LevelVar, asText bool, err error) {
	level = new(slog.LevelVar)
	switch {
	case format == "json":
		return slog.New(slog.NewJSONHandler(jsonWriter{out}, &slog.HandlerOptions{Level: level, ReplaceAttr: readable})), level, false, nil
	case format == "journal", format == "auto" && isJournal(stderr):
		j, err := openJournal(journalSocket, out)
		if err == nil {
			return slog.New(&handler{j: j, level: level}), level, false, nil
		}
		if format == "journal" {
			return nil, nil, false, fmt.Errorf("%w; is systemd-journald running? Use auto, text or json", err)
		}
	}
	o := tint.Options{Level: level, TimeFormat: time.RFC3339, NoColor: !color, ReplaceAttr: onOneLine}
	if IsTerminal(stderr) { // a person who knows the date
		o.TimeFormat = "15:04:05 MST"
	}
	return slog.New(tint.NewTextHandler(out, &o)), level, true, nil
}

// onOneLine makes a list a text, as in the journal.
func onOneLine(_ []string, a slog.Attr) slog.Attr {
	if list, ok := a.Value.Any().([]string); ok {
		a.Value = slog.StringValue(strings.Join(list, "; "))
	}
	return a
}

// jsonWriter writes lines of JSON.
type jsonWriter struct{ w io.Writer }

func (j jsonWriter) Write(line []byte) (int, error) {
	if _, err := j.w.Write(text.EscapeJSON(line)); err != nil {
		return 0, err
	}
	return len(line), nil
}

// readable makes a duration a text, such as "2s": slog's JSON has nanoseconds.
func readable(_ []string, a slog.Attr) slog.Attr {
	if a.Value.Kind() == slog.KindDuration {
		a.Value = slog.StringValue(a.Value.Duration().String())
	}
	return a
}

// A file is an os.File, or a writer that leads to one.
type file interface{ Fd() uintptr }

// IsTerminal reports whether a terminal shows what is written to w.
func IsTerminal(w io.Writer) bool {
	f, ok := w.(file)
	return ok && term.IsTerminal(int(f.Fd()))
}

// Width is how many columns the terminal has that shows what is written to w; 0 if none does.
func Width(w io.Writer) int {
	if f, ok := w.(file); ok {
		if width, _, err := term.GetSize(int(f.Fd())); err == nil {
			return width
		}
	}
	return 0
}
