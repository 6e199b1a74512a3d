package main

import (
	"cmp"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"usersyncd/cmd/usersyncd/internal/config"
	"usersyncd/cmd/usersyncd/internal/logging"
	"usersyncd/spec/text"
)

// Groups of commands, in the order of the help; their titles are their ids.
const (
	groupSpecs   = "Work with specs"
	groupAsk     = "Ask what is going on"
	groupControl = "Control the service"
	groupTry     = "Try it without an account"
	groupOther   = "Other"
)

const longHelp = `usersyncd makes a Genesys Cloud organization match a directory of YAML user
specs. It compares the specs with what it last applied, and changes only the
users that differ, as fast as the API accepts.`

// addGroup adds commands as one group of the list in the help.
func addGroup(root *cobra.Command, title string, commands ...*cobra.Command) {
	root.AddGroup(&cobra.Group{ID: title, Title: title})
	for _, cmd := range commands {
		cmd.GroupID = title
	}
	root.AddCommand(commands...)
}

const (
	helpColumns  = 80 // the help texts are written for so many
	mostFlags    = 20 // of a command whose help shows all
	leastColumns = 40
)

// setHelp makes the help of a command and of those below it fit the terminal that shows it.
func setHelp(root *cobra.Command) {
	root.SetUsageFunc(func(cmd *cobra.Command) error {
		_, err := io.WriteString(cmd.OutOrStderr(), usageText(cmd, helpWidth(cmd.OutOrStderr())))
		return err
	})
	root.SetHelpFunc(func(cmd *cobra.Command, _ []string) {
		out := cmd.OutOrStdout()
		columns := helpWidth(out)
		about := narrow(strings.TrimSpace(cmp.Or(cmd.Long, cmd.Short)), columns)
		_, _ = io.WriteString(out, about+"\n\n"+usageText(cmd, columns)) // cobra's own ignores the error, too
	})
}

// helpWidth is how many columns the help has on an output.
func helpWidth(w io.Writer) int {
	if columns := logging.Width(w); columns > 0 {
		return max(leastColumns, min(columns, helpColumns))
	}
	return helpColumns
}

// usageText is how a command is called: examples, the commands below it, flags and exit codes.
func usageText(cmd *cobra.Command, columns int) string {
	var b strings.Builder
	section := func(title string, lines ...string) {
		if b.Len() > 0 {
			b.WriteByte('\n')
		}
		b.WriteString(narrow(title+":\n"+strings.TrimRight(strings.Join(lines, "\n"), "\n"), columns) + "\n")
	}
	lines := []string{"  " + cmd.UseLine()}
	if cmd.HasAvailableSubCommands() {
		if !cmd.HasParent() {
			lines = append(lines, "  "+cmd.CommandPath()+" [command]")
		} else {
			lines = []string{"  " + cmd.CommandPath() + " [command]"}
		}
	}
	section("Usage", lines...)
	if cmd.HasExample() {
		section("Examples", cmd.Example)
	}
	groups := cmd.Groups()
	if len(groups) == 0 {
		groups = []*cobra.Group{{Title: "Commands"}}
	}
	for _, group := range groups {
		var lines []string
		for _, sub := range cmd.Commands() {
			if sub.GroupID == group.ID && (sub.IsAvailableCommand() || sub.Name() == "help") {
				lines = append(lines, fmt.Sprintf("  %-*s  %s", cmd.Commands()[0].NamePadding(), sub.Name(), sub.Short))
			}
		}
		if len(lines) > 0 {
			section(group.Title, lines...)
		}
	}
	flags, left := listedFlags(cmd)
	if flags.HasAvailableFlags() {
		b.WriteString("\nFlags:\n" + flags.FlagUsagesWrapped(columns))
	}
	more := ""
	if left > 0 {
		more = fmt.Sprintf("%d more settings are flags, too: usersyncd help settings lists all.\n", left)
	}
	if cmd.HasAvailableSubCommands() {
		more += fmt.Sprintf("%s [command] --help shows more of a command.\n", cmd.CommandPath())
	}
	if more != "" {
		b.WriteString("\n" + narrow(more, columns))
	}
	section("Exit codes", exitText(exitsOf(cmd)))
	return b.String()
}

