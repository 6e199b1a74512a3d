package sync

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"time"

	"usersyncd/spec"
	"usersyncd/spec/text"
	"usersyncd/state"
	"usersyncd/sync/apply"
	"usersyncd/sync/plan"
	"usersyncd/sync/plan/contest"
)

// LastPass is what the state file has of the last pass, by which status and explain answer when no daemon runs. Its JSON may
// change with any version of usersyncd, as the next pass records it again. Times are UTC.
type LastPass struct {
	PassSummary
	Success time.Time `json:"success,omitzero"` // when a pass last ended without an error
	// Error is why the last pass ended early, at ErrorAt. If it had a plan, the summary is of it, otherwise of one before.
	Error   string    `json:"error,omitempty"`
	ErrorAt time.Time `json:"errorAt,omitzero"`
	// RolledBack is what rollbacks have changed since, of which the summary does not know; nil: nothing.
	RolledBack *RolledBack `json:"rolledBack,omitempty"`
	// Selected is of a later pass for some of the users alone (--only, --select); nil: there was none.
	Selected *PassSummary `json:"selected,omitempty"`
}

// RolledBack is what rollbacks have changed after a pass.
type RolledBack struct {
	At    time.Time `json:"at"`    // of the last of them
	Users int       `json:"users"` // by the last of them
}

// PassSummary is the result of a pass that had a plan. Of the users it has those who are not as declared. The numbers are as in
// Result and Status.
type PassSummary struct {
	At          time.Time      `json:"at,omitzero"` // when the pass ended; zero: there was none
	Revision    string         `json:"revision"`
	Plan        string         `json:"plan"`
	Users       int            `json:"users"`
	InSync      int            `json:"inSync"`
	Pending     int            `json:"pending,omitempty"`
	Failed      int            `json:"failed,omitempty"`
	Wrong       int            `json:"wrong,omitempty"`
	Held        int            `json:"held,omitempty"` // also in part
	Quarantined int            `json:"quarantined,omitempty"`
	Skipped     int            `json:"skipped,omitempty"`
	Deferred    int            `json:"deferred,omitempty"` // also in part
	Undeclared  int            `json:"undeclared,omitempty"`
	Retained    int            `json:"kept,omitempty"`
	Opens       time.Time      `json:"opens,omitzero"`
	Problems    int            `json:"problems,omitempty"`
	Specs       []spec.Problem `json:"specs,omitempty"`    // the first of them
	Failures    []Failure      `json:"failures,omitempty"` // the first of them
	Notes       []string       `json:"notes,omitempty"`    // the first of them
	Holds       []plan.Hold    `json:"holds,omitempty"`    // their users are in Left
	Left        []LeftUsers    `json:"left,omitempty"`

	Contested []contest.Contest `json:"contested,omitempty"` // at most mostContested
}

// LeftUsers are users whom a pass has left in the same way, in the terms of an Explanation.
type LeftUsers struct {
	Users []string `json:"users"`
	left
	Holds []string `json:"holds,omitempty"` // ids
}

type left struct {
	Status string      `json:"standing"`
	Why    string      `json:"why,omitempty"`
	Action plan.Action `json:"action,omitempty"`
	Cause  plan.Cause  `json:"cause,omitempty"`
	Next   time.Time   `json:"next,omitzero"`
	Window bool        `json:"window,omitempty"`
}

// Bounds of the record: 50,000 users who are all held or failed take 2 MB, and the reasons at most 1 MB.
const (
	mostRecorded    = 50 // failures, problems and notes
	mostContested   = 1000
	mostReasons     = 2000 // different ones; the users of others are recorded without
	longestRecorded = 500  // characters of a text
)

// ReadLastPass returns what the state file has of the last pass; nil if it has nothing.
func ReadLastPass(store *state.Store) (*LastPass, error) {
	record, err := store.LastPass()
	if err != nil || record == nil {
		return nil, err
	}
	l := decodeLastPass(record)
	if l.Shown().At.IsZero() && l.Error == "" { // of another version
		return nil, nil //nolint:nilnil // nothing is known
	}
	l.fillHolds()
	if l.Selected != nil {
		l.Selected.fillHolds()
	}
	return l, nil
}

func decodeLastPass(record []byte) (l *LastPass) {
	l = &LastPass{}
	if json.Unmarshal(record, l) != nil {
		return &LastPass{}
	}
	return l
}

