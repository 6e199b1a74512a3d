package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/spf13/pflag"
	"golang.org/x/sync/errgroup"

	"usersyncd/sync/control"
	"usersyncd/sync/control/notify"
)

const (
	socketName = "usersyncd.sock"
	runSocket  = "/run/usersyncd/" + socketName // where usersyncd.service has it
	noSocket   = "none"
)

// socketFlags say where daemon and commands meet.
func (c *config) socketFlags(f *pflag.FlagSet) {
	f.StringVar(&c.socket, "socket", "", "`PATH` of the daemon's socket, or none (default $RUNTIME_DIRECTORY/usersyncd.sock, else the state file's path with .sock)")
}

// listenFlags are those of the page, the metrics and the health checks.
func (c *config) listenFlags(f *pflag.FlagSet) {
	f.StringVar(&c.listen, "listen", "", "serve the status page, metrics and health on this `HOST:PORT`, such as 127.0.0.1:8787; none: not at all")
	f.Var(&c.listenHosts, "listen-hosts", "further `NAMES` under which a browser may ask for the page")
	f.IntVar(&c.readyMaxHeld, "ready-max-held", control.DefaultReadyMax, "/readyz fails with more users held than this; -1: no limit")
	f.IntVar(&c.readyMaxQuarantined, "ready-max-quarantined", control.DefaultReadyMax, "/readyz fails with more users in quarantine than this; -1: no limit")
}

// socketPath is where the daemon makes its socket; "" if it is to have none.
func (c *config) socketPath(env environment) (string, error) {
	if c.socket == noSocket {
		return "", nil
	}
	if c.socket != "" {
		return c.socket, nil
	}
	if dir, _ := env.get("RUNTIME_DIRECTORY"); dir != "" {
		first, _, _ := strings.Cut(dir, ":") // systemd lists several with colons
		return filepath.Join(first, socketName), nil
	}
	state, err := c.statePath(env)
	return state + ".sock", err
}

// sockets are where a command looks for the daemon: where it was told to, else where one can be that uses the
// same state file, or the service's.
func (c *config) sockets(env environment) ([]string, error) {
	first, err := c.socketPath(env)
	if err != nil || c.socket != "" || c.state != "" {
		return []string{first}, err
	}
	state, err := c.statePath(env)
	return []string{first, runSocket, state + ".sock"}, err
}

// dial finds the daemon. control.ErrNoDaemon: none answers.
func (c *config) dial(ctx context.Context, env environment) (*control.Client, error) {
	paths, err := c.sockets(env)
	if err != nil {
		return nil, err
	}
	var missed error
	for _, path := range paths {
		if path == "" {
			return nil, control.ErrNoDaemon
		}
		client, err := control.Dial(ctx, path)
		if err == nil {
			return client, nil
		}
		if !errors.Is(err, control.ErrNoDaemon) {
			return nil, err
		}
		missed = cmp.Or(missed, err)
	}
	return nil, missed
}

// listen serves the page, the metrics and the health checks, if they are asked for.
func (d *daemon) listen(ctx context.Context, group *errgroup.Group) error {
	s := d.settings
	if s.listen == "" {
		return nil
	}
	src := source{d}
	mount := control.HealthHandlers(src, d.limits)
	mount["/metrics"] = control.MetricsHandler(src, d.limits)
	l, err := control.Listen(ctx, control.ListenOptions{Address: s.listen, Hosts: s.listenHosts, Source: src, Mount: mount, Log: d.log})
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return fmt.Errorf("--listen: %w; another program has that port: choose another one, or end that", err)
	case err != nil:
		return usage("--listen: %w", err)
	}
	group.Go(func() error { return l.Run(ctx) })
	return nil
}

// limits are what readiness is judged by; the interval may be another one after a reload.
func (d *daemon) limits() control.Limits {
	return control.Limits{Interval: d.tuned.Load().resync, MaxHeld: d.settings.readyMaxHeld, MaxQuarantined: d.settings.readyMaxQuarantined}
}

// startNotifier runs the webhook's notifier, if there is a webhook.
func (d *daemon) startNotifier(ctx context.Context, group *errgroup.Group) error {
	o := d.settings.notify
	if o.Target.IsZero() {
		return nil
	}
	o.Source, o.Log = source{d}, d.log
	n, err := notify.New(o)
	if err != nil {
		return usage("%w", err)
	}
	group.Go(func() error { return n.Run(ctx) })
	return nil
}

// serve opens the socket. A daemon without one does its work all the same.
func (d *daemon) serve(ctx context.Context, group *errgroup.Group) error {
	if d.settings.socket == "" {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(d.settings.socket), 0o750); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	s, err := control.ListenSocket(ctx, d.settings.socket, d.log)
	if err != nil {
		return err
	}
	group.Go(func() error {
		if err := s.Serve(ctx, source{d}); err != nil {
			d.log.Error("the commands that ask the daemon do not work any more", "error", err)
		}
		return nil
	})
	return nil
}
