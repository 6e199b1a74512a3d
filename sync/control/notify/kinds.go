package notify

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"usersyncd/sync/control"
)

// A kind is one sort of trouble, and how it shows in a status.
type kind struct {
	name   string
	settle time.Duration // how long an item lasts before it is told
	gather time.Duration // between two messages about news
	sure   bool          // an item that a status does not show is gone; otherwise only the end of a pass shows that
	over   string        // the title when nothing is left
	seen   func(*control.Status) seen
	tell   func(st *control.Status, fresh map[string]bool) words
}

// seen is what a status shows of a kind.
type seen struct {
	items   []string
	users   int
	partial bool // there are more than items
}

// words are a message in the making.
type words struct {
	title, text, fix string
	quote            string   // the end of the text, in somebody else's words
	examples         []string // in somebody else's words, too
}

// kinds are in the order of urgency, which is that of the messages of one look.
func kinds() []kind {
	return []kind{
		{name: "credentials", over: "the API accepts the credentials", seen: seenCredentials, tell: tellCredentials},
		{name: "stopped", settle: settle, gather: gather, over: "passes succeed again", seen: seenStopped, tell: tellStopped},
		{name: "held", settle: settle, over: "nothing is held any more", seen: seenHeld, tell: tellHeld},
		{name: "failing", settle: settle, gather: gather, over: "no user fails any more", seen: seenFailing, tell: tellFailing},
		{name: "contested", settle: settle, gather: gather, over: "no field is contested any more", seen: seenContested, tell: tellContested},
		{name: "specs", settle: settle, gather: gather, over: "the specs have no problems any more", seen: seenSpecs, tell: tellSpecs},
		{name: "paused", settle: settle, gather: gather, sure: true, over: "the daemon is not paused any more", seen: seenPaused, tell: tellPaused},
	}
}

func seenCredentials(st *control.Status) seen {
	if !st.CredentialsDead {
		return seen{}
	}
	return seen{items: []string{"credentials"}}
}

func tellCredentials(st *control.Status, _ map[string]bool) words {
	return words{
		title: "the API refuses the credentials",
		text:  "Nothing is read or changed until they are accepted.",
		quote: st.Error,
		fix:   "See whether the OAuth client is still there and enabled, and its secret the current one; then restart usersyncd.",
	}
}

// seenStopped counts neither an early end that the next pass makes good, nor credentials: they have a kind of their own.
func seenStopped(st *control.Status) seen {
	var s seen
	if st.Stuck != "" {
		s.items = append(s.items, "stuck")
	}
	if st.Error != "" && !st.CredentialsDead && !st.Works() && idle(st) >= outage {
		s.items = append(s.items, "error")
	}
	return s
}

// idle is how long no pass has succeeded.
func idle(st *control.Status) time.Duration {
	since := st.Success
	if since.Before(st.Started) {
		since = st.Started
	}
	return st.Now.Sub(since)
}

func tellStopped(st *control.Status, _ map[string]bool) words {
	if st.Stuck != "" {
		return words{title: "the daemon is stuck", text: "It makes no progress.", quote: st.Stuck,
			fix: "Look at its log; systemctl restart usersyncd loses nothing."}
	}
	return words{
		title: "no pass has succeeded for " + span(idle(st)),
		text:  "The last one ended early; it is tried again by itself.",
		quote: st.Error,
		fix:   "usersyncd status",
	}
}

func seenHeld(st *control.Status) seen {
	s := seen{users: st.Held, partial: st.Held > 0 && len(st.Holds) == 0}
	for _, h := range st.Holds {
		s.items = append(s.items, h.ID)
	}
	return s
}

func tellHeld(st *control.Status, fresh map[string]bool) words {
	w := words{title: fmt.Sprintf("%s held back by a guard", count(st.Held, "user is", "users are"))}
	var news, commands []string
	for _, h := range st.Holds {
		if len(fresh) > 0 && !fresh[h.ID] {
			continue
		}
		if len(news) < maxExamples {
			news = append(news, fmt.Sprintf("%s holds %s: %s.", h.Guard, count(len(h.Users), "user", "users"), strings.TrimSuffix(h.Reason, ".")))
			commands = append(commands, "usersyncd release "+h.ID)
			w.examples = append(w.examples, h.Users[:min(len(h.Users), maxExamples-len(w.examples))]...)
		}
	}
	w.text = "The others go on."
	w.quote = strings.Join(news, " ")
	w.fix = "If it is meant: " + strings.Join(commands, "; ")
	return w
}

