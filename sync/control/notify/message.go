package notify

import (
	"cmp"
	"slices"
	"strings"
	"time"
	"unicode"

	"usersyncd/spec"
	"usersyncd/spec/text"
)

// Values of Message.Status.
const (
	firing   = "firing"   // it began, there are new alerts, or it still lasts (Reminder)
	resolved = "resolved" // it has ended
	info     = "info"     // a test
)

// Message is one notification; its JSON is what a generic webhook gets, and a contract: schema usersyncd.notification/v1. Its
// texts have no markup and no line breaks, and are printable.
type Message struct {
	Schema   string    `json:"schema"`
	ID       string    `json:"id"`   // the same for all messages of an incident
	Kind     string    `json:"kind"` // held, failing, contested, credentials, stopped, specs, paused; test
	Status   string    `json:"status"`
	Reminder bool      `json:"reminder"` // nothing is new: it still lasts
	At       time.Time `json:"at"`
	Name     string    `json:"name,omitempty"` // of the installation, as configured
	API      string    `json:"api,omitempty"`
	Dir      string    `json:"dir,omitempty"`
	Revision string    `json:"revision,omitempty"` // of the checkout
	Title    string    `json:"title"`
	Text     string    `json:"text"`
	Fix      string    `json:"fix,omitempty"` // what a person can do
	Users    int       `json:"users"`         // how many are concerned; of specs: problems
	Examples []string  `json:"examples"`      // the first ones
}

// Bounds in characters. With all of them reached, a message stays below what Slack (3,000 characters a text)
// and Teams (28 KB a message, when each character takes six bytes) accept.
const (
	maxTitle    = 140 // a header of Slack's holds 150
	maxText     = 1200
	maxFix      = 400
	maxExample  = 300
	maxExamples = 3
	maxPlace    = 200 // API, Dir, Revision and Name
)

// finish returns a message that can be sent, whatever its texts consist of.
func (m Message) finish() Message {
	m.Schema = "usersyncd.notification/v1"
	m.At = m.At.UTC()
	for _, s := range []*string{&m.Name, &m.API, &m.Dir, &m.Revision} {
		*s = clean(*s, maxPlace)
	}
	m.Title, m.Text, m.Fix = clean(m.Title, maxTitle), clean(m.Text, maxText), clean(m.Fix, maxFix)
	examples := []string{} // a list in JSON, too
	for _, e := range m.Examples[:min(len(m.Examples), maxExamples)] {
		examples = append(examples, clean(e, maxExample))
	}
	m.Examples = examples
	return m
}

// from names the installation that sends it.
func (m Message) from() string {
	var revision string
	if m.Revision != "" {
		commit, dirty := spec.CutDirty(m.Revision)
		if revision = "@" + clean(commit, 13); dirty {
			revision += " (with edits that are not committed)"
		}
	}
	parts := slices.DeleteFunc([]string{m.Name, m.API, m.Dir, revision}, func(s string) bool { return s == "" })
	return cmp.Or(strings.Join(parts, "  "), "usersyncd")
}

// clean returns what of s can be printed, on one line, and at most limit characters of it. Marks that change the direction of
// a text, or have no width, are dropped like control characters.
func clean(s string, limit int) string {
	s = strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return ' '
	}, strings.ToValidUTF8(s, "?"))
	s = text.OneLine(s)
	if r := []rune(s); len(r) > limit {
		return string(r[:limit-1]) + "…"
	}
	return s
}
