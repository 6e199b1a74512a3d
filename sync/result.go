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

// Result is what a pass did, and what is left. Its JSON is a contract: schema usersyncd.result/v1.
type Result struct {
	Schema      string            `json:"schema"`
	Mode        string            `json:"mode"` // once, plan or daemon
	DryRun      bool              `json:"dryRun"`
	Plan        string            `json:"plan"`
	Revision    string            `json:"revision"` // git commit, or hash of the tree's content
	Users       int               `json:"users"`    // declared
	Changed     int               `json:"changed"`  // users that differed
	Applied     int               `json:"applied"`
	Failed      int               `json:"failed"`  // users, those included of whom only a part could not be done
	Partial     int               `json:"partial"` // of these, those of whom the rest was planned or done: they count there, too
	Held        int               `json:"held"`
	HeldInPart  int               `json:"heldInPart,omitempty"` // of the others: a guard holds a field of theirs
	Quarantined int               `json:"quarantined"`
	Skipped     int               `json:"skipped"`
	Waiting     int               `json:"waiting"`  // of those skipped: for another user, who did not come or go
	Deferred    int               `json:"deferred"` // all of what differs waits for a change window
	Pending     int               `json:"pending"`  // to be done, and not tried: a dry run, or a pass that ended early
	Unchanged   int               `json:"unchanged"`
	Calls       Calls             `json:"calls"` // a pass knows Retried; the rest is for whoever has the wire to fill in
	Seconds     float64           `json:"seconds"`
	Estimate    *Estimate         `json:"estimate,omitempty"` // of a plan
	Holds       []plan.Hold       `json:"holds"`
	Notes       []string          `json:"notes,omitempty"`     // warnings
	Contested   []contest.Contest `json:"contested,omitempty"` // fields that somebody else keeps changing back
	Paused      *state.Pause      `json:"paused,omitempty"`    // why nothing was applied
	Changes     []*plan.Change    `json:"changes"`
	Failures    []Failure         `json:"failures"`

	Problems []spec.Problem `json:"problems,omitempty"` // users that were left out because of them
	Retained int            `json:"kept"`               // managed users that are not declared, and stay as last applied while there are problems
	Retry    time.Time      `json:"-"`                  // when the first user leaves quarantine, a change window opens for one, or a withheld field is looked at again; zero if there is none

	UserOutcomes     map[plan.Outcome]int `json:"-"` // changes by Change.UserOutcome
	WaitingForWindow int                  `json:"-"` // users of whom something waits for a change window
	WindowOpens      time.Time            `json:"-"` // when that opens for the first of them
}

// Estimate is what a plan will take. Whoever has the wire and the limiter fills it in.
type Estimate struct {
	Calls   int            `json:"calls"`
	Seconds float64        `json:"seconds"`
	Lanes   []LaneEstimate `json:"lanes"`
}

// LaneEstimate is when a lane will be through, with those before it.
type LaneEstimate struct {
	Lane    int     `json:"lane"`
	Name    string  `json:"name"`
	Calls   int     `json:"calls"`
	Seconds float64 `json:"seconds"` // from the beginning
}

// Calls counts requests to the API.
type Calls struct {
	Total     int `json:"total"`
	Reads     int `json:"reads"`
	Writes    int `json:"writes"`
	Throttled int `json:"throttled"` // answered 429
	Retried   int `json:"retried"`   // sent again after no usable answer, or with a newer version
}

// Add counts the wire's requests since an earlier moment in.
func (c *Calls) Add(now, earlier Calls) {
	c.Total += now.Total - earlier.Total
	c.Reads += now.Reads - earlier.Reads
	c.Writes += now.Writes - earlier.Writes
	c.Throttled += now.Throttled - earlier.Throttled
	c.Retried += now.Retried - earlier.Retried
}

// Failure is one user that could not be changed, with what its owner needs to fix it.
type Failure struct {
	Email         string `json:"email"`
	File          string `json:"file,omitempty"`
	Line          int    `json:"line,omitempty"`
	Column        int    `json:"column,omitempty"`
	Status        int    `json:"status,omitempty"`
	Code          string `json:"code,omitempty"`
	Message       string `json:"message"`
	CorrelationID string `json:"correlationId,omitempty"`
}

