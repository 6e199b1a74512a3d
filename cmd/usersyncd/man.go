//go:build man

package main

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"
	"github.com/spf13/pflag"

	"usersyncd/cmd/usersyncd/internal/config"
)

// addMan adds the command that writes the manual pages. Only the build of a release has it: what makes the pages would be
// half a megabyte of the program. go run -tags man ./cmd/usersyncd man DIR
func addMan(root *cobra.Command, lookupEnv func(string) (string, bool)) {
	root.AddCommand(&cobra.Command{
		Use:    "man DIR",
		Short:  "Write the manual pages",
		Hidden: true,
		Args:   cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			date, err := manDate(lookupEnv)
			if err != nil {
				return err
			}
			if err := os.MkdirAll(args[0], 0o755); err != nil {
				return err
			}
			return writeMan(root, args[0], doc.GenManHeader{Section: "1", Date: &date, Source: "usersyncd " + version(), Manual: "User Commands"})
		},
	})
}

// manDate is the date of the pages: today, or that of SOURCE_DATE_EPOCH, so that two builds are equal.
func manDate(lookupEnv func(string) (string, bool)) (time.Time, error) {
	epoch, ok := lookupEnv("SOURCE_DATE_EPOCH")
	if !ok {
		return time.Now().UTC(), nil
	}
	s, err := strconv.ParseInt(epoch, 10, 64)
	if err != nil {
		return time.Time{}, usage("environment variable SOURCE_DATE_EPOCH: invalid value %q: must be seconds since 1970", epoch)
	}
	return time.Unix(s, 0).UTC(), nil
}

// writeMan writes the pages of a command and of those below it.
func writeMan(cmd *cobra.Command, dir string, header doc.GenManHeader) error {
	for _, sub := range cmd.Commands() {
		if sub.IsAvailableCommand() || sub.IsAdditionalHelpTopicCommand() {
			if err := writeMan(sub, dir, header); err != nil {
				return err
			}
		}
	}
	cmd.DisableAutoGenTag = true
	if cmd.Long = markdown(cmd.Long); !cmd.HasParent() {
		cmd.Long += "All settings are in usersyncd-settings(1).\n"
	}
	if cmd.Runnable() {
		cmd.Long += "\n# EXIT STATUS\n" + markdown(exitText(exitsOf(cmd)))
	}
	cmd.InitDefaultHelpFlag()
	settings := cmd.Flags().Lookup("config") != nil
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		if strings.Contains(f.Usage, "\nVariable ") { // a flag that several commands have is the same one
			return
		}
		f.Usage = asMarkdown.Replace(f.Usage)
		if settings && f.Name != "help" {
			f.Usage += ".\nVariable " + asMarkdown.Replace(config.Variable(f.Name)) + "."
		}
	})
	var page bytes.Buffer
	if err := doc.GenMan(cmd, &header, &page); err != nil {
		return err
	}
	name := strings.ReplaceAll(cmd.CommandPath(), " ", "-") + "." + header.Section
	// It writes an option as a paragraph with a tab in it.
	options := regexp.MustCompile(`(?m)^(?:\.PP\n)?(\\fB-.*)\n\t`).ReplaceAll(page.Bytes(), []byte(".TP\n$1\n"))
	return os.WriteFile(filepath.Join(dir, name), options, 0o644)
}

// asMarkdown keeps what markdown would take for emphasis, or for HTML.
var asMarkdown = strings.NewReplacer("*", `\*`, "_", `\_`, "<", `\<`)

// markdown makes a help text what doc.GenMan reads: lines that are indented stay lines.
func markdown(help string) string {
	var b strings.Builder
	inside := false
	for line := range strings.SplitSeq(help, "\n") {
		if indented := strings.HasPrefix(line, "  "); indented != inside && (indented || line != "") {
			b.WriteString("```\n")
			inside = indented
		}
		if !inside {
			line = asMarkdown.Replace(line)
		}
		b.WriteString(line + "\n")
	}
	if inside {
		b.WriteString("```\n")
	}
	return b.String()
}
