package main

import (
	"cmp"
	"errors"
	"fmt"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"usersyncd/spec"
)

// strict makes cobra's own commands refuse what they do not know, instead of showing some help and
// reporting success.
func strict(root *cobra.Command) {
	for _, cmd := range root.Commands() {
		switch cmd.Name() {
		case "help":
			cmd.Args = func(_ *cobra.Command, args []string) error { return knownCommand(root, args) }
			cmd.Example = "  usersyncd help plan"
		case "completion":
			cmd.Example = "  source <(usersyncd completion bash)"
			cmd.SuggestionsMinimumDistance = root.SuggestionsMinimumDistance
			cmd.Args = func(cmd *cobra.Command, args []string) error {
				if len(args) == 0 {
					return usage("for which shell? bash, zsh, fish or powershell")
				}
				return knownCommand(cmd, args)
			}
			cmd.RunE = func(*cobra.Command, []string) error { return nil } // Args has refused
			for _, shell := range cmd.Commands() {
				shell.Args = noArgs
			}
		}
	}
}

// knownCommand refuses a path that names no command below cmd.
func knownCommand(cmd *cobra.Command, path []string) error {
	for _, name := range path {
		next, _, err := cmd.Find([]string{name})
		if err != nil || next == cmd {
			return usage("there is no command %q%s", name, didYouMean(cmd, name))
		}
		cmd = next
	}
	return nil
}

// flagError explains a flag that pflag does not understand.
func flagError(cmd *cobra.Command, err error) error {
	if e, ok := errors.AsType[*pflag.InvalidValueError](err); ok {
		return usage("%q is not a value of --%s: it takes %s", e.GetValue(), e.GetFlag().Name, taken(e.GetFlag()))
	}
	hint := ""
	if e, ok := errors.AsType[*pflag.NotExistError](err); ok && len(e.GetSpecifiedName()) > 1 {
		var known []string
		cmd.Flags().VisitAll(func(f *pflag.Flag) { known = append(known, f.Name) })
		if near := spec.Suggest(e.GetSpecifiedName(), known); near != "" {
			hint = fmt.Sprintf("; did you mean %q?", "--"+near)
		}
	}
	return usage("%w%s", err, hint)
}

// taken says what a flag wants, in words.
func taken(f *pflag.Flag) string {
	switch f.Value.Type() {
	case "bool":
		return "true or false"
	case "int", "uint64":
		return "a whole number"
	case "float64":
		return "a number"
	case "percent":
		return "a share from 0% to 90%, such as 20%"
	case "words":
		return "words with commas between them"
	case "limit":
		return "a share and a number, such as 5%,10, or none"
	case "duration":
		return "a duration, such as 30s or 15m"
	}
	return "another value"
}

// didYouMean names the command below cmd that a word may stand for.
func didYouMean(cmd *cobra.Command, word string) string {
	near := cmd.SuggestionsFor(word)
	if len(near) == 0 {
		return ""
	}
	return fmt.Sprintf("; did you mean %q?", cmp.Or(spec.Suggest(word, near), near[0]))
}
