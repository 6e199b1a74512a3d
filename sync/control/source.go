package control

import (
	"usersyncd/state"
	"usersyncd/sync/plan"
)

// Source is where the page, the metrics and the socket look. Its methods are safe for concurrent use, answer
// at once, and return what is the caller's own.
type Source interface {
	// Status says how the daemon does now.
	Status() Status

	// Plan returns the changes of the pass that is under way, or else of the last one, in the order of
	// application, as they were when they were planned or, of a pass that has ended, as they ended.
	Plan() []plan.Change

	// History returns what was written, the newest first.
	History(q state.Query) ([]state.Event, error)
}
