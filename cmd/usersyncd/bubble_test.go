package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"usersyncd/cmd/usersyncd/internal/daemon"
	"usersyncd/cmd/usersyncd/internal/progress"
	"usersyncd/sync/genesys/sim"
	"usersyncd/sync/watch"
)

// A bubble is the daemon over a simulated organization, without a socket, so that its time is virtual. Only the
// watcher is replaced, as inotify has a time of its own.
type bubble struct {
	*testing.T
	sim    *sim.Server
	specs  string
	config string // the --config file
	app    *app
	d      *daemon.Daemon
	hints  *hints
	hup    chan os.Signal
	log    lines
	at     func(step string)                         // where the loop may be stopped, if not nil
	wire   func(http.RoundTripper) http.RoundTripper // goes between the client and the organization, if not nil
	cancel context.CancelFunc
	group  sync.WaitGroup // the daemon's
}

// hints are a watcher whose events a test makes. As the real one it also hints every resync interval.
type hints struct {
	changes chan struct{}
	retimed chan time.Duration
	resync  time.Duration
	state   watch.State
}

func (h *hints) Changes() <-chan struct{}  { return h.changes }
func (h *hints) State() watch.State        { return h.state }
func (h *hints) SetResync(d time.Duration) { h.retimed <- d }
func (h *hints) Run(ctx context.Context) error {
	tick := time.NewTicker(h.resync)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case d := <-h.retimed:
			tick.Reset(d)
			continue
		case <-tick.C:
		}
		select {
		case h.changes <- struct{}{}:
		default:
		}
	}
}

// lines are the log's.
type lines struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

// take returns the lines since the last call.
func (l *lines) take(t *testing.T) (taken []map[string]any) {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	for d := json.NewDecoder(&l.text); d.More(); {
		line := map[string]any{}
		if err := d.Decode(&line); err != nil {
			t.Fatal(err)
		}
		taken = append(taken, line)
	}
	l.text.Reset()
	return taken
}

// said returns the line with that message.
func said(lines []map[string]any, msg string) map[string]any {
	for _, line := range lines {
		if line["msg"] == msg {
			return line
		}
	}
	return nil
}

// inBubble runs the daemon in virtual time for as long as the test lasts. before, if not nil, makes changes to
// the bubble before anything is put together.
func inBubble(t *testing.T, o sim.Options, config string, before func(b *bubble), test func(b *bubble)) {
	t.Helper()
	o.Seed = 5
	dir := t.TempDir()
	b := &bubble{specs: filepath.Join(dir, "users"), config: filepath.Join(dir, "config.yaml")}
	write(t, b.config, config)
	synctest.Test(t, func(t *testing.T) {
		b.T, b.sim, b.hup = t, sim.New(o), make(chan os.Signal, 1)
		if err := writeSpecs(b.Context(), b.specs, b.sim.Users()); err != nil {
			t.Fatal(err)
		}
		if before != nil {
			before(b)
		}
		b.build(filepath.Join(dir, "usersyncd.db"))
		ctx, cancel := context.WithCancel(t.Context())
		b.cancel = cancel
		b.group.Go(func() {
			if err := b.d.Run(ctx, b.hup); err != nil {
				t.Error(err)
			}
		})
		test(b)
		b.stop()
		if err := b.app.close(nil); err != nil {
			t.Error(err)
		}
	})
}

// stop ends the daemon as SIGTERM does, and tells how long that took.
func (b *bubble) stop() time.Duration {
	began := time.Now()
	b.cancel()
	b.group.Wait()
	return time.Since(began)
}

// build puts the daemon together as runDaemon does.
func (b *bubble) build(state string) {
	b.Helper()
	p := process{stderr: &b.log, args: []string{
		"--config", b.config, "--api-url=https://api.example.com", "--state=" + state, "--socket=none", "--log-format=json", b.specs,
	}, lookupEnv: func(name string) (string, bool) { return "demo", strings.HasPrefix(name, "GENESYSCLOUD_OAUTH") }}
	if p.transport = b.sim.Transport(); b.wire != nil {
		p.transport = b.wire(p.transport)
	}
	cmd, c := newRoot(p)
	if err := cmd.ParseFlags(p.args); err != nil {
		b.Fatal(err)
	}
	if err := errors.Join(c.Load(cmd), locate(cmd, cmd.Flags().Args(), c)); err != nil {
		b.Fatal(err)
	}
	a, err := newApp(c, false, &progress.Screen{W: p.stderr}, nil)
	if err != nil {
		b.Fatal(err)
	}
	b.hints = &hints{changes: make(chan struct{}, 1), retimed: make(chan time.Duration), resync: c.ResyncInterval, state: watch.State{Mode: watch.Watching}}
	o := daemonOptions(a, c, p)
	o.Watcher, o.Step = b.hints, b.at
	b.app = a
	if b.d, err = daemon.New(o); err != nil {
		b.Fatal(err)
	}
}

// reload writes the configuration file and asks the daemon to read it; after a second it has.
func (b *bubble) reload(config string) []map[string]any {
	b.Helper()
	b.log.take(b.T)
	write(b.T, b.config, config)
	b.hup <- os.Interrupt // which signal it was, the loop does not look at
	time.Sleep(2 * time.Second)
	return b.log.take(b.T)
}
