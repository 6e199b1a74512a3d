package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"usersyncd/cmd/usersyncd/internal/config"
	"usersyncd/cmd/usersyncd/internal/logging"
)

func newConfig(c *config.Config, p process) *cobra.Command {
	return command(c, config.Full|config.Saved|config.Socket|config.Webhook|config.Daemon, &cobra.Command{
		Use:   "config [flags] [DIR]",
		Short: "Show the settings in effect, and where each was given",
		Long: `config shows every setting with its value, and where that was given: by a flag,
by an environment variable, in a line of the configuration file, or nowhere, so
that it is the default. Give it what the service is given: the same --config and
the same environment. Of secrets it shows only where they come from. A setting
that does not exist is an error. Nothing is sent, and nothing is changed.`,
		Example: `  usersyncd config --config /etc/usersyncd/config.yaml
  usersyncd config --output json ./users | jq -r '.settings[].origin'`,
		Args: oneDir,
		RunE: func(_ *cobra.Command, args []string) error {
			if len(args) == 1 {
				c.Dir = args[0]
			}
			if err := c.ReadEnvFile(); err != nil {
				return err
			}
			if _, err := c.Policy(); err != nil {
				return err
			}
			out := effective{"usersyncd.config/v1", c.Effective(), c.Logins()}
			for _, variable := range c.Misspelt {
				fmt.Fprintf(p.stderr, "warning: %s is not a setting; did you mean %s?\n", variable.Name, variable.Meant)
			}
			if c.Account.Unread != nil {
				fmt.Fprintf(p.stderr, "warning: %s is not read: %v\n", c.Account.Path, c.Account.Unread)
			}
			return p.show(c, out, func(w io.Writer) { printConfig(sheet{w, logging.Width(p.stdout)}, out) })
		},
	})
}

type effective struct {
	Schema   string             `json:"schema"`
	Settings []config.Effective `json:"settings"`
	Logins   []config.Effective `json:"logins"`
}

// printConfig writes what was given first, as the rest is as the help says.
func printConfig(w sheet, all effective) {
	var given, defaults [][]string
	for _, s := range all.Settings {
		value := s.Value
		if value == "" {
			value = "-"
		}
		if row := []string{"  " + s.Name, value, s.Origin}; s.Given() {
			given = append(given, row)
		} else {
			defaults = append(defaults, row[:2])
		}
	}
	var logins [][]string
	for _, s := range all.Logins {
		value, origin := s.Value, s.Origin
		switch {
		case s.Error != "":
			value, origin = "(cannot be read)", s.Error
		case s.Secret:
			value = "(set)"
		case s.Value == "":
			value = "(not set)"
		}
		logins = append(logins, []string{"  " + s.Name, value, origin})
	}
	w.part("given", given)
	w.part("logins", logins)
	w.part("defaults", defaults)
}

// part writes rows below a heading: as a table, or each on a line of its own if the table does not fit.
func (s sheet) part(heading string, rows [][]string) {
	if len(rows) == 0 {
		return
	}
	fmt.Fprintln(s, heading)
	if s.table(rows) {
		return
	}
	for _, row := range rows {
		line := row[0] + ": " + row[1]
		if len(row) > 2 && row[2] != "" {
			line += " (" + row[2] + ")"
		}
		s.line(4, "%s", line)
	}
}
