package main

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"usersyncd/cmd/usersyncd/internal/config"
	"usersyncd/cmd/usersyncd/internal/logging"
	"usersyncd/cmd/usersyncd/internal/progress"
	"usersyncd/state"
)

const longHelp = `usersyncd makes a Genesys Cloud organization look like a directory of YAML user
specs. It compares them with what it last applied, and sends only the users that
changed, as fast as the API accepts and no faster.

  usersyncd export ./users        write the users of today as specs
  usersyncd plan ./users          what would change; nothing is written
  usersyncd --once ./users        apply it, then exit: for CI and cron
  usersyncd ./users               keep applying it, as a service does
  usersyncd status                how it does; explain EMAIL: one user
  usersyncd release PLAN-ID       let through what a guard holds
  usersyncd doctor ./users        what keeps it from working, and how to fix it

Every flag is also an environment variable (--max-rate is USERSYNCD_MAX_RATE)
and a key of the --config file (max-rate:). The flag wins, then the variable,
then the file. Credentials come from GENESYSCLOUD_OAUTHCLIENT_ID,
GENESYSCLOUD_OAUTHCLIENT_SECRET and GENESYSCLOUD_REGION, from systemd
credentials, or from --client-id and --client-secret-file. A .env in the working
directory may give these three variables, and nothing else; in a git work tree
it is read only if --env-file .env says so.`

const exitHelp = `
Exit codes:
  0   done, or nothing to do
  1   nothing more could be done (credentials, API, state file)
  2   plan --detailed-exitcode found changes
  3   the specs are invalid
  4   a guard holds something, the rest is applied; or it is paused
  5   some users failed, or the API asked for a long pause; the rest is applied
  64  the command line or the configuration is wrong
`

// newRoot builds the command tree, and the settings that its commands share.
func newRoot(p process) (*cobra.Command, *config.Config) {
	c := config.New(p.lookupEnv)
	c.Transport = p.transport
	root := &cobra.Command{
		Use:   "usersyncd [--once] [flags] DIR",
		Short: "Keep the users of a Genesys Cloud organization as YAML in git",
		Long:  longHelp,
		Example: `  usersyncd demo
  usersyncd --once --region eu-west-1 ./users
  usersyncd --config /etc/usersyncd/config.yaml /srv/users`,
		Args: rootArgs,

		SuggestionsMinimumDistance: 2,

		SilenceUsage:  true,
		SilenceErrors: true,
		RunE: withSettings(c, func(cmd *cobra.Command, args []string) error {
			return runRoot(cmd, args, c, p)
		}),
	}
	root.CompletionOptions.HiddenDefaultCmd = false
	c.Declare(root, config.Full|config.Socket|config.Webhook|config.Daemon)
	root.SetFlagErrorFunc(config.FlagError)
	columns := strings.NewReplacer(".FlagUsages", ".FlagUsagesWrapped 80", "for more information about a command", "for more")
	root.SetUsageTemplate(columns.Replace(root.UsageTemplate()) + exitHelp)
	dirs := func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		return nil, cobra.ShellCompDirectiveFilterDirs
	}
	root.ValidArgsFunction = dirs
	root.AddCommand(newPlan(c, p), newValidate(c, p), newExport(c, p), newStatus(c, p), newExplain(c, p), newHistory(c, p),
		newSync(c, p), newPause(c, p), newResume(c, p), newRelease(c, p), newRollback(c, p), newDoctor(c, p), newNotify(c, p), newSimulate(p), newDemo(p), newSchema(), newVersion(c))
	for _, cmd := range append(root.Commands(), root) {
		switch cmd.Name() {
		case "plan", "validate", "export", "doctor":
			cmd.ValidArgsFunction = dirs
		case "explain":
			cmd.ValidArgsFunction = func(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
				if len(args) == 1 { // behind the address
					return nil, cobra.ShellCompDirectiveFilterDirs
				}
				return nil, cobra.ShellCompDirectiveNoFileComp
			}
		case "status", "history", "sync", "pause", "resume", "release", "rollback":
			cmd.ValidArgsFunction = cobra.NoFileCompletions
		}
	}
	root.InitDefaultHelpCmd()
	root.InitDefaultCompletionCmd()
	rejectUnknownArgs(root)
	return root, c
}

// rootArgs takes one directory, and takes a mistyped command for what it is.
func rootArgs(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	if _, err := os.Stat(args[0]); err != nil && !strings.ContainsAny(args[0], `/\.`) {
		return usage("%q is neither a command nor a directory%s", args[0], didYouMean(cmd, args[0]))
	}
	if len(args) > 1 {
		return usage("one directory at a time; %q is too much", args[1])
	}
	return nil
}

// oneDir is for the commands that take at most one directory.
func oneDir(_ *cobra.Command, args []string) error {
	if len(args) > 1 {
		return usage("one directory at a time; %q is too much", args[1])
	}
	return nil
}

// noArgs is for the commands that take none.
func noArgs(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return usage("%s takes no argument; %q is too much", cmd.Name(), args[0])
	}
	return nil
}

// withSettings makes the RunE of a command that reads its settings first.
func withSettings(c *config.Config, run func(cmd *cobra.Command, args []string) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		if err := c.Load(cmd); err != nil {
			return err
		}
		return run(cmd, args)
	}
}

// prepare finds what a command needs that makes one pass over a directory of specs. On a terminal the bar shows what the
// log would.
func prepare(cmd *cobra.Command, args []string, c *config.Config, p process) error {
	if logging.IsTerminal(p.stderr) && !c.Given("log-level") {
		c.LogLevel = "warn"
	}
	return locate(cmd, args, c)
}

// locate finds the directory of specs, and the env file, which depends on it.
func locate(cmd *cobra.Command, args []string, c *config.Config) error {
	if err := specDir(cmd, args, c); err != nil {
		return err
	}
	return c.ReadEnvFile()
}

// specDir takes the directory of specs from the argument, if there is one. Without any there is an error.
func specDir(cmd *cobra.Command, args []string, c *config.Config) error {
	if len(args) == 1 {
		c.Dir = args[0]
	}
	if c.Dir != "" {
		return nil
	}
	before := ""
	if strings.Contains(cmd.Use, "EMAIL") {
		before = " EMAIL"
	}
	return usage("which directory holds the specs? Give it as the argument: %s%s DIR", cmd.CommandPath(), before)
}

// existing refuses a directory of specs that is not there. The daemon waits for it instead.
func existing(dir string) error {
	if info, err := os.Stat(dir); err != nil {
		return usage("%w: give the directory that holds the specs", err)
	} else if !info.IsDir() {
		return usage("%s is a file: give the directory that holds the specs", dir)
	}
	return nil
}

func runRoot(cmd *cobra.Command, args []string, c *config.Config, p process) error {
	if err := locate(cmd, args, c); err != nil {
		if c.Dir == "" && !c.Once && logging.IsTerminal(p.stdout) {
			return cmd.Help() // somebody who wants to know what this is
		}
		return err
	}
	if !c.Once {
		return runDaemon(cmd, c, p)
	}
	if err := existing(c.Dir); err != nil {
		return err
	}
	if logging.IsTerminal(p.stderr) && !c.Given("log-level") {
		c.LogLevel = "warn" // the bar shows the rest
	}
	a, err := newApp(c, false, &progress.Screen{W: p.stderr})
	if errors.Is(err, state.ErrLocked) {
		return fmt.Errorf("%w; if it is the daemon, usersyncd sync has it make a pass now", err)
	}
	if err != nil {
		return err
	}
	return a.close(once(cmd.Context(), a, c, p))
}
