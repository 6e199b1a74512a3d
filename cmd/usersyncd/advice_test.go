package main

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/spf13/cobra"
)

// unprivileged returns a function that runs the program as a user who is not root, in a shell, and the user's name for
// one who is.
func unprivileged(t *testing.T) (run func(script string) (out string, code int), name string) {
	t.Helper()
	const nobody = 65534
	dir := t.TempDir()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	program, err := os.ReadFile(self)
	if err != nil {
		t.Fatal(err)
	}
	home := filepath.Join(dir, "home")
	err = errors.Join(os.WriteFile(filepath.Join(dir, "usersyncd"), program, 0o755), os.Chmod(filepath.Dir(dir), 0o755), os.Mkdir(home, 0o755)) // #nosec G306 -- others run it
	if err != nil {
		t.Fatal(err)
	}
	root := os.Geteuid() == 0
	if root {
		if err := os.Chown(home, nobody, nobody); err != nil {
			t.Fatal(err)
		}
	}
	return func(script string) (string, int) {
		cmd := exec.Command("sh", "-c", script)
		cmd.Dir, cmd.Env = home, []string{"PATH=" + dir + ":" + os.Getenv("PATH"), "HOME=" + home, "USERSYNCD_API_URL=http://127.0.0.1:1"}
		if root {
			cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
		}
		out, err := cmd.CombinedOutput()
		if e := (*exec.ExitError)(nil); err != nil && !errors.As(err, &e) {
			t.Fatal(err)
		}
		return string(out), cmd.ProcessState.ExitCode()
	}, "nobody"
}

// What is said about a state file whose directory is somebody else's, or is not there, can be done, and leaves what is there
// as it is.
func TestAdviceOnTheStateDirectory(t *testing.T) {
	t.Parallel()
	run, name := unprivileged(t)
	theirs := t.TempDir()
	if err := os.Chmod(theirs, 0o555); err != nil {
		t.Fatal(err)
	}
	state := func(out string) (verdict, fix string) {
		found := regexp.MustCompile(`(?m)^(\w+) +state file .*(\n +fix: (.*))?`).FindStringSubmatch(out)
		if found == nil {
			t.Fatalf("no state file in\n%s", out)
		}
		return found[1], found[3]
	}
	path := filepath.Join(theirs, "x.db")
	out, _ := run("mkdir users; echo 'email: a@example.com' >users/a.yaml; usersyncd doctor --state " + path + " users")
	verdict, fix := state(out)
	if verdict != "problem" || !strings.HasPrefix(fix, "--state ") { // not to run as root, who often owns the directory
		t.Fatalf("%s: %s", verdict, fix)
	}
	out, _ = run("usersyncd doctor " + fix + " users")
	if verdict, now := state(out); verdict != "ok" {
		t.Errorf("%s: %s: %s", fix, verdict, now)
	}

	out, code := run("GENESYSCLOUD_OAUTHCLIENT_ID=x GENESYSCLOUD_OAUTHCLIENT_SECRET=y usersyncd --once --state " + path + " users")
	if code != exitFatal || strings.Contains(out, ".new") || strings.Contains(out, "chmod") || !strings.Contains(out, path+": its directory cannot be written") || !strings.Contains(out, "--state") {
		t.Errorf("exit code %d: %s", code, out)
	}

	missing := filepath.Join(theirs, "a", "b")
	out, _ = run("usersyncd doctor --state " + filepath.Join(missing, "x.db") + " users")
	verdict, fix = state(out)
	command, _, _ := strings.Cut(fix, "; or: ")
	if command != "sudo install -d -m 700 -o $(id -un) "+missing || verdict != "problem" {
		t.Fatalf("%s: %s", verdict, fix)
	}
	if os.Geteuid() != 0 {
		return // who is not root cannot do it here
	}
	asRoot := strings.NewReplacer("sudo ", "", "$(id -un)", name).Replace(command)
	if out, err := exec.Command("sh", "-c", asRoot).CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", asRoot, err, out)
	}
	out, _ = run("usersyncd doctor --state " + filepath.Join(missing, "x.db") + " users")
	if verdict, fix := state(out); verdict != "ok" {
		t.Errorf("%s: %s: %s", asRoot, verdict, fix)
	}
	if info, err := os.Stat(theirs); err != nil || info.Mode().Perm() != fs.FileMode(0o555) {
		t.Errorf("%v, %v", info, err)
	}
}

// Specs that the user may not read become readable for that user, and for nobody else.
func TestAdviceOnUnreadableSpecs(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		return // only root can have files that are somebody else's, and give them away
	}
	run, _ := unprivileged(t)
	specs := filepath.Join(t.TempDir(), "users")
	write(t, filepath.Join(specs, "a.yaml"), "email: a@example.com\n")
	if err := errors.Join(os.Chmod(filepath.Dir(filepath.Dir(specs)), 0o755), os.Chmod(filepath.Join(specs, "a.yaml"), 0o600), os.Chmod(specs, 0o700)); err != nil {
		t.Fatal(err)
	}
	doctor := "usersyncd doctor --state x.db " + specs
	out, _ := run(doctor)
	fix := regexp.MustCompile(`(?m)^problem +checkout .*\n +fix: .*: (sudo chgrp .*)$`).FindStringSubmatch(out)
	if fix == nil {
		t.Fatalf("no fix in\n%s", out)
	}
	asRoot := strings.NewReplacer("sudo ", "", "$(id -g)", "65534").Replace(fix[1])
	if out, err := exec.Command("sh", "-c", asRoot).CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", asRoot, err, out)
	}
	if out, _ = run(doctor); !regexp.MustCompile(`(?m)^ok +checkout `).MatchString(out) {
		t.Errorf("%s\n%s", asRoot, out)
	}
	if info, err := os.Stat(filepath.Join(specs, "a.yaml")); err != nil || info.Mode().Perm()&0o007 != 0 {
		t.Errorf("%v, %v", info, err)
	}
}

// Wrong usage of any command leads to that command's own help, which is there.
func TestUsageLeadsToTheCommandsHelp(t *testing.T) {
	t.Parallel()
	var commands [][]string
	var walk func(path []string, cmd *cobra.Command)
	walk = func(path []string, cmd *cobra.Command) {
		commands = append(commands, path)
		for _, sub := range cmd.Commands() {
			if !sub.IsAdditionalHelpTopicCommand() { // whose help is a text, and no usage
				walk(append(slices.Clip(path), sub.Name()), sub)
			}
		}
	}
	walk(nil, rootOf(process{}))
	for _, path := range commands {
		var out, errs strings.Builder
		p := process{stdout: &out, stderr: &errs, lookupEnv: func(string) (string, bool) { return "", false }}
		if code := run(append(slices.Clip(path), "--no-such-flag"), p); code != exitUsage {
			t.Errorf("%v: exit code %d", path, code)
		}
		_, advice, _ := strings.Cut(errs.String(), `Run "usersyncd `)
		advice, _, _ = strings.Cut(advice, `"`)
		follow := strings.Fields(advice)
		if len(path) > 0 && path[0] != "help" && !slices.Equal(follow, append(slices.Clip(path), "--help")) {
			t.Errorf("%v: %s", path, errs.String())
		}
		if code := run(follow, p); code != 0 || !strings.Contains(out.String(), "Usage:\n  usersyncd") {
			t.Errorf("%v: %s: exit code %d", path, advice, code)
		}
	}
}
