package main

import (
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"

	"usersyncd/spec"
	"usersyncd/state"
	usersync "usersyncd/sync"
	"usersyncd/sync/aimd"
	"usersyncd/sync/genesys"
)

// An app is the program put together: the parts, and how they are connected.
type app struct {
	*usersync.Reconciler
	limiter *aimd.Dispatcher
	genesys *genesys.Directory
	memory  *memory
	log     *slog.Logger
	screen  *screen
	stop    func() // what runs beside the passes
}

// newApp connects the parts for one directory of specs. With readOnly nothing can be changed: not in the
// organization, not in the state file.
func newApp(c *config, env environment, dir string, readOnly bool, stderr *screen) (*app, error) {
	log := c.newLogger(stderr, env)
	api, login, err := c.endpoints(env)
	if err != nil {
		return nil, err
	}
	found, err := c.findCredentials(env, log)
	if err != nil {
		return nil, err
	}
	policy, err := c.policy()
	if err != nil {
		return nil, err
	}
	policy.Apart, policy.Loose = genesys.Apart(), genesys.Loose()
	limiter := aimd.NewDispatcher(aimd.NewPool(c.tokens, aimd.Config{
		MaxRate: c.maxRate, TotalRate: c.maxRate, MaxInFlight: c.maxInFlight, Reserve: float64(c.reserve),
	}))
	directory, err := genesys.New(genesys.Options{
		API: api, Login: login, ClientID: found.id, ClientSecret: found.secret,
		Limiter: limiter, Tokens: c.tokens, ReadOnly: readOnly, MaxConns: c.maxInFlight, Logger: log, Version: version(),
		Retry: &genesys.Retry{Max: c.retryMax, MinWait: c.retryMinWait, MaxWait: c.retryMaxWait, No429: !c.retry429, No5xx: !c.retry5xx},
	})
	if err != nil {
		return nil, usage("%w", err)
	}
	store, err := c.openState(env, readOnly, log)
	if err != nil {
		return nil, err
	}
	a := &app{
		limiter: limiter, genesys: directory, log: log, screen: stderr,
		memory: newMemory(store, found.id, directory.API(), readOnly, log),
		Reconciler: &usersync.Reconciler{
			Specs: spec.NewLoader(dir), Store: store, Directory: directory, API: directory.API(),
			Policy:    policy,
			Retry:     usersync.Retry{Max: c.retryMax, MinWait: c.retryMinWait, MaxWait: c.retryMaxWait, No5xx: !c.retry5xx},
			SearchLag: c.searchLag,
			Workers:   c.maxInFlight * c.tokens,
			Refresh:   c.refreshInterval,
			Settings:  c.converges(),
			Log:       log,
			Rand:      rand.New(rand.NewPCG(rand.Uint64(), rand.Uint64())),
		},
	}
	a.memory.restore(limiter)
	a.stop = a.attend()
	return a, nil
}

// converges is what a converged tree depends on beside itself: other settings may find something to do.
func (c *config) converges() string {
	return fmt.Sprint(version(), " ", c.create, c.adopt, c.guards)
}

func (c *config) openState(env environment, readOnly bool, log *slog.Logger) (*state.Store, error) {
	path, err := c.statePath(env)
	if err != nil {
		return nil, err
	}
	open := state.Open
	if readOnly {
		open = state.OpenReadOnly
	}
	store, err := open(path, state.Options{})
	if err != nil {
		return nil, err
	}
	if aside := store.SetAside(); aside != "" {
		log.Warn("the state file was damaged: it was set aside, and what it held is read from the API again", "moved", aside)
	}
	return store, nil
}

// close ends what runs beside the passes, keeps what was learned, and gives the state file back.
func (a *app) close(err error) error {
	a.stop()
	a.memory.save(a.limiter)
	a.genesys.Close()
	return errors.Join(err, a.Store.Close())
}

// calls counts the requests so far.
func (a *app) calls() usersync.Calls {
	n := a.genesys.Stats()
	return usersync.Calls{Total: int(n.Reads + n.Writes), Reads: int(n.Reads), Writes: int(n.Writes),
		Throttled: int(n.Throttled), Retried: int(n.Retried)}
}
