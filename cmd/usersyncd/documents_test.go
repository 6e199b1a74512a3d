package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// notRun are the commands of documents that TestDocuments does not run, and why. Their flags are checked by TestTextsNameWhatExists.
func notRun() []struct{ command, why string } {
	return []struct{ command, why string }{
		{`^usersyncd demo\b`, "TestDemo plays it in virtual time"},
		{`^sudo\b`, "it installs, or manages services"},
		{`^(git (tag|push)|terraform)\b`, "it takes another program, or a network"},
		{`^(go (build|test|run|install)|\.ci/)`, "it builds or tests the repository, as .ci/run does"},
		{`^export GENESYSCLOUD_OAUTHCLIENT_ID=\.\.\.`, "the login of an organization; a session has that of the simulator"},
	}
}

// A documented command is one that a document has, with the output that it shows, if it shows one.
type documented struct {
	section int // how many headings of the second level are before it
	line    int // of the document, from 0
	command string
	console bool
	output  []string
	code    int
}

// TestDocuments runs the commands of every document in the order in which they are there, and compares what they print with what the
// document shows. The commands are in blocks of sh, or of console, which has the output, too. A section is run if one of its commands
// is one of usersyncd. It has a directory and an organization of its own, as simulate serves it: users has its specs, in git, unless
// the section has the command simulate, or begins with export, which write them.
//
//	# exit code 4   at the end of a command: that is the exit code, and not 0
//	...             in an output: lines that are left out
//
// With -update, outputs that differ and have no such line are written again.
func TestDocuments(t *testing.T) {
	t.Parallel()
	used := map[string]bool{}
	total := 0
	documents(t, func(path, text string) {
		if filepath.Ext(path) != ".md" {
			return
		}
		ours := map[int]bool{} // sections
		commands := slices.DeleteFunc(commandsOf(text), func(c documented) bool {
			for _, n := range notRun() {
				if regexp.MustCompile(n.command).MatchString(c.command) {
					used[n.command] = true
					return true
				}
			}
			ours[c.section] = ours[c.section] || regexp.MustCompile(`\busersyncd\b`).MatchString(c.command)
			return false
		})
		run := slices.DeleteFunc(commands, func(c documented) bool { return !ours[c.section] })
		if len(run) == 0 {
			return
		}
		total += len(run)
		t.Run(strings.TrimPrefix(path, "../../"), func(t *testing.T) {
			t.Parallel()
			playDocument(t, path, run)
		})
	})
	for _, n := range notRun() {
		if !used[n.command] {
			t.Errorf("no document has the command %s: remove it from notRun", n.command)
		}
	}
	if total < 30 {
		t.Errorf("the documents have %d commands", total)
	}
}

