package rpc

import (
	"context"
	"errors"
	"slices"

	"usersyncd/spec"
	usersync "usersyncd/sync"
	"usersyncd/sync/apply"
	"usersyncd/sync/plan"
)

// Why a command was not carried out, for errors.Is.
var (
	// ErrNoDaemon is returned by Dial when no daemon listens on the socket.
	ErrNoDaemon = errors.New("no usersyncd daemon listens")
	// ErrRunning is returned by ListenSocket when another daemon answers on the socket.
	ErrRunning = errors.New("another usersyncd daemon listens")
	// ErrBadRequest is returned for a request that the daemon does not understand.
	ErrBadRequest = errors.New("invalid request")
	// ErrStopping is returned for a command that was not carried out, or not completely, because the daemon stops.
	ErrStopping = errors.New("the daemon is stopping; requests that were sent are recorded, and the next one does the rest")
	// ErrEnded is returned if the daemon was there, and ended before it had responded.
	ErrEnded = errors.New("the daemon ended before it responded")
	// ErrNotHeld is returned when nothing is held under an id.
	ErrNotHeld = errors.New("nothing is held under the id")
	// ErrRollbackUnderWay is returned for another rollback, or a resume, while one is under way.
	ErrRollbackUnderWay = errors.New("a rollback is under way; wait until it ends, or end it with usersyncd pause")
	// ErrPaused is returned for a rollback that a pause has ended.
	ErrPaused = errors.New("a pause ended the rollback")
)

// kinds are the errors that a client can act on, in order of precedence: an error may be several.
func kinds() []error {
	return []error{
		ErrRollbackUnderWay, ErrPaused, ErrNotHeld, usersync.ErrNothingToRollBack, usersync.ErrNoNetChange, usersync.ErrPlanChanged,
		plan.ErrAmbiguous, ErrBadRequest, ErrStopping, usersync.ErrProblems, spec.ErrNoSpecs, plan.ErrUnknownAddress, plan.ErrUndeclaredAddress,
		apply.ErrUnauthorized, apply.ErrThrottled,
	}
}

// A remoteError is an error as it crosses the socket.
type remoteError struct {
	Kind    string // text of one of the kinds; "": another error
	Message string
}

func newRemoteError(err error) *remoteError {
	if err == nil {
		return nil
	}
	if errors.Is(err, context.Canceled) { // the client is gone, or the daemon stops
		err = ErrStopping
	}
	e := &remoteError{Message: err.Error()}
	if i := slices.IndexFunc(kinds(), func(kind error) bool { return errors.Is(err, kind) }); i >= 0 {
		e.Kind = kinds()[i].Error()
	}
	return e
}

func (e *remoteError) Error() string { return e.Message }

// Unwrap makes errors.Is find on this side what it was on the other.
func (e *remoteError) Unwrap() error {
	if i := slices.IndexFunc(kinds(), func(kind error) bool { return kind.Error() == e.Kind }); i >= 0 {
		return kinds()[i]
	}
	return nil
}
