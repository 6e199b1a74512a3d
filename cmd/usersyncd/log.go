package main

import (
	"io"
	"log/slog"
	"os"
	"usersyncd/cmd/usersyncd/internal/config"

	"github.com/lmittmann/tint"
	"golang.org/x/term"
)

// newLogger makes the logger that the settings ask for. On a terminal lines are for people, in systemd's journal
// they have fields, elsewhere they are JSON, for whatever collects them. The level can be changed while the logger
// is in use.
func newLogger(c *config.Config, s *screen) (*slog.Logger, *slog.LevelVar, error) {
	level := new(slog.LevelVar)
	format := c.LogFormat
	if format == "auto" {
		format = "json"
		if isTerminal(s.w) {
			format = "text"
		}
	}
	s.json = format != "text"
	if c.LogFormat == "journal" || c.LogFormat == "auto" && isJournal(s.w) {
		j, err := openJournal(journalSocket, s)
		if err == nil {
			return slog.New(&journalHandler{j: j, level: level}), level, nil
		}
		if c.LogFormat == "journal" {
			return nil, nil, usage("--log-format: %w; is systemd-journald running? Use auto, text or json", err)
		}
	}
	if s.json {
		return slog.New(slog.NewJSONHandler(s, &slog.HandlerOptions{Level: level})), level, nil
	}
	return slog.New(tint.NewTextHandler(s, &tint.Options{Level: level, TimeFormat: "15:04:05", NoColor: !colours(s.w, c)})), level, nil
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// colours follows NO_COLOR, FORCE_COLOR and TERM as people know them from other programs.
func colours(w io.Writer, c *config.Config) bool {
	if v, _ := c.Getenv("NO_COLOR"); v != "" {
		return false
	}
	if v, _ := c.Getenv("FORCE_COLOR"); v != "" && v != "0" {
		return true
	}
	if v, _ := c.Getenv("TERM"); v == "dumb" {
		return false
	}
	return isTerminal(w)
}
