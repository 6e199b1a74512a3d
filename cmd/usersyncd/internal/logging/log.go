// Package logging makes the logger that the settings ask for.
package logging

import (
	"fmt"
	"io"
	"log/slog"
	"os"

	"github.com/lmittmann/tint"
	"golang.org/x/term"
)

// New returns a logger that writes lines to out, and its level, which may be changed while it is in use. out leads to
// stderr. The format is auto, text, json or journal, as --log-format describes them; text reports which one auto is.
func New(out, stderr io.Writer, format string, color bool) (log *slog.Logger, level *slog.LevelVar, text bool, err error) {
	level = new(slog.LevelVar)
	text = format == "text" || format == "auto" && IsTerminal(stderr)
	switch {
	case format == "journal", format == "auto" && isJournal(stderr):
		j, err := openJournal(journalSocket, out)
		if err == nil {
			return slog.New(&handler{j: j, level: level}), level, false, nil
		}
		if format == "journal" {
			return nil, nil, false, fmt.Errorf("%w; is systemd-journald running? Use auto, text or json", err)
		}
	case text:
		return slog.New(tint.NewTextHandler(out, &tint.Options{Level: level, TimeFormat: "15:04:05", NoColor: !color})), level, true, nil
	}
	return slog.New(slog.NewJSONHandler(out, &slog.HandlerOptions{Level: level})), level, false, nil
}

// IsTerminal reports whether a terminal shows what is written to w.
func IsTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// Color reports whether output to w is to have colors. It follows NO_COLOR, FORCE_COLOR and TERM as other programs do.
func Color(w io.Writer, getenv func(string) (value, source string)) bool {
	if v, _ := getenv("NO_COLOR"); v != "" {
		return false
	}
	if v, _ := getenv("FORCE_COLOR"); v != "" && v != "0" {
		return true
	}
	if v, _ := getenv("TERM"); v == "dumb" {
		return false
	}
	return IsTerminal(w)
}
