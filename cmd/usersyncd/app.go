package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"time"

	"usersyncd/cmd/usersyncd/internal/config"
	"usersyncd/cmd/usersyncd/internal/limiterstore"
	"usersyncd/cmd/usersyncd/internal/logging"
	"usersyncd/cmd/usersyncd/internal/memory"
	"usersyncd/cmd/usersyncd/internal/progress"
	"usersyncd/cmd/usersyncd/internal/report"
	"usersyncd/spec"
	"usersyncd/state"
	usersync "usersyncd/sync"
	"usersyncd/sync/aimd"
	"usersyncd/sync/apply"
	"usersyncd/sync/genesys"
	"usersyncd/sync/genesys/api"
)

// An app is the program put together: the parts, and how they are connected.
type app struct {
	*usersync.Reconciler
	limiter *aimd.Dispatcher
	genesys *genesys.Directory
	learned *limiterstore.Store
	log     *slog.Logger
	level   *slog.LevelVar // of the log
	screen  *progress.Screen
	beside  *besideDaemon
	client  string // the id of the OAuth client
	stop    func() // ends what runs beside the passes
}

// newApp connects the parts for the directory of specs. With readOnly nothing can be changed: not in the
// organization, not in the state file. A copy of the daemon's state file replaces the state file.
func newApp(c *config.Config, readOnly bool, stderr *progress.Screen, copied *state.Store) (*app, error) {
	log, level, err := newLogger(c, stderr)
	if err != nil {
		return nil, err
	}
	a := &app{log: log, level: level, screen: stderr, limiter: aimd.NewDispatcher(aimd.NewPool(c.Tokens, aimd.Config{MaxInFlight: c.MaxInFlight})),
		Reconciler: &usersync.Reconciler{
			Specs: spec.NewLoader(c.Dir), Log: log, Rand: rand.New(rand.NewPCG(rand.Uint64(), rand.Uint64())), Workers: c.MaxInFlight * c.Tokens,
			ChangesShown: c.Process != config.DaemonProcess, // by a report, and by history
			Retry:        apply.Retry{Max: c.RetryMax, MinWait: c.RetryMinWait, MaxWait: c.RetryMaxWait, No5xx: !c.Retry5xx},
		}}
	if err := a.configure(c); err != nil {
		return nil, err
	}
	c.Account.Log(log)
	for _, variable := range c.Misspelt {
		log.Warn("an environment variable is not a setting", "name", variable.Name, "did you mean", variable.Meant)
	}
	for _, setting := range c.FilesInCheckout() {
		log.Warn("a file of settings is in the checkout, where a commit can change it; move it elsewhere", "setting", setting)
	}
	base, login, noEndpoints := c.Endpoints()
	found, noCredentials := c.Credentials()
	if err := cmp.Or(noEndpoints, noCredentials); err != nil {
		return nil, err
	}
	log.Debug("credentials found", "id", found.IDSource, "secret", found.SecretSource)
	a.genesys, err = genesys.New(api.Options{
		API: base, Login: login, ClientID: found.ID, ClientSecret: found.Secret,
		Limiter: a.limiter, Tokens: c.Tokens, ReadOnly: readOnly, MaxConns: c.MaxInFlight, Proxy: http.ProxyFromEnvironment, Logger: log, Version: version(), Transport: c.Transport,
		Retry: &api.Retry{Max: c.RetryMax, MinWait: c.RetryMinWait, MaxWait: c.RetryMaxWait, No429: !c.Retry429, No5xx: !c.Retry5xx},
	})
	if err != nil {
		return nil, usage("%w", err)
	}
	a.client, a.Directory, a.API = found.ID, a.genesys, a.genesys.API()
	if copied == nil {
		if copied, err = openState(c, readOnly, log); err != nil {
			return nil, err
		}
	}
	a.readSpecCache(c)
	a.useState(c, copied, readOnly)
	return a, nil
}

// useState makes the app work with a state file, and with what that has learned of the limiter.
func (a *app) useState(c *config.Config, store *state.Store, readOnly bool) {
	a.Store = store
	a.learned = limiterstore.New(store, a.client, a.API, readOnly, a.log)
	a.learned.Restore(a.limiter, c.IgnorePause)
	alarm := memory.Alarm{Log: a.log}
	level := slog.LevelDebug
	if c.Process == config.DaemonProcess { // the others show the progress of their pass
		level = slog.LevelInfo
	}
	a.stop = progress.WatchLimiter(a.limiter, a.log, level, func(now time.Time) {
		a.learned.Save(a.limiter, now)
		alarm.Check()
	})
}

// closeState saves the state of the limiter, and closes the state file. No pass may be running.
func (a *app) closeState() error {
	a.stop()
	a.stop = func() {}
	a.learned.Flush(a.limiter)
	return a.Store.Close()
}

// withoutState calls do while other processes may use the state file, and opens it again.
func (a *app) withoutState(c *config.Config, do func() error) error {
	if err := a.closeState(); err != nil {
		return err
	}
	if err := do(); err != nil {
		return err
	}
	store, err := openState(c, false, a.log)
	if err != nil {
		return fmt.Errorf("nothing was applied: %w", err)
	}
	a.useState(c, store, false)
	return nil
}

