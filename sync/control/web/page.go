package web

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"usersyncd/spec"
	"usersyncd/spec/text"
	"usersyncd/state"
	"usersyncd/sync/control"
	"usersyncd/sync/plan"
)

// Limits of one response: a page has to stay small in an organization of 50,000 users.
const (
	shownChanges  = 200
	shownEvents   = 50
	mostEvents    = 1000
	shownList     = 50 // holds, problems, failures and notes
	shownOfHold   = 20 // users of one hold
	longestFilter = 200
	longestText   = 1000 // characters of one text
)

// pageStatus is the status as the page shows it: bounded, and with sentences.
type pageStatus struct {
	control.Status
	Lines     []control.Line `json:"lines"`
	Holds     []pageHold     `json:"holds"`
	Failures  []pageFailure  `json:"failures"`
	Rejected  int            `json:"rejected"`  // users whose failures these are, and those that are not listed
	LimitedBy string         `json:"limitedBy"` // what limits the rate
}

type pageHold struct {
	plan.Hold
	Count int `json:"count"` // users, of whom Users are the first
}

// newPageStatus leaves the lists of the status as they are: they may be shared.
func newPageStatus(s control.Status) pageStatus {
	p := pageStatus{Status: s, Lines: s.Lines(), Holds: []pageHold{}, Failures: foldFailures(first(s.Rejected(), shownList)), Rejected: s.RejectedUsers(), LimitedBy: s.Limiter.LimitedBy()}
	for _, h := range first(s.Holds, shownList) {
		count := len(h.Users)
		h.Users = first(h.Users, shownOfHold)
		p.Holds = append(p.Holds, pageHold{h, count})
	}
	p.Specs, p.Notes = first(s.Specs, shownList), first(s.Notes, shownList)
	p.Contests = nil // they are among the notes
	return p
}

// first returns a list also if there is none.
func first[T any](all []T, n int) []T { return append([]T{}, all[:min(len(all), n)]...) }

// marshal writes JSON for the page, in which every text is printable and not too long. A title with control characters must
// not make the page unreadable.
func marshal(v any) ([]byte, error) {
	data, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	var tree any
	if err := d.Decode(&tree); err != nil {
		return nil, err
	}
	return json.Marshal(escape(tree))
}

func escape(tree any) any {
	switch t := tree.(type) {
	case string:
		return text.Cut(text.Escape(t), longestText)
	case []any:
		for i := range t {
			t[i] = escape(t[i])
		}
	case map[string]any:
		for key := range t {
			t[key] = escape(t[key])
		}
	}
	return tree
}

// pageField is one field of a change, for people.
type pageField struct {
	Field  spec.Field `json:"field"`
	Before string     `json:"before,omitempty"` // "" if it was not known
	After  string     `json:"after"`
	Note   string     `json:"note,omitempty"`
}

func newPageField(f spec.Field, before, after spec.Value, note string) pageField {
	p := pageField{Field: f, After: after.Display(), Note: note}
	if before != "" {
		p.Before = before.Display()
	}
	return p
}

type pageChange struct {
	Email  string       `json:"email"`
	At     string       `json:"at,omitempty"` // file:line
	Action plan.Action  `json:"action"`
	Cause  plan.Cause   `json:"cause"`
	Does   string       `json:"does"` // the action and
	Why    string       `json:"why"`  // the cause, for people
	Result plan.Outcome `json:"result"`
	Note   string       `json:"note,omitempty"`
	Hold   string       `json:"hold,omitempty"`
	Fields []pageField  `json:"fields"`
}

func newPageChange(c *plan.Change) pageChange {
	p := pageChange{Email: c.Key, Action: c.Action, Cause: c.Cause, Does: c.Action.Words(), Why: c.Cause.Words(), Result: c.Outcome, Hold: c.Hold, Fields: []pageField{}}
	if c.Hold == "" { // the hold has the reason
		p.Note = c.Note
	}
	if c.Pos.File != "" {
		p.At = fmt.Sprintf("%s:%d", c.Pos.File, c.Pos.Line)
	}
	switch {
	case c.Err != nil:
		p.Note = c.Err.Error()
	case c.WaitsFor != "":
		p.Note = "waits for " + c.WaitsFor
	}
	for _, fc := range c.Fields {
		note := ""
		if fc.Cause != c.Cause {
			note = fc.Cause.Words()
		}
		p.Fields = append(p.Fields, newPageField(fc.Field, fc.Before, fc.After, note))
	}
	for _, w := range c.Withheld {
		p.Fields = append(p.Fields, newPageField(w.Field, w.Before, w.After, w.Why()))
	}
	for _, fc := range c.Drift {
		p.Fields = append(p.Fields, newPageField(fc.Field, fc.Before, fc.After, "drift, only reported"))
	}
	return p
}

// has reports whether a text, in lower case, is anywhere in the change.
func (p *pageChange) has(text string) bool {
	shown := []string{p.Email, p.At, p.Does, p.Why, string(p.Result), p.Note, p.Hold}
	for _, f := range p.Fields {
		shown = append(shown, string(f.Field), f.Before, f.After)
	}
	return slices.ContainsFunc(shown, func(s string) bool { return strings.Contains(strings.ToLower(s), text) })
}

type pageEvent struct {
	state.Event
	Does   string      `json:"does"` // as in pageChange
	Why    string      `json:"why"`
	Fields []pageField `json:"fields"`
}

// serveStatus answers with the status, as usersyncd.status/v1.
func (l *Listener) serveStatus(w http.ResponseWriter, _ *http.Request) {
	l.reply(w, l.source.Status(), json.Marshal)
}

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
	l.reply(w, out, marshal)
}

// serveHistory answers with the last events. There is no cursor, since several may have the same time: a client that wants
// more asks for a higher limit.
func (l *Listener) serveHistory(w http.ResponseWriter, r *http.Request) {
	_, limit, err := filter(r.URL.Query(), shownEvents, mostEvents)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	// One more than requested shows whether there are more.
	events, err := l.source.History(state.Query{Limit: limit + 1})
	if err != nil {
		l.log.Error("status page: cannot read the history", "error", err)
		http.Error(w, "cannot read the history: see the log", http.StatusInternalServerError)
		return
	}
	out := struct {
		More   bool        `json:"more"`
		Limit  int         `json:"limit"`
		Most   int         `json:"most"` // that can be requested
		Events []pageEvent `json:"events"`
	}{More: len(events) > limit, Limit: limit, Most: mostEvents, Events: []pageEvent{}}
	for _, e := range first(events, limit) {
		shown := pageEvent{Event: e, Does: plan.Action(e.Action).Words(), Why: plan.Cause(e.Cause).Words(), Fields: []pageField{}}
		for _, f := range e.Fields {
			shown.Fields = append(shown.Fields, newPageField(f.Field, f.Before, f.After, ""))
		}
		out.Events = append(out.Events, shown)
	}
	l.reply(w, out, marshal)
}

// filter reads the query of an address.
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
		return "", 0, fmt.Errorf("q has %d bytes; at most %d are allowed", len(text), longestFilter)
	}
	return strings.ToLower(strings.TrimSpace(text)), limit, nil
}
