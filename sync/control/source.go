package control

import (
	"context"

	"usersyncd/state"
	usersync "usersyncd/sync"
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

// Daemon is what the socket's commands are carried out by. Its methods are safe for concurrent use.
type Daemon interface {
	Source

	// Explain says what there is to say about the user with an address.
	Explain(ctx context.Context, email string) (*usersync.Explanation, error)

	// Sync makes a pass as soon as the one under way has ended, and returns what it did. With refresh it reads
	// the organization first, however recent the last reading is.
	Sync(ctx context.Context, refresh bool) (*usersync.Result, error)

	// Pause makes the passes look and change nothing, until Resume. One that is under way ends once what is
	// in flight has come back. It outlasts a restart.
	Pause(by, reason string) error

	// Resume ends a pause, and reports whether there was one.
	Resume(by string) (bool, error)

	// Release lets through what is held under an id. ErrNotHeld says that nothing is.
	Release(by, id string) (plan.Hold, error)

	// Rollback is Reconciler.Rollback, between two passes. Once it is agreed to, it waits for none.
	Rollback(ctx context.Context, undo plan.Rollback, agreed, by string) (*usersync.Result, error)
}
