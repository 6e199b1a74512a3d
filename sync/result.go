package sync

import (
	"errors"
	"slices"
	"time"

	"usersyncd/spec"
	"usersyncd/state"
	"usersyncd/sync/apply"
	"usersyncd/sync/plan"
	"usersyncd/sync/plan/contest"
)

// Result is what a pass has done, and what is left. Its JSON is schema usersyncd.result/v1.
type Result struct {
	Schema      string            `json:"schema"`
	Mode        string            `json:"mode"` // once, plan or daemon
	DryRun      bool              `json:"dryRun"`
	Plan        string            `json:"plan"`
	Digest      string            `json:"digest,omitempty"` // of a plan: sha256 of what it would do
	Revision    string            `json:"revision"`         // git commit, or hash of the tree's content
	Users       int               `json:"users"`            // declared
	Changed     int               `json:"changed"`          // users that differed
	Applied     int               `json:"applied"`
	Failed      int               `json:"failed"`  // users of whom anything failed
	Wrong       int               `json:"-"`       // of these, those with problems in their specs
	Partial     int               `json:"partial"` // of these, those that are also counted elsewhere, for the rest of their changes
	Held        int               `json:"held"`
	HeldInPart  int               `json:"heldInPart,omitempty"` // of the others: a guard holds some fields
	Quarantined int               `json:"quarantined"`
	Skipped     int               `json:"skipped"`
	Waiting     int               `json:"waiting"`  // of those skipped: for another user, whom no setting leaves out
	Deferred    int               `json:"deferred"` // all of what differs waits for a change window
	Pending     int               `json:"pending"`  // not tried: in a dry run, or a pass that ended early
	Unchanged   int               `json:"unchanged"`
	Calls       Calls             `json:"calls"` // a pass sets Retried; the client sets the rest
	Seconds     float64           `json:"seconds"`
	Estimate    *Estimate         `json:"estimate,omitempty"` // of a plan
	Holds       []plan.Hold       `json:"holds"`
	Notes       []string          `json:"notes,omitempty"`     // warnings
	Contested   []contest.Contest `json:"contested,omitempty"` // fields that somebody else keeps changing back
	Paused      *state.Pause      `json:"paused,omitempty"`    // why nothing was applied
	Changes     []*plan.Change    `json:"changes"`
	Failures    []Failure         `json:"failures"`

	spec.ProblemList           // because of which users were excluded. Those that only the organization shows are all among the failures
	Retained         int       `json:"kept"` // as in plan.Plan
	Retry            time.Time `json:"-"`    // when the next pass has something to do: a quarantine ends, a change window opens, or a withheld field is compared again; zero if never

	ReleaseWith      func(string) string  `json:"-"` // the command that releases the hold of an id; set by the caller, nil for usersyncd release
	RollbackWith     string               `json:"-"` // the command that takes back what was written; set by the caller, "" if none does
	NoState          bool                 `json:"-"` // no earlier pass has left a state file, so nobody counts as removed; set by the caller
	WithoutSpec      int                  `json:"-"` // of a dry run: active users of the organization who are not declared
	LeaversOnly      bool                 `json:"-"` // see plan.Policy: the result has no other users, and does not say whether they are in sync
	AdoptedUnchanged int                  `json:"-"` // see plan.Plan
	UserOutcomes     map[plan.Outcome]int `json:"-"` // changes by Change.UserOutcome
	Reads            map[spec.Field]int   `json:"-"` // see plan.LookupResults
	Undeclared       int                  `json:"-"` // users who are no longer declared, and of whom this was not applied
	WaitingForWindow int                  `json:"-"` // users with fields that wait for a change window
	WindowOpens      time.Time            `json:"-"` // for the first of them
}

// Estimate is what a plan will take. It is set by the caller, who has the limiter.
type Estimate struct {
	Calls   int            `json:"calls"`
	Seconds float64        `json:"seconds"`
	Lanes   []LaneEstimate `json:"lanes"`
	Reads   []ReadEstimate `json:"reads,omitempty"` // what must be read before, by field
}

// ReadEstimate is what it takes to read a field that takes a call for each user, with those before it. Leavers and new users do not wait for it.
type ReadEstimate struct {
	Field   spec.Field `json:"field"`
	Users   int        `json:"users"`
	Seconds float64    `json:"seconds"`
}

// LaneEstimate is what a lane will take, with those before it.
type LaneEstimate struct {
	Lane    int     `json:"lane"`
	Name    string  `json:"name"`
	Calls   int     `json:"calls"`
	Seconds float64 `json:"seconds"`
}

// Calls counts requests to the API.
type Calls struct {
	Total     int `json:"total"`
	Reads     int `json:"reads"`
	Writes    int `json:"writes"`
	Throttled int `json:"throttled"` // answered 429
	Retried   int `json:"retried"`   // sent again after no usable answer, or with a newer version
}

// Add adds the requests between two readings of the counters.
func (c *Calls) Add(now, earlier Calls) {
	c.Total += now.Total - earlier.Total
	c.Reads += now.Reads - earlier.Reads
	c.Writes += now.Writes - earlier.Writes
	c.Throttled += now.Throttled - earlier.Throttled
	c.Retried += now.Retried - earlier.Retried
}

// Failure is one user that could not be changed, with what is needed to fix it.
type Failure struct {
	Email         string `json:"email"`
	File          string `json:"file,omitempty"`
	Line          int    `json:"line,omitempty"`
	Column        int    `json:"column,omitempty"`
	Status        int    `json:"status,omitempty"`
	Code          string `json:"code,omitempty"`
	Message       string `json:"message"`
	CorrelationID string `json:"correlationId,omitempty"`
	// Problem is whether the spec has a problem that only the organization shows; it is among the problems, too.
	Problem bool `json:"problem,omitempty"`
}

