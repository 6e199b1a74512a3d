// Package rpc is the daemon's local API: HTTP on a unix socket, between one version of the program and itself. ../README.md
// says which of its outputs are stable.
package rpc

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"usersyncd/spec"
	"usersyncd/spec/text"
	"usersyncd/state"
	usersync "usersyncd/sync"
	"usersyncd/sync/control"
	"usersyncd/sync/plan"
)

const (
	maxBody      = 64 << 10         // bytes of a request
	bodyTimeout  = 10 * time.Second // to read them
	writeTimeout = 30 * time.Second // of a response
	maxEvents    = 50_000           // of the history in one response
	routes       = "/v1/"           // before the name of a method
)

// Daemon is what the socket serves. Its methods are safe for concurrent use.
type Daemon interface {
	control.Source

	// Explain explains the state of the user with an address.
	Explain(ctx context.Context, email string) (*usersync.Explanation, error)

	// CopyState is state.Store.WriteCopy for the daemon's state file.
	CopyState(begin func(StateFile) (io.Writer, error)) error

	// Sync makes a pass as soon as the one under way has ended, and returns its result. With refresh it reads the
	// organization first, however recent the last reading is.
	Sync(ctx context.Context, refresh bool) (*usersync.Result, error)

	// Pause makes passes plan, and change nothing until Resume, also after a restart. The pass under way ends when the
	// requests in flight have come back.
	Pause(by, reason string) error

	// Resume ends a pause, and reports whether there was one.
	Resume(by string) (bool, error)

	// Release releases what is held under an id, or returns ErrNotHeld.
	Release(by, id string) (plan.Hold, error)

	// Rollback is Reconciler.Rollback, between two passes. A confirmed one, with the id of its plan, waits for no pass.
	Rollback(ctx context.Context, rollback plan.Rollback, planID, by string) (*usersync.Result, error)
}

// rollbackArgs are those of the method rollback. Most methods have one argument or none.
type rollbackArgs struct {
	Rollback plan.Rollback
	PlanID   string
}

// A response is what a method returns. A pass has a result, and may have an error, too.
type response[R any] struct {
	Result R
	Error  *remoteError
}

func handler(d Daemon, log *slog.Logger) http.Handler {
	mux := http.NewServeMux()
	handle(mux, log, "status", func(*http.Request, any) (control.Status, error) { return d.Status(), nil })
	handle(mux, log, "explain", func(r *http.Request, email string) (*usersync.Explanation, error) {
		if !strings.Contains(email, "@") {
			return nil, fmt.Errorf("%w: %q is not an email address", ErrBadRequest, email)
		}
		return d.Explain(r.Context(), email)
	})
	handle(mux, log, "history", func(_ *http.Request, q state.Query) ([]state.Event, error) {
		q.Email = spec.Key(q.Email)
		if q.Limit <= 0 || q.Limit > maxEvents {
			q.Limit = maxEvents
		}
		return d.History(q)
	})
	mux.HandleFunc("POST "+routes+"state", copyState(d))
	handle(mux, log, "sync", func(r *http.Request, refresh bool) (*usersync.Result, error) { return d.Sync(r.Context(), refresh) })
	handle(mux, log, "pause", func(r *http.Request, reason string) (any, error) { return nil, d.Pause(caller(r), reason) })
	handle(mux, log, "resume", func(r *http.Request, _ any) (bool, error) { return d.Resume(caller(r)) })
	handle(mux, log, "release", func(r *http.Request, id string) (plan.Hold, error) { return d.Release(caller(r), id) })
	handle(mux, log, "rollback", func(r *http.Request, args rollbackArgs) (*usersync.Result, error) {
		return d.Rollback(r.Context(), args.Rollback, args.PlanID, caller(r))
	})
	return mux
}

// handle registers a method.
func handle[A, R any](mux *http.ServeMux, log *slog.Logger, method string, call func(*http.Request, A) (R, error)) {
	mux.HandleFunc("POST "+routes+method, func(w http.ResponseWriter, r *http.Request) {
		var args A
		var resp response[R]
		connection := http.NewResponseController(w)
		_ = connection.SetReadDeadline(time.Now().Add(bodyTimeout))
		d := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBody))
		d.DisallowUnknownFields()
		err := d.Decode(&args)
		_ = connection.SetReadDeadline(time.Time{}) // the client may wait for hours
		if err != nil {
			err = fmt.Errorf("%w: is the command of another version? %w", ErrBadRequest, err)
		} else {
			resp.Result, err = call(r, args)
		}
		resp.Error = newRemoteError(err)
		data, err := json.Marshal(resp)
		if err != nil {
			log.Error("cannot write a response on the socket", "method", method, "error", err)
			http.Error(w, "cannot write the response", http.StatusInternalServerError)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_ = connection.SetWriteDeadline(time.Now().Add(writeTimeout))
		_, _ = w.Write(text.EscapeJSON(data)) // the client may be gone
	})
}