func seenFailing(st *control.Status) seen {
	s := seen{users: st.Failed + st.Quarantined}
	for _, f := range st.Failures {
		s.items = append(s.items, f.Email)
	}
	s.users = max(s.users, len(s.items))
	s.partial = s.users > len(s.items)
	return s
}

func tellFailing(st *control.Status, fresh map[string]bool) words {
	total := seenFailing(st).users
	w := words{
		title: count(total, "user fails", "users fail"),
		text:  "What the API refuses is tried again by itself, later and later, and at once when the spec changes. The others go on.",
		fix:   "usersyncd status",
	}
	if n := len(fresh); n > 0 && n < total {
		w.title += fmt.Sprintf(", %d of them new", n)
	}
	for _, f := range st.Failures {
		if len(fresh) == 0 || fresh[f.Email] {
			w.examples = append(w.examples, join(f.Email, place(f.File, f.Line))+": "+f.Message)
		}
	}
	return w
}

// place is " (file:line)" of a spec, or nothing.
func place(file string, line int) string {
	switch {
	case file == "":
		return ""
	case line == 0:
		return "(" + file + ")"
	}
	return fmt.Sprintf("(%s:%d)", file, line)
}

func seenContested(st *control.Status) seen {
	s := seen{users: st.ContestedUsers, partial: st.Contested > len(st.Contests)}
	for _, c := range st.Contests {
		s.items = append(s.items, fmt.Sprintf("%q %q", c.Field, c.Email))
	}
	return s
}

func tellContested(st *control.Status, fresh map[string]bool) words {
	w := words{
		title: count(st.Contested, "field is changed back by somebody else", "fields are changed back by somebody else"),
		text:  "They are set again at longer and longer intervals; what takes access away is done in every pass.",
		fix:   "Find the other program, or a second usersyncd, in the audit log of Genesys Cloud, or change the specs; usersyncd explain EMAIL says more.",
	}
	for i, name := range seenContested(st).items {
		if c := st.Contests[i]; len(fresh) == 0 || fresh[name] {
			w.examples = append(w.examples, fmt.Sprintf("%s: %s", c.Email, c.Field))
		}
	}
	return w
}

// seenSpecs leaves lines out: a problem that moves is no other one.
func seenSpecs(st *control.Status) seen {
	s := seen{users: max(st.Problems, len(st.Specs)), partial: st.Problems > len(st.Specs)}
	for _, p := range st.Specs {
		s.items = append(s.items, fmt.Sprintf("%q %q %q", p.File, p.Field, p.Message))
	}
	return s
}

func tellSpecs(st *control.Status, fresh map[string]bool) words {
	w := words{
		title: count(max(st.Problems, len(st.Specs)), "problem in the specs", "problems in the specs"),
		text:  "The users concerned are kept as last applied, and nobody is removed. The others go on.",
		fix:   "usersyncd validate " + cmp.Or(st.Dir, "DIR"),
	}
	for i, name := range seenSpecs(st).items {
		if len(fresh) == 0 || fresh[name] {
			w.examples = append(w.examples, st.Specs[i].String())
		}
	}
	return w
}

func seenPaused(st *control.Status) seen {
	if st.Paused == nil || st.Now.Sub(st.Paused.At) < longPause {
		return seen{}
	}
	return seen{items: []string{"paused"}}
}

func tellPaused(st *control.Status, _ map[string]bool) words {
	w := words{
		title: "paused for " + span(st.Now.Sub(st.Paused.At)),
		text:  "Passes look, and change nothing, until somebody ends the pause.",
		fix:   "usersyncd resume",
	}
	if st.Paused.By != "" {
		w.quote = "Paused by " + st.Paused.By + "."
	}
	if st.Paused.Reason != "" {
		w.quote = join(w.quote, "Reason: "+st.Paused.Reason)
	}
	return w
}

func count(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

func join(a, b string) string { return strings.TrimSpace(a + " " + b) }

// span is a duration for people: what matters of it.
func span(d time.Duration) string {
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%d s", int(d.Seconds()))
	case d < 2*time.Hour:
		return fmt.Sprintf("%d min", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%d h", int(d.Hours()))
	}
	return fmt.Sprintf("%d days", int(d.Hours()/24))
}