// publishResult sums a pass up, and publishes that.
func (p *pass) publishResult(revision string, last *plan.Plan, problems []spec.Problem) *Result {
	res := p.newResult(p.began, p.mode, revision, last, problems, p.failures)
	p.publishPlan(last)
	p.update(func(s *Status) {
		s.Phase, s.Began, s.Revision, s.Plan, s.Users, s.Result, s.Reading, s.Read = PhaseIdle, p.began.UTC(), revision, res.Plan, res.Users, res, 0, 0
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

func (b *publisher) newResult(began time.Time, mode Mode, revision string, p *plan.Plan, problems []spec.Problem, failures map[string]state.Failure) *Result {
	res := &Result{
		Schema: "usersyncd.result/v1", DryRun: mode.DryRun, Plan: p.ID, Revision: revision,
		Unchanged: p.Unchanged, Users: p.DeclaredUsers(), Changed: len(p.Changes),
		Changes: p.Changes, Failures: []Failure{}, Holds: p.Holds, Notes: p.AllNotes(), Contested: slices.Clone(p.Contested),
		Calls:    Calls{Retried: p.Resent},
		Problems: problems, Retained: p.Retained, UserOutcomes: map[plan.Outcome]int{},
		Seconds: time.Since(began).Seconds(),
	}
	if res.Changes == nil {
		res.Changes = []*plan.Change{}
	}
	if res.Holds == nil {
		res.Holds = []plan.Hold{}
	}
	wrong := map[string]bool{}
	for _, problem := range p.Problems {
		res.Problems = append(slices.Clip(res.Problems), problem.Problem)
		res.Failures = append(res.Failures, Failure{Email: problem.Key, File: problem.File, Line: problem.Line, Column: problem.Column, Message: problem.Field + ": " + problem.Message})
		if !wrong[problem.Key] {
			wrong[problem.Key] = true
			res.Failed++
		}
	}
	for _, c := range p.Changes {
		if wrong[c.Key] && !c.Action.Removes() {
			res.Partial++
		}
		switch c.Outcome {
		case plan.Applied:
			res.Applied++
		case plan.Failed:
			if !wrong[c.Key] {
				res.Failed++
			}
			res.Failures = append(res.Failures, failure(c))
		case plan.Quarantined:
			res.Quarantined++
			f := failures[c.Key]
			res.Failures = append(res.Failures, Failure{Email: c.Key, File: c.Pos.File, Line: c.Pos.Line, Column: c.Pos.Column,
				Status: f.Status, Code: f.Code, Message: c.Note, CorrelationID: f.CorrelationID})
		case plan.Held:
			res.Held++
		case plan.Skipped:
			res.Skipped++
			if c.WaitsFor != "" {
				res.Waiting++
			}
		case plan.Deferred:
			res.Deferred++
		case plan.Planned:
			res.Pending++
		}
		if c.HeldInPart() {
			res.HeldInPart++
		}
		res.UserOutcomes[c.UserOutcome()]++
		if len(c.Deferred) > 0 {
			res.WaitingForWindow++
			res.WindowOpens = plan.Earliest(res.WindowOpens, c.Until)
		}
		res.retryAt(c.Retry)
		for _, w := range c.Withheld {
			res.retryAt(w.Until)
		}
	}
	res.Paused = b.Status().Paused
	res.retryAt(res.WindowOpens)
	return res
}

// retryAt makes Retry that time, if it is one and no earlier one is known.
func (r *Result) retryAt(t time.Time) {
	r.Retry = plan.Earliest(r.Retry, t)
}

func failure(c *plan.Change) Failure {
	f := Failure{Email: c.Key, File: c.Pos.File, Line: c.Pos.Line, Column: c.Pos.Column, Message: c.Err.Error()}
	if ce := (*apply.CallError)(nil); errors.As(c.Err, &ce) {
		f.Status, f.Code, f.CorrelationID = ce.Status, ce.Code, ce.CorrelationID
	}
	return f
}
