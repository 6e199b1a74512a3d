package control

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"usersyncd/spec"
	"usersyncd/state"
	usersync "usersyncd/sync"
	"usersyncd/sync/plan"
)

// How much one answer holds: a page has to stay small in an organization of 50,000 users.
const (
	shownChanges  = 200
	shownEvents   = 50
	mostEvents    = 1000
	shownList     = 50 // holds, problems, failures and notes
	shownOfHold   = 20 // users of one hold
	longestFilter = 200
)

// pageStatus is the status as the page draws it: bounded, with sentences, and with every text fit to be read.
type pageStatus struct {
	Status
	Lines    []Line             `json:"lines"`
	Holds    []pageHold         `json:"holds"`
	Specs    []pageProblem      `json:"specs"`
	Failures []usersync.Failure `json:"failures"`
}

type pageHold struct {
	ID      string   `json:"id"`
	Guard   string   `json:"guard"`
	Reason  string   `json:"reason"`
	Count   int      `json:"count"`
	Users   []string `json:"users"` // the first ones
	Release string   `json:"release"`
}

type pageProblem struct {
	At      string `json:"at"` // file:line:column
	Field   string `json:"field,omitempty"`
	Message string `json:"message"`
}

// newPageStatus leaves the lists of the status as they are: they may be shared.
func newPageStatus(s Status) pageStatus {
	p := pageStatus{Status: s, Lines: lines(&s), Holds: []pageHold{}, Specs: []pageProblem{}, Failures: []usersync.Failure{}}
	for _, h := range first(s.Holds, shownList) {
		users := make([]string, 0, shownOfHold)
		for _, u := range first(h.Users, shownOfHold) {
			users = append(users, escaped(u))
		}
		p.Holds = append(p.Holds, pageHold{ID: h.ID, Guard: h.Guard, Reason: escaped(h.Reason), Count: len(h.Users), Users: users,
			Release: "usersyncd release " + h.ID})
	}
	for _, problem := range first(s.Specs, shownList) {
		p.Specs = append(p.Specs, pageProblem{escaped(problem.Pos.String()), escaped(problem.Field), escaped(problem.Message)})
	}
	for _, f := range first(s.Failures, shownList) {
		f.Email, f.File, f.Code, f.Message, f.CorrelationID = escaped(f.Email), escaped(f.File), escaped(f.Code), escaped(f.Message), escaped(f.CorrelationID)
		p.Failures = append(p.Failures, f)
	}
	p.Version, p.Dir, p.API, p.Revision, p.Error, p.Settings, p.Stuck = escaped(s.Version), escaped(s.Dir), escaped(s.API), escaped(s.Revision), escaped(s.Error), escaped(s.Settings), escaped(s.Stuck)
	p.Watch.Reason = escaped(s.Watch.Reason)
	if s.Paused != nil {
		p.Paused = &state.Pause{At: s.Paused.At, By: escaped(s.Paused.By), Reason: escaped(s.Paused.Reason)}
	}
	p.Contests = nil // the notes say it
	p.Notes = nil
	for _, note := range first(s.Notes, shownList) {
		p.Notes = append(p.Notes, escaped(note))
	}
	return p
}

// pageField is one field of a change, for people.
type pageField struct {
	Field  spec.Field `json:"field"`
	Before string     `json:"before,omitempty"` // "" if it was not known
	After  string     `json:"after"`
	Note   string     `json:"note,omitempty"`
}

func newPageField(f spec.Field, before, after spec.Value, note string) pageField {
	p := pageField{Field: f, After: shortened(after.Display(), longestText), Note: note}
	if before != "" {
		p.Before = shortened(before.Display(), longestText)
	}
	return p
}

type pageChange struct {
	Email  string      `json:"email"`
	At     string      `json:"at,omitempty"` // file:line
	Action string      `json:"action"`
	Cause  string      `json:"cause"`
	Result string      `json:"result"`
	Note   string      `json:"note,omitempty"`
	Hold   string      `json:"hold,omitempty"`
	Fields []pageField `json:"fields"`
}

func newPageChange(c *plan.Change) pageChange {
	p := pageChange{Email: escaped(c.Key), Action: string(c.Action), Cause: string(c.Cause), Result: string(c.Outcome),
		Note: escaped(c.Note), Hold: c.Hold, Fields: []pageField{}}
	if c.Pos.File != "" {
		p.At = escaped(fmt.Sprintf("%s:%d", c.Pos.File, c.Pos.Line))
	}
	switch {
	case c.Err != nil:
		p.Note = escaped(c.Err.Error())
	case c.WaitsFor != "":
		p.Note = "waits for " + escaped(c.WaitsFor)
	}
	for _, fc := range c.Fields {
		note := ""
		if fc.Cause != c.Cause {
			note = string(fc.Cause)
		}
		p.Fields = append(p.Fields, newPageField(fc.Field, fc.Before, fc.After, note))
	}
	for _, w := range c.Withheld {
		p.Fields = append(p.Fields, newPageField(w.Field, w.Before, w.After, escaped(w.Why())))
	}
	for _, fc := range c.Drift {
		p.Fields = append(p.Fields, newPageField(fc.Field, fc.Before, fc.After, "drift, only reported"))
	}
	return p
}

