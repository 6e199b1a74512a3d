package main

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"usersyncd/cmd/usersyncd/internal/config"
	"usersyncd/spec/text"
)

// eachCommand calls do for every command that the help shows.
func eachCommand(cmd *cobra.Command, do func(*cobra.Command)) {
	for _, sub := range cmd.Commands() {
		eachCommand(sub, do)
	}
	if cmd.IsAvailableCommand() || cmd.Name() == "help" || !cmd.HasParent() {
		do(cmd)
	}
}

// Every command says what it does and how it is called, with two examples to copy, on screens of 80 columns. On narrower ones
// nothing but words of one piece is longer than the screen.
func TestHelp(t *testing.T) {
	eachCommand(rootOf(process{stdout: os.Stdout}), func(cmd *cobra.Command) {
		if cmd.Short == "" {
			t.Errorf("%s has no summary", cmd.CommandPath())
		}
		examples := 0
		for line := range strings.SplitSeq(cmd.Example, "\n") {
			if example, ok := strings.CutPrefix(line, "  "); ok && strings.Contains(example, "usersyncd") {
				examples++
			}
		}
		if examples < 2 {
			t.Errorf("%s has %d examples, want at least 2, which start with two spaces", cmd.CommandPath(), examples)
		}
		for line := range strings.SplitSeq(cmd.Long+"\n"+usageText(cmd, helpColumns), "\n") {
			if text.Columns(line) > helpColumns {
				t.Errorf("%s: %d columns: %s", cmd.CommandPath(), text.Columns(line), line)
			}
		}
		page := narrow(cmd.Long, 40) + "\n" + usageText(cmd, 40)
		usage, flags, _ := strings.Cut(page, "\nFlags:\n")
		_, after, _ := strings.Cut(flags, "\n\n")
		for line := range strings.SplitSeq(usage+"\n"+after, "\n") {
			if text.Columns(line) > 40 && len(strings.Fields(line)) > 1 && len(strings.TrimSpace(line)) < 40-8 {
				t.Errorf("%s: %d columns of 40: %s", cmd.CommandPath(), text.Columns(line), line)
			}
		}
	})
}

// The help of a command has its own exit codes and formats, and no others.
func TestHelpOfOneCommand(t *testing.T) {
	eachCommand(rootOf(process{}), func(cmd *cobra.Command) {
		page := usageText(cmd, helpColumns)
		_, codes, _ := strings.Cut(page, "\nExit codes:\n")
		makesPlan := cmd.Name() == "plan" || cmd.Name() == "apply" || !cmd.HasParent()
		for code, has := range map[string]bool{
			"0": true, "2": cmd.Name() == "plan" || !cmd.HasParent(), "3": makesPlan || slices.Contains([]string{"validate", "export", "explain", "sync"}, cmd.Name()),
			"4": makesPlan || cmd.Name() == "sync" || cmd.Name() == "rollback", "64": true,
		} {
			if strings.Contains("\n"+codes, "\n  "+code+" ") != has {
				t.Errorf("%s has exit code %s: %v, want %v", cmd.CommandPath(), code, !has, has)
			}
		}
		if cmd.Flags().Lookup("output") == nil || !cmd.HasParent() {
			return
		}
		for _, format := range config.Formats() {
			_, usage, _ := strings.Cut(page, "--output FORMAT[=FILE]")
			usage, _, _ = strings.Cut(usage, ";")
			if has := slices.Contains(config.FormatsOf(cmd), format); slices.Contains(strings.FieldsFunc(usage, func(r rune) bool { return strings.ContainsRune(" ,\n", r) }), format) != has {
				t.Errorf("%s has the format %s: %v, want %v", cmd.CommandPath(), format, !has, has)
			}
		}
	})
}

// Every command is in a group, so that none is left out of the list.
func TestCommandGroups(t *testing.T) {
	root := rootOf(process{})
	page := usageText(root, helpColumns)
	for _, cmd := range root.Commands() {
		if !root.ContainsGroup(cmd.GroupID) || cmd.GroupID == "" {
			t.Errorf("%s is in no group of the help: add it in newRoot with addGroup", cmd.Name())
		}
		if cmd.IsAvailableCommand() && strings.Count(page, "\n  "+cmd.Name()+" ") != 1 {
			t.Errorf("the list of commands does not have %s once:\n%s", cmd.Name(), page)
		}
	}
}

