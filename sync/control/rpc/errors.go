package rpc

import (
	"context"
	"errors"
	"net/http"

	"usersyncd/spec"
	usersync "usersyncd/sync"
	"usersyncd/sync/apply"
	"usersyncd/sync/plan"
)

// Why a command was not carried out, for errors.Is.
var (
	// ErrNoDaemon is returned by Dial when nobody listens on the socket.
	ErrNoDaemon = errors.New("no usersyncd listens")
	// ErrNotHeld is returned when nothing is held under an id.
	ErrNotHeld = errors.New("nothing is held under the id")
	// ErrRunning is returned by ListenSocket when another daemon answers on the socket.
	ErrRunning = errors.New("another usersyncd listens")
	// ErrStopping is returned for a command that was not carried out, or not to its end, because the daemon stops.
	ErrStopping = errors.New("the daemon is stopping; what was sent is recorded, and the rest is for the next one")
	// ErrEnded is returned if the daemon was there, and was gone before it had answered.
	ErrEnded = errors.New("the daemon ended before it had answered")
	// ErrQuestion is returned for a question that is none.
	ErrQuestion = errors.New("it cannot be asked like this")
)

// What became of a rollback, for errors.Is.
var (
	// ErrRollbackUnderWay is returned for another rollback, or the end of a pause, while one is under way.
	ErrRollbackUnderWay = errors.New("a rollback is under way; wait for its end, or end it with usersyncd pause")
	// ErrPaused is returned when somebody has paused it.
	ErrPaused = errors.New("it was paused")
)

// A kind is the name of an error that the other side can act on.
type kind struct {
	name string
	is   error
}

// kinds are in the order in which they are looked for: an error may be several.
func kinds() []kind {
	return []kind{
		{"undoing", ErrRollbackUnderWay}, {"paused", ErrPaused}, {"not-held", ErrNotHeld}, {"nothing-to-undo", usersync.ErrNothingToRollBack},
		{"cancelled", usersync.ErrNoNetChange},
		{"plan-moved", usersync.ErrPlanChanged}, {"ambiguous", plan.ErrAmbiguous}, {"question", ErrQuestion}, {"stopping", ErrStopping},
		{"problems", usersync.ErrProblems}, {"no-specs", spec.ErrNoSpecs}, {"nobody", plan.ErrUnknownAddress},
		{"unauthorized", apply.ErrUnauthorized}, {"throttled", apply.ErrThrottled},
	}
}

// failure is an error as it crosses the socket.
type failure struct {
	Kind    string `json:"kind,omitempty"`
	Message string `json:"error"`
}

func failed(err error) (failure, int) {
	if errors.Is(err, context.Canceled) { // who asked has gone and hears nothing, or it is the daemon that goes
		err = ErrStopping
	}
	f := failure{Message: err.Error()}
	for _, k := range kinds() {
		if errors.Is(err, k.is) {
			f.Kind = k.name
			return f, http.StatusConflict
		}
	}
	return f, http.StatusInternalServerError
}

func (f failure) Error() string { return f.Message }

// Unwrap makes errors.Is find on this side what it was on the other.
func (f failure) Unwrap() error {
	for _, k := range kinds() {
		if k.name == f.Kind {
			return k.is
		}
	}
	return nil
}