// has reports whether a text, in lower case, is anywhere in what is shown of the change.
func (p *pageChange) has(text string) bool {
	shown := []string{p.Email, p.At, p.Action, p.Cause, p.Result, p.Note, p.Hold}
	for _, f := range p.Fields {
		shown = append(shown, string(f.Field), f.Before, f.After)
	}
	return slices.ContainsFunc(shown, func(s string) bool { return strings.Contains(strings.ToLower(s), text) })
}

type pageEvent struct {
	At            string      `json:"at"`
	Email         string      `json:"email"`
	Action        string      `json:"action"`
	Cause         string      `json:"cause"`
	Revision      string      `json:"revision"`
	CorrelationID string      `json:"correlationId,omitempty"`
	Uncertain     bool        `json:"uncertain,omitempty"`
	Undoes        string      `json:"undoes,omitempty"`
	Fields        []pageField `json:"fields"`
}

func newPageEvent(e *state.Event) pageEvent {
	p := pageEvent{At: e.At.UTC().Format("2006-01-02T15:04:05.000Z"), Email: escaped(e.Email), Action: escaped(e.Action), Cause: escaped(e.Cause),
		Revision: escaped(e.Revision), CorrelationID: escaped(e.CorrelationID), Uncertain: e.Uncertain, Undoes: escaped(e.RollbackOf), Fields: []pageField{}}
	for _, f := range e.Fields {
		p.Fields = append(p.Fields, newPageField(f.Field, f.Before, f.After, ""))
	}
	return p
}

// serveStatus answers with the status as it is: the contract usersyncd.status/v1.
func (l *Listener) serveStatus(w http.ResponseWriter, _ *http.Request) { l.reply(w, l.source.Status()) }

// servePlan answers with the first changes that have the text q in them.
func (l *Listener) servePlan(w http.ResponseWriter, r *http.Request) {
	text, limit, err := filter(r.URL.Query(), shownChanges, shownChanges)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	out := struct {
		Total   int          `json:"total"`   // changes of the plan
		Matches int          `json:"matches"` // of these, with the text in them
		Changes []pageChange `json:"changes"`
	}{Changes: []pageChange{}}
	plan := l.source.Plan()
	out.Total = len(plan)
	for i := range plan {
		if text == "" && i >= limit {
			out.Matches = len(plan)
			break
		}
		if c := newPageChange(&plan[i]); c.has(text) {
			out.Matches++
			if len(out.Changes) < limit {
				out.Changes = append(out.Changes, c)
			}
		}
	}
	l.reply(w, out)
}

// serveHistory answers with the last events. There is no cursor, since several may have the same time:
// whoever wants more asks for more.
func (l *Listener) serveHistory(w http.ResponseWriter, r *http.Request) {
	_, limit, err := filter(r.URL.Query(), shownEvents, mostEvents)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	// One more than asked for tells whether there are more.
	events, err := l.source.History(state.Query{Limit: limit + 1})
	if err != nil {
		l.log.Error("the status page cannot show the history", "error", err)
		http.Error(w, "the history cannot be read; the log says why", http.StatusInternalServerError)
		return
	}
	out := struct {
		More   bool        `json:"more"`
		Limit  int         `json:"limit"`
		Most   int         `json:"most"` // that can be asked for
		Events []pageEvent `json:"events"`
	}{More: len(events) > limit, Limit: limit, Most: mostEvents, Events: []pageEvent{}}
	for i := range first(events, limit) {
		out.Events = append(out.Events, newPageEvent(&events[i]))
	}
	l.reply(w, out)
}

// filter reads what may follow the question mark.
func filter(q url.Values, usual, most int) (text string, limit int, err error) {
	limit = usual
	if given := q.Get("limit"); given != "" {
		limit, err = strconv.Atoi(given)
		if err != nil || limit < 1 || limit > most {
			return "", 0, fmt.Errorf("limit=%.20q: expected a whole number from 1 to %d", given, most)
		}
	}
	text = q.Get("q")
	if len(text) > longestFilter {
		return "", 0, fmt.Errorf("q is %d bytes long; at most %d are looked for", len(text), longestFilter)
	}
	return strings.ToLower(strings.TrimSpace(text)), limit, nil
}
