package notify

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"usersyncd/spec/text"
	"usersyncd/sync/control"
)

const (
	outage    = 15 * time.Minute // without a completed pass, before that is an alert
	longPause = 24 * time.Hour   // of a pause by a person, before that is an alert
)

// A condition is what a status shows of one kind: the message about it, and the alerts that it has.
type condition struct {
	Message
	alerts        []alert // may be only the first ones
	countsNew     bool    // the title of an update says how many alerts are new
	resolvedTitle string  // when no alert is left
}

// An alert is one thing that needs a person, such as a hold. Only its key and its command are free of names and of texts
// by others.
type alert struct {
	key      string   // the same as long as it lasts
	summary  string   // goes into the text
	command  string   // goes into the fix
	examples []string // users, or what is wrong with them
}

// message is about some of the condition's alerts. Without details it names no user and quotes nothing.
func (c condition) message(alerts []alert, details bool) *Message {
	m, commands := c.Message, []string(nil)
	m.Status = firing
	for _, a := range alerts[:min(len(alerts), maxExamples)] {
		if a.command != "" {
			commands = append(commands, a.command)
		}
		if details {
			m.Text = join(m.Text, a.summary)
			m.Examples = append(m.Examples, a.examples...)
		}
	}
	m.Fix = join(m.Fix, strings.Join(commands, "; "))
	return &m
}

// conditions returns those of a status, the most urgent first.
func conditions(st *control.Status) []condition {
	return []condition{credentials(st), stopped(st), held(st), failing(st), contested(st), specs(st), paused(st)}
}

func credentials(st *control.Status) condition {
	c := condition{resolvedTitle: "the API accepts the credentials", Message: Message{
		Kind: "credentials", Title: "the API rejects the credentials", Text: "Nothing is read or changed until it accepts them.",
		Fix: "Check that the OAuth client exists and is enabled, and that its secret is current; then restart usersyncd.",
	}}
	if st.CredentialsDead {
		c.alerts = []alert{{key: "credentials", summary: st.Error}}
	}
	return c
}

// stopped leaves out an error that the next pass recovers from, and credentials, which are a kind of their own.
func stopped(st *control.Status) condition {
	c := condition{resolvedTitle: "passes succeed again", Message: Message{Kind: "stopped"}}
	idle := st.Now.Sub(st.Success)
	if st.Success.Before(st.Started) {
		idle = st.Now.Sub(st.Started)
	}
	switch {
	case st.Stuck != "":
		c.Title, c.Text, c.Fix = "the daemon is stuck", "It makes no progress.", "See its log; systemctl restart usersyncd loses nothing."
		c.alerts = []alert{{key: "stuck", summary: st.Stuck}}
	case st.Error != "" && !st.CredentialsDead && !st.Progresses() && idle >= outage:
		c.Title, c.Text, c.Fix = "no pass has completed for "+text.Duration(idle), "The last pass failed; usersyncd tries again by itself.", "usersyncd status"
		c.alerts = []alert{{key: "error", summary: st.Error}}
	}
	return c
}

func held(st *control.Status) condition {
	c := condition{resolvedTitle: "no users are held", Message: Message{
		Kind: "held", Users: st.Held, Title: text.Count(st.Held, "user is", "users are") + " held by a guard", Text: othersContinue,
		Fix: "If the change is intended:",
	}}
	for _, h := range st.Holds {
		c.alerts = append(c.alerts, alert{key: h.ID, command: "usersyncd release " + h.ID, examples: h.Users,
			summary: fmt.Sprintf("%s holds %s: %s.", h.Guard, text.Plural(len(h.Users), "user"), strings.TrimSuffix(h.Reason, "."))})
	}
	return c
}

func failing(st *control.Status) condition {
	users := max(st.Failed+st.Quarantined, len(st.Failures))
	c := condition{countsNew: true, resolvedTitle: "no users fail", Message: Message{
		Kind: "failing", Users: users, Title: text.Count(users, "user fails", "users fail"),
		Text: "What the API rejects is retried at increasing intervals, and at once when the spec changes. " + othersContinue, Fix: "usersyncd status",
	}}
	for _, f := range st.Failures {
		place := ""
		if f.File != "" {
			place = fmt.Sprintf(" (%s:%d)", f.File, f.Line)
		}
		c.alerts = append(c.alerts, alert{key: f.Email, examples: []string{f.Email + place + ": " + f.Message}})
	}
	return c
}

func contested(st *control.Status) condition {
	c := condition{resolvedTitle: "no fields are contested", Message: Message{
		Kind: "contested", Users: st.ContestedUsers, Title: text.Count(st.Contested, "field is", "fields are") + " changed back by somebody else",
		Text: "usersyncd sets them again at increasing intervals; changes that remove access are made in every pass.",
		Fix:  "Find the other program, or a second usersyncd, in the audit log of Genesys Cloud, or change the specs; usersyncd explain EMAIL says more.",
	}}
	for _, o := range st.Contests {
		example := fmt.Sprintf("%s: %s", o.Email, o.Field)
		c.alerts = append(c.alerts, alert{key: example, examples: []string{example}})
	}
	return c
}

// specs leaves lines out of the keys: a problem that moves is the same one.
func specs(st *control.Status) condition {
	problems := max(st.Problems, len(st.Specs))
	c := condition{resolvedTitle: "the specs have no problems", Message: Message{
		Kind: "specs", Users: problems, Title: text.Plural(problems, "problem") + " in the specs",
		Text: "What they concern stays as last applied. " + othersContinue, Fix: "usersyncd validate " + cmp.Or(st.Dir, "DIR"),
	}}
	if st.Retained > 0 {
		c.Text += " No users are removed until they are solved."
	}
	if st.FailedSpecs > 0 { // only the organization shows them
		c.Fix = "usersyncd plan " + cmp.Or(st.Dir, "DIR")
	}
	for _, p := range st.Specs {
		c.alerts = append(c.alerts, alert{key: fmt.Sprintf("%q %q %q", p.File, p.Field, p.Message), examples: []string{p.String()}})
	}
	return c
}

func paused(st *control.Status) condition {
	c := condition{resolvedTitle: "the daemon is no longer paused", Message: Message{
		Kind: "paused", Text: "Passes plan, and change nothing until usersyncd resume.", Fix: "usersyncd resume",
	}}
	if p := st.Paused; p != nil && st.Now.Sub(p.At) >= longPause {
		c.Title = "paused for " + text.Duration(st.Now.Sub(p.At))
		c.alerts = []alert{{key: "paused", summary: join(text.Enclose("Paused by ", p.By, "."), text.Enclose("Reason: ", p.Reason, ""))}}
	}
	return c
}

const othersContinue = "Other users are not affected."

func join(a, b string) string { return strings.TrimSpace(a + " " + b) }
