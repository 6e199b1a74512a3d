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
	outage    = 15 * time.Minute // without a successful pass, before that is an alert
	longPause = 24 * time.Hour   // of a pause by a person, before it is an alert
)

// A condition is what a status shows of one kind.
type condition struct {
	kind             string
	alerts           []alert // may be the first ones only
	users            int
	title, text, fix string
	countsNew        bool   // the title of an update says how many alerts are new
	resolved         string // the title when no alert is left
}

// An alert is one thing that needs a person, such as a hold. Only its key and its command are free of names and
// of texts by others.
type alert struct {
	key      string   // the same as long as it lasts
	summary  string   // goes into the text
	command  string   // goes into the fix
	examples []string // users, or what is wrong with them
}

// message is about some of the condition's alerts. Without details it names no user and quotes nothing.
func (c condition) message(alerts []alert, details bool) *Message {
	m := &Message{Status: firing, Users: c.users, Title: c.title, Text: c.text}
	var commands []string
	for _, a := range alerts[:min(len(alerts), maxExamples)] {
		if a.command != "" {
			commands = append(commands, a.command)
		}
		if details {
			m.Text = join(m.Text, a.summary)
			m.Examples = append(m.Examples, a.examples...)
		}
	}
	m.Fix = join(c.fix, strings.Join(commands, "; "))
	return m
}

// conditions returns those of a status, the most urgent first.
func conditions(st *control.Status) []condition {
	return []condition{credentials(st), stopped(st), held(st), failing(st), contested(st), specs(st), paused(st)}
}

func credentials(st *control.Status) condition {
	c := condition{
		kind: "credentials", resolved: "the API accepts the credentials",
		title: "the API refuses the credentials",
		text:  "Nothing is read or changed until they are accepted.",
		fix:   "See whether the OAuth client is still there and enabled, and its secret the current one; then restart usersyncd.",
	}
	if st.CredentialsDead {
		c.alerts = []alert{{key: "credentials", summary: st.Error}}
	}
	return c
}

// stopped leaves out an early end that the next pass makes good, and credentials, which are a kind of their own.
func stopped(st *control.Status) condition {
	c := condition{kind: "stopped", resolved: "passes succeed again"}
	idle := st.Now.Sub(st.Success)
	if st.Success.Before(st.Started) {
		idle = st.Now.Sub(st.Started)
	}
	switch {
	case st.Stuck != "":
		c.title, c.text = "the daemon is stuck", "It makes no progress."
		c.fix = "Look at its log; systemctl restart usersyncd loses nothing."
		c.alerts = []alert{{key: "stuck", summary: st.Stuck}}
	case st.Error != "" && !st.CredentialsDead && !st.Progresses() && idle >= outage:
		c.title, c.text = "no pass has succeeded for "+text.Duration(idle), "The last one ended early; it is tried again by itself."
		c.fix = "usersyncd status"
		c.alerts = []alert{{key: "error", summary: st.Error}}
	}
	return c
}

func held(st *control.Status) condition {
	c := condition{
		kind: "held", users: st.Held, resolved: "nothing is held any more",
		title: text.Count(st.Held, "user is", "users are") + " held back by a guard",
		text:  "The others go on.",
		fix:   "If it is meant:",
	}
	for _, h := range st.Holds {
		c.alerts = append(c.alerts, alert{
			key: h.ID, command: "usersyncd release " + h.ID, examples: h.Users,
			summary: fmt.Sprintf("%s holds %s: %s.", h.Guard, text.Count(len(h.Users), "user", "users"), strings.TrimSuffix(h.Reason, ".")),
		})
	}
	return c
}

func failing(st *control.Status) condition {
	users := max(st.Failed+st.Quarantined, len(st.Failures))
	c := condition{
		kind: "failing", users: users, countsNew: true, resolved: "no user fails any more",
		title: text.Count(users, "user fails", "users fail"),
		text:  "What the API refuses is tried again by itself, later and later, and at once when the spec changes. The others go on.",
		fix:   "usersyncd status",
	}
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
	c := condition{
		kind: "contested", users: st.ContestedUsers, resolved: "no field is contested any more",
		title: text.Count(st.Contested, "field is", "fields are") + " changed back by somebody else",
		text:  "They are set again at longer and longer intervals; what takes access away is done in every pass.",
		fix:   "Find the other program, or a second usersyncd, in the audit log of Genesys Cloud, or change the specs; usersyncd explain EMAIL says more.",
	}
	for _, o := range st.Contests {
		example := fmt.Sprintf("%s: %s", o.Email, o.Field)
		c.alerts = append(c.alerts, alert{key: example, examples: []string{example}})
	}
	return c
}

// specs leaves lines out of the keys: a problem that moves is the same one.
func specs(st *control.Status) condition {
	problems := max(st.Problems, len(st.Specs))
	c := condition{
		kind: "specs", users: problems, resolved: "the specs have no problems any more",
		title: text.Count(problems, "problem", "problems") + " in the specs",
		text:  "The users concerned are kept as last applied, and nobody is removed. The others go on.",
		fix:   "usersyncd validate " + cmp.Or(st.Dir, "DIR"),
	}
	for _, p := range st.Specs {
		c.alerts = append(c.alerts, alert{key: fmt.Sprintf("%q %q %q", p.File, p.Field, p.Message), examples: []string{p.String()}})
	}
	return c
}

func paused(st *control.Status) condition {
	c := condition{kind: "paused", resolved: "the daemon is not paused any more"}
	if st.Paused == nil || st.Now.Sub(st.Paused.At) < longPause {
		return c
	}
	c.title = "paused for " + text.Duration(st.Now.Sub(st.Paused.At))
	c.text = "Passes look, and change nothing, until somebody ends the pause."
	c.fix = "usersyncd resume"
	a := alert{key: "paused"}
	if st.Paused.By != "" {
		a.summary = "Paused by " + st.Paused.By + "."
	}
	if st.Paused.Reason != "" {
		a.summary = join(a.summary, "Reason: "+st.Paused.Reason)
	}
	c.alerts = []alert{a}
	return c
}

func join(a, b string) string { return strings.TrimSpace(a + " " + b) }
