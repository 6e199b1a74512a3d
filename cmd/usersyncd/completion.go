package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"usersyncd/cmd/usersyncd/internal/config"
	"usersyncd/spec"
	"usersyncd/spec/specfile"
	"usersyncd/spec/text"
	"usersyncd/state"
	"usersyncd/sync/control"
	"usersyncd/sync/control/rpc"
)

// completionTime is how long a person who has pressed the tab key waits at most. Nothing is sent over a network meanwhile.
const completionTime = 500 * time.Millisecond

// A completer finds what an argument, or the value of a flag, may be.
type completer struct{ *config.Config }

// setCompletion has the shell offer the arguments of commands and the values of flags.
func setCompletion(root *cobra.Command, c *config.Config) {
	config.Complete(root)
	o := completer{c}
	for _, cmd := range append(root.Commands(), root) {
		switch cmd.Name() {
		case root.Name():
			cmd.ValidArgsFunction = commandsOrDirectories
		case "explain":
			cmd.ValidArgsFunction = func(cmd *cobra.Command, args []string, word string) ([]cobra.Completion, cobra.ShellCompDirective) {
				if len(args) == 1 { // after the email address
					return directories(cmd, nil, word)
				}
				return o.first(o.addresses)(cmd, args, word)
			}
		case "history":
			cmd.ValidArgsFunction = o.first(o.addresses)
		case "apply": // files, too
		case "release":
			cmd.ValidArgsFunction = o.first(o.held)
		case "status", "sync", "pause", "resume", "rollback":
			cmd.ValidArgsFunction = cobra.NoFileCompletions
		default:
			if strings.HasSuffix(cmd.Use, "DIR") || strings.HasSuffix(cmd.Use, "[DIR]") {
				cmd.ValidArgsFunction = directories
			}
		}
		for flag, find := range map[string]finder{
			"only": o.addresses, "protect": o.addresses, "release": o.held, "fields": fieldsBut(), "select": selections,
			"unmanaged-fields": func(*cobra.Command, []string, string) []cobra.Completion {
				return append(fieldsBut()(nil, nil, ""), cobra.CompletionWithDesc("scim", "those of a SCIM identity provider"))
			},
			"change-window-fields": fieldsBut(spec.Email),
		} {
			if cmd.Flags().Lookup(flag) != nil {
				_ = cmd.RegisterFlagCompletionFunc(flag, listOf(find)) // fails only for a flag that is not there, or has one
			}
		}
	}
}

func directories(*cobra.Command, []string, string) ([]cobra.Completion, cobra.ShellCompDirective) {
	return nil, cobra.ShellCompDirectiveFilterDirs
}

// commandsOrDirectories are for the first word: to a shell that is asked for directories commands are nothing.
func commandsOrDirectories(cmd *cobra.Command, args []string, word string) ([]cobra.Completion, cobra.ShellCompDirective) {
	for _, sub := range cmd.Commands() {
		if len(args) == 0 && sub.IsAvailableCommand() && strings.HasPrefix(sub.Name(), word) {
			return nil, cobra.ShellCompDirectiveNoFileComp // cobra offers them
		}
	}
	return directories(cmd, args, word)
}

// A finder returns what may be in place of a word, behind arguments. Only what begins with the word is used.
type finder func(cmd *cobra.Command, args []string, word string) []cobra.Completion

// first completes the first argument.
func (o completer) first(find finder) cobra.CompletionFunc {
	return func(cmd *cobra.Command, args []string, word string) ([]cobra.Completion, cobra.ShellCompDirective) {
		if len(args) > 0 {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return beginning(find(cmd, nil, word), word), cobra.ShellCompDirectiveNoFileComp
	}
}

// listOf completes the last of several words with commas between them.
func listOf(find finder) cobra.CompletionFunc {
	return func(cmd *cobra.Command, args []string, words string) ([]cobra.Completion, cobra.ShellCompDirective) {
		i := strings.LastIndex(words, ",") + 1
		before, word := words[:i], words[i:]
		given := strings.Split(before, ",")
		var all []cobra.Completion
		for _, found := range beginning(find(cmd, args, word), word) {
			if value, _, _ := strings.Cut(found, "\t"); !slices.Contains(given, value) {
				all = append(all, before+found)
			}
		}
		return all, cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveNoSpace
	}
}

// beginning are those that begin with a word, in whatever case.
func beginning(all []cobra.Completion, word string) []cobra.Completion {
	return slices.DeleteFunc(all, func(found string) bool {
		return len(found) < len(word) || !strings.EqualFold(found[:len(word)], word)
	})
}

// addresses are those of the specs in the directory of the command line or of the settings; else of those of the daemon; else, if
// these cannot be read, of the users that it has changed.
func (o completer) addresses(cmd *cobra.Command, args []string, _ string) []cobra.Completion {
	ctx, cancel := context.WithTimeout(cmd.Context(), completionTime)
	defer cancel()
	_ = o.Load(cmd) // what is wrong is said when the command runs
	if len(args) > 0 {
		o.Dir = args[0]
	}
	if o.Dir != "" {
		return shown(specfile.Addresses(ctx, o.Dir))
	}
	var found []string
	o.ask(ctx, func(client *rpc.Client, s control.Status) {
		if found = specfile.Addresses(ctx, s.Dir); len(found) > 0 {
			return
		}
		events, _ := client.History(ctx, state.Query{Limit: 1000})
		for _, e := range events {
			found = append(found, e.Email)
		}
		slices.Sort(found)
	})
	return shown(slices.Compact(found))
}

// held are the ids of what guards hold.
func (o completer) held(cmd *cobra.Command, _ []string, _ string) (all []cobra.Completion) {
	ctx, cancel := context.WithTimeout(cmd.Context(), completionTime)
	defer cancel()
	_ = o.Load(cmd)
	o.ask(ctx, func(_ *rpc.Client, s control.Status) {
		for _, h := range s.Holds {
			all = append(all, cobra.CompletionWithDesc(h.ID, fmt.Sprintf("%s, held by %s", text.Plural(len(h.Users), "user"), h.Guard)))
		}
	})
	return all
}

// ask asks the daemon, if one runs.
func (o completer) ask(ctx context.Context, do func(*rpc.Client, control.Status)) {
	client, err := dial(ctx, o.Config)
	if err != nil {
		return
	}
	defer client.Close()
	if s, err := client.Status(ctx); err == nil {
		do(client, s)
	}
}

// shown leaves out what a shell would take for something else, as addresses are what the authors of specs write: some shells put
// them into the command line as they are.
func shown(words []string) []cobra.Completion {
	return slices.DeleteFunc(words, func(word string) bool { return text.ShellWord(word) != word || strings.HasPrefix(word, "-") })
}

// fieldsBut finds the names of fields.
func fieldsBut(without ...spec.Field) finder {
	return func(*cobra.Command, []string, string) (all []cobra.Completion) {
		for _, info := range spec.AllFields() {
			if !slices.Contains(without, info.Field) {
				all = append(all, string(info.Field))
			}
		}
		return all
	}
}

// selections are FIELD=, and FIELD=VALUE of the fields that have few values.
func selections(_ *cobra.Command, _ []string, word string) (all []cobra.Completion) {
	name, _, valued := strings.Cut(word, "=")
	for _, info := range spec.AllFields() {
		if !valued {
			all = append(all, string(info.Field)+"=")
		} else if string(info.Field) == name {
			for _, value := range info.Words() {
				all = append(all, name+"="+value)
			}
		}
	}
	return all
}
