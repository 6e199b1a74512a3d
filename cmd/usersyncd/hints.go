package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"usersyncd/cmd/usersyncd/internal/config"
)

// elsewhere are flags of other tools, and what does here what they do there.
func elsewhere() map[string]string {
	hints := map[string]string{}
	for names, hint := range map[string]string{
		"dry-run dryrun noop no-op preview check what-if diff simulate n": "usersyncd plan is the dry run",
		"apply confirm execute run":                                       "usersyncd apply shows the plan, asks, and applies it; --once does not ask",
		"force overwrite":                                                 "usersyncd release ID lets through what is held",
		"yes y assume-yes auto-approve auto-apply non-interactive input":  "usersyncd --once does not ask, and usersyncd apply takes --yes",
		"target targets t filter include user users selector l":           "--only ADDRESSES and --select FIELD=VALUE choose users; history and explain take an address as the argument",
		"refresh":                    "the organization is read unless --no-refresh is given",
		"parallelism concurrency j":  "--max-in-flight limits the calls at once",
		"qps rate rate-limit rps":    "--max-rate limits the calls a second",
		"verbose debug v vv vvv":     "--log-level debug logs every request",
		"quiet q silent":             "--log-level error logs errors only",
		"o json format":              "--output json",
		"no-color no-colors nocolor": "--color never",
		"prune destroy delete":       "--on-removal says what is done with users whose spec was removed",
		"max-deletions max-deletes maximum-removal-delta": "--max-removals limits removals",
		"interval sync-interval poll-interval":            "--refresh-interval and --resync-interval set how often the service reads",
		"watch w daemon serve":                            "usersyncd DIR keeps running",
		"address port metrics-address http":               "--listen serves the status page and metrics",
		"token client-secret secret password":             "--client-secret-file or GENESYSCLOUD_OAUTHCLIENT_SECRET: a secret on the command line is readable by others",
		"dir directory path specs f file":                 "the directory of specs is the argument",
		"version V":                                       "usersyncd --version prints it",
	} {
		for name := range strings.FieldsSeq(names) {
			hints[name] = hint
		}
	}
	return hints
}

// flagError explains a flag that a command does not have: what somebody who knows it from another tool, or another command, wants.
func flagError(cmd *cobra.Command, err error) error {
	if e, ok := errors.AsType[*pflag.InvalidValueError](err); ok { // -once is -o nce for pflag
		value, _, _ := strings.Cut(e.GetValue(), "=")
		if word := e.GetFlag().Shorthand + value; len(word) > len(value) && cmd.Flags().Lookup(word) != nil {
			return usage("unknown flag: -%s; did you mean %q?", word, "--"+word)
		}
	}
	e, ok := errors.AsType[*pflag.NotExistError](err)
	if !ok {
		return config.FlagError(cmd, err)
	}
	name, _, _ := strings.Cut(e.GetSpecifiedName(), "=")
	if word, _, _ := strings.Cut(e.GetSpecifiedShortnames(), "="); len(word) > 1 { // -auto-approve is -a -u ... for pflag
		name, err = word, fmt.Errorf("unknown flag: -%s", word)
		if cmd.Flags().Lookup(word) != nil {
			return usage("%w; did you mean %q?", err, "--"+word)
		}
	}
	if name == "plan" && cmd.Name() == "apply" {
		return usage("%w; the plan is the argument: usersyncd apply plan.json", err)
	}
	if hint := elsewhere()[name]; hint != "" {
		return usage("%w; %s", err, hint)
	}
	if owners := commandsWith(cmd.Root(), name); len(owners) > 0 {
		return usage("%w; it is a flag of %s", err, strings.Join(owners, ", "))
	}
	return config.FlagError(cmd, err)
}

// commandsWith are the commands that have a flag, the first three.
func commandsWith(root *cobra.Command, flag string) (paths []string) {
	for _, cmd := range slices.Concat([]*cobra.Command{root}, root.Commands()) {
		if !cmd.Hidden && len(flag) > 1 && cmd.Flags().Lookup(flag) != nil && len(paths) < 3 {
			paths = append(paths, cmd.CommandPath())
		}
	}
	return paths
}
