package main

import (
	"io"
	"slices"

	"usersyncd/cmd/usersyncd/internal/config"
	"usersyncd/cmd/usersyncd/internal/logging"
)

// colored reports whether text on a stream is to have colors. The first that says something decides: --color, NO_COLOR,
// CLICOLOR_FORCE or FORCE_COLOR, CLICOLOR=0 or a dumb terminal, and whether it is a terminal. Other formats never have any.
func colored(c *config.Config, w io.Writer) bool {
	switch c.Color {
	case "always":
		return true
	case "never":
		return false
	}
	is := func(name string, values ...string) bool {
		v, _ := c.Getenv(name)
		return slices.Contains(values, v)
	}
	switch {
	case !is("NO_COLOR", ""): // any value counts, says no-color.org
		return false
	case !is("CLICOLOR_FORCE", "", "0"), !is("FORCE_COLOR", "", "0"):
		return true
	case is("CLICOLOR", "0"), is("TERM", "dumb"):
		return false
	}
	return logging.IsTerminal(w)
}
