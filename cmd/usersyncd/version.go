package main

import (
	"fmt"
	"io"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"

	"usersyncd/cmd/usersyncd/internal/config"
)

// release is the version that .ci/release builds. The linker sets it.
var release string

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
	if release != "" {
		b.Version = release
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

// versionText is the line of usersyncd version.
func versionText() string {
	b := buildInfo()
	text := "usersyncd " + b.Version
	if b.Commit != "" {
		text += " (" + b.Commit + ", " + b.Date + ")"
	}
	return text + ", " + b.Go
}

func newVersion(c *config.Config, p process) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "version",
		Short: "Print the version",
		Example: `  usersyncd version
  usersyncd version --output json | jq -r .commit`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := c.CheckOutputs(config.FormatsOf(cmd), cmd.CommandPath()); err != nil {
				return err
			}
			return p.show(c, buildInfo(), func(w io.Writer) { fmt.Fprintln(w, versionText()) })
		},
	}
	c.Declare(cmd, config.Output)
	return cmd
}
