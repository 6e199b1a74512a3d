package main

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"syscall"
	"time"

	"usersyncd/spec"
	"usersyncd/spec/text"
	"usersyncd/sync/apply"
	"usersyncd/sync/genesys"
	"usersyncd/sync/plan"
)

// shortPause is how long doctor waits where the API has asked for a pause.
const shortPause = 5 * time.Second

// checkLogin fetches an access token.
func (d *doctor) checkLogin(ctx context.Context) {
	const name = "login"
	if !d.ready(name, "credentials", "region") {
		return
	}
	err := d.genesys.Login(ctx)
	if err == nil {
		d.fine(name, "an access token was given out")
		return
	}
	e, _ := errors.AsType[*apply.CallError](err)
	switch {
	case e == nil || ctx.Err() != nil:
		d.unchecked(name, "%v", err)
	case e.Code == "invalid_client":
		d.problem(name, "in Admin > Integrations > OAuth of this region's organization, compare the client id, and generate a new secret",
			"%s does not know this client id with this secret: one of them is wrong, or of another region (%v)", d.genesys.TokenURL(), e.Message)
	case e.Code == "unauthorized_client", e.Code == "unsupported_grant_type":
		d.problem(name, "in Admin > Integrations > OAuth, make a client with grant type Client Credentials", "the OAuth client is of another grant type: %v", e.Message)
	case errors.Is(e, apply.ErrUnauthorized) && e.Status/100 == 3:
		d.problem(name, "--login-url, or --region instead of it", "%v", e.Message)
	case errors.Is(e, apply.ErrUnauthorized):
		d.problem(name, "in Admin > Integrations > OAuth, see that the client is active, of grant type Client Credentials, and may be used from this address", "%v", err)
	case errors.Is(e, apply.ErrThrottled):
		d.doubt(name, "wait, then run doctor again", "the login service asks for a pause: %v", e.Message)
		d.blocked[name] = true
	case e.Status != 0:
		d.problem(name, "wait, then run doctor again; the vendor tells outages at https://status.mypurecloud.com", "the login service is not well: %v", err)
	default:
		d.unreachable(name, d.genesys.TokenURL(), cmp.Or(e.Err, error(e)))
	}
}

// unreachable tells apart why no answer came.
func (d *doctor) unreachable(name, base string, err error) {
	curl, host, proxy := "curl -v "+text.ShellWord(base), "", ""
	if u, err := url.Parse(base); err == nil { // it was checked before
		host = u.Hostname()
	}
	for _, v := range []string{"HTTPS_PROXY", "https_proxy"} {
		if p, _ := d.c.Getenv(v); p != "" {
			proxy = "; $" + v + " is set: it is asked through that proxy"
		}
	}
	_, certificate := errors.AsType[*tls.CertificateVerificationError](err)
	_, dns := errors.AsType[*net.DNSError](err)
	timeout, _ := errors.AsType[net.Error](err)
	switch {
	case certificate:
		d.problem(name, "if a proxy of yours opens TLS: SSL_CERT_FILE=/path/to/its-ca.pem; otherwise look who answers: "+curl, "the certificate of %s is not trusted%s (%v)", base, proxy, err)
	case errors.Is(err, http.ErrSchemeMismatch):
		d.problem(name, curl, "who answers at %s speaks no TLS: a proxy, or another service%s", base, proxy)
	case dns:
		d.problem(name, "getent hosts "+text.ShellWord(host), "the name of %s is not found%s (%v)", base, proxy, err)
	case errors.Is(err, syscall.ECONNREFUSED):
		d.problem(name, curl, "nobody answers at %s: the connection is refused%s", base, proxy)
	case timeout != nil && timeout.Timeout(), errors.Is(err, context.DeadlineExceeded):
		d.problem(name, curl, "no answer from %s in time: a firewall, perhaps%s", base, proxy)
	default:
		d.problem(name, curl, "no usable answer from %s%s (%v)", base, proxy, err)
	}
}

// checkOrganization asks whose the API is, and compares that with the state file's.
func (d *doctor) checkOrganization(ctx context.Context) {
	const name = "organization"
	if !d.ready(name, "login") {
		return
	}
	if gate := d.listener.Stats().Gate; gate > shortPause {
		d.doubt(name, "wait "+text.Duration(gate)+", then run doctor again; the service waits, too", "the API has asked for a pause, says the state file: nothing is asked now")
		d.blocked[name] = true
		return
	}
	id, called, err := d.genesys.Organization(ctx)
	if errors.Is(err, apply.ErrForbidden) || errors.Is(err, apply.ErrNotFound) {
		d.doubt(name, "nothing has to be done", "it may not be read, so the state file is bound to the API's address alone")
		return
	}
	if err != nil {
		d.silent(name, err)
		return
	}
	api := d.genesys.API()
	switch old := d.org; {
	case old != nil && (!strings.EqualFold(old.API, api) || old.ID != "" && old.ID != id):
		d.problem(name, "--state ANOTHER.db: each organization has its own", "this is %s %s at %s, and the state file holds %v", spec.Text(called).Display(), id, api, *old)
		delete(d.blocked, name) // permissions can be looked at all the same
	case old != nil:
		d.fine(name, "%s %s, as the state file says", spec.Text(called).Display(), id)
	default:
		d.fine(name, "%s %s", spec.Text(called).Display(), id)
	}
}

