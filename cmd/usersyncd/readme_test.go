package main

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/spf13/pflag"

	"usersyncd/cmd/usersyncd/internal/config"
	"usersyncd/sync/plan"
)

var update = flag.Bool("update", false, "rewrite the table of settings in README.md")

const (
	readme         = "../../README.md"
	settingsReadme = "README.md"
)

// The settings that the README of this folder lists are those of the code, with their defaults.
func TestReadmeSettings(t *testing.T) {
	data, err := os.ReadFile(settingsReadme)
	if err != nil {
		t.Fatal(err)
	}
	const head = "| flag | default | meaning |\n| --- | --- | --- |\n"
	before, rest, ok := strings.Cut(string(data), head)
	if !ok {
		t.Fatalf("the README has no table with the head\n%s", head)
	}
	_, after, _ := strings.Cut(rest, "\n\n")

	var table strings.Builder
	rootOf(process{}).Flags().VisitAll(func(f *pflag.Flag) {
		if f.Name == "version" { // no setting
			return
		}
		name, usage := pflag.UnquoteUsage(f)
		value := f.DefValue
		if value != "" {
			value = "`" + value + "`"
		}
		if f.Value.Type() != "bool" {
			name = " " + strings.ToUpper(name)
		} else {
			name = ""
		}
		fmt.Fprintf(&table, "| `--%s%s` | %s | %s |\n", f.Name, name, value, usage)
	})
	want := before + head + table.String() + "\n" + after
	if want == string(data) {
		return
	}
	if !*update {
		t.Fatalf("the README's table of settings is not that of the code; run: go test ./cmd/usersyncd -run TestReadmeSettings -update\n%s", table.String())
	}
	if err := os.WriteFile(settingsReadme, []byte(want), 0o644); err != nil {
		t.Fatal(err)
	}
}

// The README's table of guards has every guard, with the default that the help shows.
func TestReadmeGuards(t *testing.T) {
	data, err := os.ReadFile(readme)
	if err != nil {
		t.Fatal(err)
	}
	_, table, _ := strings.Cut(string(data), "| guard | what it holds | by default |\n")
	table, _, _ = strings.Cut(table, "\n\n")
	flags := rootOf(process{}).Flags()
	for _, guard := range plan.Guards() {
		name := guard
		if guard == "reactivations" {
			name = "hold-reactivations"
		}
		f := flags.Lookup(name)
		switch {
		case f == nil && guard == "renames": // it has no flag
			name = "`renames`"
		case f == nil:
			t.Errorf("--%s is no flag", name)
			continue
		case f.Value.Type() == "limit" && f.DefValue != config.NoLimit, f.Value.Type() == "int":
			name = "`--" + name + " " + f.DefValue + "`"
		default:
			name = "`--" + name
		}
		if !strings.Contains(table, "| "+name) {
			t.Errorf("the README's table of guards has no row %s", name)
		}
	}
	for _, name := range []string{"protect", "allow-roles", "allow-divisions", "allow-queues", "allow-groups"} {
		if !strings.Contains(table, "`--"+name) {
			t.Errorf("the README's table of guards does not name --%s", name)
		}
	}
}

// The exit codes that the README and the help list are the same.
func TestReadmeExitCodes(t *testing.T) {
	data, err := os.ReadFile(readme)
	if err != nil {
		t.Fatal(err)
	}
	for _, code := range []int{exitDone, exitFatal, exitChanges, exitInvalid, exitHeld, exitFailed, exitUsage} {
		if !strings.Contains(string(data), fmt.Sprintf("\n| %d | ", code)) {
			t.Errorf("the README does not list exit code %d", code)
		}
		if !strings.Contains(exitHelp, fmt.Sprintf("\n  %-3d ", code)) {
			t.Errorf("the help does not list exit code %d", code)
		}
	}
}
