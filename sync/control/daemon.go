package control

import (
	"context"

	usersync "usersyncd/sync"
	"usersyncd/sync/plan"
)

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
	Rollback(ctx context.Context, undo plan.Undo, agreed, by string) (*usersync.Result, error)
}
