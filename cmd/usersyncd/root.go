package main

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"usersyncd/state"
	"usersyncd/sync/genesys"
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

// newRoot builds the command tree. What all commands share hangs on one config.
func newRoot(p process) *cobra.Command { return newRootWith(&config{}, p) }

func newRootWith(c *config, p process) *cobra.Command {
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
		RunE: func(cmd *cobra.Command, args []string) error {
			return runRoot(cmd, args, c, p)
		},
	}
	root.CompletionOptions.HiddenDefaultCmd = false
	f := root.Flags()
	c.daemonFlags(f)
	c.orgFlags(f)
	c.passFlags(f)
	c.commonFlags(f)
	root.SetFlagErrorFunc(flagError)
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
		for flag, values := range map[string][]string{
			"output": {"text", "json"}, "log-format": logFormats(), "log-level": {"debug", "info", "warn", "error"},
			"by": {"division", "department"}, "on-removal": onRemoval(), "on-drift": onDrift(),
			"notify-format": notifyFormats(),
			"region":        genesys.Regions(), "quota": {"fixed", "aligned", "sliding", "bucket"}, "quota-per": {"token", "client"},
		} {
			if cmd.Flags().Lookup(flag) != nil {
				// It fails only for a flag that is not there, or was given values already.
				_ = cmd.RegisterFlagCompletionFunc(flag, cobra.FixedCompletions(values, cobra.ShellCompDirectiveNoFileComp))
			}
		}
	}
	root.InitDefaultHelpCmd()
	root.InitDefaultCompletionCmd()
	strict(root)
	return root
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

// setup reads the settings of a command: what every one of them does first.
func setup(cmd *cobra.Command, c *config, p process) (environment, error) {
	env := environment{lookup: p.lookupEnv}
	return env, c.load(cmd, env)
}

// withSettings makes the RunE of a command that reads its settings first.
func withSettings(c *config, p process, run func(cmd *cobra.Command, args []string, env environment) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		env, err := setup(cmd, c, p)
		if err != nil {
			return err
		}
		return run(cmd, args, env)
	}
}

// prepare reads the settings of a command that makes one pass over a directory of specs. On a terminal the bar
// shows what the log would.
func prepare(cmd *cobra.Command, args []string, c *config, p process) (env environment, dir string, err error) {
	if env, err = setup(cmd, c, p); err != nil {
		return env, "", err
	}
	if isTerminal(p.stderr) && !cmd.Flags().Changed("log-level") {
		c.logLevel = "warn"
	}
	dir, err = c.locate(cmd, args, &env)
	return env, dir, err
}

// locate finds the directory of specs, and the env file, which depends on it. dir is "" if there is none.
func (c *config) locate(cmd *cobra.Command, args []string, env *environment) (dir string, err error) {
	if dir, err = c.specDir(cmd, args, *env); err != nil {
		return "", err
	}
	env.file, err = c.findEnvFile(dir)
	return dir, err
}

func runRoot(cmd *cobra.Command, args []string, c *config, p process) error {
	env, err := setup(cmd, c, p)
	if err != nil {
		return err
	}
	dir, err := c.locate(cmd, args, &env)
	if err != nil {
		if dir == "" && !c.once && isTerminal(p.stdout) {
			return cmd.Help() // somebody who wants to know what this is
		}
		return err
	}
	if !c.once {
		return runDaemon(cmd, c, env, dir, p)
	}
	if err := existing(dir); err != nil {
		return err
	}
	if isTerminal(p.stderr) && !cmd.Flags().Changed("log-level") {
		c.logLevel = "warn" // the bar shows the rest
	}
	a, err := newApp(c, env, dir, false, &screen{w: p.stderr})
	if errors.Is(err, state.ErrLocked) {
		return fmt.Errorf("%w; if it is the daemon, usersyncd sync has it make a pass now", err)
	}
	if err != nil {
		return err
	}
	return a.close(once(cmd.Context(), a, c, p))
}
