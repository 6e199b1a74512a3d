package api

import (
	"errors"
	"fmt"
	"maps"
	"net"
	"net/url"
	"slices"
	"strings"

	"usersyncd/spec/text"
)

// domains maps the AWS regions, as the vendor's SDK and Terraform provider name them, to their domains.
// The last one is known to the provider and the CLI only.
var domains = map[string]string{
	"us-east-1":      "mypurecloud.com",
	"us-east-2":      "use2.us-gov-pure.cloud",
	"us-west-2":      "usw2.pure.cloud",
	"ca-central-1":   "cac1.pure.cloud",
	"sa-east-1":      "sae1.pure.cloud",
	"mx-central-1":   "mxc1.pure.cloud",
	"eu-west-1":      "mypurecloud.ie",
	"eu-west-2":      "euw2.pure.cloud",
	"eu-central-1":   "mypurecloud.de",
	"eu-central-2":   "euc2.pure.cloud",
	"me-central-1":   "mec1.pure.cloud",
	"ap-south-1":     "aps1.pure.cloud",
	"ap-northeast-1": "mypurecloud.jp",
	"ap-northeast-2": "apne2.pure.cloud",
	"ap-northeast-3": "apne3.pure.cloud",
	"ap-southeast-1": "apse1.pure.cloud",
	"ap-southeast-2": "mypurecloud.com.au",
	"eusc-de-east-1": "edee1.eusc-pure.cloud",
}

// Regions returns the names that Endpoints knows, sorted.
func Regions() []string {
	return slices.Sorted(maps.Keys(domains))
}

// Endpoints returns the base URLs of the API and of the login service of an AWS region. The region
// may be spelled in upper case or with underscores, as the vendor's CLI does, or be the domain itself.
func Endpoints(region string) (api, login string, err error) {
	name := strings.ReplaceAll(strings.ToLower(strings.TrimSpace(region)), "_", "-")
	domain := domains[name]
	if slices.Contains(slices.Collect(maps.Values(domains)), name) {
		domain = name
	}
	near := text.Suggest(name, Regions())
	switch {
	case domain != "":
		return "https://api." + domain, "https://login." + domain, nil
	case name == "":
		return "", "", fmt.Errorf("no region given: one of %s", strings.Join(Regions(), ", "))
	case near != "":
		return "", "", fmt.Errorf("unknown region %q: did you mean %q?", region, near)
	}
	return "", "", fmt.Errorf("unknown region %q: one of %s", region, strings.Join(Regions(), ", "))
}

// parseBase checks a base URL: https, or http to this very machine, for a gateway's agent or a simulator.
func parseBase(raw string) (*url.URL, error) {
	u, err := url.Parse(raw)
	switch {
	case err != nil:
		// The text itself may hold a password, and url.Error quotes it.
		return nil, errors.New("not a URL: write it as https://api.mypurecloud.com")
	case u.Scheme != "https" && u.Scheme != "http", u.Host == "", u.Opaque != "":
		return nil, fmt.Errorf("not a base URL (%q): write it as https://api.mypurecloud.com", u.Redacted())
	case u.User != nil:
		return nil, fmt.Errorf("%q holds credentials: give them as client id and secret instead", u.Redacted())
	case u.RawQuery != "" || u.ForceQuery || u.Fragment != "":
		return nil, fmt.Errorf("%q has a query or a fragment: only scheme, host and path are used", u.Redacted())
	case u.Scheme == "http" && !isLoopback(u.Hostname()):
		return nil, fmt.Errorf("%q would send the token in the clear: use https (plain http is for loopback only)", u.Redacted())
	}
	u.Path = strings.TrimRight(u.Path, "/")
	u.RawPath = ""
	return u, nil
}

func isLoopback(host string) bool {
	return strings.EqualFold(host, "localhost") || net.ParseIP(host).IsLoopback()
}

// loginFor derives the login service from the API's address, as the vendor's SDK does: //api. becomes
// //login. A gateway or a simulator serves both under one address.
func loginFor(api *url.URL) *url.URL {
	login := *api
	if len(api.Host) > 4 && strings.EqualFold(api.Host[:4], "api.") {
		login.Host = "login." + api.Host[4:]
	}
	return &login
}
