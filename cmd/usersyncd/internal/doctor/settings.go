package doctor

import (
	"cmp"
	"context"
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

// configuration looks whether a commit can change what usersyncd does, and for misspelt variables. Load has checked the values.
func (e *examination) configuration(context.Context) (found findings) {
	for _, setting := range e.FilesInCheckout() {
		found = append(found, warning("move it to a directory outside the checkout", "%s is in the checkout, where a commit can change it", setting)...)
	}
	if e.Others != nil {
		if _, err := e.Others.Webhook(); err != nil {
			fix := "write the URL of the webhook, and nothing else, into the file that is named"
			if untrusted, ok := errors.AsType[*config.UntrustedError](err); ok {
				fix = untrusted.Fix
			}
			found = append(found, problem(fix, "the service does not start: %v", err).named("webhook")...)
		}
	}
	for _, v := range e.Misspelt {
		found = append(found, warning("set "+v.Meant+" instead, or unset "+v.Name, "%s is not a setting", v.Name).named("environment")...)
	}
	if len(found) == 0 && e.File != "" {
		found = ok("%s, outside the checkout", e.File)
	}
	return found
}

// envFile reads the env file for the checks that follow.
func (e *examination) envFile(context.Context) findings {
	err := e.ReadEnvFile()
	f := e.Account
	untrusted, _ := errors.AsType[*config.UntrustedError](cmp.Or(err, f.Unread))
	fix := "write one NAME=value per line"
	if untrusted != nil {
		fix = untrusted.Fix
	}
	switch {
	case err != nil:
		return problem(fix, "no command starts here: %v", err)
	case f.Unread != nil:
		why := f.Unread.Error()
		if untrusted != nil {
			why = untrusted.Reason
		}
		return warning("if it is meant for usersyncd: "+fix, "%s is not read: %s", f.Path, why)
	case len(f.Ignored) > 0:
		return warning("put settings into the environment or the --config file", "only %s are read from %s; it also sets %s",
			strings.Join(config.AccountVariables(), ", "), f.Path, strings.Join(f.Ignored, ", "))
	case f.Path != "":
		return ok("%s sets %s", f.Path, f.Names())
	}
	return nil
}

// credentials looks where the credentials come from, as every command does. It never shows them.
func (e *examination) credentials(context.Context) findings {
	account, err := e.Credentials()
	untrusted, _ := errors.AsType[*config.UntrustedError](err)
	switch {
	case untrusted != nil:
		return problem(untrusted.Fix, "%s", untrusted.Reason)
	case errors.Is(err, os.ErrPermission):
		return problem("run doctor as the owner of that file, or with sudo", "%v", err)
	case err != nil && e.ClientSecretFile != "":
		return problem("write the OAuth client secret, and nothing else, into it, and: chmod 600 "+text.ShellWord(e.ClientSecretFile), "%v", err)
	case err != nil:
		return problem("export GENESYSCLOUD_OAUTHCLIENT_ID=... GENESYSCLOUD_OAUTHCLIENT_SECRET=...",
			"no id and secret of an OAuth client in flags, $CREDENTIALS_DIRECTORY, environment or .env%s", e.Account.Note())
	}
	dir, _ := e.Getenv("CREDENTIALS_DIRECTORY")
	file := filepath.Join(dir, "client_secret")
	// systemd shows its access list as the group's mode.
	if info, err := os.Stat(file); err == nil && strings.HasPrefix(account.SecretSource, "systemd") && info.Mode().Perm()&0o007 != 0 {
		return problem("chmod 600 "+text.ShellWord(file), "others can read the secret in %s", file)
	}
	e.account = account
	return ok("client id from %s, secret from %s", account.IDSource, account.SecretSource)
}

// region finds the base URLs, and makes the client for them.
func (e *examination) region(context.Context) findings {
	base, login, err := e.Endpoints()
	if err != nil {
		return problem("--region NAME, one of: "+strings.Join(api.Regions(), " "), "%v", err)
	}
	e.listener = newListener(aimd.NewDispatcher(aimd.NewPool(1, aimd.Config{MaxRate: e.MaxRate, TotalRate: e.MaxRate, MaxInFlight: 1})))
	e.genesys, err = genesys.New(api.Options{
		// The URLs are checked without credentials, too; nothing is sent then.
		API: base, Login: login, ClientID: cmp.Or(e.account.ID, "none"), ClientSecret: cmp.Or(e.account.Secret, "none"),
		Limiter: e.listener, ReadOnly: true, Proxy: http.ProxyFromEnvironment, Logger: e.log, Version: e.version,
		// A 429 is reported, and not waited for.
		Retry: &api.Retry{Max: min(e.RetryMax, 1), MinWait: e.RetryMinWait, MaxWait: e.RetryMaxWait, No429: true},
	})
	if err != nil {
		return problem("--api-url https://api.mypurecloud.ie, or --region instead of it", "%v", err)
	}
	from := "--api-url"
	if e.APIURL == "" {
		from = e.RegionName()
	}
	return ok("%s: %s, tokens from %s", from, e.genesys.API(), e.genesys.TokenURL())
}
