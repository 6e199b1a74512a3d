package main

import (
	"cmp"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"

	"usersyncd/cmd/usersyncd/internal/config"
	"usersyncd/spec/text"
	"usersyncd/sync/aimd"
	"usersyncd/sync/genesys"
	"usersyncd/sync/genesys/api"
)

// checkConfiguration looks whether a commit can change what usersyncd does.
func (d *doctor) checkConfiguration() {
	const name = "configuration"
	found := d.c.FilesInCheckout()
	for _, setting := range found {
		d.doubt(name, "move it to a directory outside of the checkout", "%s is in the checkout, where a commit can change it", setting)
	}
	if len(found) == 0 && d.c.File != "" {
		d.fine(name, "%s, which is not in the checkout", d.c.File)
	}
}

// checkEnvFile reads it for the checks that follow.
func (d *doctor) checkEnvFile() {
	const name, write = ".env", "one NAME=value a line in it"
	err := d.c.ReadEnvFile()
	f := d.c.Account
	mistrusted, _ := errors.AsType[*config.UntrustedError](cmp.Or(err, f.Unread))
	fix := write
	if mistrusted != nil {
		fix = mistrusted.Fix
	}
	switch {
	case err != nil:
		d.problem(name, fix, "no command starts here: %v", err)
	case f.Unread != nil:
		why := f.Unread.Error()
		if mistrusted != nil {
			why = mistrusted.Reason
		}
		d.doubt(name, "if it is meant for usersyncd: "+fix, "%s is not read: %s", f.Path, why)
	case len(f.Ignored) > 0:
		d.doubt(name, "settings belong in the environment or in the --config file", "%s gives %s and no other variable; it has %s",
			f.Path, strings.Join(config.AccountVariables(), ", "), strings.Join(f.Ignored, ", "))
	case f.Path != "":
		d.fine(name, "%s gives %s", f.Path, f.Names())
	}
}

// checkCredentials looks where the credentials come from, as every command does, and never shows them.
func (d *doctor) checkCredentials() {
	const name = "credentials"
	found, err := d.c.Credentials()
	mistrusted, _ := errors.AsType[*config.UntrustedError](err)
	secretFile, others := d.c.ClientSecretFile, os.FileMode(0o077)
	if secretFile == "" && strings.HasPrefix(found.SecretSource, "systemd") {
		dir, _ := d.c.Getenv("CREDENTIALS_DIRECTORY")
		secretFile, others = filepath.Join(dir, "client_secret"), 0o007 // systemd shows its access list as the group's mode
	}
	info, missing := os.Stat(secretFile)
	switch {
	case secretFile != "" && missing == nil && info.Mode().Perm()&others != 0:
		d.problem(name, "chmod 600 "+text.ShellWord(secretFile), "others can read the secret in %s", secretFile)
	case mistrusted != nil:
		d.problem(name, mistrusted.Fix, "%s", mistrusted.Reason)
	case errors.Is(err, os.ErrPermission):
		d.problem(name, "run it as the user whose file that is, or with sudo", "%v", err)
	case secretFile != "" && err != nil:
		d.problem(name, "put the OAuth client's secret, and nothing else, there, and: chmod 600 "+text.ShellWord(secretFile), "%v", err)
	case err != nil:
		d.problem(name, "export GENESYSCLOUD_OAUTHCLIENT_ID=... GENESYSCLOUD_OAUTHCLIENT_SECRET=...",
			"no OAuth client's id and secret: not in flags, $CREDENTIALS_DIRECTORY, environment or .env%s", d.c.Account.Note())
	default:
		d.found = found
		d.fine(name, "client id from %s, secret from %s", found.IDSource, found.SecretSource)
	}
}

// checkRegion finds the base URLs, and makes the client for them.
func (d *doctor) checkRegion() {
	const name = "region"
	base, login, err := d.c.Endpoints()
	if err != nil {
		d.problem(name, "--region NAME, one of: "+strings.Join(api.Regions(), " "), "%v", err)
		return
	}
	d.listener = newListener(aimd.NewDispatcher(aimd.NewPool(1, aimd.Config{MaxRate: d.c.MaxRate, TotalRate: d.c.MaxRate, MaxInFlight: 1})))
	d.genesys, err = genesys.New(api.Options{
		// The URLs are looked at without credentials, too; nothing is sent then.
		API: base, Login: login, ClientID: cmp.Or(d.found.ID, "none"), ClientSecret: cmp.Or(d.found.Secret, "none"),
		Limiter: d.listener, ReadOnly: true, Proxy: http.ProxyFromEnvironment, Logger: d.log, Version: version(),
		// A 429 is reported, and not waited for.
		Retry: &api.Retry{Max: min(d.c.RetryMax, 1), MinWait: d.c.RetryMinWait, MaxWait: d.c.RetryMaxWait, No429: true},
	})
	if err != nil {
		d.problem(name, "--api-url https://api.mypurecloud.ie, or --region instead of it", "%v", err)
		return
	}
	from := "--api-url"
	if d.c.APIURL == "" {
		from = d.c.RegionName()
	}
	d.fine(name, "%s: %s, tokens from %s", from, d.genesys.API(), d.genesys.TokenURL())
}
