package main

import (
	"bufio"
	"encoding/json"
	"log/slog"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"usersyncd/cmd/usersyncd/internal/limiterstore"
	"usersyncd/state"
	"usersyncd/sync/aimd"
	"usersyncd/sync/genesys/sim"
)

// A running is a process of the program over a simulated organization of its own.
type running struct {
	*testing.T
	sim   *sim.Server
	specs string
	api   string
	env   []string

	cmd  *exec.Cmd
	gone chan struct{} // closed when it has ended
	mu   sync.Mutex
	log  []map[string]any // its JSON lines
}

// newRunning makes an organization and declares its users as they are. Nothing is started.
func newRunning(t *testing.T, o sim.Options) *running {
	t.Helper()
	t.Parallel()
	o.Seed, o.IndexLag = 5, -1
	r := &running{T: t, sim: sim.New(o), specs: filepath.Join(t.TempDir(), "users")}
	loopback := httptest.NewServer(r.sim)
	t.Cleanup(loopback.Close)
	if err := writeSpecs(r.Context(), r.specs, r.sim.Users()); err != nil {
		t.Fatal(err)
	}
	r.api = loopback.URL
	r.env = append(os.Environ(), "USERSYNCD_API_URL="+loopback.URL, "USERSYNCD_STATE="+filepath.Join(t.TempDir(), "usersyncd.db"),
		"GENESYSCLOUD_OAUTHCLIENT_ID=demo", "GENESYSCLOUD_OAUTHCLIENT_SECRET=demo",
		"USERSYNCD_RETRY_MIN_WAIT=10ms", "USERSYNCD_RETRY_MAX_WAIT=50ms", "HOME="+t.TempDir())
	return r
}

// start starts the daemon, which dies with the test if it has not ended by then.
func (r *running) start(args ...string) {
	r.Helper()
	r.launch(exec.Command("usersyncd", append(args, r.specs)...))
}

// launch starts the daemon by a command of the test's own.
func (r *running) launch(cmd *exec.Cmd) {
	r.Helper()
	r.cmd = cmd
	r.cmd.Env, r.cmd.Dir = append(r.env, "USERSYNCD_LOG_FORMAT=json"), r.TempDir()
	stderr, err := r.cmd.StderrPipe()
	if err != nil {
		r.Fatal(err)
	}
	if err := r.cmd.Start(); err != nil {
		r.Fatal(err)
	}
	gone := make(chan struct{})
	r.gone = gone
	go func() {
		for lines := bufio.NewScanner(stderr); lines.Scan(); {
			line := map[string]any{}
			if json.Unmarshal(lines.Bytes(), &line) != nil {
				line["msg"] = lines.Text()
			}
			r.mu.Lock()
			r.log = append(r.log, line)
			r.mu.Unlock()
		}
		_ = cmd.Wait() // ends looks at the exit code
		close(gone)
	}()
	r.Cleanup(func() {
		_ = cmd.Process.Kill() // it has ended, or it hangs
		if r.Failed() {
			r.mu.Lock()
			defer r.mu.Unlock()
			for _, line := range r.log {
				r.Log(line)
			}
		}
	})
}

// waitFor waits until something is so.
func (r *running) waitFor(what string, so func() bool) {
	r.Helper()
	if !eventually(so) {
		r.Fatalf("it did not happen: %s", what)
	}
}

func (r *running) title(email string) string {
	u, ok := r.sim.User(email)
	if !ok {
		return "nobody"
	}
	return u.Title
}

// lines counts log lines with that message.
func (r *running) lines(msg string) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	n := 0
	for _, line := range r.log {
		if line["msg"] == msg {
			n++
		}
	}
	return n
}

func (r *running) signal(s syscall.Signal) {
	r.Helper()
	if err := r.cmd.Process.Signal(s); err != nil {
		r.Fatal(err)
	}
}

// ends waits until the process has ended, and returns its exit code, or -1 if a signal killed it.
func (r *running) ends() int {
	r.Helper()
	select {
	case <-r.gone:
	case <-time.After(20 * time.Second):
		r.Fatal("it has not ended after 20 s")
	}
	return r.cmd.ProcessState.ExitCode()
}

// declare writes a spec as an editor does, under another name first.
func (r *running) declare(email, title string) {
	r.Helper()
	u, _ := r.sim.User(email)
	u.Title = title
	path := specPath(r.specs, u)
	hidden := filepath.Join(filepath.Dir(path), "."+filepath.Base(path)) // as editors do, so that a pass never sees it
	write(r.T, hidden, specText(u))
	if err := os.Rename(hidden, path); err != nil {
		r.Fatal(err)
	}
}

const (
	ana = "ana.perez@example.com"
	mei = "mei.perez@example.com"
)

// waits reports whether a copy of the state file knows of a pause: what would be there after a kill.
func (r *running) waits() bool {
	r.Helper()
	for _, v := range r.env {
		path, ok := strings.CutPrefix(v, "USERSYNCD_STATE=")
		if !ok {
			continue
		}
		data, err := os.ReadFile(path)
		if err != nil {
			r.Fatal(err)
		}
		copied := filepath.Join(r.TempDir(), "copy.db")
		if err := os.WriteFile(copied, data, 0o600); err != nil {
			r.Fatal(err)
		}
		store, err := state.OpenReadOnly(copied, state.Options{})
		if err != nil {
			return false // copied in the middle of a commit
		}
		l := aimd.NewDispatcher(aimd.NewPool(1, aimd.Config{}))
		limiterstore.New(store, "demo", r.api, true, slog.New(slog.DiscardHandler)).Restore(l, false)
		if err := store.Close(); err != nil {
			r.Fatal(err)
		}
		return !l.Memory().Tokens[0].Gate.IsZero()
	}
	return false
}
