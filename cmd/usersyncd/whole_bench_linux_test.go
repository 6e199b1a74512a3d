package main

import (
	"bufio"
	"fmt"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"usersyncd/sync/genesys/sim"
)

// BenchmarkWholeOrganization measures the program, as a process, over an organization of users with every field,
// each declared in a file of its own. The figures are in README.md.
//
//	export  the organization read completely and written as specs
//	cold    plan without a state file: everything is read
//	kept    plan with what export has kept: every spec is read, and the organization listed
//	adopt   the daemon until everybody is adopted
//	first   the first edit after a start of the daemon: every spec is read
//	edit    another edit
//	idle    the daemon for a minute in which nothing changes
//
// cpu-s is the process's own processor time, rss-MB and anon-MB its largest resident and anonymous size (of first, edit and idle
// since the start), calls what the API received, patch-s how long an edit takes until its PATCH is received. The simulator runs
// in the benchmark's process. If BENCH_EXEC is set, the program is run by that command: see README.md.
func BenchmarkWholeOrganization(b *testing.B) {
	program := buildProgram(b)
	for _, users := range []int{10_000, 50_000} {
		b.Run(fmt.Sprintf("users=%d", users), func(b *testing.B) {
			server := sim.New(sim.Options{Users: users, Full: true, Quota: sim.Quota{Limit: 100_000_000}})
			loopback := httptest.NewServer(server)
			defer loopback.Close()
			dir := b.TempDir()
			w := &wholeProgram{
				exec: append(strings.Fields(os.Getenv("BENCH_EXEC")), program), server: server, url: loopback.URL,
				specs: filepath.Join(dir, "users"), state: filepath.Join(dir, "state.db"),
			}
			b.Run("export", func(b *testing.B) { w.once(b, "export") })
			b.Run("cold", func(b *testing.B) { w.once(b, "plan", "--state", filepath.Join(dir, "none.db")) })
			b.Run("kept", func(b *testing.B) { w.once(b, "plan") })
			b.Run("adopt", func(b *testing.B) {
				for b.Loop() {
					d := w.daemon(b)
					d.await(b, `"pass done"`)
					d.report(b, 0)
				}
			})
			d := w.daemon(b)
			d.await(b, `"pass done"`)
			edited, err := filepath.Glob(filepath.Join(w.specs, "*", "a*.yaml"))
			if err != nil || len(edited) < 10 {
				b.Fatal(len(edited), err)
			}
			edit := func(b *testing.B) {
				for b.Loop() {
					d.edit(b, edited[0])
					edited = edited[1:]
				}
			}
			b.Run("first", edit)
			b.Run("edit", edit)
			b.Run("idle", func(b *testing.B) {
				for b.Loop() {
					before := d.processorTime(b)
					time.Sleep(time.Minute)
					d.report(b, before)
				}
			})
		})
	}
}

// A wholeProgram is the program, and what it works on.
type wholeProgram struct {
	exec              []string
	server            *sim.Server
	url, specs, state string
}

// start starts the program; the end of the benchmark ends it.
func (w *wholeProgram) start(b *testing.B, args ...string) *measured {
	b.Helper()
	args = append(append(w.exec[1:len(w.exec):len(w.exec)], args...), "--max-rate", "100000", "--max-in-flight", "50", w.specs)
	cmd := exec.Command(w.exec[0], args...)
	cmd.Env = append(os.Environ(), "USERSYNCD_API_URL="+w.url, "USERSYNCD_STATE="+w.state,
		"GENESYSCLOUD_OAUTHCLIENT_ID=demo", "GENESYSCLOUD_OAUTHCLIENT_SECRET=demo")
	stderr, err := cmd.StderrPipe()
	if err != nil {
		b.Fatal(err)
	}
	m := &measured{wholeProgram: w, cmd: cmd, lines: bufio.NewScanner(stderr), calls: w.calls(), peak: make(chan [2]float64), stop: make(chan struct{})}
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	go m.watchMemory()
	b.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM) // it may have ended
		_ = cmd.Wait()
		close(m.stop)
	})
	return m
}

