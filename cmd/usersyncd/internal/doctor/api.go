package doctor

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"net/url"
	"strings"
	"syscall"
	"time"

	"usersyncd/spec"
	"usersyncd/spec/text"
	"usersyncd/sync/apply"
)

const (
	// shortPause is how long doctor waits where the API has asked for a pause.
	shortPause = 5 * time.Second

	oauthAdmin = "in Admin > Integrations > OAuth, "
	outages    = "run doctor again later; outages: https://status.mypurecloud.com"
)

func (e *examination) login(ctx context.Context) findings {
	err := e.genesys.Login(ctx)
	if err == nil {
		return ok("access token received")
	}
	failed, _ := errors.AsType[*apply.CallError](err)
	switch {
	case failed == nil || ctx.Err() != nil:
		return unchecked("%v", err)
	case failed.Code == "invalid_client":
		return problem(oauthAdmin+"compare the client id, and generate a new secret; the organization must be in this region",
			"%s rejects this client id and secret: one of them is wrong, or of another region (%v)", e.genesys.TokenURL(), failed.Message)
	case failed.Code == "unauthorized_client", failed.Code == "unsupported_grant_type":
		return problem(oauthAdmin+"create a client with grant type Client Credentials", "the OAuth client has another grant type: %v", failed.Message)
	case errors.Is(failed, apply.ErrUnauthorized) && failed.Status/100 == 3:
		return problem("--login-url, or --region instead of it", "%v", failed.Message)
	case errors.Is(failed, apply.ErrUnauthorized):
		return problem(oauthAdmin+"check that the client is active, has grant type Client Credentials, and may be used from this address", "%v", err)
	case errors.Is(failed, apply.ErrThrottled):
		return warning("wait, then run doctor again", "the login service asks for a pause: %v", failed.Message).blocking(true)
	case failed.Status != 0:
		return problem(outages, "the login service failed: %v", err)
	}
	return e.unreachable(e.genesys.TokenURL(), cmp.Or(failed.Err, error(failed)))
}

func (e *examination) unreachable(base string, err error) findings {
	curl, host, proxy := "curl -v "+text.ShellWord(base), "", ""
	if u, err := url.Parse(base); err == nil { // it was checked before
		host = u.Hostname()
	}
	for _, v := range []string{"HTTPS_PROXY", "https_proxy"} {
		if p, _ := e.Getenv(v); p != "" {
			proxy = "; $" + v + " is set, so the request goes through that proxy"
		}
	}
	_, certificate := errors.AsType[*tls.CertificateVerificationError](err)
	_, dns := errors.AsType[*net.DNSError](err)
	slow, _ := errors.AsType[net.Error](err)
	switch {
	case certificate:
		return problem("behind a proxy that inspects TLS: SSL_CERT_FILE=/path/to/its-ca.pem; otherwise check who answers: "+curl, "the certificate of %s is not trusted%s (%v)", base, proxy, err)
	case errors.Is(err, http.ErrSchemeMismatch):
		return problem(curl, "%s does not speak TLS: it may be a proxy, or another service%s", base, proxy)
	case dns:
		return problem("getent hosts "+text.ShellWord(host), "the host name of %s cannot be resolved%s (%v)", base, proxy, err)
	case errors.Is(err, syscall.ECONNREFUSED):
		return problem(curl, "connection to %s refused%s", base, proxy)
	case slow != nil && slow.Timeout(), errors.Is(err, context.DeadlineExceeded):
		return problem(curl, "no response from %s in time: a firewall may block it%s", base, proxy)
	}
	return problem(curl, "no usable response from %s%s (%v)", base, proxy, err)
}

// organization reads which organization this is, and compares it with the state file's.
func (e *examination) organization(ctx context.Context) findings {
	if gate := e.listener.Stats().Gate; gate > shortPause {
		return warning("wait "+text.Duration(gate)+", then run doctor again; the service waits, too", "the API has asked for a pause, says the state file: no request is sent now").blocking(true)
	}
	id, name, err := e.genesys.Organization(ctx)
	if errors.Is(err, apply.ErrForbidden) || errors.Is(err, apply.ErrNotFound) {
		return warning("nothing to do", "the client may not read it, so the state file is bound to the address of the API alone")
	}
	if err != nil {
		return e.failed(err)
	}
	name = spec.Text(name).Display()
	switch api, old := e.genesys.API(), e.org; {
	case old != nil && (!strings.EqualFold(old.API, api) || old.ID != "" && old.ID != id):
		return problem("--state ANOTHER.db: each organization needs its own", "this is %s %s at %s, and the state file holds %v", name, id, api, *old).
			blocking(false) // permissions can be checked all the same
	case old != nil:
		return ok("%s %s, as in the state file", name, id)
	}
	return ok("%s %s", name, id)
}

// failed is about a call of the API without a usable response, after a login that worked.
func (e *examination) failed(err error) findings {
	failed, _ := errors.AsType[*apply.CallError](err)
	switch {
	case failed == nil && (errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)):
		return unchecked("%v", err)
	case errors.Is(err, apply.ErrThrottled):
		wait := "a while"
		if failed != nil && failed.RetryAfter > 0 {
			wait = text.Duration(failed.RetryAfter)
		}
		return warning("wait "+wait+", then run doctor again", "the API answered 429").blocking(true)
	case errors.Is(err, apply.ErrUnauthorized):
		return problem("check that --api-url and --login-url are of the same region", "the API rejects the token that the login service gave out: %v", err)
	case failed != nil && failed.Status == 0:
		return e.unreachable(e.genesys.API(), cmp.Or(failed.Err, error(failed)))
	}
	return problem(outages, "%v", err)
}
