package main

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"usersyncd/cmd/usersyncd/internal/progress"
	"usersyncd/sync/watch"
)

// In the demo with the page something is held now and then, somebody fails now and then, and in between everybody is as declared;
// round after round, until it is stopped.
func TestEventsOfTheDemo(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		d := &demo{dir: dir, specs: filepath.Join(dir, "users"), level: "error",
			process: process{stdout: &out, stderr: io.Discard, lookupEnv: func(string) (string, bool) { return "", false }}}
		if err := d.checkout(t.Context()); err != nil {
			t.Fatal(err)
		}
		d.transport = d.sim.Transport()
		c, err := d.settings("https://api.example.com")
		if err != nil {
			t.Fatal(err)
		}
		c.Socket = "none"
		if d.app, err = newApp(c, false, &progress.Screen{W: io.Discard}, nil); err != nil {
			t.Fatal(err)
		}
		service, err := d.service(c, &hints{changes: make(chan struct{}, 1), retimed: make(chan time.Duration), resync: time.Second, state: watch.State{Mode: watch.Watching}})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- d.live(ctx, service) }()

		var story []string // what the page shows, one after the other
		for range 130 {
			time.Sleep(time.Second)
			s := service.Status()
			now := "others"
			switch {
			case len(s.Holds) == 1 && s.Holds[0].Guard == "max-removals":
				now = "held"
			case s.Failed+s.Quarantined == 1:
				now = "failed"
			case s.InSync == demoUsers && s.Held == 0:
				now = "in sync"
			}
			if len(story) == 0 || story[len(story)-1] != now {
				story = append(story, now)
			}
		}
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("stopped: %v", err)
		}
		if err := d.close(nil); err != nil {
			t.Error(err)
		}
		seen := strings.Join(story, ", ")
		for want, n := range map[string]int{"in sync": 4, "held": 2, "failed": 1} {
			if strings.Count(seen, want) < n {
				t.Errorf("in two rounds the page shows less than %d times that users are %s: %s", n, want, seen)
			}
		}
	})
}

// The page is on a port of its own, and Ctrl-C ends all of it, with nothing left.
func TestDemoWithThePage(t *testing.T) {
	t.Parallel()
	temp, err := os.MkdirTemp("", "demo") // the path of a socket is short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(temp) })
	cmd := exec.Command("usersyncd", "demo", "--page")
	cmd.Env = append(os.Environ(), "TMPDIR="+temp, "USERSYNCD_NOTIFY_URL=not a URL", "USERSYNCD_MAX_RATE=none") // none of the demo's business
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill() }) // it has ended, or it hangs
	lines := bufio.NewScanner(stdout)
	url, socket := "", ""
	for lines.Scan() && !strings.HasPrefix(lines.Text(), "The specs change every user.") {
		if rest, ok := strings.CutPrefix(lines.Text(), "The status page is on "); ok {
			url, _, _ = strings.Cut(rest, " ")
		}
		if _, rest, ok := strings.Cut(lines.Text(), "--socket "); ok {
			socket = rest
		}
	}
	client := http.Client{Timeout: 10 * time.Second}
	for _, path := range []string{"", "api/status", "livez"} {
		if !eventually(func() bool {
			resp, err := client.Get(url + path)
			if err != nil {
				return false
			}
			return resp.Body.Close() == nil && resp.StatusCode == http.StatusOK
		}) {
			t.Errorf("%s%s does not answer", url, path)
		}
	}
	if out, err := exec.Command("usersyncd", "status", "--socket", socket).CombinedOutput(); err != nil {
		t.Errorf("status: %v: %s", err, out)
	}
	if err := cmd.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	rest, _ := io.ReadAll(stdout)
	if err := cmd.Wait(); err != nil || stderr.Len() > 0 {
		t.Errorf("%v: %s%s", err, rest, &stderr)
	}
	if left, err := os.ReadDir(temp); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}
