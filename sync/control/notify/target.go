package notify

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/url"
	"slices"
	"strings"
)

// Format is how a message is written.
type Format string

// The formats.
const (
	Generic Format = "generic" // the JSON of [Message]
	Slack   Format = "slack"   // an incoming webhook
	Teams   Format = "teams"   // a Workflows webhook ("When a Teams webhook request is received")
)

// Formats returns all of them.
func Formats() []Format { return []Format{Generic, Slack, Teams} }

// Target is where messages go. Its URL is a secret, since whoever has it can post: however a Target is
// printed, logged or marshalled, only the host shows.
type Target struct{ u *url.URL }

// ParseTarget reads a webhook's URL: https, or http to this very machine. Its errors do not quote it.
func ParseTarget(raw string) (Target, error) {
	u, err := url.Parse(strings.TrimSpace(raw))
	switch {
	case err != nil, u.Opaque != "", u.Hostname() == "", u.Scheme != "https" && u.Scheme != "http":
		return Target{}, errors.New("not the URL of a webhook: it begins with https://, and is one line")
	case u.Scheme == "http" && !isLoopback(u.Hostname()):
		return Target{}, fmt.Errorf("the URL of %s would be sent in the clear: use https (plain http is for loopback only)", u.Host)
	}
	u.Fragment, u.RawFragment = "", ""
	return Target{u}, nil
}

// IsZero reports whether there is none.
func (t Target) IsZero() bool { return t.u == nil }

// Host is what may be shown of a target: host, and port if it has one.
func (t Target) Host() string {
	if t.u == nil {
		return ""
	}
	return t.u.Host
}

// String returns the host.
func (t Target) String() string { return t.Host() }

// Format writes the host for every verb and flag.
func (t Target) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, t.Host()) }

// LogValue returns the host.
func (t Target) LogValue() slog.Value { return slog.StringValue(t.Host()) }

// MarshalText returns the host.
func (t Target) MarshalText() ([]byte, error) { return []byte(t.Host()), nil }

// Guess is the format that the host takes. webhook.office.com is here for those that still answer: Microsoft
// has retired them, and Workflows have URLs of logic.azure.com or, newer, of api.powerplatform.com.
func (t Target) Guess() Format {
	host := strings.ToLower(t.u.Hostname())
	under := func(domains ...string) bool {
		return slices.ContainsFunc(domains, func(d string) bool { return host == d || strings.HasSuffix(host, "."+d) })
	}
	switch {
	case under("hooks.slack.com", "hooks.slack-gov.com"):
		return Slack
	case under("webhook.office.com", "logic.azure.com", "api.powerplatform.com"):
		return Teams
	}
	return Generic
}

// scrub takes out of a text whatever of the URL is in it but the host: errors of the network quote it, and
// receivers repeat it.
func (t Target) scrub(text string) string {
	parts := []string{t.u.String(), t.u.RequestURI(), t.u.Path, t.u.EscapedPath(), t.u.RawQuery}
	if t.u.User != nil {
		password, _ := t.u.User.Password()
		parts = append(parts, t.u.User.String(), t.u.User.Username(), password)
	}
	parts = append(parts, strings.Split(t.u.Path, "/")...)
	parts = append(parts, strings.Split(t.u.EscapedPath(), "/")...)
	for _, values := range t.u.Query() {
		parts = append(parts, values...)
	}
	slices.SortFunc(parts, func(a, b string) int { return len(b) - len(a) })
	for _, p := range parts {
		if len(p) >= 6 { // shorter ones are words, such as v1
			text = strings.ReplaceAll(text, p, "[redacted]")
		}
	}
	return text
}

func isLoopback(host string) bool {
	if strings.EqualFold(host, "localhost") {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}
