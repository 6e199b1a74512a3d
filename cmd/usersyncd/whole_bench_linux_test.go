package main

import (
	"bufio"
	"fmt"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"usersyncd/sync/genesys/sim"
)

// BenchmarkWholeOrganization measures the program, as a process, over an organization of 50,000 users with
// every field, each declared in a file of its own:
//
//	export  the whole organization read and written as specs
//	cold    plan without a state file: everything is read
//	kept    plan with what export has kept: every spec is read, and the organization listed
//	warm    a pass of the daemon, that lists the organization and finds one edit: what is not new is not read again
//
// cpu-s is the process's own processor time, MB its largest resident size; the simulator runs in the
// benchmark's process and counts in neither. calls is how many it took.
func BenchmarkWholeOrganization(b *testing.B) {
	const users = 50_000
	program := buildProgram(b)
	server := sim.New(sim.Options{Users: users, Full: true, Quota: sim.Quota{Limit: 100_000_000}})
	loopback := httptest.NewServer(server)
	defer loopback.Close()
	dir := b.TempDir()
	specs := filepath.Join(dir, "users")
	run := func(b *testing.B, args ...string) {
		b.Helper()
		cmd := exec.Command(program, append(args, "--log-level", "warn", "--max-rate", "100000", "--max-in-flight", "50", specs)...)
		cmd.Env = append(os.Environ(), "USERSYNCD_API_URL="+loopback.URL, "USERSYNCD_STATE="+filepath.Join(dir, "state.db"),
			"GENESYSCLOUD_OAUTHCLIENT_ID=demo", "GENESYSCLOUD_OAUTHCLIENT_SECRET=demo")
		before := server.Ledger()
		began := time.Now()
		out, err := cmd.CombinedOutput()
		if err != nil {
			b.Fatalf("%v\n%s", err, out)
		}
		usage, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage)
		if !ok {
			b.Fatal("this system does not tell a process's size")
		}
		calls := 0
		after := server.Ledger()
		for name := range after.Calls {
			calls += after.Count(name) - before.Count(name)
		}
		b.ReportMetric((cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()).Seconds(), "cpu-s")
		b.ReportMetric(float64(usage.Maxrss)/1024, "MB")
		b.ReportMetric(float64(calls), "calls")
		b.Logf("%s in %s: %s", args[0], time.Since(began).Round(time.Second), out)
	}
	for _, step := range []struct {
		name string
		args []string
	}{
		{"export", []string{"export"}},
		{"cold", []string{"plan", "--detailed-exitcode", "--state", filepath.Join(dir, "none.db")}},
		{"kept", []string{"plan", "--detailed-exitcode"}},
	} {
		b.Run(step.name, func(b *testing.B) {
			for b.Loop() {
				run(b, step.args...)
			}
		})
	}
	b.Run("warm", func(b *testing.B) {
		d := exec.Command(program, "--log-format", "json", "--refresh-interval", "1ms", "--resync-interval", "1h", specs)
		d.Env = append(os.Environ(), "USERSYNCD_API_URL="+loopback.URL, "USERSYNCD_STATE="+filepath.Join(dir, "state.db"),
			"GENESYSCLOUD_OAUTHCLIENT_ID=demo", "GENESYSCLOUD_OAUTHCLIENT_SECRET=demo")
		stderr, err := d.StderrPipe()
		if err != nil {
			b.Fatal(err)
		}
		if err := d.Start(); err != nil {
			b.Fatal(err)
		}
		defer func() { _ = d.Process.Kill(); _ = d.Wait() }()
		lines := bufio.NewScanner(stderr)
		pass := func() {
			for lines.Scan() {
				if strings.Contains(lines.Text(), `"pass done"`) {
					return
				}
			}
			b.Fatal("the daemon has ended")
		}
		pass() // the first, in which everybody is adopted
		edited, err := filepath.Glob(filepath.Join(specs, "*", "a*.yaml"))
		if err != nil || len(edited) == 0 {
			b.Fatal(err)
		}
		n := 0
		for b.Loop() {
			before := processorTime(b, d.Process.Pid)
			text, err := os.ReadFile(edited[n])
			if err != nil {
				b.Fatal(err)
			}
			if err := os.WriteFile(edited[n], append(text, "preferredName: Edited\n"...), 0o600); err != nil {
				b.Fatal(err)
			}
			n++
			pass()
			b.ReportMetric(processorTime(b, d.Process.Pid)-before, "cpu-s")
		}
	})
}

// processorTime is how long a process has been running on a processor, in seconds.
func processorTime(b *testing.B, pid int) float64 {
	b.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		b.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), ") ") // the name may have spaces
	fields := strings.Fields(rest)
	ticks := 0
	for _, f := range fields[11:13] { // utime and stime, in hundredths of a second
		n, err := strconv.Atoi(f)
		if err != nil {
			b.Fatal(err)
		}
		ticks += n
	}
	return float64(ticks) / 100
}