// commandsOf returns the commands of a document.
func commandsOf(text string) (commands []documented) {
	fence := regexp.MustCompile("^( *)```(\\w*)")
	lines := strings.Split(text, "\n")
	exit := regexp.MustCompile(`# exit code (\d+)$`)
	section := 0
	for i := 0; i < len(lines); i++ {
		if strings.HasPrefix(lines[i], "## ") {
			section++
		}
		open := fence.FindStringSubmatch(lines[i])
		if open == nil {
			continue
		}
		indent, kind := open[1], open[2]
		for i++; i < len(lines) && strings.TrimSpace(lines[i]) != "```"; i++ {
			line := strings.TrimPrefix(lines[i], indent)
			c := documented{section: section, line: i, command: line, console: kind == "console"}
			switch {
			case kind == "console" && strings.HasPrefix(line, "$ "):
				c.command = strings.TrimPrefix(line, "$ ")
			case kind == "console" && len(commands) > 0:
				last := &commands[len(commands)-1]
				last.output = append(last.output, line)
				continue
			case kind != "sh" || strings.HasPrefix(line, "#") || line == "":
				continue
			}
			for strings.HasSuffix(c.command, `\`) {
				i++
				c.command = strings.TrimSuffix(c.command, `\`) + strings.TrimSpace(lines[i])
			}
			if m := exit.FindStringSubmatch(c.command); m != nil {
				c.code, _ = strconv.Atoi(m[1]) // digits alone match
			}
			commands = append(commands, c)
		}
	}
	return commands
}

// playDocument runs the commands, those of a section in one shell.
func playDocument(t *testing.T, path string, commands []documented) {
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(string(text), "\n")
	removed := 0
	defer func() { // also before a command that fails, since it may name an id that is different now
		if changed := strings.Join(lines, "\n"); changed != string(text) {
			write(t, path, changed)
		}
	}()
	var s *shell
	for i, c := range commands {
		if i == 0 || c.section != commands[i-1].section {
			s = newShell(t)
			s.prepare(commands[i:])
		}
		at := fmt.Sprintf("%s:%d: %s", path, c.line+1, c.command)
		if longLived(c.command) {
			s.background(c.command)
			continue
		}
		output, code := s.run(c.command)
		if code != c.code {
			t.Fatalf("%s: exit code %d, not %d\n%s", at, code, c.code, output)
		}
		got := strings.Split(strings.TrimSuffix(output, "\n"), "\n")
		if output == "" {
			got = nil
		}
		if !c.console || sameOutput(c.output, got) {
			continue
		}
		if !*update || slices.Contains(c.output, "...") {
			t.Errorf("%s\nprints\n%s\nwhere the document shows\n%s", at, strings.Join(got, "\n"), strings.Join(c.output, "\n"))
			continue
		}
		from := c.line - removed + 1
		lines = slices.Concat(lines[:from], got, lines[from+len(c.output):])
		removed += len(c.output) - len(got)
	}
}

// prepare makes the organization of a section, if none of its commands does. They are the first of some.
func (s *shell) prepare(commands []documented) {
	s.Helper()
	simulates := func(c documented) bool {
		return c.section == commands[0].section && strings.HasPrefix(c.command, "usersyncd simulate")
	}
	switch words := strings.Fields(commands[0].command); {
	case slices.ContainsFunc(commands, simulates):
	case len(words) > 1 && words[1] == "export":
		s.background("usersyncd simulate --limit 100000") // some fields take a call for each user
		s.must("git init -q -b main && git commit -q --allow-empty -m 'Nothing yet'")
	default:
		s.background("usersyncd simulate --limit 100000 --specs users")
		s.must("git init -q -b main && git add users && git commit -q -m 'The organization as it is'")
	}
}

// longLived reports whether a command runs until it is stopped.
func longLived(command string) bool {
	return strings.HasPrefix(command, "usersyncd simulate") || regexp.MustCompile(`^usersyncd users\b`).MatchString(command)
}

// sameOutput compares outputs. What takes time, and when, is of no interest.
func sameOutput(want, got []string) bool {
	pattern := regexp.MustCompile(`\b\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\dZ?|\b\d+(\.\d+)?(ms|s|m|h)\b|\bpid \d+|[\d.]+/s|\b\d+ of 300 requests|devel\S*`)
	plain := func(lines []string) []string {
		out := make([]string, len(lines))
		for i, line := range lines {
			out[i] = strings.TrimRight(pattern.ReplaceAllString(line, "#"), " ")
		}
		return out
	}
	want, got = plain(want), plain(got)
	for i, line := range want {
		if line != "..." {
			if i >= len(got) || got[i] != line {
				return false
			}
			continue
		}
		for skip := i; skip <= len(got); skip++ {
			if sameOutput(want[i+1:], got[skip:]) {
				return true
			}
		}
		return false
	}
	return len(want) == len(got)
}

// A shell runs commands one after the other, and keeps what they export.
type shell struct {
	*testing.T
	dir   string
	port  string // of the simulator
	stdin *os.File

	answers *os.File
	codes   *bufio.Scanner // the answers, an exit code a line
}

func newShell(t *testing.T) *shell {
	t.Helper()
	s := &shell{T: t, dir: t.TempDir()}
	cmd := exec.CommandContext(context.WithoutCancel(t.Context()), "sh") // it ends after the test, with what it has started
	for _, name := range []string{"tmp", "home", "out"} {
		if err := os.Mkdir(filepath.Join(s.dir, name), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	cmd.Dir = filepath.Join(s.dir, "work")
	if err := os.Mkdir(cmd.Dir, 0o700); err != nil {
		t.Fatal(err)
	}
	examples, err := filepath.Abs("../../examples")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(examples, filepath.Join(cmd.Dir, "examples")); err != nil {
		t.Fatal(err)
	}
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + s.dir + "/home", "TMPDIR=" + s.dir + "/tmp", "GORACE=" + os.Getenv("GORACE"),
		"USERSYNCD_LOG_LEVEL=warn",              // the log of a terminal
		"USERSYNCD_SOCKET=" + s.dir + "/socket", // that beside the state file would have too long a path
		"GIT_CONFIG_NOSYSTEM=1", "GIT_AUTHOR_NAME=Ana", "GIT_AUTHOR_EMAIL=ana@example.com", "GIT_COMMITTER_NAME=Ana", "GIT_COMMITTER_EMAIL=ana@example.com",
		"GIT_AUTHOR_DATE=2026-11-24T19:00:00Z", "GIT_COMMITTER_DATE=2026-11-24T19:00:00Z"}
	in, stdin, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	codes, out, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stdin, cmd.ExtraFiles = in, []*os.File{out}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	s.stdin, s.answers, s.codes = stdin, codes, bufio.NewScanner(codes)
	for _, f := range []*os.File{in, out} {
		_ = f.Close() // the shell has its own
	}
	t.Cleanup(func() {
		s.run("kill $BACKGROUND; wait")
		_ = stdin.Close() // which ends it
		_ = cmd.Wait()    // with the code of the last command
		_ = codes.Close()
	})
	return s
}

// run runs a command to its end, and returns all that it has printed, as if its port and its directory were those of the documents.
func (s *shell) run(command string) (output string, code int) {
	s.Helper()
	if s.port != "" {
		command = strings.ReplaceAll(command, "8790", s.port)
	}
	script, out := filepath.Join(s.dir, "out", "command"), filepath.Join(s.dir, "out", "output")
	write(s.T, script, command+"\n")
	fmt.Fprintf(s.stdin, ". %s >%s 2>&1 </dev/null; echo $? >&3\n", script, out)
	if err := s.answers.SetReadDeadline(time.Now().Add(2 * time.Minute)); err != nil {
		s.Fatal(err)
	}
	if !s.codes.Scan() {
		s.Fatalf("the shell has no answer to %s: %v", command, s.codes.Err())
	}
	code, err := strconv.Atoi(s.codes.Text())
	if err != nil {
		s.Fatal(err)
	}
	data, err := os.ReadFile(out)
	if err != nil {
		s.Fatal(err)
	}
	output = strings.ReplaceAll(string(data), s.dir+"/tmp", "/tmp")
	if s.port != "" {
		output = strings.ReplaceAll(output, s.port, "8790")
	}
	return output, code
}

func (s *shell) must(command string) {
	s.Helper()
	if output, code := s.run(command); code != 0 {
		s.Fatalf("%s: exit code %d\n%s", command, code, output)
	}
}

// background starts the simulator or the daemon, and waits until it is there. What the simulator prints, people paste into their shell.
func (s *shell) background(command string) {
	s.Helper()
	command, _, _ = strings.Cut(command, " #")
	simulator := strings.HasPrefix(command, "usersyncd simulate")
	printed := filepath.Join(s.dir, "out", "background")
	if simulator {
		command += " --listen 127.0.0.1:0"
	}
	s.must(command + " >" + printed + " 2>&1 3>&- & BACKGROUND=\"$BACKGROUND $!\"")
	if !eventually(func() bool {
		if !simulator {
			_, code := s.run("usersyncd sync") // which waits for a pass
			return code == 0
		}
		data, err := os.ReadFile(printed)
		return err == nil && bytes.Contains(data, []byte("CLIENT_SECRET=demo\n"))
	}) {
		data, _ := os.ReadFile(printed)
		s.Fatalf("%s does not begin:\n%s", command, data)
	}
	if simulator {
		s.must(". " + printed)
		url, _ := s.run("printf %s $USERSYNCD_API_URL")
		s.port = url[strings.LastIndex(url, ":")+1:]
	}
}
