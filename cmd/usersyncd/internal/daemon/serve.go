package daemon

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"golang.org/x/sync/errgroup"

	"usersyncd/cmd/usersyncd/internal/config"
	"usersyncd/sync/control/health"
	"usersyncd/sync/control/notify"
	"usersyncd/sync/control/rpc"
	"usersyncd/sync/control/web"
)

// serveHTTP serves the status page, metrics and health checks on --listen, if it is set.
func (d *Daemon) serveHTTP(ctx context.Context, group *errgroup.Group) error {
	if d.Config.Listen == "" {
		return nil
	}
	l, err := web.Listen(ctx, web.Options{Address: d.Config.Listen, Hosts: d.Config.ListenHosts, Source: d,
		Mount: health.Handlers(d, d.Limits), Log: d.Log})
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return fmt.Errorf("--listen: %w by another program; choose another port, or stop that program", err)
	case err != nil:
		return config.Errorf("--listen: %w", err)
	}
	group.Go(func() error { return l.Run(ctx) })
	return nil
}

// Limits returns what readiness is judged by.
func (d *Daemon) Limits() health.Limits { return *d.limits.Load() }

// startNotifier sends notifications, if there is a webhook.
func (d *Daemon) startNotifier(ctx context.Context, group *errgroup.Group) error {
	o := d.settings.notifications
	if o.Target.IsZero() {
		return nil
	}
	o.Source, o.Log = d, d.Log
	n, err := notify.New(o)
	if err != nil {
		return config.Errorf("%w", err)
	}
	group.Go(func() error { return n.Run(ctx) })
	return nil
}

// serveSocket serves the commands. A daemon without a socket still makes passes.
func (d *Daemon) serveSocket(ctx context.Context, group *errgroup.Group) error {
	path, err := d.Config.SocketPath()
	if err != nil || path == "" {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	s, err := rpc.ListenSocket(ctx, path, d.Log)
	if err != nil {
		return err
	}
	group.Go(func() error {
		if err := s.Serve(ctx, d); err != nil {
			d.Log.Error("commands can no longer reach the daemon", "error", err)
		}
		return nil
	})
	return nil
}