// A page of help has about a dozen flags, the first of which a person needs; the topic settings has all of them, with variable,
// key and default.
func TestFlagsOfHelp(t *testing.T) {
	root, c := newRoot(process{})
	topic := strings.Join(strings.Fields(settingsHelp(c, helpColumns)), " ")
	flags, left := listedFlags(root)
	listed := 0
	flags.VisitAll(func(*pflag.Flag) { listed++ })
	if listed < 10 || listed > 16 {
		t.Errorf("the first page has %d flags", listed)
	}
	root.Flags().VisitAll(func(f *pflag.Flag) {
		if f.Name == "help" || f.Name == "version" {
			return
		}
		want := "variable USERSYNCD_" + strings.ToUpper(strings.ReplaceAll(f.Name, "-", "_")) + ", key " + f.Name
		if f.DefValue != "" {
			want += ", default " + f.DefValue
		}
		if !strings.Contains(topic, " --"+f.Name+" ") || !strings.Contains(topic, want) {
			t.Errorf("help settings does not show --%s with %q", f.Name, want)
		}
		if flags.Lookup(f.Name) == nil {
			left--
		}
	})
	if left != 0 {
		t.Errorf("the count of the other flags is wrong by %d", left)
	}
	for _, s := range c.Settings() {
		if s.Group == "" {
			t.Errorf("--%s is in a group without a title", s.Flag.Name)
		}
	}
	for _, columns := range []int{40, helpColumns} {
		for line := range strings.SplitSeq(settingsHelp(c, columns), "\n") {
			if text.Columns(line) > columns && len(strings.Fields(line)) > 1 {
				t.Errorf("%d columns of %d: %q", text.Columns(line), columns, line)
			}
		}
	}
}

// What somebody knows from another tool leads to what does it here. No hint is for a flag that there is, and each command and
// flag in a hint exists.
func TestHintsForFlags(t *testing.T) {
	root := rootOf(process{})
	known := map[string]bool{}
	eachCommand(root, func(cmd *cobra.Command) {
		cmd.InitDefaultHelpFlag()
		cmd.Flags().VisitAll(func(f *pflag.Flag) { known["--"+f.Name] = true })
		known["usersyncd "+cmd.Name()] = true
	})
	for name, hint := range elsewhere() {
		if root.Flags().Lookup(name) != nil && name != "version" {
			t.Errorf("there is a flag --%s", name)
		}
		words := strings.Fields(strings.NewReplacer(";", " ", ",", " ", ":", " ").Replace(hint))
		for i, word := range words {
			if strings.HasPrefix(word, "--") && !known[word] {
				t.Errorf("%s: there is no %s: %s", name, word, hint)
			}
			if word == "usersyncd" && !strings.HasPrefix(words[i+1], "--") && words[i+1] != "DIR" && !known["usersyncd "+words[i+1]] {
				t.Errorf("%s: there is no usersyncd %s: %s", name, words[i+1], hint)
			}
		}
	}
	for _, test := range []struct{ command, flag, want string }{
		{"plan", "--dry-run", "unknown flag: --dry-run; usersyncd plan is the dry run"},
		{"plan", "-auto-approve", "unknown flag: -auto-approve; usersyncd --once does not ask"},
		{"plan", "-target=ana", "unknown flag: -target; --only ADDRESSES"},
		{"", "--force", "unknown flag: --force; usersyncd release ID lets through"},
		{"", "-once", `unknown flag: -once; did you mean "--once"?`},
		{"", "-v", "unknown shorthand flag: 'v' in -v; --log-level debug"},
		{"plan", "--version", "unknown flag: --version; usersyncd --version prints it"},
		{"validate", "--detailed-exitcode", "unknown flag: --detailed-exitcode; it is a flag of usersyncd plan"},
		{"plan", "--max-rat=3", `did you mean "--max-rate"?`},
	} {
		cmd := settled(t, root, test.command)
		err := cmd.ParseFlags([]string{test.flag})
		if err = cmd.FlagErrorFunc()(cmd, err); err == nil || !strings.Contains(err.Error(), test.want) || exitCode(err) != exitUsage {
			t.Errorf("%s %s: %v, want %q", test.command, test.flag, err, test.want)
		}
	}
}
