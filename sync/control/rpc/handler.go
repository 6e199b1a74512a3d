// Package rpc is the daemon's local API: HTTP on a unix socket, between one version of the program and itself. ../README.md
// says what may be relied on.
package rpc

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"time"

	"usersyncd/spec"
	"usersyncd/state"
	usersync "usersyncd/sync"
	"usersyncd/sync/control"
	"usersyncd/sync/plan"
)

// Daemon is what the socket's commands are carried out by. Its methods are safe for concurrent use.
type Daemon interface {
	control.Source

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

// The routes of the socket. Their JSON is between one version's program and itself, but for what the commands
// print: status, explain, history and results.

const (
	maxBody      = 64 << 10 // bytes of a command
	mostRecords  = 50_000   // of the history in one answer
	routeStatus  = "/v1/status"
	routeExplain = "/v1/explain"
	routeHistory = "/v1/history"
	routeSync    = "/v1/sync"
	routePause   = "/v1/pause"
	routeResume  = "/v1/resume"
	routeRelease = "/v1/release"
	routeUndo    = "/v1/rollback"
)

// What a command says.
type (
	syncRequest    struct{ Refresh bool }
	pauseRequest   struct{ Reason string }
	resumeAnswer   struct{ WasPaused bool }
	releaseRequest struct{ ID string }
	undoRequest    struct {
		Undo   plan.Rollback
		Agreed string
	}
)

// resultAnswer is a pass: what it did, and why it ended early, which may both be.
type resultAnswer struct {
	Result *usersync.Result
	Err    *failure
}

func handler(d Daemon, log *slog.Logger) http.Handler {
	mux := http.NewServeMux()
	get := func(route string, answer func(*http.Request) (any, error)) {
		mux.HandleFunc("GET "+route, func(w http.ResponseWriter, r *http.Request) { respond(w, r, log, answer) })
	}
	get(routeStatus, func(*http.Request) (any, error) { return d.Status(), nil })
	get(routeExplain, func(r *http.Request) (any, error) {
		email := r.FormValue("email")
		if !strings.Contains(email, "@") {
			return nil, fmt.Errorf("%w: email: %q is no address", ErrQuestion, email)
		}
		return d.Explain(r.Context(), email)
	})
	get(routeHistory, func(r *http.Request) (any, error) {
		q, err := parseQuery(r)
		if err != nil {
			return nil, err
		}
		return d.History(q)
	})
	post(mux, log, routeSync, func(r *http.Request, c syncRequest) (any, error) {
		res, err := d.Sync(r.Context(), c.Refresh)
		return result(res, err), nil
	})
	post(mux, log, routePause, func(r *http.Request, c pauseRequest) (any, error) {
		return struct{}{}, d.Pause(caller(r), c.Reason)
	})
	post(mux, log, routeResume, func(r *http.Request, _ struct{}) (any, error) {
		was, err := d.Resume(caller(r))
		return resumeAnswer{was}, err
	})
	post(mux, log, routeRelease, func(r *http.Request, c releaseRequest) (any, error) { return d.Release(caller(r), c.ID) })
	post(mux, log, routeUndo, func(r *http.Request, c undoRequest) (any, error) {
		res, err := d.Rollback(r.Context(), c.Undo, c.Agreed, caller(r))
		return result(res, err), nil
	})
	return mux
}

func result(res *usersync.Result, err error) resultAnswer {
	a := resultAnswer{Result: res}
	if err != nil {
		f, _ := failed(err)
		a.Err = &f
	}
	return a
}

func post[C any](mux *http.ServeMux, log *slog.Logger, route string, do func(*http.Request, C) (any, error)) {
	mux.HandleFunc("POST "+route, func(w http.ResponseWriter, r *http.Request) {
		respond(w, r, log, func(r *http.Request) (any, error) {
			var c C
			d := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBody))
			d.DisallowUnknownFields()
			if err := d.Decode(&c); err != nil {
				return nil, fmt.Errorf("%w: the command cannot be read, which is of another version perhaps: %w", ErrQuestion, err)
			}
			return do(r, c)
		})
	})
}

func respond(w http.ResponseWriter, r *http.Request, log *slog.Logger, answer func(*http.Request) (any, error)) {
	v, err := answer(r)
	status := http.StatusOK
	if err != nil {
		v, status = failed(err)
	}
	data, err := json.Marshal(v)
	if err != nil {
		data, status = []byte(`{"error":"the answer cannot be written"}`), http.StatusInternalServerError
		log.Error("an answer on the socket cannot be written", "route", r.URL.Path, "error", err)
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(data) // who asked has gone
}

// The query of history as it is in an address.
func parseQuery(r *http.Request) (q state.Query, err error) {
	q = state.Query{Email: spec.Key(r.FormValue("email")), ID: r.FormValue("id"), Revision: r.FormValue("revision"), Limit: mostRecords}
	if s := r.FormValue("since"); s != "" {
		if q.Since, err = time.Parse(time.RFC3339Nano, s); err != nil {
			return q, fmt.Errorf("%w: since: %w", ErrQuestion, err)
		}
	}
	if s := r.FormValue("limit"); s != "" {
		n, err := strconv.Atoi(s)
		if err != nil || n < 1 {
			return q, fmt.Errorf("%w: limit: %q is not a number from 1 on", ErrQuestion, s)
		}
		q.Limit = min(n, mostRecords)
	}
	return q, nil
}