// listedFlags are the flags that the help of a command shows, and how many more it has. Those of settings.go are too many for a
// page: it has the basic ones, and help settings all.
func listedFlags(cmd *cobra.Command) (listed *pflag.FlagSet, left int) {
	all := cmd.LocalFlags()
	n := 0
	all.VisitAll(func(*pflag.Flag) { n++ })
	listed = pflag.NewFlagSet("listed", pflag.ContinueOnError)
	all.VisitAll(func(f *pflag.Flag) {
		if n > mostFlags && config.IsAdvanced(f) {
			left++
		} else {
			listed.AddFlag(config.FlagOf(cmd, f))
		}
	})
	return listed, left
}

// narrow fits a help text, which has lines of at most helpColumns, to fewer columns. Lines that are indented stay lines.
func narrow(help string, columns int) string {
	if columns >= helpColumns {
		return help
	}
	var out []string
	open := false // the last line is of a paragraph that goes on
	for line := range strings.SplitSeq(help, "\n") {
		indented := strings.HasPrefix(line, " ")
		if open && line != "" && !indented {
			out[len(out)-1] += " " + line
		} else {
			out = append(out, line)
		}
		open = line != "" && !indented && !strings.HasSuffix(line, ":")
	}
	for i, line := range out {
		indent := len(line) - len(strings.TrimLeft(line, " "))
		if indent > 0 {
			indent += 2
		}
		out[i] = text.Wrap(line, columns, indent)
	}
	return strings.Join(out, "\n")
}

// newSettings is a help topic: what newRoot's commands read.
func newSettings(c *config.Config) *cobra.Command {
	cmd := &cobra.Command{Use: "settings", Short: "All settings: flags, variables, keys and defaults", Long: settingsHelp(c, helpColumns)}
	cmd.SetHelpFunc(func(cmd *cobra.Command, _ []string) {
		out := cmd.OutOrStdout()
		_, _ = io.WriteString(out, settingsHelp(c, helpWidth(out)))
	})
	return cmd
}

const aboutSettings = `Every setting is a flag, an environment variable, and a key of the YAML file
that --config names. The flag overrides the variable, which overrides the key,
which overrides the default; an empty variable counts as not set. "usersyncd
config" shows the values in effect, and where each was given. A running service
takes over those marked "reload" on SIGHUP; the others need a restart.

The specs are in the directory that is the argument, else in that of
USERSYNCD_DIR, else in that of the key dir. Flags that one command alone has can
be given in the same ways.

Credentials come from GENESYSCLOUD_OAUTHCLIENT_ID,
GENESYSCLOUD_OAUTHCLIENT_SECRET and GENESYSCLOUD_REGION, from systemd
credentials (client_id, client_secret), or from --client-id and
--client-secret-file; the URL of a webhook from USERSYNCD_NOTIFY_URL, from the
systemd credential notify_url, or from --notify-url-file. A .env file in the
working directory may set the three variables of Genesys Cloud, and no others;
in a git work tree it is read only with --env-file .env.
`

// settingsHelp lists the table of settings.
func settingsHelp(c *config.Config, columns int) string {
	var b strings.Builder
	b.WriteString(narrow(aboutSettings, columns))
	group := ""
	for _, s := range c.Settings() {
		if s.Group != group {
			group = s.Group
			b.WriteString("\n" + group + ":\n")
		}
		name, usage := pflag.UnquoteUsage(s.Flag)
		head := "  --" + s.Flag.Name
		if name != "" {
			head += " " + name
		}
		where := "variable " + config.Variable(s.Flag.Name) + ", key " + s.Flag.Name
		if s.Flag.DefValue != "" {
			where += ", default " + s.Flag.DefValue
		}
		if s.Reload {
			where += ", reload"
		}
		b.WriteString(head + "\n")
		for _, line := range []string{usage, where} {
			b.WriteString(text.Wrap("      "+line, columns, 6) + "\n")
		}
	}
	return b.String()
}
