package main

import (
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"time"

	"usersyncd/cmd/usersyncd/internal/config"
	"usersyncd/cmd/usersyncd/internal/limiterstore"
	"usersyncd/cmd/usersyncd/internal/logging"
	"usersyncd/cmd/usersyncd/internal/progress"
	"usersyncd/spec"
	"usersyncd/state"
	usersync "usersyncd/sync"
	"usersyncd/sync/aimd"
	"usersyncd/sync/apply"
	"usersyncd/sync/genesys"
	"usersyncd/sync/genesys/api"
	"usersyncd/sync/plan"
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
	dir     string // of the specs
	state   string // file
	stop    func() // what runs beside the passes
}

// newApp connects the parts for the directory of specs. With readOnly nothing can be changed: not in the
// organization, not in the state file.
func newApp(c *config.Config, readOnly bool, stderr *progress.Screen) (*app, error) {
	t, err := newTuning(c)
	if err != nil {
		return nil, err
	}
	log, level, err := newLogger(c, stderr)
	if err != nil {
		return nil, err
	}
	c.Account.Log(log)
	for _, setting := range c.FilesInCheckout() {
		log.Warn("a file of settings is in the checkout, where a commit can change it; move it elsewhere", "setting", setting)
	}
	base, login, err := c.Endpoints()
	if err != nil {
		return nil, err
	}
	found, err := c.Credentials()
	if err != nil {
		return nil, err
	}
	log.Debug("credentials found", "id", found.IDSource, "secret", found.SecretSource)
	limiter := aimd.NewDispatcher(aimd.NewPool(c.Tokens, aimd.Config{MaxInFlight: c.MaxInFlight}))
	directory, err := genesys.New(api.Options{
		API: base, Login: login, ClientID: found.ID, ClientSecret: found.Secret,
		Limiter: limiter, Tokens: c.Tokens, ReadOnly: readOnly, MaxConns: c.MaxInFlight, Proxy: http.ProxyFromEnvironment, Logger: log, Version: version(), Transport: c.Transport,
		Retry: &api.Retry{Max: c.RetryMax, MinWait: c.RetryMinWait, MaxWait: c.RetryMaxWait, No429: !c.Retry429, No5xx: !c.Retry5xx},
	})
	if err != nil {
		return nil, usage("%w", err)
	}
	store, err := openState(c, readOnly, log)
	if err != nil {
		return nil, err
	}
	a := &app{
		limiter: limiter, genesys: directory, log: log, level: level, screen: stderr, dir: c.Dir, state: store.Path(),
		learned: limiterstore.New(store, found.ID, directory.API(), readOnly, log),
		Reconciler: &usersync.Reconciler{
			Specs: spec.NewLoader(c.Dir), Store: store, Directory: directory, API: directory.API(),
			Retry:   apply.Retry{Max: c.RetryMax, MinWait: c.RetryMinWait, MaxWait: c.RetryMaxWait, No5xx: !c.Retry5xx},
			Workers: c.MaxInFlight * c.Tokens,
			Log:     log,
			Rand:    rand.New(rand.NewPCG(rand.Uint64(), rand.Uint64())),
		},
	}
	a.tune(t)
	a.learned.Restore(limiter)
	a.stop = progress.WatchLimiter(limiter, log, func(now time.Time) { a.learned.Save(limiter, now) })
	return a, nil
}

// A tuning is what settings of the parts can change while the daemon runs.
type tuning struct {
	policy             plan.Policy
	refresh, searchLag time.Duration
	maxRate, reserve   float64
	level              slog.Level
	fingerprint        string // of all that decides what is to be changed
	branch             string
}

func newTuning(c *config.Config) (tuning, error) {
	policy, err := c.Policy()
	if err != nil {
		return tuning{}, err
	}
	policy.Limits = genesys.Limits() // explain plans without a directory
	level := slog.LevelInfo
	if err := level.UnmarshalText([]byte(c.LogLevel)); err != nil {
		return tuning{}, usage("--log-level: %w", err)
	}
	return tuning{
		policy: policy, refresh: c.RefreshInterval, searchLag: c.SearchLag,
		maxRate: c.MaxRate, reserve: c.Reserve, level: level, fingerprint: version() + " " + c.Fingerprint(), branch: c.Branch,
	}, nil
}

// tune puts a tuning into effect. No pass may be running.
func (a *app) tune(t tuning) {
	a.Policy, a.Refresh, a.SearchLag, a.Settings = t.policy, t.refresh, t.searchLag, t.fingerprint
	a.Specs.Branch = t.branch
	a.limiter.Retune(t.maxRate, t.reserve)
	a.level.Set(t.level)
}

// open makes the program, with a hint for when another process uses the state file.
func (p process) open(c *config.Config, readOnly bool, hint string) (*app, error) {
	a, err := newApp(c, readOnly, &progress.Screen{W: p.stderr})
	if errors.Is(err, state.ErrLocked) {
		err = fmt.Errorf("%w; %s", err, hint)
	}
	return a, err
}

// newLogger makes the logger that the settings ask for, and its level.
func newLogger(c *config.Config, s *progress.Screen) (*slog.Logger, *slog.LevelVar, error) {
	log, level, text, err := logging.New(s, s.W, c.LogFormat, logging.Color(s.W, c.Getenv))
	if err == nil {
		err = level.UnmarshalText([]byte(c.LogLevel))
	}
	if err != nil {
		return nil, nil, usage("%s: %w", c.Source("log-format"), err)
	}
	s.JSON = !text
	return log, level, nil
}

// openState opens the state file. One that is in the checkout releases nothing: somebody may have committed it.
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
	store, err := open(path, state.Options{Untrusted: exposed})
	if err != nil {
		return nil, err
	}
	if aside := store.SetAside(); aside != "" {
		log.Warn("the state file was damaged and set aside, and its intact records were recovered; all users are read again, and removals, creations and changes of email addresses are held for 24 hours", "moved", aside)
	}
	return store, nil
}

// close ends what runs beside the passes, keeps what was learned, and gives the state file back.
func (a *app) close(err error) error {
	a.stop()
	a.learned.Flush(a.limiter)
	a.genesys.Close()
	return errors.Join(err, a.Store.Close())
}

// calls counts the requests so far.
func (a *app) calls() usersync.Calls {
	n := a.genesys.Stats()
	return usersync.Calls{Total: int(n.Reads + n.Writes), Reads: int(n.Reads), Writes: int(n.Writes),
		Throttled: int(n.Throttled), Retried: int(n.Retried)}
}
