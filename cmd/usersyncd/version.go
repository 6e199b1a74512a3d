package main

import (
	"fmt"
	"io"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"

	"usersyncd/cmd/usersyncd/internal/config"
)

// build is what the binary knows of itself.
type build struct {
	Version string `json:"version"`
	Commit  string `json:"commit,omitempty"`
	Date    string `json:"date,omitempty"`
	Dirty   bool   `json:"dirty,omitempty"`
	Go      string `json:"go"`
}

func buildInfo() build {
	b := build{Version: "devel", Go: runtime.Version()}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return b
	}
	if v := info.Main.Version; v != "" && v != "(devel)" {
		b.Version = v
	}
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			b.Commit = s.Value
		case "vcs.time":
			b.Date = s.Value
		case "vcs.modified":
			b.Dirty = s.Value == "true"
		}
	}
	return b
}

func version() string { return buildInfo().Version }

func newVersion(c *config.Config, p process) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "version",
		Short:   "Print the version",
		Example: `  usersyncd version --output json`,
		Args:    noArgs,
		RunE: func(*cobra.Command, []string) error {
			b := buildInfo()
			return p.show(c.Output, b, func(w io.Writer) {
				commit := ""
				if b.Commit != "" {
					commit = " (" + b.Commit + ", " + b.Date + ")"
				}
				fmt.Fprintf(w, "usersyncd %s%s, %s\n", b.Version, commit, b.Go)
			})
		},
	}
	c.Declare(cmd, config.Output)
	return cmd
}
