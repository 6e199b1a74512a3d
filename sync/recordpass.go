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

	"usersyncd/spec/text"
	"usersyncd/state"
	"usersyncd/sync/plan"
)

// recordResult records how the pass has ended, in the last commit of the pass.
func (p *pass) recordResult(last *plan.Plan, res *Result, stopped error) error {
	if last.Urgent || p.policy.LeaversOnly { // the result is not of all users
		return p.recordEnd(p.closing, nil, stopped, true)
	}
	s := summarize(last, res, p.Status().InSync, time.Now())
	return p.recordEnd(p.closing, func(l *LastPass) {
		if p.policy.Select.All() {
			*l = LastPass{PassSummary: s, Success: l.Success}
		} else {
			l.Selected = &s
		}
	}, stopped, p.mode.Strict)
}

// recordEnd adds to a commit how a pass has ended: what change sets and, if it has ended early, why. Unless always, nothing is
// recorded that is as it was not long ago: the daemon makes a pass every minute.
func (r *Reconciler) recordEnd(commit state.Commit, change func(*LastPass), stopped error, always bool) error {
	before, err := r.Store.LastPass()
	if err != nil {
		return err
	}
	l, now := decodeLastPass(before), time.Now().UTC()
	was := *l
	if change != nil {
		change(l)
	}
	switch l.Error = ""; {
	case stopped == nil:
		l.Success, l.ErrorAt = now, time.Time{}
	case !errors.Is(stopped, ErrInterrupted): // another pass follows at once
		l.Error, l.ErrorAt = text.Cut(text.OneLine(stopped.Error()), longestRecorded), now
		if strings.Contains(l.Error, context.Canceled.Error()) {
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

// summarize makes the summary of a plan whose pass has ended.
func summarize(last *plan.Plan, res *Result, inSync int, now time.Time) PassSummary {
	s := PassSummary{
		At: now.UTC(), Revision: res.Revision, Plan: res.Plan, Users: res.Users, InSync: inSync, Pending: res.Pending, Failed: res.Failed, Wrong: res.Wrong,
		Held: res.UserOutcomes[plan.Held], Quarantined: res.Quarantined, Skipped: res.Skipped, Deferred: res.UserOutcomes[plan.Deferred], Undeclared: res.Undeclared,
		Opens: res.WindowOpens.UTC(), Problems: res.ProblemCount(), Specs: res.Problems[:min(len(res.Problems), mostRecorded)],
		Holds: slices.Clone(res.Holds), Left: leftBy(last),
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
