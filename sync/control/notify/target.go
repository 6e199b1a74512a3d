package notify

import (
	"errors"
	"fmt"
	"io"
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

// Target is where messages go. Its URL is a secret, since whoever has it can post: however a Target is
// printed, logged or marshalled, only the host shows.
type Target struct{ u *url.URL }

// ParseTarget reads a webhook's URL: https, or http to this very machine. Its errors do not quote it.
func ParseTarget(raw string) (Target, error) {
	u, err := url.Parse(strings.TrimSpace(raw))
	switch {
	case err != nil, u.Opaque != "", u.Hostname() == "", u.Scheme != "https" && u.Scheme != "http":
		return Target{}, errors.New("not the URL of a webhook: it begins with https://, and is one line")
	case u.Scheme == "http" && !strings.EqualFold(u.Hostname(), "localhost") && !net.ParseIP(u.Hostname()).IsLoopback():
		return Target{}, fmt.Errorf("the URL of %s would be sent in the clear: use https (plain http is for loopback only)", u.Host)
	}
	u.Fragment, u.RawFragment = "", ""
	return Target{u}, nil
}

// IsZero reports whether there is none.
func (t Target) IsZero() bool { return t.u == nil }

// Host is what may be shown of a target: host, and port if it has one.
func (t Target) Host() string {
	if t.IsZero() {
		return ""
	}
	return t.u.Host
}

// Format writes the host for every verb and flag.
func (t Target) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, t.Host()) }

// MarshalText returns the host, which is also what log/slog shows.
func (t Target) MarshalText() ([]byte, error) { return []byte(t.Host()), nil }

// Guess is the format that the host takes. webhook.office.com is here for those that still answer: Microsoft
// has retired them, and Workflows have URLs of logic.azure.com or, newer, of api.powerplatform.com.
func (t Target) Guess() Format {
	host := "." + strings.ToLower(t.u.Hostname())
	for domain, format := range map[string]Format{
		".hooks.slack.com": Slack, ".hooks.slack-gov.com": Slack,
		".webhook.office.com": Teams, ".logic.azure.com": Teams, ".api.powerplatform.com": Teams,
	} {
		if strings.HasSuffix(host, domain) {
			return format
		}
	}
	return Generic
}

// scrub removes the parts of the URL from a text, except for the host: errors of the network quote them, and
// receivers repeat them.
func (t Target) scrub(text string) string {
	parts := strings.FieldsFunc(t.u.String()+"/"+t.u.Path, func(r rune) bool { return strings.ContainsRune("/?&=:@", r) })
	for _, values := range t.u.Query() {
		parts = append(parts, values...)
	}
	password, _ := t.u.User.Password()
	parts = append(parts, t.u.User.Username(), password)
	slices.SortFunc(parts, func(a, b string) int { return len(b) - len(a) })
	for _, p := range parts {
		if len(p) >= 6 && p != t.u.Hostname() { // shorter ones are words, such as v1
			text = strings.ReplaceAll(text, p, "[redacted]")
		}
	}
	return text
}
