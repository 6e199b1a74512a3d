package config

import (
	"cmp"
	"fmt"
	"net/url"

	"github.com/spf13/pflag"
)

// Effective is a setting as it is in effect.
type Effective struct {
	Name  string `json:"name"`
	Value string `json:"value"` // "" also of a secret
	// Origin is where the value was given: "flag" (of dir "argument"), USERSYNCD_NAME, FILE:LINE, or "default". That of what logs
	// in, and of the region, is what errors call it; "" if it is not set.
	Origin string `json:"origin"`
	Secret bool   `json:"set,omitempty"`   // it is a secret that is set
	Error  string `json:"error,omitempty"` // why it cannot be read
}

// Given reports whether it is not the default.
func (e *Effective) Given() bool { return e.Origin != originDefault && e.Origin != "" }

const originDefault = "default"

// Effective are dir and the settings of the command as they are in effect, then flags of other commands that the environment or the
// configuration file sets. ReadEnvFile has been called.
func (c *Config) Effective() []Effective {
	all := []Effective{{Name: "dir", Value: c.Dir, Origin: c.origin("dir", c.Dir != "")}}
	if all[0].Origin == "flag" {
		all[0].Origin = "argument"
	}
	known := map[string]bool{}
	for _, s := range c.table {
		f := c.flags.Lookup(s.name)
		if f == nil {
			continue
		}
		known[s.name] = true
		e := Effective{Name: s.name, Value: c.shown(f), Origin: c.origin(s.name, f.Changed)}
		if s.name == "region" && c.Region == "" {
			if _, source := c.account("GENESYSCLOUD_REGION"); source != "" {
				e.Origin = source
			}
		}
		all = append(all, e)
	}
	c.Others.all.VisitAll(func(f *pflag.Flag) {
		if source := c.Others.sources[f.Name]; source != (origin{}) && !known[f.Name] {
			all = append(all, Effective{Name: f.Name, Value: f.Value.String(), Origin: source.where()})
		}
	})
	return all
}

// origin is where a setting was given.
func (c *Config) origin(name string, given bool) string {
	switch source := c.sources[name]; {
	case source != (origin{}):
		return source.where()
	case given:
		return "flag"
	}
	return originDefault
}

func (o origin) where() string {
	return cmp.Or(o.variable, fmt.Sprintf("%s:%d", o.pos.File, o.pos.Line))
}

// shown is the value of a setting without passwords, and with what replaces an empty one.
func (c *Config) shown(f *pflag.Flag) string {
	value := f.Value.String()
	switch f.Name {
	case "config":
		return c.File
	case "state":
		value, _ = c.StatePath() // without one, no command starts, and says so
	case "socket":
		if value == "" {
			value, _ = c.SocketPath()
		}
	case "region":
		return c.RegionName()
	case "api-url", "login-url":
		if u, err := url.Parse(value); err != nil {
			return "(not a URL)"
		} else if u.User != nil {
			return u.Redacted()
		}
	}
	return value
}

// Logins are what logs in, and the webhook, whose URL is a secret, too. The value of a secret that is set is not in them.
func (c *Config) Logins() []Effective {
	id, idSource, idErr := c.clientID()
	secret, secretSource, secretErr := c.clientSecret()
	hook, hookSource, hookErr := c.webhookURL()
	all := []Effective{
		{Name: "OAuth client id", Value: id, Origin: idSource, Error: errorText(idErr)},
		{Name: "OAuth client secret", Origin: secretSource, Secret: secret != "", Error: errorText(secretErr)},
		{Name: "webhook", Origin: hookSource, Secret: hook != "", Error: errorText(hookErr)},
	}
	for i, e := range all {
		if e.Error == "" && e.Value == "" && !e.Secret { // systemd would have it, but there is none
			all[i].Origin = ""
		}
	}
	return all
}

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
