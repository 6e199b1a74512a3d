// Package gittest runs git for tests, with nothing of the machine's own configuration. Only tests import it.
package gittest

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// Env returns the environment for git. No configuration of the user or the system counts, Ana makes the commits, and
// nothing is flushed to disk.
func Env() []string {
	env := slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, "GIT_") }) // a hook's would name its own repository
	return append(env, "HOME=/nonexistent", "XDG_CONFIG_HOME=/nonexistent",
		"GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL=/dev/null", "GIT_ATTR_NOSYSTEM=1", "GIT_EDITOR=true",
		"GIT_CONFIG_COUNT=1", "GIT_CONFIG_KEY_0=core.fsync", "GIT_CONFIG_VALUE_0=none",
		"GIT_AUTHOR_NAME=Ana", "GIT_AUTHOR_EMAIL=ana@x.example", "GIT_COMMITTER_NAME=Ana", "GIT_COMMITTER_EMAIL=ana@x.example")
}

// Command returns a git command in a folder, ready to be run. It ends with the test.
func Command(t testing.TB, dir string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(t.Context(), "git", args...)
	cmd.Dir, cmd.Env = dir, Env()
	return cmd
}

// Try runs git in a folder, and returns its standard output without space around it. The error has its standard error.
func Try(t testing.TB, dir string, args ...string) (string, error) {
	t.Helper()
	out, err := Command(t, dir, args...).Output()
	if errors.Is(err, exec.ErrNotFound) {
		t.Fatalf("this test needs git: %v", err)
	}
	if failed, ok := errors.AsType[*exec.ExitError](err); ok {
		err = fmt.Errorf("git %q: %w\n%s%s", args, err, out, failed.Stderr)
	}
	return strings.TrimSpace(string(out)), err
}

// Run is Try of a command that must succeed.
func Run(t testing.TB, dir string, args ...string) string {
	t.Helper()
	out, err := Try(t, dir, args...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}