// Latest returns when the last of the passes ended.
func (l *LastPass) Latest() time.Time {
	latest := l.At
	if l.Selected != nil {
		latest = l.Selected.At
	}
	if l.ErrorAt.After(latest) {
		latest = l.ErrorAt
	}
	return latest
}

// Shown returns the summary of the last pass for all users or, if there was none, for some of them.
func (l *LastPass) Shown() *PassSummary {
	if l.At.IsZero() && l.Selected != nil {
		return l.Selected
	}
	return &l.PassSummary
}

// fillHolds adds the users of holds, who are recorded once.
func (s *PassSummary) fillHolds() {
	for i := range s.Holds {
		h := &s.Holds[i]
		h.Users = []string{}
		for _, l := range s.Left {
			if slices.Contains(l.Holds, h.ID) {
				h.Users = append(h.Users, l.Users...)
			}
		}
		slices.Sort(h.Users)
	}
}

// AllHolds returns those of the last pass, and of a later one for some of the users.
func (l *LastPass) AllHolds() []plan.Hold {
	if l.Selected == nil {
		return l.Holds
	}
	all := slices.Clone(l.Selected.Holds)
	for _, h := range l.Holds {
		if !slices.ContainsFunc(all, func(other plan.Hold) bool { return other.ID == h.ID }) {
			all = append(all, h)
		}
	}
	return all
}

// of returns how a user was left by the last pass that says so, and when that ended.
func (l *LastPass) of(key string) (*LeftUsers, time.Time) {
	for _, s := range []*PassSummary{l.Selected, &l.PassSummary} {
		if s == nil {
			continue
		}
		for i := range s.Left {
			if slices.Contains(s.Left[i].Users, key) {
				return &s.Left[i], s.At
			}
		}
	}
	return nil, time.Time{}
}

// Status returns what the loop would publish after the pass.
func (l *LastPass) Status() Status {
	s := l.Shown()
	st := Status{Revision: s.Revision, Plan: s.Plan, Users: s.Users, InSync: s.InSync, Success: l.Success, Result: &Result{
		Revision: s.Revision, Plan: s.Plan, Users: s.Users, Pending: s.Pending, Failed: s.Failed, Wrong: s.Wrong, Held: s.Held, Quarantined: s.Quarantined,
		Skipped: s.Skipped, Deferred: s.Deferred, Undeclared: s.Undeclared, Retained: s.Retained, WindowOpens: s.Opens, Failures: append([]Failure{}, s.Failures...), Notes: slices.Clone(s.Notes),
		Holds: append([]plan.Hold{}, l.AllHolds()...), UserOutcomes: map[plan.Outcome]int{plan.Held: s.Held, plan.Deferred: s.Deferred}, Contested: s.Contested,
		ProblemList: spec.ProblemList{Problems: s.Specs, ProblemsLeftOut: s.Problems - len(s.Specs)},
	}}
	if l.Error != "" {
		st.LastError = errors.New(l.Error)
	}
	return st
}

// recordResult records how the pass has ended, in the last commit of the pass.
func (p *pass) recordResult(last *plan.Plan, res *Result, stopped error) error {
	if last.Urgent || p.policy.LeaversOnly { // the result is not of all users
		return p.recordEnd(p.closing, nil, stopped, true)
	}
	s := summarize(last, res, p.Status().InSync)
	return p.recordEnd(p.closing, func(l *LastPass, now time.Time) {
		s.At = now
		if p.policy.Select.All() {
			*l = LastPass{PassSummary: s, Success: l.Success}
		} else {
			l.Selected = &s
		}
	}, stopped, p.mode.Strict)
}

