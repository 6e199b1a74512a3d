package control

import (
	"time"

	"usersyncd/spec"
	"usersyncd/state"
	usersync "usersyncd/sync"
	"usersyncd/sync/plan"
	"usersyncd/sync/plan/contest"
)

// StatusSchema names the contract.
const StatusSchema = "usersyncd.status/v1"

// Status is how the daemon does at one moment: what "usersyncd status" prints, what the page draws and what
// metrics and health are made of. Its JSON is a contract: schema usersyncd.status/v1. Times are UTC.
type Status struct {
	Schema  string    `json:"schema"`
	Version string    `json:"version"`
	PID     int       `json:"pid,omitempty"` // 0: no daemon runs, and this is what the state file says
	Now     time.Time `json:"now"`           // when this was put together
	Started time.Time `json:"started,omitzero"`
	Dir     string    `json:"dir,omitempty"`
	API     string    `json:"api,omitempty"` // base URL

	Phase   usersync.Phase `json:"phase"` // "" if no daemon runs
	Began   time.Time      `json:"began,omitzero"`
	Beat    time.Time      `json:"beat,omitzero"`    // of the loop's, or its workers', last sign of life
	Moved   time.Time      `json:"moved,omitzero"`   // when the phase last changed, or a user was applied or read
	Success time.Time      `json:"success,omitzero"` // when the last pass ended that nothing stopped
	Next    time.Time      `json:"next,omitzero"`    // when the next pass is due, if nothing happens before
	Stuck   string         `json:"stuck,omitempty"`  // why the loop or a worker counts as stuck
	Error   string         `json:"error,omitempty"`  // why the last pass that has ended did so early; it stands until one ends well, or the API accepts the credentials again
	// CredentialsDead is whether the last pass ended because the API, or its login service, refused the credentials,
	// and has not accepted them since.
	CredentialsDead bool `json:"credentialsDead"`
	// StateError is why the state file cannot be read or written; "" as long as it can.
	StateError string `json:"stateError,omitempty"`

	Head    string         `json:"head"`              // revision of the checkout, as it was read last
	Dirty   bool           `json:"dirty"`             // spec files differ from head's commit: its revision ends in -dirty
	Applied *state.Applied `json:"applied,omitempty"` // the revision that was last fully applied; nil if none was
	Plan    string         `json:"plan,omitempty"`    // id of the plan that is, or was last, carried out
	Undoes  string         `json:"undoes,omitempty"`  // a rollback is under way: of a revision, or since when
	Paused  *state.Pause   `json:"paused,omitempty"`  // by a person: passes look, and change nothing
	Refresh time.Time      `json:"refresh,omitzero"`  // when the organization was last read

	Users       int `json:"users"` // declared
	InSync      int `json:"inSync"`
	Pending     int `json:"pending"`  // to be changed, and not yet
	Changing    int `json:"changing"` // in the pass under way
	Done        int `json:"done"`     // of these
	Reading     int `json:"reading"`  // whose further fields this pass reads
	Read        int `json:"read"`     // of these, so far
	Failed      int `json:"failed"`
	Held        int `json:"held"`
	Quarantined int `json:"quarantined"`
	Skipped     int `json:"skipped"`
	Deferred    int `json:"deferred"` // wait for a change window
	Problems    int `json:"problems"` // in the specs
	// Opens is when the change window opens for the first of those who wait for it.
	Opens time.Time `json:"opens,omitzero"`

	Holds    []plan.Hold        `json:"holds"`
	Failures []usersync.Failure `json:"failures"`           // the first ones, failed or in quarantine
	Specs    []spec.Problem     `json:"specs"`              // the first problems in the specs
	Notes    []string           `json:"notes,omitempty"`    // warnings
	Settings string             `json:"settings,omitempty"` // why the configuration on disk is not the one in force

	Contested      int               `json:"contested"`          // fields that somebody else keeps changing back
	ContestedUsers int               `json:"contestedUsers"`     // whose fields these are
	Contests       []contest.Contest `json:"contests,omitempty"` // the first of the fields

	Watch   Watch   `json:"watch"`
	Limiter Limiter `json:"limiter"`
	// Totals are of this process.
	Totals Totals `json:"totals"`
}

// Watch is how changes of the checkout are noticed.
type Watch struct {
	Mode   string `json:"mode"` // starting, watching or polling; "" if no daemon runs
	Dirs   int    `json:"dirs"`
	Reason string `json:"reason,omitempty"` // why it polls
}

// Limiter is how fast requests are made, and why. Rates are requests a second, times seconds.
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

// Totals count since the process began.
type Totals struct {
	Passes      uint64            `json:"passes"`
	PassErrors  uint64            `json:"passErrors"`
	PassSeconds float64           `json:"passSeconds"`
	Changes     map[string]uint64 `json:"changes"` // by result: applied, failed
	Calls       usersync.Calls    `json:"calls"`
	Damaged     uint64            `json:"damaged"` // records of the state file that were lost
	Repairs     uint64            `json:"repairs"` // fields that somebody else had changed, and that were changed back
}

// Count adds a change that a plan did not let go, or puts off.
func (s *Status) Count(o plan.Outcome) {
	switch o {
	case plan.Held:
		s.Held++
	case plan.Quarantined:
		s.Quarantined++
	case plan.Skipped:
		s.Skipped++
	case plan.Deferred:
		s.Deferred++
	}
}

// Show lists the first of the failures, problems and contests, and counts all of them.
func (s *Status) Show(failures []usersync.Failure, problems []spec.Problem, contests []contest.Contest, most int) {
	s.Problems = len(problems)
	s.Failures = append([]usersync.Failure{}, failures[:min(len(failures), most)]...)
	s.Specs = append([]spec.Problem{}, problems[:min(len(problems), most)]...)
	s.Contested, s.Contests = len(contests), contests[:min(len(contests), most)]
	users := map[string]bool{}
	for _, c := range contests {
		users[c.Email] = true
	}
	s.ContestedUsers = len(users)
}
