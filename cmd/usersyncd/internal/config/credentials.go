package config

import (
	"cmp"
	"errors"
	"io/fs"
	"path/filepath"
	"strings"
	"usersyncd/sync/genesys/api"
)

// Credentials are those of an OAuth client.
type Credentials struct {
	ID     string
	Secret api.Secret

	IDSource, SecretSource string // where they were found
}

// Credentials takes the first of: the flags; systemd's credentials directory; the variables that the
// vendor's own tools use, in the environment or in an env file. Id and secret may come from different places.
func (c *Config) Credentials() (Credentials, error) {
	var found Credentials
	switch id, err := c.credential("client_id"); {
	case err != nil:
		return found, err
	case c.ClientID != "":
		found.ID, found.IDSource = c.ClientID, "--client-id"
	case id != "":
		found.ID, found.IDSource = id, "systemd credential client_id"
	default:
		found.ID, found.IDSource = c.account("GENESYSCLOUD_OAUTHCLIENT_ID")
	}

	switch secret, err := c.credential("client_secret"); {
	case err != nil:
		return found, err
	case c.ClientSecretFile != "":
		secret, err := readSecret("--client-secret-file", c.ClientSecretFile)
		if err != nil {
			return found, err
		}
		found.Secret, found.SecretSource = api.Secret(secret), "--client-secret-file"
	case secret != "":
		found.Secret, found.SecretSource = api.Secret(secret), "systemd credential client_secret"
	default:
		secret, source := c.account("GENESYSCLOUD_OAUTHCLIENT_SECRET")
		found.Secret, found.SecretSource = api.Secret(secret), source
	}

	if found.ID == "" || found.Secret == "" {
		return found, Errorf("no credentials: set GENESYSCLOUD_OAUTHCLIENT_ID and GENESYSCLOUD_OAUTHCLIENT_SECRET to an OAuth client (grant type client credentials), or use --client-id and --client-secret-file%s", c.Account.Note())
	}
	return found, nil
}

// credential reads one that systemd passes on; "" if there is none.
func (c *Config) credential(name string) (string, error) {
	dir, _ := c.Getenv("CREDENTIALS_DIRECTORY")
	if dir == "" {
		return "", nil
	}
	data, err := readTrusted(filepath.Join(dir, name), false) // systemd lets the service alone read it, in ways that a mode does not show
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if mistrusted, ok := errors.AsType[*UntrustedError](err); ok {
		err = Errorf("systemd credential %s: %w", name, mistrusted)
	}
	return strings.TrimSpace(string(data)), err
}

// readSecret reads a file that a flag names, and that holds a secret and nothing else.
func readSecret(flag, path string) (string, error) {
	data, err := readTrusted(path, true)
	if err != nil {
		return "", Errorf("%s: %w", flag, err)
	}
	secret := strings.TrimSpace(string(data))
	if secret == "" {
		return "", Errorf("%s: %s is empty", flag, path)
	}
	return secret, nil
}

// Endpoints are the base URLs of API and login: those given, else the region's.
func (c *Config) Endpoints() (base, login string, err error) {
	if c.APIURL != "" {
		return c.APIURL, c.LoginURL, nil
	}
	region := c.RegionName()
	if region == "" {
		return "", "", Errorf("which region is the organization in? Set --region or GENESYSCLOUD_REGION to the AWS name, such as eu-west-1%s", c.Account.Note())
	}
	base, login, err = api.Endpoints(region)
	if err != nil {
		return "", "", Errorf("--region: %w", err)
	}
	if c.LoginURL != "" {
		login = c.LoginURL
	}
	return base, login, nil
}

// RegionName is the region that was given; "" if none was.
func (c *Config) RegionName() string {
	region, _ := c.account("GENESYSCLOUD_REGION")
	return cmp.Or(c.Region, region)
}
