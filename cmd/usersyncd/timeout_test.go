package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"usersyncd/sync/genesys/sim"
)

// withinTime runs the program in virtual time, and returns what it wrote, its exit code, and how long it took.
func withinTime(t *testing.T, server *sim.Server, dir string, args ...string) (stdout, stderr string, code int, took time.Duration) {
	t.Helper()
	var out, errs bytes.Buffer
	p := process{stdout: &out, stderr: &errs, transport: server.Transport(), lookupEnv: func(name string) (string, bool) {
		v, ok := map[string]string{
			"USERSYNCD_API_URL": "http://127.0.0.1", "GENESYSCLOUD_OAUTHCLIENT_ID": "demo", "GENESYSCLOUD_OAUTHCLIENT_SECRET": "demo",
			"USERSYNCD_STATE": filepath.Join(dir, "state.db"),
		}[name]
		return v, ok
	}}
	began := time.Now()
	code = execute(t.Context(), args, p) // run would wait for signals outside the bubble
	return out.String(), errs.String(), code, time.Since(began)
}

// A run that takes too long ends as with SIGTERM: what was sent is recorded, the rest is not reached, and the next run does that.
func TestTimeout(t *testing.T) {
	dir := t.TempDir()
	specs := filepath.Join(dir, "users")
	synctest.Test(t, func(t *testing.T) {
		const users = 60
		server := sim.New(sim.Options{Users: users, Latency: 500 * time.Millisecond})
		people := server.Users()
		for _, u := range people {
			server.Edit(u.Email, func(u *sim.User) { u.Title = "Before" })
			write(t, filepath.Join(specs, u.Email+".yaml"), "email: "+u.Email+"\ntitle: After\n")
		}
		changed := func() (n int) {
			for _, u := range server.Users() {
				if u.Title == "After" {
					n++
				}
			}
			return n
		}
		stdout, stderr, code, took := withinTime(t, server, dir, "--once", "--timeout=5s", "--max-in-flight=2", specs)
		done := changed()
		if done == 0 || done > users/2 {
			t.Fatalf("%d of %d users were changed in 5 s", done, users)
		}
		if code != exitFailed || took < 5*time.Second || took > 6*time.Second {
			t.Errorf("exit code %d after %s", code, took)
		}
		if want := "usersyncd: timed out after 5s (--timeout): "; strings.Count(stderr, want) != 1 || !strings.Contains(stderr, " of 60 users not reached; run it again to go on") {
			t.Errorf("stderr: %s", stderr)
		}
		if !strings.Contains(stdout, " not reached; ") || strings.Contains(stdout, "failed") {
			t.Errorf("stdout: %s", stdout)
		}
		// What was sent has been recorded: the next run changes the others, each once.
		_, stderr, code, _ = withinTime(t, server, dir, "--once", "--timeout=10m", specs)
		if code != exitDone || changed() != users || server.Ledger().Count("PATCH /api/v2/users/{id}") != users {
			t.Errorf("then: exit code %d, %d changed by %d calls: %s", code, changed(), server.Ledger().Count("PATCH /api/v2/users/{id}"), stderr)
		}
	})
}

// Nor is a reading waited for.
func TestTimeoutOfAReading(t *testing.T) {
	for command, want := range map[string]string{
		"--once":      "there is no plan yet, and nothing was changed",
		"plan":        "there is no plan yet, and nothing was changed",
		"apply --yes": "there is no plan yet, and nothing was changed",
		"export":      "no file was written",
	} {
		t.Run(command, func(t *testing.T) {
			dir := t.TempDir()
			specs := filepath.Join(dir, "users")
			synctest.Test(t, func(t *testing.T) {
				server := sim.New(sim.Options{Users: 4})
				write(t, filepath.Join(specs, "ana.yaml"), "email: "+server.Users()[0].Email+"\ntitle: After\n")
				server.AddFault(sim.Fault{Method: "GET", Path: "/api/v2/users", Effect: sim.Slow, Delay: time.Hour})
				stdout, stderr, code, took := withinTime(t, server, dir, append(strings.Fields(command), "--timeout=3s", specs)...)
				if code != exitFailed || took < 3*time.Second || took > 4*time.Second || !strings.Contains(stderr, "timed out after 3s (--timeout): "+want) || stdout != "" {
					t.Errorf("exit code %d after %s, %q, %q", code, took, stdout, stderr)
				}
				if files, err := os.ReadDir(specs); err != nil || len(files) != 1 {
					t.Errorf("%v, %v", files, err)
				}
			})
		})
	}
}
