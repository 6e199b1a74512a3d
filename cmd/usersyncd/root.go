package main

import (
	"os"
	"strings"

	"github.com/spf13/cobra"

	"usersyncd/cmd/usersyncd/internal/config"
	"usersyncd/cmd/usersyncd/internal/logging"
)

// newRoot builds the command tree, and the settings that its commands share.
func newRoot(p process) (*cobra.Command, *config.Config) {
	c := config.New(p.lookupEnv)
	c.Transport, c.Environment = p.transport, p.environment
	root := command(c, config.Full|config.Saved|config.Socket|config.Webhook|config.Daemon, &cobra.Command{
		Use:   "usersyncd [--once] [flags] DIR",
		Short: "Keep the users of a Genesys Cloud organization as YAML in git",
		Long:  longHelp,
		Example: `  usersyncd demo              # watch it work on a simulated organization
  usersyncd export ./users    # write the current users as specs
  usersyncd plan ./users      # show what would change; write nothing
  usersyncd apply ./users     # show it, ask, and do it
  usersyncd --once ./users    # apply the specs, then exit: for CI and cron
  usersyncd ./users           # keep applying the specs, as a service does`,
		Args:    rootArgs,
		Version: versionText(),

		SuggestionsMinimumDistance: 2,

		SilenceUsage:  true,
		SilenceErrors: true,
		RunE:          func(cmd *cobra.Command, args []string) error { return runRoot(cmd, args, c, p) },
	})
	config.TakeFormats(root, reportFormats()...)
	root.CompletionOptions.HiddenDefaultCmd = false
	root.Flags().Bool("version", false, "print the version") // otherwise cobra adds it, and -v, which people take for verbose
	root.SetVersionTemplate("{{.Version}}\n")
	root.SetFlagErrorFunc(flagError)
	setHelp(root)
	addGroup(root, groupSpecs, newValidate(c, p), newPlan(c, p), newApply(c, p), newExport(c, p))
	addGroup(root, groupAsk, newStatus(c, p), newExplain(c, p), newHistory(c, p), newConfig(c, p), newDoctor(c, p))
	addGroup(root, groupControl, newSync(c, p), newPause(c, p), newResume(c, p), newRelease(c, p), newRollback(c, p), newNotify(c, p))
	addGroup(root, groupTry, newDemo(p), newSimulate(p))
	addGroup(root, groupOther, newSchema(), newVersion(c, p), newSettings(c))
	root.SetHelpCommandGroupID(groupOther)
	root.SetCompletionCommandGroupID(groupOther)
	addMan(root, p.lookupEnv)
	setCompletion(root, c)
	root.InitDefaultHelpCmd()
	root.InitDefaultCompletionCmd()
	rejectUnknownArgs(root)
	return root, c
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
		if err := c.CheckOutputs(config.FormatsOf(cmd), cmd.CommandPath()); err != nil {
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
	if c.Once {
		if err := p.begin(c); err != nil {
			return err
		}
	} else if err := c.CheckNoReport(); err != nil {
		return err
	}
	if c.Once {
		if err := dirOfPlan(args, c, c.SavedPlan); err != nil {
			return err
		}
	}
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
