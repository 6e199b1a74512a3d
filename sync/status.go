package sync

import (
	"sync/atomic"
	"time"

	"usersyncd/spec"
	"usersyncd/state"
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

// Status is where the program stands. It is a value: whoever wants to know reads the current one.
type Status struct {
	Phase      Phase
	Began      time.Time
	Revision   string
	Plan       string
	RollbackOf string // a rollback is under way: of what
	Users      int    // declared
	InSync     int    // of these, who are as declared, as far as known; in apply and idle
	Changed    int    // to be changed in this pass
	Applied    int
	Failed     int
	InFlight   int // requests under way, or waiting for their turn; in apply
	Reading    int // users whose further fields are read
	Read       int
	Beat       time.Time // of the last step; in apply there is one every few seconds
	// Moved is when the phase last changed, or a user was applied or read: Beat goes on without.
	Moved time.Time
	Last  *Result // of the last pass that had a plan, if it is over
	Err   error   // why the last pass ended early, when idle
	Standing
}

// Standing is what outlasts a pass.
type Standing struct {
	Success     time.Time      // when the last pass ended that nothing stopped, or that was interrupted and had applied something; zero if none did
	Refresh     time.Time      // when the organization was last read
	LastApplied *state.Applied // the tree that was last fully applied; nil if none was
	Paused      *state.Pause   // nothing is changed until somebody ends it
	Trouble     error          // why the last pass that has ended did so early; it stands until one ends well, or the API accepts the credentials again
	Passes      uint64         // that have ended
	Ailing      uint64         // of them, those that ended early
	Succeeded   uint64         // changes of all passes and rollbacks that have ended
	Failures    uint64         // the same, of those that failed
	Repairs     uint64         // fields that somebody else had changed, and that were changed back
	Damaged     uint64         // records of the state file that were lost
}

// Done counts the users of this pass that have reached their end.
func (s Status) Done() int { return s.Applied + s.Failed }

func (s *Status) from(res *Result) {
	s.Revision, s.Plan, s.Users = res.Revision, res.Plan, res.Users
	s.Changed, s.Applied, s.Failed = res.Changed, res.Applied, res.Failed
}

// A publisher shows others where the program stands. Only the loop writes to it.
type publisher struct {
	status   atomic.Pointer[Status]
	view     atomic.Pointer[View]
	loaded   atomic.Pointer[spec.Tree] // that was read last
	standing Standing
}

// Status returns the current status. It is safe to call at any time.
func (p *publisher) Status() Status {
	if s := p.status.Load(); s != nil {
		return *s
	}
	return Status{Phase: PhaseIdle}
}

func (p *publisher) set(s Status) {
	last := p.Status()
	s.Beat, s.Moved, s.Standing = time.Now(), last.Moved, p.standing
	if s.Last == nil {
		s.Last = last.Last
	}
	if s.Phase != last.Phase || s.Applied != last.Applied || s.Read != last.Read || s.Began != last.Began {
		s.Moved = s.Beat
	}
	p.status.Store(&s)
}