// silent is about a call of the API that had no usable answer, after a login that worked.
func (d *doctor) silent(name string, err error) {
	e, _ := errors.AsType[*apply.CallError](err)
	switch {
	case e == nil && (errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)):
		d.unchecked(name, "%v", err)
	case errors.Is(err, apply.ErrThrottled):
		wait := "a while"
		if e != nil && e.RetryAfter > 0 {
			wait = text.Duration(e.RetryAfter)
		}
		d.doubt(name, "wait "+wait+", then run doctor again", "the API answered 429")
		d.blocked[name] = true
	case errors.Is(err, apply.ErrUnauthorized):
		d.problem(name, "see that --api-url and --login-url are of the same region", "the API refuses the token that the login service gave out: %v", err)
	case e != nil && e.Status == 0:
		d.unreachable(name, d.genesys.API(), cmp.Or(e.Err, error(e)))
	default:
		d.problem(name, "run doctor again; the vendor tells outages at https://status.mypurecloud.com", "%v", err)
	}
}

// usage is what the permissions are for: the fields declared, and those once applied.
func (d *doctor) usage() genesys.Usage {
	used := map[spec.Field]bool{}
	for _, u := range d.tree.Users {
		for f := range u.Fields {
			used[f] = true
		}
	}
	if d.snapshot != nil {
		for _, u := range d.snapshot.Users {
			for f := range u.Applied {
				used[f] = true
			}
		}
	}
	unmanaged, _ := d.c.Unmanaged() // checked before
	u := genesys.Usage{Create: d.c.Create, Delete: d.c.OnRemoval == string(plan.Delete), Admins: d.c.MinAdmins > 0}
	for _, info := range spec.All() {
		// What somebody else owns is given to new users alone.
		if used[info.Field] && (d.c.Create || !slices.Contains(unmanaged, info.Field)) {
			u.Fields = append(u.Fields, info.Field)
		}
	}
	return u
}

// checkPermissions compares what the fields in use take with what the OAuth client may do.
func (d *doctor) checkPermissions(ctx context.Context) {
	const name = "permissions"
	if !d.ready(name, "checkout", "organization") {
		return
	}
	u := d.usage()
	access, err := d.genesys.Access(ctx, u.Needs())
	if err != nil {
		d.silent(name, err)
		return
	}
	d.judgeAccess(access, len(u.Fields))
}

func (d *doctor) judgeAccess(a genesys.Access, fields int) {
	by := map[genesys.Met][]string{}
	var add []string
	for _, f := range a.Findings {
		by[f.Met] = append(by[f.Met], f.Permission+" ("+strings.Join(f.For, ", ")+")")
		if f.Met == genesys.Missing {
			add = append(add, f.Permission)
		}
	}
	list := func(m genesys.Met) string { return strings.Join(by[m], "; ") }
	role, how := "a role of the OAuth client", "found by reading, as its roles cannot be seen"
	if len(a.Roles) > 0 {
		quoted := make([]string, len(a.Roles))
		for i, r := range a.Roles {
			quoted[i] = spec.Text(r).Display()
		}
		role = "role " + strings.Join(quoted, " or ")
		how = "by " + strings.Join(quoted, ", ")
	}
	client := "the OAuth client"
	if a.Client != "" {
		client += " " + spec.Text(a.Client).Display()
	}
	switch n := len(by[genesys.Missing]); {
	case a.ByRoles && len(a.Roles) == 0:
		d.problem("permissions", "in Admin > Integrations > OAuth, give the client a role, in all divisions, with: "+strings.Join(add, ", "), "%s has no role", client)
	case n > 0:
		d.problem("permissions", "in Admin > Roles, add to "+role+": "+strings.Join(add, ", "), "%s lacks %d of the %d that %s take: %s", client, n, len(a.Findings), text.Plural(fields, "field"), list(genesys.Missing))
	default:
		d.fine("permissions", "%s has those %d of %d that can be told (%s), for %s", client, len(a.Findings)-len(by[genesys.Unknown]), len(a.Findings), how, text.Plural(fields, "field"))
	}
	if n := len(by[genesys.Partly]); n > 0 {
		d.doubt("divisions", "in Admin > Integrations > OAuth, give the client "+role+" in all divisions", "%d are not good in all divisions, so users of others are not seen: %s", n, list(genesys.Partly))
	}
	if len(by[genesys.Unknown]) > 0 {
		d.note("further permissions", unchecked, "to have them checked, add authorization:role:view, and oauth:client:view or authorization:grant:view", "the client may not see its own roles, and no read shows them; needed: %s", list(genesys.Unknown))
	}
}