// configure puts the settings into effect that may change while the daemon runs, or none of them. No pass may be running.
func (a *app) configure(c *config.Config) error {
	policy, err := c.Policy()
	if err != nil {
		return err
	}
	a.Policy, a.Refresh, a.SearchLag, a.Settings = policy, c.RefreshInterval, c.SearchLag, version()+" "+c.Fingerprint()
	a.Specs.Branch = c.Branch
	a.limiter.Retune(c.MaxRate, c.Reserve)
	return a.level.UnmarshalText([]byte(c.LogLevel))
}

// runBeside runs a command that changes nothing but, with keep, the state file: with a copy of that of the daemon, if one runs.
func (p process) runBeside(ctx context.Context, c *config.Config, keep bool, command func(*app) error) error {
	daemon, err := askDaemon(ctx, c)
	if err != nil {
		return err
	}
	return p.run(c, !keep || daemon.store != nil, daemon, command)
}

// lockHint says what to do if another process uses the state file.
func lockHint(c *config.Config, err error) error {
	locked, ok := errors.AsType[*state.LockedError](err)
	if !ok {
		return err
	}
	daemon := "give its socket with --socket"
	switch c.Process {
	case config.DaemonProcess:
		daemon = "stop it, or give each its own file with --state"
	case "usersyncd --once", "usersyncd apply":
		daemon = "usersyncd sync has it make a pass now"
	}
	switch locked.Process {
	case config.DaemonProcess:
		return fmt.Errorf("%w: %s", err, daemon)
	case "":
		return fmt.Errorf("%w: wait until it has ended; if it is a daemon, %s", err, daemon)
	}
	return fmt.Errorf("%w: wait until it has ended", err)
}

// run runs a command of the program. On a terminal the progress bar shows what the log would show of a pass.
func (p process) run(c *config.Config, readOnly bool, daemon *besideDaemon, command func(*app) error) error {
	if logging.IsTerminal(p.stderr) && !c.Given("log-level") {
		c.LogLevel = "warn"
	}
	a, err := newApp(c, readOnly, &progress.Screen{W: p.stderr}, daemon.store)
	if err != nil && daemon.store != nil {
		err = errors.Join(err, daemon.store.Close())
	}
	if err != nil {
		return err
	}
	a.beside = daemon
	return a.close(command(a))
}

func newLogger(c *config.Config, s *progress.Screen) (*slog.Logger, *slog.LevelVar, error) {
	log, level, text, err := logging.New(s, s.W, c.LogFormat, colored(c, s.W))
	if err == nil {
		err = level.UnmarshalText([]byte(c.LogLevel))
	}
	if err != nil {
		return nil, nil, usage("%s: %w", c.Source("log-format"), err)
	}
	s.JSON = !text
	return log, level, nil
}

// openState opens the state file. Releases in one that is in the checkout are ignored, as a commit may have put them there.
func openState(c *config.Config, readOnly bool, log *slog.Logger) (*state.Store, error) {
	path, err := c.StatePath()
	if err != nil {
		return nil, err
	}
	open := state.Open
	if readOnly {
		open = state.OpenReadOnly
	}
	exposed := config.InCheckout(path, c.Dir)
	if exposed {
		log.Warn("the state file is in the checkout: releases in it are ignored", "state", path)
	}
	store, err := open(path, state.Options{Untrusted: exposed, Process: c.Process})
	if err != nil {
		return nil, lockHint(c, err)
	}
	if aside := store.SetAside(); aside != "" {
		log.Warn("the state file was damaged and set aside, and its intact records were recovered; all users are read again, and removals, creations and changes of email addresses are held for 24 hours", "moved", aside)
	}
	return store, nil
}

// readSpecCache makes the first pass use the specs that an earlier process has parsed. A cache that is in the checkout may have
// been put there by a commit.
func (a *app) readSpecCache(c *config.Config) {
	path, err := c.StatePath()
	if err != nil || config.InCheckout(path, c.Dir) {
		return
	}
	a.SpecCache = path + ".specs"
	if err := a.Specs.ReadCache(a.SpecCache); err != nil {
		a.log.Debug("all specs are parsed, as the cache of parsed ones cannot be used", "error", err)
	}
}

// close ends what runs beside the passes, and closes the state file.
func (a *app) close(err error) error {
	closed := a.closeState()
	a.genesys.Close()
	return errors.Join(err, closed)
}

// org is the organization, as far as it was read.
func (a *app) org() report.Org {
	id, name := a.genesys.Opened()
	return report.Org{ID: id, Name: name, API: a.API}
}

func (a *app) calls() usersync.Calls {
	n := a.genesys.Stats()
	return usersync.Calls{Total: int(n.Reads + n.Writes), Reads: int(n.Reads), Writes: int(n.Writes),
		Throttled: int(n.Throttled), Retried: int(n.Retried)}
}
