package main

import (
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"usersyncd/cmd/usersyncd/internal/config"
	"usersyncd/cmd/usersyncd/internal/daemon"
	"usersyncd/cmd/usersyncd/internal/progress"
	"usersyncd/sync/watch"
)

// runDaemon is the root command without --once.
func runDaemon(cmd *cobra.Command, c *config.Config, p process) error {
	a, err := newApp(c, false, &progress.Screen{W: p.stderr}, nil)
	if err != nil {
		return err
	}
	o := daemonOptions(a, c, p)
	o.Watcher = watch.New(c.Dir, watch.Options{Resync: c.ResyncInterval, Log: a.log})
	d, err := daemon.New(o)
	if err != nil {
		return a.close(err)
	}
	hup := make(chan os.Signal, 1)
	signal.Notify(hup, syscall.SIGHUP)
	defer signal.Stop(hup)
	return a.close(d.Run(cmd.Context(), hup))
}

// daemonOptions are the daemon's parts, but for the watcher.
func daemonOptions(a *app, c *config.Config, p process) daemon.Options {
	return daemon.Options{
		Config:     c,
		Reload:     func() (*config.Config, error) { return reread(p) },
		Apply:      a.configure,
		Reconciler: a.Reconciler, Limiter: a.limiter, SaveLimiter: func() { a.learned.Save(a.limiter, time.Now()) },
		Calls: a.calls, Log: a.log, Version: version(),
	}
}

// reread reads the settings of a running daemon again: the same command line, and the environment, env file and
// configuration file as they are now.
func reread(p process) (*config.Config, error) {
	cmd, c := newRoot(p)
	if err := cmd.ParseFlags(p.args); err != nil {
		return nil, err // cannot be: the daemon was started with them
	}
	if err := c.Load(cmd); err != nil {
		return nil, err
	}
	return c, locate(cmd, cmd.Flags().Args(), c)
}
