package main

import (
	"os"
	"strings"

	"github.com/spf13/cobra"

	"usersyncd/cmd/usersyncd/internal/config"
	"usersyncd/cmd/usersyncd/internal/logging"
)

const longHelp = `usersyncd makes a Genesys Cloud organization match a directory of YAML user
specs. It compares the specs with what it last applied, and changes only the
users that differ, as fast as the API accepts.

  usersyncd export ./users        write the current users as specs
  usersyncd plan ./users          show what would change; write nothing
  usersyncd --once ./users        apply the specs, then exit: for CI and cron
  usersyncd ./users               keep applying the specs, as a service does
  usersyncd status                show the state of the service
  usersyncd explain EMAIL         show everything known about one user
  usersyncd release PLAN-ID       allow the changes that a guard holds
  usersyncd doctor ./users        find what is wrong, and how to fix it

Every flag is also an environment variable (--max-rate is USERSYNCD_MAX_RATE)
and a key of the --config file (max-rate:). A flag overrides the variable, which
overrides the file. Credentials come from GENESYSCLOUD_OAUTHCLIENT_ID,
GENESYSCLOUD_OAUTHCLIENT_SECRET and GENESYSCLOUD_REGION, from systemd
credentials, or from --client-id and --client-secret-file. A .env file in the
working directory may set these three variables, and no others; in a git work
tree it is read only with --env-file .env.`

const exitHelp = `
Exit codes:
  0   success, or nothing to do
  1   failure: credentials, API or state file
  2   plan --detailed-exitcode: there are changes
  3   the specs are invalid
  4   a guard holds changes, or passes are paused; the rest is applied
  5   some users failed, or the API asked for a long pause; the rest is applied
  64  wrong usage: command line or configuration
`

// newRoot builds the command tree, and the settings that its commands share.
func newRoot(p process) (*cobra.Command, *config.Config) {
	c := config.New(p.lookupEnv)
	c.Transport, c.Environment = p.transport, p.environment
	root := command(c, config.Full|config.Socket|config.Webhook|config.Daemon, &cobra.Command{
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
		RunE:          func(cmd *cobra.Command, args []string) error { return runRoot(cmd, args, c, p) },
	})
	root.CompletionOptions.HiddenDefaultCmd = false
	root.SetFlagErrorFunc(config.FlagError)
	columns := strings.NewReplacer(".FlagUsages", ".FlagUsagesWrapped 80", "for more information about a command", "for more")
	root.SetUsageTemplate(columns.Replace(root.UsageTemplate()) + exitHelp)
	root.AddCommand(newPlan(c, p), newValidate(c, p), newExport(c, p), newStatus(c, p), newExplain(c, p), newHistory(c, p),
		newSync(c, p), newPause(c, p), newResume(c, p), newRelease(c, p), newRollback(c, p), newDoctor(c, p), newNotify(c, p), newSimulate(p), newDemo(p), newSchema(), newVersion(c))
	addMan(root, p.lookupEnv)
	config.Complete(root)
	for _, cmd := range append(root.Commands(), root) {
		switch cmd.Name() {
		case "plan", "validate", "export", "doctor", "usersyncd":
			cmd.ValidArgsFunction = directories
		case "explain":
			cmd.ValidArgsFunction = func(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
				if len(args) == 1 { // after the email address
					return directories(cmd, nil, "")
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

func directories(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	return nil, cobra.ShellCompDirectiveFilterDirs
}

// rootArgs takes one directory, and recognizes a mistyped command.
func rootArgs(cmd *cobra.Command, args []string) error {
	if len(args) > 0 && !strings.ContainsAny(args[0], `/\.`) {
		if _, err := os.Stat(args[0]); err != nil {
			return usage("%q is neither a command nor a directory%s", args[0], didYouMean(cmd, args[0]))
		}
	}
	return oneDir(cmd, args)
}

func noArgs(cmd *cobra.Command, args []string) error { return atMost(0, "none")(cmd, args) }

func oneDir(cmd *cobra.Command, args []string) error { return atMost(1, "one directory")(cmd, args) }

func atMost(n int, what string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) > n {
			return usage("unexpected argument %q; %s takes %s", args[n], cmd.Name(), what)
		}
		return nil
	}
}

// command completes a command with the settings of some groups, which are its flags, and are read before it runs.
func command(c *config.Config, groups config.Group, cmd *cobra.Command) *cobra.Command {
	c.Declare(cmd, groups)
	run := cmd.RunE
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if err := c.Load(cmd); err != nil {
			return err
		}
		return run(cmd, args)
	}
	return cmd
}

// locate finds the directory of specs, and the env file, which depends on it.
func locate(cmd *cobra.Command, args []string, c *config.Config) error {
	if err := specDir(cmd, args, c); err != nil {
		return err
	}
	return c.ReadEnvFile()
}

// specDir makes the argument, if there is one, the directory of specs, and requires that there is a directory.
func specDir(cmd *cobra.Command, args []string, c *config.Config) error {
	if len(args) == 1 {
		c.Dir = args[0]
	}
	if c.Dir != "" {
		return nil
	}
	return usage("no directory of specs: give it as the argument: %s DIR", cmd.CommandPath())
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
			return cmd.Help() // usersyncd without arguments, typed by a person
		}
		return err
	}
	if c.Once {
		return runOnce(cmd.Context(), c, p)
	}
	return runDaemon(cmd, c, p)
}
