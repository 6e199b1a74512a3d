package config

import (
	"path/filepath"
	"strings"

	"usersyncd/sync/control/notify"
)

const (
	socketName = "usersyncd.sock"
	runSocket  = "/run/usersyncd/" + socketName // of usersyncd.service
	noSocket   = "none"
)

// StatePath is where the state file is: --state, else a place for it by systemd's or the XDG conventions.
func (c *Config) StatePath() (string, error) {
	if c.State != "" {
		return c.State, nil
	}
	if dir := c.firstDir("STATE_DIRECTORY"); dir != "" {
		return filepath.Join(dir, "usersyncd.db"), nil
	}
	dir, _ := c.Getenv("XDG_STATE_HOME")
	if !filepath.IsAbs(dir) { // which the XDG specification ignores; and it could be in a checkout
		home, _ := c.Getenv("HOME")
		if !filepath.IsAbs(home) {
			return "", Errorf("--state: there is no default, as $STATE_DIRECTORY is not set and neither $XDG_STATE_HOME nor $HOME is an absolute path; give the path of the state file")
		}
		dir = filepath.Join(home, ".local", "state")
	}
	return filepath.Join(dir, "usersyncd", "usersyncd.db"), nil
}

// firstDir is the first directory of a variable in which systemd lists directories, with colons between them.
func (c *Config) firstDir(variable string) string {
	dirs, _ := c.Getenv(variable)
	first, _, _ := strings.Cut(dirs, ":")
	return first
}

// SocketPath is where the daemon makes its socket; "" if it is to have none.
func (c *Config) SocketPath() (string, error) {
	if c.Socket == noSocket {
		return "", nil
	}
	if c.Socket != "" {
		return c.Socket, nil
	}
	if dir := c.firstDir("RUNTIME_DIRECTORY"); dir != "" {
		return filepath.Join(dir, socketName), nil
	}
	state, err := c.StatePath()
	return state + ".sock", err
}

// Sockets are where a command looks for the daemon: where the flags say, else where a daemon with the same state file
// or the service may have it. A "" ends the search.
func (c *Config) Sockets() ([]string, error) {
	first, err := c.SocketPath()
	if err != nil || c.Socket != "" || c.State != "" {
		return []string{first}, err
	}
	state, err := c.StatePath()
	return []string{first, runSocket, state + ".sock"}, err
}

// Notifications are the options of a notifier, but for what it watches. Without a webhook the target is zero.
func (c *Config) Notifications(version string) (notify.Options, error) {
	target, err := c.Webhook()
	o := notify.Options{Target: target, Name: c.NotifyName, RepeatInterval: c.NotifyRepeat, Details: c.NotifyDetails, Version: version, Transport: c.Transport}
	if c.NotifyFormat != "auto" {
		o.Format = notify.Format(c.NotifyFormat)
	}
	return o, err
}

// Webhook reads the URL that notifications are sent to: from the file of --notify-url-file, systemd's credential, or the
// variable. It is zero if none of them is there. The URL is a secret, so that no flag has it.
func (c *Config) Webhook() (notify.Target, error) {
	raw, source, err := "", c.Source("notify-url-file"), error(nil)
	if c.NotifyURLFile != "" {
		raw, err = readSecret(source, c.NotifyURLFile)
	} else if raw, err = c.credential("notify_url"); raw != "" {
		source = "systemd credential notify_url"
	} else if err == nil {
		raw, source = c.Getenv("USERSYNCD_NOTIFY_URL")
	}
	if err != nil || raw == "" {
		return notify.Target{}, err
	}
	target, err := notify.ParseTarget(raw)
	if err != nil {
		err = Errorf("%s: %w", source, err)
	}
	return target, err
}