// recordEnd adds to a commit how a pass has ended: what change sets and, if it has ended early, why. Unless always, nothing is
// recorded that is as it was not long ago: the daemon makes a pass every minute.
func (r *Reconciler) recordEnd(commit state.Commit, change func(l *LastPass, now time.Time), stopped error, always bool) error {
	before, err := r.Store.LastPass()
	if err != nil {
		return err
	}
	l, now := decodeLastPass(before), time.Now().UTC()
	was := *l
	if change != nil {
		change(l, now)
	}
	switch l.Error = ""; {
	case stopped == nil:
		l.Success, l.ErrorAt = now, time.Time{}
	case !errors.Is(stopped, ErrInterrupted): // another pass follows at once
		l.Error, l.ErrorAt = text.OneLine(stopped.Error()), now
		if e, ok := errors.AsType[*apply.CallError](stopped); ok && e.CorrelationID != "" { // it differs from try to try; the log has it
			l.Error = strings.ReplaceAll(l.Error, " (correlation id "+e.CorrelationID+")", "")
		}
		l.Error = text.Cut(l.Error, longestRecorded)
		if strings.Contains(l.Error, context.Canceled.Error()) { // other cancellations, such as a timeout, say what they are
			l.Error = "it was interrupted"
		}
	}
	if !always && now.Sub(was.Latest()) < r.Refresh {
		same := *l
		same.At, same.Success, same.ErrorAt = was.At, was.Success, was.ErrorAt
		if was.Selected != nil && same.Selected != nil {
			selected := *same.Selected
			same.Selected, selected.At = &selected, was.Selected.At
		}
		if record, err := json.Marshal(same); err != nil || bytes.Equal(record, before) {
			return cmp.Or(err, r.Store.Commit(commit))
		}
	}
	if commit.Pass, err = json.Marshal(l); err != nil {
		return err
	}
	return r.Store.Commit(commit)
}

// summarize makes the summary of a plan whose pass has ended, without when.
func summarize(last *plan.Plan, res *Result, inSync int) PassSummary {
	s := PassSummary{
		Revision: res.Revision, Plan: res.Plan, Users: res.Users, InSync: inSync, Pending: res.Pending, Failed: res.Failed, Wrong: res.Wrong,
		Held: res.UserOutcomes[plan.Held], Quarantined: res.Quarantined, Skipped: res.Skipped, Deferred: res.UserOutcomes[plan.Deferred], Undeclared: res.Undeclared,
		Retained: res.Retained, Opens: res.WindowOpens.UTC(), Problems: res.ProblemCount(), Specs: res.Problems[:min(len(res.Problems), mostRecorded)],
		Holds: slices.Clone(res.Holds), Left: leftBy(last), Contested: res.Contested[:min(len(res.Contested), mostContested)],
	}
	for _, f := range res.Failures[:min(len(res.Failures), mostRecorded)] {
		f.Message = text.Cut(f.Message, longestRecorded)
		s.Failures = append(s.Failures, f)
	}
	for _, note := range res.Notes[:min(len(res.Notes), mostRecorded)] {
		s.Notes = append(s.Notes, text.Cut(note, longestRecorded))
	}
	for i := range s.Holds {
		s.Holds[i].Users, s.Holds[i].Differences = nil, nil
	}
	return s
}

// leftBy lists the users who are not as declared. It leaves out those of whom the specs and the state file tell as much: who was
// not reached, and whom a setting leaves out.
func leftBy(p *plan.Plan) (all []LeftUsers) {
	type key struct {
		left
		holds string
	}
	groups := map[key]int{}
	add := func(user string, l left, holds []string) {
		l.Why = text.Cut(l.Why, longestRecorded)
		k := key{l, strings.Join(holds, " ")}
		if _, known := groups[k]; !known && len(all) >= mostReasons {
			k.left = left{Status: l.Status, Action: l.Action, Cause: l.Cause}
		}
		i, known := groups[k]
		if !known {
			i, groups[k] = len(all), len(all)
			all = append(all, LeftUsers{left: k.left, Holds: holds})
		}
		all[i].Users = append(all[i].Users, user)
	}
	changed := make(map[string]bool, len(p.Changes))
	for _, c := range p.Changes {
		changed[c.Key] = true
		if c.UserOutcome() == plan.Applied || c.Outcome == plan.Planned && c.Err == nil || c.LeftOut() {
			continue
		}
		e := Explanation{}
		e.addChange(c)
		var holds []string
		if c.Hold != "" {
			holds = append(holds, c.Hold)
		}
		for _, w := range c.Withheld {
			if w.Hold != "" && !slices.Contains(holds, w.Hold) {
				holds = append(holds, w.Hold)
			}
		}
		add(c.Key, left{e.Status, e.Why, e.Action, e.Cause, e.Next.UTC(), e.WaitsForWindow}, holds)
	}
	for _, problem := range p.Problems {
		if !changed[problem.Key] {
			changed[problem.Key] = true
			add(problem.Key, left{Status: statusWrong, Why: problem.String()}, nil)
		}
	}
	return all
}
