package sync

import (
	"encoding/json"
	"errors"
	"slices"
	"time"

	"usersyncd/spec"
	"usersyncd/state"
	"usersyncd/sync/plan"
)

// LastPass is what the state file has of the last pass, by which status and explain answer when no daemon runs. Its JSON may
// change with any version of usersyncd, as the next pass records it again. Times are UTC.
type LastPass struct {
	PassSummary
	Success time.Time `json:"success,omitzero"` // when a pass last ended without an error
	// Error is why the last pass ended early, at ErrorAt. If it had a plan, the summary is of it, otherwise of one before.
	Error   string    `json:"error,omitempty"`
	ErrorAt time.Time `json:"errorAt,omitzero"`
	// Selected is of a later pass for some of the users alone (--only, --select); nil: there was none.
	Selected *PassSummary `json:"selected,omitempty"`
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
	Opens       time.Time      `json:"opens,omitzero"`
	Problems    int            `json:"problems,omitempty"`
	Specs       []spec.Problem `json:"specs,omitempty"`    // the first of them
	Failures    []Failure      `json:"failures,omitempty"` // the first of them
	Notes       []string       `json:"notes,omitempty"`    // the first of them
	Holds       []plan.Hold    `json:"holds,omitempty"`    // their users are in Left
	Left        []LeftUsers    `json:"left,omitempty"`
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
	mostRecorded    = 50   // failures, problems and notes
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
		Skipped: s.Skipped, Deferred: s.Deferred, Undeclared: s.Undeclared, WindowOpens: s.Opens, Failures: append([]Failure{}, s.Failures...), Notes: slices.Clone(s.Notes),
		Holds: append([]plan.Hold{}, l.AllHolds()...), UserOutcomes: map[plan.Outcome]int{plan.Held: s.Held, plan.Deferred: s.Deferred},
		ProblemList: spec.ProblemList{Problems: s.Specs, ProblemsLeftOut: s.Problems - len(s.Specs)},
	}}
	if l.Error != "" {
		st.LastError = errors.New(l.Error)
	}
	return st
}
