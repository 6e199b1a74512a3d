package main

import (
	"errors"
	"io/fs"
	"path/filepath"
	"strings"

	"usersyncd/sync/genesys"
)

// credentials are those of an OAuth client.
type credentials struct {
	id     string
	secret genesys.Secret

	idFrom, secretFrom string // where they were found
}

// findCredentials takes the first of: the flags; systemd's credentials directory; the variables that the
// vendor's own tools use, in the environment or in an env file. Id and secret may come from different places.
func (c *config) findCredentials(env environment) (credentials, error) {
	var found credentials
	switch id, err := env.credential("client_id"); {
	case err != nil:
		return found, err
	case c.clientID != "":
		found.id, found.idFrom = c.clientID, "--client-id"
	case id != "":
		found.id, found.idFrom = id, "systemd credential client_id"
	default:
		found.id, found.idFrom = env.account("GENESYSCLOUD_OAUTHCLIENT_ID")
	}

	switch secret, err := env.credential("client_secret"); {
	case err != nil:
		return found, err
	case c.clientSecretFile != "":
		secret, err := readSecret("--client-secret-file", c.clientSecretFile)
		if err != nil {
			return found, err
		}
		found.secret, found.secretFrom = genesys.Secret(secret), "--client-secret-file"
	case secret != "":
		found.secret, found.secretFrom = genesys.Secret(secret), "systemd credential client_secret"
	default:
		secret, source := env.account("GENESYSCLOUD_OAUTHCLIENT_SECRET")
		found.secret, found.secretFrom = genesys.Secret(secret), source
	}

	if found.id == "" || found.secret == "" {
		return found, usage("no credentials: set GENESYSCLOUD_OAUTHCLIENT_ID and GENESYSCLOUD_OAUTHCLIENT_SECRET to an OAuth client (grant type client credentials), or use --client-id and --client-secret-file%s", env.file.note())
	}
	return found, nil
}

// credential reads one that systemd passes on; "" if there is none.
func (e environment) credential(name string) (string, error) {
	dir, _ := e.get("CREDENTIALS_DIRECTORY")
	if dir == "" {
		return "", nil
	}
	data, err := readTrusted(filepath.Join(dir, name), false) // systemd lets the service alone read it, in ways that a mode does not show
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if mistrusted, ok := errors.AsType[*mistrustError](err); ok {
		err = usage("systemd credential %s: %w", name, mistrusted)
	}
	return strings.TrimSpace(string(data)), err
}

// readSecret reads a file that a flag names, and that holds a secret and nothing else.
func readSecret(flag, path string) (string, error) {
	data, err := readTrusted(path, true)
	if err != nil {
		return "", usage("%s: %w", flag, err)
	}
	secret := strings.TrimSpace(string(data))
	if secret == "" {
		return "", usage("%s: %s is empty", flag, path)
	}
	return secret, nil
}

// endpoints are the base URLs of API and login: those given, else the region's.
func (c *config) endpoints(env environment) (api, login string, err error) {
	if c.apiURL != "" {
		return c.apiURL, c.loginURL, nil
	}
	region := c.region
	if region == "" {
		region, _ = env.account("GENESYSCLOUD_REGION")
	}
	if region == "" {
		return "", "", usage("which region is the organization in? Set --region or GENESYSCLOUD_REGION to the AWS name, such as eu-west-1%s", env.file.note())
	}
	api, login, err = genesys.Endpoints(region)
	if err != nil {
		return "", "", usage("--region: %w", err)
	}
	if c.loginURL != "" {
		login = c.loginURL
	}
	return api, login, nil
}
