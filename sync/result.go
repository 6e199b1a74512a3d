package sync

import (
	"errors"
	"slices"
	"time"

	"usersyncd/spec"
	"usersyncd/state"
)

// Result is what a pass did, and what is left. Its JSON is a contract: schema usersyncd.result/v1.
type Result struct {
	Schema      string       `json:"schema"`
	Mode        string       `json:"mode"` // once, plan or daemon
	DryRun      bool         `json:"dryRun"`
	Plan        string       `json:"plan"`
	Revision    string       `json:"revision"` // git commit, or hash of the tree's content
	Users       int          `json:"users"`    // declared
	Changed     int          `json:"changed"`  // users that differed
	Applied     int          `json:"applied"`
	Failed      int          `json:"failed"`
	Held        int          `json:"held"`
	Quarantined int          `json:"quarantined"`
	Skipped     int          `json:"skipped"`
	Waiting     int          `json:"waiting"`  // of those skipped: for another user, who did not come or go
	Deferred    int          `json:"deferred"` // all of what differs waits for a change window
	Pending     int          `json:"pending"`  // to be done, and not tried: a dry run, or a pass that ended early
	Unchanged   int          `json:"unchanged"`
	Calls       Calls        `json:"calls"` // a pass knows Retried; the rest is for whoever has the wire to fill in
	Seconds     float64      `json:"seconds"`
	Estimate    *Estimate    `json:"estimate,omitempty"` // of a plan
	Holds       []Hold       `json:"holds"`
	Notes       []string     `json:"notes,omitempty"`  // what is no error, and worth a look
	Paused      *state.Pause `json:"paused,omitempty"` // why nothing was applied
	Changes     []*Change    `json:"changes"`
	Failures    []Failure    `json:"failures"`

	Problems []spec.Problem `json:"problems,omitempty"` // users that were left out because of them
	Kept     int            `json:"kept"`               // managed users that are not declared, and stay as last applied while there are problems
	Retry    time.Time      `json:"-"`                  // when the first user leaves quarantine, or a change window opens for one; zero if there is none
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

// Failure is one user that could not be changed, with what its owner needs to mend it.
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

// report sums a pass up, and publishes that.
func (r *Reconciler) report(began time.Time, mode Mode, revision string, plan *Plan, problems []spec.Problem) *Result {
	res := r.sum(began, mode, revision, plan, problems)
	s := Status{Phase: "idle", Began: began, Last: res, InSync: plan.Unchanged}
	for _, c := range plan.Changes {
		if c.Standing() == Applied && !c.Action.Removes() {
			s.InSync++
		}
	}
	s.from(res)
	r.set(s)
	r.saw(plan)
	return res
}

func (r *Reconciler) sum(began time.Time, mode Mode, revision string, plan *Plan, problems []spec.Problem) *Result {
	res := &Result{
		Schema: "usersyncd.result/v1", DryRun: mode.DryRun, Plan: plan.ID, Revision: revision,
		Unchanged: plan.Unchanged, Users: plan.declared(), Changed: len(plan.Changes),
		Changes: plan.Changes, Failures: []Failure{}, Holds: plan.Holds, Notes: plan.Notes,
		Calls:    Calls{Retried: plan.resent},
		Problems: problems, Kept: plan.kept,
		Seconds: time.Since(began).Seconds(),
	}
	if res.Changes == nil {
		res.Changes = []*Change{}
	}
	if res.Holds == nil {
		res.Holds = []Hold{}
	}
	wrong := map[string]bool{}
	for _, p := range plan.Problems {
		res.Problems = append(slices.Clip(res.Problems), p.Problem)
		res.Failures = append(res.Failures, Failure{Email: p.Key, File: p.File, Line: p.Line, Column: p.Column, Message: p.Field + ": " + p.Message})
		if !wrong[p.Key] {
			wrong[p.Key] = true
			res.Failed++
		}
	}
	for _, c := range plan.Changes {
		switch c.Outcome {
		case Applied:
			res.Applied++
		case Failed:
			res.Failed++
			res.Failures = append(res.Failures, c.failure())
		case Quarantined:
			res.Quarantined++
			f := r.failures[c.Key]
			res.Failures = append(res.Failures, Failure{Email: c.Key, File: c.Pos.File, Line: c.Pos.Line, Column: c.Pos.Column,
				Status: f.Status, Code: f.Code, Message: c.Note, CorrelationID: f.CorrelationID})
		case Held:
			res.Held++
		case Skipped:
			res.Skipped++
			if c.Waits != "" {
				res.Waiting++
			}
		case Deferred:
			res.Deferred++
		case Planned:
			res.Pending++
		}
		if !c.retry.IsZero() && (res.Retry.IsZero() || c.retry.Before(res.Retry)) {
			res.Retry = c.retry
		}
	}
	if !mode.DryRun { // published with the phase that follows, so that nobody counts them twice
		r.standing.Succeeded += uint64(res.Applied)
		r.standing.Failures += uint64(res.Failed)
	}
	res.Paused = r.standing.Paused
	if waits, opens := res.Waits(); waits > 0 && (res.Retry.IsZero() || opens.Before(res.Retry)) {
		res.Retry = opens
	}
	return res
}

func (c *Change) failure() Failure {
	f := Failure{Email: c.Key, File: c.Pos.File, Line: c.Pos.Line, Column: c.Pos.Column, Message: c.Err.Error()}
	if ce := (*CallError)(nil); errors.As(c.Err, &ce) {
		f.Status, f.Code, f.CorrelationID = ce.Status, ce.Code, ce.CorrelationID
	}
	return f
}
