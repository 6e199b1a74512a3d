package main

import (
	"fmt"
	"log/slog"
	"time"

	"usersyncd/sync/genesys"
	"usersyncd/sync/plan"
)

// A tuning is what of the configuration can change while the daemon runs. It is a value, made in one
// place from the settings, and put into effect between two passes.
type tuning struct {
	policy                     plan.Policy
	refresh, resync, searchLag time.Duration
	noRefresh                  bool
	maxRate                    float64
	reserve                    percent
	level                      slog.Level
	converges                  string
	branch                     string
}

// reloadable are the settings that a tuning is made of.
func reloadable() []string {
	return []string{
		"branch", "change-window", "change-window-fields", "create", "adopt", "on-removal", "on-drift", "max-removals", "max-deactivations", "max-creations", "max-renames", "max-losses", "max-changes", "hold-reactivations", "protect",
		"admin-roles", "min-admins", "allow-roles", "allow-divisions", "allow-queues", "allow-groups", "unmanaged-fields",
		"refresh-interval", "resync-interval", "detail-interval", "search-lag", "no-refresh", "max-rate", "reserve", "log-level",
	}
}

// fixed are the settings that a daemon is built around: they need a restart, which is cheap and loses nothing.
func fixed() []string {
	return []string{
		"config", "once", "region", "api-url", "login-url", "client-id", "client-secret-file", "env-file", "state", "output", "log-format",
		"socket", "notify-url-file", "notify-format", "notify-name", "notify-repeat", "notify-details", "listen", "listen-hosts", "ready-max-held", "ready-max-quarantined", "tokens", "max-in-flight", "retry-max", "retry-429", "retry-5xx", "retry-min-wait", "retry-max-wait",
	}
}

// refusedByDaemon are the settings of one pass: a part of the users, and what is released. A daemon looks after everybody.
func refusedByDaemon() []string { return []string{"only", "select", "release"} }

func (c *config) tuning() (tuning, error) {
	policy, err := c.policy()
	if err != nil {
		return tuning{}, err
	}
	policy.Limits = genesys.Limits() // explain plans without a directory
	level := slog.LevelInfo
	if err := level.UnmarshalText([]byte(c.logLevel)); err != nil {
		return tuning{}, usage("--log-level: %w", err)
	}
	return tuning{
		policy: policy, refresh: c.refreshInterval, resync: c.resyncInterval, searchLag: c.searchLag, noRefresh: c.noRefresh,
		maxRate: c.maxRate, reserve: c.reserve, level: level, converges: c.converges(), branch: c.branch,
	}, nil
}

// converges is what a converged tree depends on beside itself: other settings may find something to do.
func (c *config) converges() string {
	return fmt.Sprint(version(), " ", c.create, c.adopt, c.guards)
}

// tune puts a tuning into effect. No pass may be running. Whoever else wants to know reads tuned.
func (a *app) tune(t tuning) {
	a.Policy, a.Refresh, a.SearchLag, a.Settings = t.policy, t.refresh, t.searchLag, t.converges
	a.Specs.Branch = t.branch
	a.limiter.Retune(t.maxRate, float64(t.reserve))
	a.level.Set(t.level)
	a.tuned.Store(&t)
}
