package config

import (
	"cmp"
	"errors"
	"io/fs"
	"path/filepath"
	"strings"

	"usersyncd/sync/control/notify"
	"usersyncd/sync/genesys/api"
)

// Credentials are those of an OAuth client.
type Credentials struct {
	ID     string
	Secret api.Secret

	IDSource, SecretSource string // where they were found
}

// Credentials finds the id and the secret, each in the first of: its flag, systemd's credentials directory, and the
// variable that the vendor's own tools use, in the environment or in an env file.
func (c *Config) Credentials() (found Credentials, err error) {
	if found.ID, found.IDSource, err = c.clientID(); err != nil {
		return found, err
	}
	secret, source, err := c.clientSecret()
	found.Secret, found.SecretSource = api.Secret(secret), source
	if err == nil && (found.ID == "" || secret == "") {
		err = Errorf("no credentials: set GENESYSCLOUD_OAUTHCLIENT_ID and GENESYSCLOUD_OAUTHCLIENT_SECRET to an OAuth client (grant type Client Credentials), or use --client-id and --client-secret-file%s", c.Account.Note())
	}
	return found, err
}

func (c *Config) clientID() (id, source string, err error) {
	if c.ClientID != "" {
		return c.ClientID, c.Source("client-id"), nil
	}
	id, source = c.account("GENESYSCLOUD_OAUTHCLIENT_ID")
	return c.secret("", "", "client_id", id, source)
}

func (c *Config) clientSecret() (secret, source string, err error) {
	variable, source := c.account("GENESYSCLOUD_OAUTHCLIENT_SECRET")
	return c.secret("client-secret-file", c.ClientSecretFile, "client_secret", variable, source)
}

func (c *Config) webhookURL() (secret, source string, err error) {
	variable, source := c.Getenv("USERSYNCD_NOTIFY_URL")
	return c.secret("notify-url-file", c.NotifyURLFile, "notify_url", variable, source)
}

// Webhook finds the URL that notifications are sent to, which is a secret: in the file of --notify-url-file, systemd's
// credentials directory, or the variable. It is zero if there is none.
func (c *Config) Webhook() (notify.Target, error) {
	raw, source, err := c.webhookURL()
	if err != nil || raw == "" {
		return notify.Target{}, err
	}
	target, err := notify.ParseTarget(raw)
	if err != nil {
		err = Errorf("%s: %w", source, err)
	}
	return target, err
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

// secret returns the contents of a setting's file, if there is one, else systemd's credential, else the value of a
// variable; and where it was found.
func (c *Config) secret(setting, file, credential, variable, source string) (string, string, error) {
	if file != "" {
		source = c.Source(setting)
		data, err := readTrusted(file, true)
		secret := strings.TrimSpace(string(data))
		if err != nil {
			err = Errorf("%s: %w", source, err)
		} else if secret == "" {
			err = Errorf("%s: %s is empty", source, file)
		}
		return secret, source, err
	}
	if secret, err := c.credential(credential); secret != "" || err != nil {
		return secret, "systemd credential " + credential, err
	}
	return strings.TrimSpace(variable), source, nil
}

// credential reads one of systemd's credentials; "" if there is none.
func (c *Config) credential(name string) (string, error) {
	dir, _ := c.Getenv("CREDENTIALS_DIRECTORY")
	if dir == "" {
		return "", nil
	}
	data, err := readTrusted(filepath.Join(dir, name), false) // systemd lets the service alone read it, in ways that a mode does not show
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if untrusted, ok := errors.AsType[*UntrustedError](err); ok {
		err = Errorf("systemd credential %s: %w", name, untrusted)
	}
	return strings.TrimSpace(string(data)), err
}

// Endpoints are the base URLs of API and login: those given, else the region's.
func (c *Config) Endpoints() (base, login string, err error) {
	if c.APIURL != "" {
		return c.APIURL, c.LoginURL, nil
	}
	region := c.RegionName()
	if region == "" {
		return "", "", Errorf("no region: set --region or GENESYSCLOUD_REGION to the AWS name, such as eu-west-1%s", c.Account.Note())
	}
	base, login, err = api.Endpoints(region)
	if err != nil {
		return "", "", Errorf("--region: %w", err)
	}
	return base, cmp.Or(c.LoginURL, login), nil
}

// RegionName is the region that was given; "" if none was.
func (c *Config) RegionName() string {
	region, _ := c.account("GENESYSCLOUD_REGION")
	return cmp.Or(c.Region, region)
}
