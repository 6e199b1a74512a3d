package main

import (
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"usersyncd/sync/genesys/sim"
)

// A pipeline is a workspace with specs, and a simulated organization that the steps of an example change. Instead of the
// runner's machine the steps have a folder of programs: what installs and what speaks to the runner's host is replaced.
type pipeline struct {
	*testing.T
	sim       *sim.Server
	workspace string            // with the specs in users
	bin       string            // before everything else in PATH
	env       map[string]string // of every step
}

func newPipeline(t *testing.T) *pipeline {
	t.Helper()
	for _, name := range []string{"bash", "gpg", "jq", "unzip", "curl"} {
		if _, err := exec.LookPath(name); err != nil && os.Getenv("CI") == "" {
			t.Skipf("%s is not installed; .ci/run installs what the example pipelines call, and fails without it", name)
		} else if err != nil {
			t.Fatal(err)
		}
	}
	p := &pipeline{T: t, sim: sim.New(sim.Options{Users: 12, Seed: 7, Latency: time.Millisecond, IndexLag: -1}), workspace: t.TempDir(), bin: t.TempDir()}
	loopback := httptest.NewServer(p.sim)
	t.Cleanup(loopback.Close)
	program, err := exec.LookPath("usersyncd")
	if err != nil {
		t.Fatal(err)
	}
	// gpg wants a short home for its socket, and takes one that nobody else can read.
	home, err := os.MkdirTemp("", "gpg")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(home) })
	p.env = map[string]string{"HOME": home, "PATH": p.bin + ":" + filepath.Dir(program) + ":" + os.Getenv("PATH"), "SPECS": "users", "CI": "true",
		"USERSYNCD_API_URL": loopback.URL, "USERSYNCD_ON_REMOVAL": "deactivate", "USERSYNCD_RETRY_MIN_WAIT": "10ms", "GORACE": os.Getenv("GORACE")}
	if err := writeSpecs(t.Context(), filepath.Join(p.workspace, "users"), p.sim.Users()); err != nil {
		t.Fatal(err)
	}
	return p
}

// program puts a shell script into PATH.
func (p *pipeline) program(name, script string) {
	p.Helper()
	if err := os.WriteFile(filepath.Join(p.bin, name), []byte("#!/bin/bash\nset -e\n"+script), 0o755); err != nil { //nolint:gosec // a program
		p.Fatal(err)
	}
}

// step runs a script as a runner does.
func (p *pipeline) step(script string, env map[string]string) (output string, code int) {
	p.Helper()
	cmd := exec.CommandContext(p.Context(), "bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", script)
	cmd.Dir = p.workspace
	for _, vars := range []map[string]string{p.env, env} {
		for name, value := range vars {
			cmd.Env = append(cmd.Env, name+"="+value)
		}
	}
	out, err := cmd.CombinedOutput()
	if err != nil && cmd.ProcessState == nil {
		p.Fatal(err)
	}
	return string(out), cmd.ProcessState.ExitCode()
}

// edit changes a spec, or removes it.
func (p *pipeline) edit(email, line string) {
	p.Helper()
	found, err := filepath.Glob(filepath.Join(p.workspace, "users", "*", strings.TrimSuffix(email, "@example.com")+".yaml"))
	if err != nil || len(found) != 1 {
		p.Fatal(found, err)
	}
	if line == "" {
		if err := os.Remove(found[0]); err != nil {
			p.Fatal(err)
		}
		return
	}
	write(p.T, found[0], "email: "+email+"\n"+line+"\n")
}

func (p *pipeline) person(email string) sim.User {
	p.Helper()
	u, ok := p.sim.User(email)
	if !ok {
		p.Fatalf("there is no %s", email)
	}
	return u
}
