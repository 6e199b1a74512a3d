package control

import (
	"errors"
	"slices"
	"syscall"
	"time"

	"usersyncd/spec"
	"usersyncd/spec/text"
	"usersyncd/state"
	usersync "usersyncd/sync"
	"usersyncd/sync/apply"
	"usersyncd/sync/plan"
	"usersyncd/sync/plan/contest"
)

// Source is what the page, the metrics and the socket read. Its methods are safe for concurrent use, return at once, and
// return what is the caller's own.
type Source interface {
	Status() Status

	// Plan returns the changes of the pass under way, or else of the last one, in the order of application, as planned or, of a
	// pass that has ended, as they ended.
	Plan() []plan.Change

	// History returns what was written, the newest first.
	History(q state.Query) ([]state.Event, error)
}

// StatusSchema is the schema of Status.
const StatusSchema = "usersyncd.status/v1"

// Status is the state of the daemon at one moment: what the loop publishes, and what the daemon adds. "usersyncd status" prints
// it, the page shows it, and metrics and health checks are made from it. Its JSON is stable: schema usersyncd.status/v1. Times
// are UTC.
type Status struct {
	Schema  string    `json:"schema"`
	Version string    `json:"version"`
	PID     int       `json:"pid,omitempty"` // 0: no daemon runs, and this is from the state file
	Now     time.Time `json:"now"`           // when this status was made
	Started time.Time `json:"started,omitzero"`
	Dir     string    `json:"dir,omitempty"`
	API     string    `json:"api,omitempty"` // base URL

	usersync.Status // without a phase if no daemon runs

	Next  time.Time `json:"next,omitzero"`   // when the next pass is due, if nothing happens before
	Stuck string    `json:"stuck,omitempty"` // why the loop or a worker counts as stuck
	Error string    `json:"error,omitempty"` // LastError, on one line
	// AsOf is, if no daemon runs, when the pass ended that has left all this; zero if none is recorded. ErrorAt is when a pass ended
	// with Error.
	AsOf    time.Time `json:"asOf,omitzero"`
	ErrorAt time.Time `json:"errorAt,omitzero"`
	// RolledBack is, if no daemon runs, what a rollback has changed after that pass.
	RolledBack *usersync.RolledBack `json:"rolledBack,omitempty"`
	// CredentialsDead is whether the API, or its login service, has rejected the credentials, and not accepted them since.
	CredentialsDead bool `json:"credentialsDead"`
	// StateError is why the state file cannot be read or written; "" if it can.
	StateError string `json:"stateError,omitempty"`
	Dirty      bool   `json:"dirty"`              // spec files differ from head's commit: its revision ends in -dirty
	Settings   string `json:"settings,omitempty"` // why the configuration on disk is invalid, and not in use

	Pending     int `json:"pending"`              // to be changed, and not yet
	Changing    int `json:"changing"`             // in the pass under way
	Done        int `json:"done"`                 // of these
	Unanswered  int `json:"unanswered,omitempty"` // of the others: their last call had no usable response, so that it is made again, or what it did is looked up
	Failed      int `json:"failed"`
	FailedSpecs int `json:"failedSpecs,omitempty"` // of these, those with problems in their specs that only the organization shows
	Held        int `json:"held"`
	Quarantined int `json:"quarantined"`
	Skipped     int `json:"skipped"`
	Deferred    int `json:"deferred"` // wait for a change window
	// Undeclared counts those among the others who are no longer declared: Users does not have them.
	Undeclared int `json:"undeclared,omitempty"`
	Problems   int `json:"problems"` // in the specs
	// Retained counts managed users who are not declared, or have problems, and stay because of problems in the specs, or an
	// incomplete reading. Problems that only the organization shows, such as unknown names, keep nobody else.
	Retained int `json:"kept,omitempty"`
	// Opens is when the change window opens for the first of those who wait for it.
	Opens time.Time `json:"opens,omitzero"`

	Holds    []plan.Hold        `json:"holds"`
	Released []string           `json:"released,omitempty"` // ids that a person has released, for the next pass
	Failures []usersync.Failure `json:"failures"`           // the first ones, failed or in quarantine
	Specs    []spec.Problem     `json:"specs"`              // the first problems in the specs
	Notes    []string           `json:"notes,omitempty"`    // warnings

	Contested      int               `json:"contested"`          // fields that somebody else keeps changing back
	ContestedUsers int               `json:"contestedUsers"`     // whose fields these are
	Contests       []contest.Contest `json:"contests,omitempty"` // the first of the fields

	Watch   Watch   `json:"watch"`
	Limiter Limiter `json:"limiter"`
}

// Watch is how changes of the checkout are detected.
type Watch struct {
	Mode   string `json:"mode"` // starting, watching or polling; "" if no daemon runs
	Dirs   int    `json:"dirs"`
	Reason string `json:"reason,omitempty"` // why it polls
}

