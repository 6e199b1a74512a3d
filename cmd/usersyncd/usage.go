package main

import (
	"cmp"
	"fmt"

	"usersyncd/spec/text"

	"github.com/spf13/cobra"
)

// rejectUnknownArgs makes cobra's own commands refuse unknown arguments, instead of showing some help and reporting
// success.
func rejectUnknownArgs(root *cobra.Command) {
	for _, cmd := range root.Commands() {
		switch cmd.Name() {
		case "help":
			cmd.Args = func(_ *cobra.Command, args []string) error { return knownCommand(root, args) }
			cmd.Example = "  usersyncd help plan\n  usersyncd help settings"
		case "completion":
			cmd.Example = "  source <(usersyncd completion bash)\n  usersyncd completion zsh > ~/.zfunc/_usersyncd"
			requireSubcommand(cmd, "no shell: give bash, zsh, fish or powershell")
			for _, shell := range cmd.Commands() {
				shell.Args = noArgs
				shell.Long = "Print the completion script for " + shell.Name() + ": of commands and flags,\nand of the users and holds that they take."
				shell.Example = map[string]string{
					"bash":       "  source <(usersyncd completion bash)\n  usersyncd completion bash > /etc/bash_completion.d/usersyncd",
					"zsh":        "  source <(usersyncd completion zsh)\n  usersyncd completion zsh > \"${fpath[1]}/_usersyncd\"",
					"fish":       "  usersyncd completion fish | source\n  usersyncd completion fish > ~/.config/fish/completions/usersyncd.fish",
					"powershell": "  usersyncd completion powershell | Out-String | Invoke-Expression\n  usersyncd completion powershell >> $PROFILE",
				}[shell.Name()]
			}
		}
	}
}

// requireSubcommand makes a command refuse everything but a command below it.
func requireSubcommand(cmd *cobra.Command, missing string) {
	cmd.SuggestionsMinimumDistance = 2
	cmd.Args = func(cmd *cobra.Command, args []string) error {
		if len(args) == 0 {
			return usage("%s", missing)
		}
		return knownCommand(cmd, args)
	}
	cmd.RunE = func(*cobra.Command, []string) error { return nil } // Args has refused
}

// knownCommand refuses a path that names no command below cmd.
func knownCommand(cmd *cobra.Command, path []string) error {
	for _, name := range path {
		next, _, err := cmd.Find([]string{name})
		if err != nil || next == cmd {
			return usage("unknown command %q%s", name, didYouMean(cmd, name))
		}
		cmd = next
	}
	return nil
}

// didYouMean names the command below cmd that a word may stand for.
func didYouMean(cmd *cobra.Command, word string) string {
	near := cmd.SuggestionsFor(word)
	if len(near) == 0 {
		return ""
	}
	return fmt.Sprintf("; did you mean %q?", cmp.Or(text.Suggest(word, near), near[0]))
}
