package daemon

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"usersyncd/cmd/usersyncd/internal/config"
	"usersyncd/spec/text"
	"usersyncd/sync/control/health"
	"usersyncd/sync/control/notify"
)

// settings are a configuration, and what it amounts to.
type settings struct {
	*config.Config
	flags         map[string]string // values, by name
	resolved      []resolved
	notifications notify.Options
}

// A resolved value may come from elsewhere than from a flag.
type resolved struct {
	name  string
	value any
	flags []string // that it may come from
}

// newSettings returns a *config.Error for what a daemon cannot do.
func newSettings(c *config.Config, version string) (*settings, error) {
	if len(c.Only) > 0 || c.Select != "" {
		return nil, config.Errorf("--only and --select are for plan, --once and export: a daemon manages all users")
	}
	if len(c.Release) > 0 {
		return nil, config.Errorf("%s is for plan, apply and --once; to release what the daemon holds, run: usersyncd release %s", c.Source("release"), c.Release[0])
	}
	if c.SavedPlan != "" {
		return nil, config.Errorf("%s is for --once: usersyncd --once --plan %s DIR", c.Source("plan"), text.ShellWord(c.SavedPlan))
	}
	if c.Timeout > 0 {
		return nil, config.Errorf("%s is for plan, apply, --once and export: a daemon runs until it is stopped", c.Source("timeout"))
	}
	api, login, noEndpoints := c.Endpoints()
	client, noCredentials := c.Credentials()
	state, noState := c.StatePath()
	socket, noSocket := c.SocketPath()
	notifications, noWebhook := c.Notifications(version)
	if err := cmp.Or(noEndpoints, noCredentials, noState, noSocket, noWebhook); err != nil {
		return nil, err
	}
	return &settings{c, c.Values(), []resolved{
		{"dir", c.Dir, nil},
		{"region", [2]string{api, login}, []string{"region", "api-url", "login-url", "env-file"}},
		{"credentials", [2]string{client.ID, string(client.Secret)}, []string{"client-id", "client-secret-file", "env-file"}},
		{"state", state, []string{"state"}},
		{"socket", socket, []string{"socket", "state"}},
	}, notifications}, nil
}

// differences returns the settings that differ: those that a running daemon takes over, with their values, and those that
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
	for i, now := range next.resolved {
		named := slices.ContainsFunc(now.flags, func(name string) bool { return slices.Contains(restart, name) })
		if s.resolved[i].value != now.value && !named {
			restart = append(restart, now.name)
		}
	}
	slices.Sort(restart)
	return changed, restart
}

// reload reads the settings again, and takes over those that may change. If they are invalid, all stays as it is, and the
// status says so until they are fixed.
func (d *Daemon) reload() {
	c, err := d.Reload()
	var next *settings
	if err == nil {
		next, err = newSettings(c, d.Version)
	}
	if err == nil {
		err = d.Apply(c)
	}
	if err != nil {
		reason := text.OneLine(err.Error())
		d.invalid.Store(&reason)
		d.Log.Error("new configuration is invalid; the previous one stays in use. Fix it, then reload again", "error", err)
		return
	}
	if d.invalid.Swap(nil) != nil {
		d.Log.Info("configuration is valid again")
	}
	changed, restart := d.settings.differences(next)
	if len(changed) > 0 {
		d.Log.Info("configuration changed", "settings", changed)
	}
	if len(restart) > 0 {
		d.Log.Warn("these settings changed, and need a restart to take effect", "settings", restart)
	}
	// What needs a restart is still what it was, and is named again by the next reload.
	for _, name := range config.Reloadable() {
		d.settings.flags[name] = next.flags[name]
	}
	d.settings.Config = c
	d.Watcher.SetResync(c.ResyncInterval)
	d.publish(c)
}

// publish publishes what others are told of the settings: what readiness is judged by, and what decides about changes.
func (d *Daemon) publish(c *config.Config) {
	effects := c.Effects()
	d.effects.Store(&effects)
	d.limits.Store(&health.Limits{Interval: c.ResyncInterval, MaxHeld: d.Config.ReadyMaxHeld, MaxQuarantined: d.Config.ReadyMaxQuarantined})
}