// once runs a command to its end.
func (w *wholeProgram) once(b *testing.B, args ...string) {
	for b.Loop() {
		m := w.start(b, append(args, "--log-level", "warn")...)
		var log strings.Builder
		for m.lines.Scan() {
			log.WriteString(m.lines.Text() + "\n")
		}
		if err := m.cmd.Wait(); err != nil {
			b.Fatalf("%v\n%s", err, log.String())
		}
		m.ended = (m.cmd.ProcessState.UserTime() + m.cmd.ProcessState.SystemTime()).Seconds()
		m.report(b, 0)
	}
}

func (w *wholeProgram) daemon(b *testing.B) *measured {
	return w.start(b, "--log-format", "json", "--socket", filepath.Join(filepath.Dir(w.state), "socket"))
}

// calls is how many requests the API has received.
func (w *wholeProgram) calls() (n int) {
	l := w.server.Ledger()
	for name := range l.Calls {
		n += l.Count(name)
	}
	return n
}

// measured is a process of the program.
type measured struct {
	*wholeProgram
	cmd   *exec.Cmd
	lines *bufio.Scanner
	calls int             // before it was started
	ended float64         // its processor time, once it has ended
	peak  chan [2]float64 // its largest resident and anonymous size so far
	stop  chan struct{}
}

// await reads the log until a line has a text.
func (m *measured) await(b *testing.B, text string) {
	b.Helper()
	for m.lines.Scan() {
		if strings.Contains(m.lines.Text(), text) {
			return
		}
	}
	b.Fatalf("the daemon has ended before it logged %s", text)
}

// edit changes a spec, and waits until the change is applied.
func (m *measured) edit(b *testing.B, file string) {
	b.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		b.Fatal(err)
	}
	const patch = "PATCH /api/v2/users/{id}"
	before, patches, began := m.processorTime(b), m.server.Ledger().Count(patch), time.Now()
	edited := regexp.MustCompile(`(?m)^title: .*$`).ReplaceAll(text, []byte("title: Edited"))
	if err := os.WriteFile(file, edited, 0o600); err != nil {
		b.Fatal(err)
	}
	for m.server.Ledger().Count(patch) == patches {
		time.Sleep(10 * time.Millisecond)
	}
	b.ReportMetric(time.Since(began).Seconds(), "patch-s")
	m.await(b, `"pass done"`)
	m.report(b, before)
}

// report reports the processor time since a moment, in which it was before.
func (m *measured) report(b *testing.B, before float64) {
	b.Helper()
	cpu := m.ended
	if cpu == 0 {
		cpu = m.processorTime(b)
	}
	peak := <-m.peak
	b.ReportMetric(cpu-before, "cpu-s")
	b.ReportMetric(peak[0], "rss-MB")
	b.ReportMetric(peak[1], "anon-MB")
	b.ReportMetric(float64(m.wholeProgram.calls()-m.calls), "calls")
}

// watchMemory samples the sizes of the process. (The kernel's own peak, in Rusage, is at least the size of the process that
// has started it, and none is of anonymous memory.)
func (m *measured) watchMemory() {
	var peak [2]float64
	for {
		status, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", m.cmd.Process.Pid)) // none: it has ended
		for line := range strings.Lines(string(status)) {
			var kb float64
			if _, err := fmt.Sscanf(line, "VmHWM: %f kB", &kb); err == nil {
				peak[0] = max(peak[0], kb/1024)
			}
			if _, err := fmt.Sscanf(line, "RssAnon: %f kB", &kb); err == nil {
				peak[1] = max(peak[1], kb/1024)
			}
		}
		select {
		case m.peak <- peak:
		case <-time.After(10 * time.Millisecond):
		case <-m.stop:
			return
		}
	}
}

// processorTime is how long the process has been running on a processor, in seconds.
func (m *measured) processorTime(b *testing.B) float64 {
	b.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", m.cmd.Process.Pid))
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