// Limiter is how fast requests are sent, and why. Rates are requests per second, times seconds.
type Limiter struct {
	Rate      float64 `json:"rate"` // used now
	AIMD      float64 `json:"aimd"` // what AIMD and slow start allow
	Reason    string  `json:"reason"`
	Windowed  bool    `json:"windowed"` // the API's headers describe the window, and the next four count
	Allowed   int     `json:"allowed"`
	Left      int     `json:"left"`
	Others    int     `json:"others"`
	Reset     float64 `json:"reset"`
	Gate      float64 `json:"gate"` // until the API may be asked again
	InFlight  int     `json:"inFlight"`
	Expected  int     `json:"expected"` // requests still to be made
	Estimate  float64 `json:"estimate"` // how long they will take
	Throttled uint64  `json:"throttled"`
	Decreases uint64  `json:"decreases"`
	Sent      uint64  `json:"sent"`
	Tokens    int     `json:"tokens"`
}

// LimitedBy says what limits the rate.
func (l *Limiter) LimitedBy() string {
	return map[string]string{
		"paced":     "the quota, spread over the rest of its window",
		"rush":      "the maximum rate: all calls fit into the quota",
		"inflight":  "the maximum number of calls in flight",
		"rate":      "the rate limit",
		"exhausted": "the quota, which is used up",
		"gate":      "a pause that the API asked for",
		"parked":    "a long pause that the API asked for",
		"probe":     "a single call, whose answer shows the quota; the others wait for it",
	}[l.Reason]
}

// Rejected are the listed failures that are not among the problems of the specs.
func (s *Status) Rejected() []usersync.Failure {
	return slices.DeleteFunc(slices.Clone(s.Failures), func(f usersync.Failure) bool { return f.Problem })
}

// RejectedUsers counts the users whose change the API has rejected, in this pass or before.
func (s *Status) RejectedUsers() int { return s.Failed - s.FailedSpecs + s.Quarantined }

// mostListed is how many failures, problems and contests a status lists. It counts all of them.
const mostListed = 50

// New returns a status with what the loop has published.
func New(st usersync.Status) Status {
	s := Status{Schema: StatusSchema, Status: st, Dirty: spec.IsDirty(st.Revision), Holds: []plan.Hold{}, Failures: []usersync.Failure{}, Specs: []spec.Problem{}}
	if st.LastError != nil {
		s.Error = text.OneLine(st.LastError.Error())
		s.CredentialsDead = errors.Is(st.LastError, apply.ErrUnauthorized)
		if isStateError(st.LastError) {
			s.StateError = s.Error
		}
	}
	if r := st.Result; r != nil {
		s.Pending, s.Failed, s.Quarantined, s.Skipped = r.Pending, r.Failed, r.Quarantined, r.Skipped
		s.FailedSpecs, s.Undeclared, s.Retained = r.Wrong, r.Undeclared, r.Retained
		s.Held, s.Deferred, s.Opens = r.UserOutcomes[plan.Held], r.UserOutcomes[plan.Deferred], r.WindowOpens
		s.Holds, s.Notes, s.Problems, s.Contested = r.Holds, r.Notes, r.ProblemCount(), len(r.Contested)
		s.Failures, s.Specs, s.Contests = first(r.Failures, mostListed), append(s.Specs, first(r.Problems, mostListed)...), first(r.Contested, mostListed)
		users := map[string]bool{}
		for _, c := range r.Contested {
			users[c.Email] = true
		}
		s.ContestedUsers = len(users)
	}
	if p := st.Progress; st.Phase == usersync.PhaseApply {
		s.Changing, s.Done, s.Failed, s.FailedSpecs, s.Pending, s.Unanswered = p.Changed, p.Done(), p.Failed, 0, max(0, p.Changed-p.Done()), p.Unanswered
	}
	return s
}

// Outdated reports whether the numbers are of a pass before the last one, which failed before it had compared all users.
func (s *Status) Outdated() bool {
	return s.PID == 0 && s.Error != "" && !s.AsOf.IsZero() && s.ErrorAt.After(s.AsOf)
}

// PassUnderWay reports whether a pass is under way.
func (s *Status) PassUnderWay() bool { return s.Phase != usersync.PhaseIdle && s.Phase != "" }

// Progresses reports whether the pass under way has applied or read a user, unlike passes that failed before.
func (s *Status) Progresses() bool {
	// Failed is of the pass before, until it applies.
	return s.PassUnderWay() && s.Read > 0 || s.Phase == usersync.PhaseApply && s.Done > s.Failed
}

// isStateError reports whether a pass ended because the state file cannot be read or written.
func isStateError(err error) bool {
	return slices.ContainsFunc([]error{state.ErrDamaged, state.ErrReplaced, syscall.ENOSPC, syscall.EROFS, syscall.EDQUOT, syscall.EIO},
		func(why error) bool { return errors.Is(err, why) })
}

func first[T any](all []T, n int) []T { return all[:min(len(all), n)] }
