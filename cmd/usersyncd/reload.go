package main

import (
	"cmp"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"time"

	"usersyncd/cmd/usersyncd/internal/config"
	"usersyncd/spec/text"
	"usersyncd/sync/control/notify"
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
	reserve                    float64
	level                      slog.Level
	converges                  string
	branch                     string
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
		policy: policy, refresh: c.RefreshInterval, resync: c.ResyncInterval, searchLag: c.SearchLag, noRefresh: c.NoRefresh,
		maxRate: c.MaxRate, reserve: c.Reserve, level: level, converges: version() + " " + c.Fingerprint(), branch: c.Branch,
	}, nil
}

// tune puts a tuning into effect. No pass may be running. Whoever else wants to know reads tuned.
func (a *app) tune(t tuning) {
	a.Policy, a.Refresh, a.SearchLag, a.Settings = t.policy, t.refresh, t.searchLag, t.converges
	a.Specs.Branch = t.branch
	a.limiter.Retune(t.maxRate, t.reserve)
	a.level.Set(t.level)
	a.tuned.Store(&t)
}

// settings are all that a daemon was told, at one time.
type settings struct {
	tuning
	socket string // "": none

	notify notify.Options // without a target nobody is told

	listen                            string // "": nowhere
	listenHosts                       []string
	readyMaxHeld, readyMaxQuarantined int

	flags map[string]string // the values of all flags
	given []given
}

// A given is what may also come from elsewhere than from flags.
type given struct {
	name  string
	value any
	flags []string // that it may come from
}

// newSettings takes down what the root command was told. It refuses what a daemon cannot do.
func newSettings(c *config.Config) (*settings, error) {
	if len(c.Only) > 0 || c.Select != "" {
		return nil, usage("--only and --select are for plan, --once and export: a daemon looks after everybody")
	}
	if len(c.Release) > 0 {
		return nil, usage("%s is for plan and --once; what a daemon holds is let through by: usersyncd release %s", c.Source("release"), c.Release[0])
	}
	t, err := newTuning(c)
	if err != nil {
		return nil, err
	}
	api, login, err := c.Endpoints()
	if err != nil {
		return nil, err
	}
	client, err := c.Credentials()
	if err != nil {
		return nil, err
	}
	state, err := c.StatePath()
	if err != nil {
		return nil, err
	}
	socket, err := c.SocketPath()
	if err != nil {
		return nil, err
	}
	told, err := notifyOptions(c)
	if err != nil {
		return nil, err
	}
	s := &settings{tuning: t, socket: socket, notify: told, listen: c.Listen, listenHosts: c.ListenHosts,
		readyMaxHeld: c.ReadyMaxHeld, readyMaxQuarantined: c.ReadyMaxQuarantined, flags: c.Values(), given: []given{
			{"dir", c.Dir, nil},
			{"region", [2]string{api, login}, []string{"region", "api-url", "login-url", "env-file"}},
			{"credentials", [2]string{client.ID, string(client.Secret)}, []string{"client-id", "client-secret-file", "env-file"}},
			{"state", state, []string{"state"}},
			{"socket", socket, []string{"socket", "state"}},
		}}
	return s, nil
}

// rereadSettings reads the settings of a running daemon again: the same command line, and environment, env
// file and configuration file as they are now.
func rereadSettings(p process) (*settings, error) {
	cmd, c := newRoot(p)
	if err := cmd.ParseFlags(p.args); err != nil {
		return nil, err // cannot be: the daemon was started with them
	}
	if err := c.Load(cmd); err != nil {
		return nil, err
	}
	if err := locate(cmd, cmd.Flags().Args(), c); err != nil {
		return nil, err
	}
	return newSettings(c)
}

// differences are the settings that differ: those that can change meanwhile, with their values, and those that
// need a restart, by name alone, as they may be secrets.
func (s *settings) differences(next *settings) (changed, restart []string) {
	for _, name := range slices.Sorted(maps.Keys(next.flags)) {
		switch before, now := s.flags[name], next.flags[name]; {
		case before == now:
		case slices.Contains(config.Reloadable(), name):
			changed = append(changed, fmt.Sprintf("%s: %s -> %s", name, cmp.Or(before, "nothing"), cmp.Or(now, "nothing")))
		default:
			restart = append(restart, name)
		}
	}
	for i, now := range next.given {
		told := slices.ContainsFunc(now.flags, func(name string) bool { return slices.Contains(restart, name) })
		if s.given[i].value != now.value && !told {
			restart = append(restart, now.name)
		}
	}
	slices.Sort(restart)
	return changed, restart
}

// reload reads the settings again, and changes what can change while the daemon runs. If they are broken, all
// stays as it is, and the status says so until they are fixed.
func (d *daemon) reload() {
	next, err := d.reread()
	if err != nil {
		why := text.OneLine(err.Error())
		d.misconfigured.Store(&why)
		d.log.Error("the new configuration is broken; the one before stays in use. Fix it, and reload again", "error", err)
		return
	}
	if d.misconfigured.Swap(nil) != nil {
		d.log.Info("the configuration is in order again")
	}
	changed, restart := d.settings.differences(next)
	d.tune(next.tuning)
	d.watcher.SetResync(next.resync)
	if len(changed) > 0 {
		d.log.Info("the configuration has changed", "settings", changed)
	}
	if len(restart) > 0 {
		d.log.Warn("needs a restart: these settings have changed, and stay as they were until then", "settings", restart)
	}
	// What needs a restart is still what it was, and is named again by the next reload.
	for name := range next.flags {
		if slices.Contains(config.Reloadable(), name) {
			d.settings.flags[name] = next.flags[name]
		}
	}
}
