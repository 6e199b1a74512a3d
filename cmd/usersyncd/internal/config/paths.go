package config

import (
	"path/filepath"
	"strings"
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