func newFailure(key string, pos spec.Pos, message string) Failure {
	return Failure{Email: key, File: pos.File, Line: pos.Line, Column: pos.Column, Message: message}
}

func (p *pass) publishResult(last *plan.Plan, problems spec.ProblemList) *Result {
	res := p.newResult(p.began, p.mode, last, problems, p.failures)
	res.LeaversOnly = p.policy.LeaversOnly
	p.publishPlan(last)
	p.update(func(s *Status) {
		s.Phase, s.Began, s.Revision, s.Plan, s.Users, s.Result, s.Reading, s.Read = PhaseIdle, p.began.UTC(), res.Revision, res.Plan, res.Users, res, 0, 0
		s.InSync = last.Unchanged
		for _, c := range last.Changes {
			if c.UserOutcome() == plan.Applied && !c.Action.Removes() {
				s.InSync++
			}
		}
		if !p.mode.DryRun {
			s.Totals.Changes = p.before.plus(res.Applied, res.Failed)
		}
	})
	p.contested = last.Contested
	return res
}

func (b *publisher) newResult(began time.Time, mode Mode, p *plan.Plan, problems spec.ProblemList, failures map[string]state.Failure) *Result {
	res := NewResult(mode, p, problems, failures)
	res.Seconds, res.Paused = time.Since(began).Seconds(), b.Status().Paused
	return res
}

// NewResult makes the result of a plan. failures are those before the pass. Every user is counted once, except by HeldInPart and
// Partial: declared ones (Users), and those who are no longer declared, of whom each has a change.
func NewResult(mode Mode, p *plan.Plan, problems spec.ProblemList, failures map[string]state.Failure) *Result {
	res := &Result{
		Schema: "usersyncd.result/v1", DryRun: mode.DryRun, Plan: p.ID, Digest: p.Digest, Revision: p.Revision,
		Unchanged: p.Unchanged, Users: p.DeclaredUsers(), Changed: len(p.Changes), Retained: p.Retained,
		Reads: p.Reads, Changes: p.Changes, Failures: []Failure{}, Holds: append([]plan.Hold{}, p.Holds...), ProblemList: problems,
		Notes: p.AllNotes(), Contested: slices.Clone(p.Contested), Calls: Calls{Retried: p.Resent},
		UserOutcomes: map[plan.Outcome]int{},
	}
	if res.Changes == nil {
		res.Changes = []*plan.Change{}
	}
	res.AdoptedUnchanged = p.AdoptedUnchanged()
	if mode.DryRun && len(problems.Problems) == 0 {
		res.WithoutSpec = p.ActiveWithoutSpec()
	}
	wrong := map[string]bool{}
	for _, problem := range p.Problems {
		if len(res.Problems) < spec.MaxProblems {
			res.Problems = append(slices.Clip(res.Problems), problem.Problem)
		} else {
			res.ProblemsLeftOut++
		}
		f := newFailure(problem.Key, problem.Pos, problem.Field+": "+problem.Message)
		f.Problem = true
		res.Failures = append(res.Failures, f)
		wrong[problem.Key] = true
	}
	res.Failed, res.Wrong = len(wrong), len(wrong)
	counts := map[plan.Outcome]*int{plan.Applied: &res.Applied, plan.Held: &res.Held, plan.Quarantined: &res.Quarantined, plan.Skipped: &res.Skipped,
		plan.Deferred: &res.Deferred, plan.Planned: &res.Pending}
	for _, c := range p.Changes {
		left := wrong[c.Key] && !c.Action.Removes() // a part of the user: somebody who is no longer declared may have the same address
		if left && c.Outcome != plan.Failed {
			res.Partial++
		}
		if n := counts[c.Outcome]; n != nil {
			*n++
		}
		if c.Action.Removes() && c.Outcome != plan.Applied {
			res.Undeclared++
		}
		switch {
		case c.Outcome == plan.Failed, c.Outcome == plan.Planned && c.Err != nil: // or refused for now
			f := newFailure(c.Key, c.Pos, c.Err.Error())
			if ce := (*apply.CallError)(nil); errors.As(c.Err, &ce) {
				f.Status, f.Code, f.CorrelationID = ce.Status, ce.Code, ce.CorrelationID
			}
			res.Failures = append(res.Failures, f)
			if c.Outcome == plan.Failed && !left {
				res.Failed++
			}
		case c.Outcome == plan.Quarantined:
			f := newFailure(c.Key, c.Pos, c.Note)
			f.Status, f.Code, f.CorrelationID = failures[c.Key].Status, failures[c.Key].Code, failures[c.Key].CorrelationID
			res.Failures = append(res.Failures, f)
		case c.Outcome == plan.Skipped && c.WaitsFor != "" && !c.WaitsForLeftOut:
			res.Waiting++
		}
		if c.HeldInPart() {
			res.HeldInPart++
		}
		res.UserOutcomes[c.UserOutcome()]++
		if len(c.Deferred) > 0 {
			res.WaitingForWindow++
			res.WindowOpens = plan.Earliest(res.WindowOpens, c.Until)
		}
		res.Retry = plan.Earliest(res.Retry, c.Retry)
		for _, w := range c.Withheld {
			res.Retry = plan.Earliest(res.Retry, w.Until)
		}
	}
	res.Retry = plan.Earliest(res.Retry, res.WindowOpens)
	return res
}
