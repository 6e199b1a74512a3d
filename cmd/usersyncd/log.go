package main

import (
	"io"
	"log/slog"
	"os"

	"github.com/lmittmann/tint"
	"golang.org/x/term"
)

// newLogger makes the logger that the settings ask for. On a terminal lines are for people, elsewhere
// they are JSON, for whatever collects them. The level can be changed while the logger is in use.
func (c *config) newLogger(s *screen, env environment) (*slog.Logger, *slog.LevelVar) {
	level := new(slog.LevelVar)
	format := c.logFormat
	if format == "auto" {
		format = "json"
		if isTerminal(s.w) {
			format = "text"
		}
	}
	if s.json = format == "json"; s.json {
		return slog.New(slog.NewJSONHandler(s, &slog.HandlerOptions{Level: level})), level
	}
	return slog.New(tint.NewTextHandler(s, &tint.Options{Level: level, TimeFormat: "15:04:05", NoColor: !colours(s.w, env)})), level
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// colours follows NO_COLOR, FORCE_COLOR and TERM as people know them from other programs.
func colours(w io.Writer, env environment) bool {
	if v, _ := env.get("NO_COLOR"); v != "" {
		return false
	}
	if v, _ := env.get("FORCE_COLOR"); v != "" && v != "0" {
		return true
	}
	if v, _ := env.get("TERM"); v == "dumb" {
		return false
	}
	return isTerminal(w)
}
