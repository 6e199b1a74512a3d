package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
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

// The tables of guards in the README and in that of package sync have every guard, with the default that the help shows.
func TestReadmeGuards(t *testing.T) {
	for path, head := range map[string]string{
		readme: "| guard, with its default | what it holds |\n", "../../sync/README.md": "| guard | what it holds | by default |\n",
	} {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		_, table, _ := strings.Cut(string(data), head)
		checkGuards(t, table)
	}
}

func checkGuards(t *testing.T, table string) {
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
			t.Errorf("the table of guards has no row %s", name)
		}
	}
	for _, name := range []string{"protect", "allow-roles", "allow-divisions", "allow-queues", "allow-groups"} {
		if !strings.Contains(table, "`--"+name) {
			t.Errorf("the table of guards does not name --%s", name)
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
		if !strings.Contains("\n"+exitText(exitsOf(rootOf(process{}))), fmt.Sprintf("\n  %-3d ", code)) {
			t.Errorf("the help does not list exit code %d", code)
		}
	}
}

// Two documents show figures of the rate limiter, as they are in the table that .ci/run checks.
func TestReadmeFigures(t *testing.T) {
	data, err := os.ReadFile("../../sync/aimd/README.md")
	if err != nil {
		t.Fatal(err)
	}
	// What its text says of the tables is in them.
	tables, prose, _ := strings.Cut(string(data), "<!-- end -->")
	for _, figure := range regexp.MustCompile(`\d+\.\d\dx`).FindAllString(prose, -1) {
		if !strings.Contains(tables, figure) {
			t.Errorf("sync/aimd/README.md speaks of %s, which is not in its tables", figure)
		}
	}
	_, rest, _ := strings.Cut(tables, "### 5,000 calls\n\n")
	all, _, _ := strings.Cut(rest, "\n\n")

	const begin, end = "TestReadmeFigures -update -->\n", "<!-- end -->"
	for path, rows := range map[string][]string{
		readme:                            {"S1", "S3", "S5", "S7"},
		"../../examples/from-a-script.md": {"S1", "S2", "S2b", "S2c", "S5"},
	} {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		before, rest, _ := strings.Cut(string(data), begin)
		_, after, ok := strings.Cut(rest, end)
		if !ok {
			t.Fatalf("%s has no place for the figures", path)
		}
		want := before + begin + figures(t, all, rows) + end + after
		switch {
		case want == string(data):
		case !*update:
			t.Errorf("the figures of %s are not those of sync/aimd/README.md; run: go test ./cmd/usersyncd -run TestReadmeFigures -update", path)
		default:
			write(t, path, want)
		}
	}
}

// figures are those rows of a table, in the columns of the programs that are compared.
func figures(t *testing.T, all string, rows []string) string {
	t.Helper()
	cells := func(line string) []string { return strings.Split(strings.Trim(line, "| "), " | ") }
	lines := strings.Split(all, "\n")
	names := append([]string{""}, cells(lines[0])...) // the first column has no name
	row := func(of []string) string {
		text := "|"
		for i, name := range names {
			if slices.Contains([]string{"", "the API", "script", "shared", "usersyncd"}, name) {
				text += " " + of[i] + " |"
			}
		}
		return text + "\n"
	}
	table, n := row(names)+"| --- | --- | --- | --- | --- |\n", 0
	for _, line := range lines[1:] {
		if of := cells(line); slices.Contains(rows, of[0]) {
			table += row(of)
			n++
		}
	}
	if n != len(rows) {
		t.Fatalf("%d of the rows %q are in\n%s", n, rows, all)
	}
	return table
}

// The README is short enough to be read, and what it links to is there.
func TestReadmeLinks(t *testing.T) {
	documents(t, func(path, text string) {
		if filepath.Ext(path) != ".md" {
			return
		}
		if n := strings.Count(text, "\n"); path == readme && n > 250 {
			t.Errorf("the README has %d lines, of at most 250", n)
		}
		for _, link := range regexp.MustCompile(`\]\(([^)\s]+)\)`).FindAllStringSubmatch(text, -1) {
			file, anchor, _ := strings.Cut(link[1], "#")
			if strings.Contains(file, "://") {
				continue
			}
			target := path
			if file != "" {
				target = filepath.Join(filepath.Dir(path), file)
			}
			data, err := os.ReadFile(target)
			if info, statErr := os.Stat(target); statErr == nil && info.IsDir() && anchor == "" {
				continue
			}
			if err != nil {
				t.Errorf("%s: %v", path, err)
				continue
			}
			if anchor != "" && !slices.Contains(anchors(string(data)), anchor) {
				t.Errorf("%s: %s has no heading for #%s", path, target, anchor)
			}
		}
	})
}

// anchors are the names under which the headings of a document can be linked to.
func anchors(text string) (names []string) {
	for _, m := range regexp.MustCompile(`(?m)^#+ (.*)$`).FindAllStringSubmatch(text, -1) {
		name := regexp.MustCompile(`[^\w\- ]`).ReplaceAllString(strings.ToLower(m[1]), "")
		names = append(names, strings.ReplaceAll(name, " ", "-"))
	}
	return names
}
