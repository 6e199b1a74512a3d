package main

import (
	"cmp"
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

// dial finds the daemon. rpc.ErrNoDaemon: none answers.
func dial(ctx context.Context, c *config.Config) (*rpc.Client, error) {
	paths, err := c.Sockets()
	if err != nil {
		return nil, err
	}
	var missed error
	for _, path := range paths {
		if path == "" {
			return nil, rpc.ErrNoDaemon
		}
		client, err := rpc.Dial(ctx, path)
		if err == nil {
			return client, nil
		}
		if !errors.Is(err, rpc.ErrNoDaemon) {
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
	l, err := web.Listen(ctx, web.Options{Address: s.listen, Hosts: s.listenHosts, Source: src, Mount: health.Handlers(src, d.limits), Log: d.log})
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
func (d *daemon) limits() health.Limits {
	return health.Limits{Interval: d.tuned.Load().resync, MaxHeld: d.settings.readyMaxHeld, MaxQuarantined: d.settings.readyMaxQuarantined}
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
	s, err := rpc.ListenSocket(ctx, d.settings.socket, d.log)
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
