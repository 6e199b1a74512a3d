package main

import (
	"errors"
	"fmt"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
	"time"

	"usersyncd/spec"
	"usersyncd/state"
	"usersyncd/sync/control/rpc"
	"usersyncd/sync/genesys/sim"
)

// BenchmarkExplain asks a running daemon about users, one after the other, from the moment at which its socket
// is there until all of 50,000 users are changed, or a minute of that is over, without a pause between two questions
// that is worth the name:
//
//	first    a daemon without a state file: nobody is known, everybody is adopted, and changed
//	restart  a daemon that knows everybody, and has 50,000 writes in its history, over a tree that is new to it, in
//	         which everybody is to be changed again
//
// The questions take turns: a user who is declared, one whom nobody knows, and one who is not declared. The
// quota is no limit, so that the daemon, the simulated organization and the questions want more of the machine's
// processors than there are. It fails if an answer takes a second.
//
//	max-ms, p99-ms  of the answers
//	PHASE-max-ms    of those that came while the daemon was in a phase
func BenchmarkExplain(b *testing.B) {
	const (
		users  = 50_000
		within = time.Second
	)
	program := buildProgram(b)
	for b.Loop() {
		server := sim.New(sim.Options{Users: users, Quota: sim.Quota{Limit: 100_000_000}, IndexLag: -1})
		loopback := httptest.NewServer(server)
		dir := b.TempDir()
		socket := filepath.Join(dir, "s")
		specs := filepath.Join(dir, "users")
		everybody := server.Users()
		undeclared := everybody[users-1].Email
		for i, step := range []string{"first", "restart"} {
			title := fmt.Sprint("Agent of the month ", i)
			for _, u := range everybody[:users-1] {
				u.Title = title
				declare(b, specPath(specs, u), u)
			}
			d := exec.Command(program, "--log-level", "warn", "--max-rate", "100000", "--max-in-flight", "50", "--socket", socket, specs)
			d.Env = append(os.Environ(), "USERSYNCD_API_URL="+loopback.URL, "USERSYNCD_STATE="+filepath.Join(dir, "state.db"),
				"GENESYSCLOUD_OAUTHCLIENT_ID=demo", "GENESYSCLOUD_OAUTHCLIENT_SECRET=demo")
			d.Stderr = os.Stderr
			if err := d.Start(); err != nil {
				b.Fatal(err)
			}
			asked := askWhile(b, socket, func(n int) string {
				return []string{everybody[n*7919%(users-1)].Email, "nobody@example.com", undeclared}[n%3]
			})
			if err := d.Process.Signal(syscall.SIGTERM); err != nil {
				b.Fatal(err)
			}
			if err := d.Wait(); err != nil {
				b.Fatal(err)
			}
			fillHistory(b, filepath.Join(dir, "state.db"), everybody)
			var all []time.Duration
			for phase, took := range asked {
				slices.Sort(took)
				b.Logf("%s, %s: %d answers, half of them in %v, 99 %% in %v, all in %v", step, phase, len(took),
					percentile(took, 50), percentile(took, 99), percentile(took, 100))
				b.ReportMetric(float64(slices.Max(took).Milliseconds()), step+"-"+phase+"-max-ms")
				all = append(all, took...)
			}
			slices.Sort(all)
			b.ReportMetric(float64(percentile(all, 100).Milliseconds()), step+"-max-ms")
			b.ReportMetric(float64(percentile(all, 99).Milliseconds()), step+"-p99-ms")
			if most := percentile(all, 100); most >= within {
				b.Errorf("%s: an answer took %v", step, most)
			}
		}
		loopback.Close()
	}
	b.ReportMetric(0, "ns/op") // says nothing
}

// percentile is what so many of a hundred durations, which are sorted, do not exceed.
func percentile(sorted []time.Duration, p int) time.Duration {
	return sorted[(len(sorted)-1)*p/100].Round(time.Millisecond)
}

// fillHistory makes the history as long as it gets.
func fillHistory(b *testing.B, path string, users []sim.User) {
	b.Helper()
	store, err := state.Open(path, state.Options{})
	if err != nil {
		b.Fatal(err)
	}
	for chunk := range slices.Chunk(users, 5000) {
		var events []state.Event
		for _, u := range chunk {
			events = append(events, state.Event{At: time.Now(), Revision: "0123456789abcdef0123456789abcdef01234567", Plan: "p-0123abcd", ID: u.ID, Email: u.Email,
				Action: "update", Cause: "edit", CorrelationID: u.ID, Fields: []state.FieldEvent{{Field: spec.Title, Before: `"Agent"`, After: `"Senior agent"`}}})
		}
		if err := store.Commit(state.Commit{Events: events}); err != nil {
			b.Fatal(err)
		}
	}
	if err := store.Close(); err != nil {
		b.Fatal(err)
	}
}

// askWhile asks the daemon on a socket to explain one user after the other, until its first pass is over, or has
// been applying for a minute. It
// returns how long the answers took, by the phase in which they were asked for.
func askWhile(b *testing.B, socket string, whom func(n int) string) map[string][]time.Duration {
	b.Helper()
	var client *rpc.Client
	for deadline := time.Now().Add(time.Minute); client == nil; {
		c, err := rpc.Dial(b.Context(), socket)
		if err != nil && (!errors.Is(err, rpc.ErrNoDaemon) || time.Now().After(deadline)) {
			b.Fatal(err)
		}
		if client = c; err != nil {
			client = nil
			<-time.After(time.Millisecond)
		}
	}
	defer client.Close()
	asked := map[string][]time.Duration{}
	var applying time.Time
	for n := 0; ; n++ {
		s, err := client.Status(b.Context())
		if err != nil {
			b.Fatal(err)
		}
		if s.Phase == "apply" && applying.IsZero() {
			applying = time.Now()
		}
		if !s.Success.IsZero() || !applying.IsZero() && time.Since(applying) > time.Minute {
			return asked
		}
		began := time.Now()
		if _, err := client.Explain(b.Context(), whom(n)); err != nil {
			b.Fatal(err)
		}
		asked[string(s.Phase)] = append(asked[string(s.Phase)], time.Since(began))
		<-time.After(20 * time.Millisecond)
	}
}
