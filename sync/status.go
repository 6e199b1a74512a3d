package sync

import (
	"sync/atomic"
	"time"

	"usersyncd/spec"
	"usersyncd/state"
	"usersyncd/sync/apply"
	"usersyncd/sync/plan"
)

// A Phase is what the loop is doing.
type Phase string

// The phases.
const (
	PhaseScan    Phase = "scan"    // a pass reads the checkout
	PhaseWait    Phase = "wait"    // it waits until the API shows what was written a moment ago
	PhaseRefresh Phase = "refresh" // it reads the organization
	PhaseRead    Phase = "read"    // it reads fields that only single users show
	PhaseApply   Phase = "apply"   // it changes users
	PhaseIdle    Phase = "idle"    // no pass is under way
)

// Phases returns all of them.
func Phases() []Phase {
	return []Phase{PhaseScan, PhaseWait, PhaseRefresh, PhaseRead, PhaseApply, PhaseIdle}
}

// Status is what the loop publishes of itself: a value, replaced as a whole. Its JSON is a part of usersyncd.status/v1,
// see package control. Times are UTC.
type Status struct {
	Phase      Phase              `json:"phase"`
	Began      time.Time          `json:"began,omitzero"`   // of the pass under way, or else of the last one
	Beat       time.Time          `json:"beat,omitzero"`    // of the last step; in apply there is one every few seconds
	Moved      time.Time          `json:"moved,omitzero"`   // when the phase last changed, or a user was applied or read
	Success    time.Time          `json:"success,omitzero"` // when a pass last ended without an error, or was interrupted after it had applied something
	Refresh    time.Time          `json:"refresh,omitzero"` // when the organization was last read
	Revision   string             `json:"head"`             // of the checkout, as it was last read
	Applied    *state.AppliedTree `json:"applied,omitempty"`
	Plan       string             `json:"plan,omitempty"`   // id of the plan that is, or was last, carried out
	RollbackOf string             `json:"undoes,omitempty"` // what the rollback under way takes back: a revision, or since when
	Paused     *state.Pause       `json:"paused,omitempty"` // passes plan, and change nothing
	Users      int                `json:"users"`            // declared
	InSync     int                `json:"inSync"`           // of these, those who are as declared
	Reading    int                `json:"reading"`          // users whose detail fields this pass reads
	Read       int                `json:"read"`             // of these, so far
	Totals     Totals             `json:"totals"`

	Progress  apply.Progress `json:"-"` // of the plan that is, or was last, carried out
	Result    *Result        `json:"-"` // of the plan under way, without its changes, or else of the last pass that had one
	LastError error          `json:"-"` // of the last pass that ended with one; nil once a pass ends without, or the API accepts the credentials again
}

// Totals count since the process began.
type Totals struct {
	Passes       uint64                  `json:"passes"`      // that have ended
	FailedPasses uint64                  `json:"passErrors"`  // of them, with an error
	PassSeconds  float64                 `json:"passSeconds"` // that they took
	Changes      map[plan.Outcome]uint64 `json:"changes"`     // applied and failed, of passes and rollbacks; not written to
	Calls        Calls                   `json:"calls"`       // filled in by the daemon
	Damaged      uint64                  `json:"damaged"`     // records of the state file that were lost
	Repairs      uint64                  `json:"repairs"`     // fields that somebody else had changed, and that were changed back
}

// plus returns Changes with more of them.
func (t Totals) plus(applied, failed int) map[plan.Outcome]uint64 {
	return map[plan.Outcome]uint64{
		plan.Applied: t.Changes[plan.Applied] + uint64(applied), //nolint:gosec // it is not negative
		plan.Failed:  t.Changes[plan.Failed] + uint64(failed),   //nolint:gosec // it is not negative
	}
}

// A publisher shows others what the loop does. Only the loop writes to it.
type publisher struct {
	status atomic.Pointer[Status]
	view   atomic.Pointer[View]
	loaded atomic.Pointer[spec.Tree] // that was read last
}

// Tree returns the specs that were read last; nil before. It is safe to call at any time.
func (p *publisher) Tree() *spec.Tree { return p.loaded.Load() }

// Status returns the current status. It is safe to call at any time.
func (p *publisher) Status() Status {
	if s := p.status.Load(); s != nil {
		return *s
	}
	return Status{Phase: PhaseIdle, Totals: Totals{Changes: Totals{}.plus(0, 0)}}
}

// Beat publishes that the loop is alive between two passes.
func (p *publisher) Beat() { p.update(func(*Status) {}) }

// update publishes a changed status.
func (p *publisher) update(change func(*Status)) {
	before := p.Status()
	s := before
	change(&s)
	s.Beat = time.Now().UTC()
	if s.Phase != before.Phase || s.Progress.Applied != before.Progress.Applied || s.Read != before.Read || s.Began != before.Began {
		s.Moved = s.Beat
	}
	p.status.Store(&s)
}
