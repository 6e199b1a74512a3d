package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/user"
	"time"

	"github.com/spf13/cobra"

	"usersyncd/cmd/usersyncd/internal/config"
	"usersyncd/spec"
	"usersyncd/state"
	usersync "usersyncd/sync"
	"usersyncd/sync/control"
	"usersyncd/sync/control/rpc"
	"usersyncd/sync/genesys"
	"usersyncd/sync/plan"
)

// A backend answers the commands that only read: the daemon or, when none runs, the state file.
type backend interface {
	Status(ctx context.Context) (control.Status, error)
	Explain(ctx context.Context, email string) (*usersync.Explanation, error)
	History(ctx context.Context, q state.Query) ([]state.Event, error)
	Close()
}

func openBackend(ctx context.Context, c *config.Config) (backend, error) {
	client, err := dial(ctx, c)
	if err == nil {
		return client, nil
	}
	if !errors.Is(err, rpc.ErrNoDaemon) {
		return nil, err
	}
	path, failed := c.StatePath()
	if failed != nil {
		return nil, failed
	}
	store, failed := state.OpenReadOnly(path, state.Options{})
	if errors.Is(failed, state.ErrLocked) {
		return nil, fmt.Errorf("%w; %w", err, lockHint(c, failed))
	}
	if failed != nil {
		return nil, failed
	}
	meta, failed := store.Meta()
	last, unread := usersync.ReadLastPass(store)
	failed = cmp.Or(failed, unread)
	s := stateFile{store: store, meta: meta, last: last, c: c}
	switch {
	case failed != nil:
		return nil, errors.Join(failed, store.Close())
	case store.Empty() && meta.Rebuilt:
		s.empty = fmt.Errorf("%w, and the state file %s is damaged: the next pass sets it aside and reads the organization again", err, path)
	case store.Empty():
		s.empty = fmt.Errorf("%w, and there is no state file %s: give the one that the service, or the run in CI, uses with --state", err, path)
	}
	return s, nil
}

// dial finds the daemon. It returns rpc.ErrNoDaemon if none answers.
func dial(ctx context.Context, c *config.Config) (*rpc.Client, error) {
	paths, err := c.Sockets()
	if err != nil {
		return nil, err
	}
	var missed error
	for _, path := range paths {
		if path == "" {
			return nil, rpc.ErrNoDaemon
		}
		client, err := rpc.Dial(ctx, path)
		if err == nil || !errors.Is(err, rpc.ErrNoDaemon) {
			return client, err
		}
		missed = cmp.Or(missed, err)
	}
	return nil, missed
}

// A stateFile is the backend without a daemon.
type stateFile struct {
	store *state.Store
	meta  state.Meta
	last  *usersync.LastPass // nil: none is recorded
	c     *config.Config
	empty error // why there is nothing in it; nil if there is
}

func (s stateFile) Status(context.Context) (control.Status, error) {
	published := usersync.Status{}
	if s.last != nil {
		published = s.last.Status()
	}
	published.Applied, published.Paused, published.Refresh = s.meta.AppliedTree, s.meta.Pause, s.meta.Refresh.At.UTC()
	st := control.New(published)
	st.Version, st.Now, st.Released = version(), time.Now().UTC(), s.meta.Releases
	if s.meta.Org != nil {
		st.API = s.meta.Org.API
	}
	switch {
	case s.last != nil:
		st.AsOf, st.ErrorAt, st.RolledBack = s.last.Shown().At, s.last.ErrorAt, s.last.RolledBack
	case s.meta.Converged != nil && s.meta.Converged.Digest != "": // by an older usersyncd
		st.Users, st.InSync = s.meta.Converged.Users, s.meta.Converged.Users
		fallthrough
	default:
		st.Quarantined = s.meta.Failures
	}
	return st, s.empty
}

// Explain implements backend. It reads the specs, too.
func (s stateFile) Explain(ctx context.Context, email string) (*usersync.Explanation, error) {
	if s.c.Dir == "" {
		return nil, usage("no daemon runs, so the directory of the specs is needed: usersyncd explain EMAIL DIR")
	}
	policy, err := s.c.Policy()
	if err != nil {
		return nil, err
	}
	policy.Capabilities = genesys.Capabilities()
	return usersync.Explain(ctx, spec.NewLoader(s.c.Dir), s.store, policy, email)
}

func (s stateFile) History(_ context.Context, q state.Query) ([]state.Event, error) {
	events, err := s.store.History(q)
	return events, cmp.Or(s.empty, err)
}

func (s stateFile) Close() { _ = s.store.Close() } // it was only read

// A change is what pause, resume or release has changed, as usersyncd.change/v1.
type change struct {
	Schema  string     `json:"schema"`
	Command string     `json:"command"`
	Daemon  bool       `json:"daemon"`         // the daemon did it; false: it is in the state file, for the next pass
	Changed bool       `json:"changed"`        // false: there was nothing to do
	ID      string     `json:"id,omitempty"`   // that was released
	Hold    *plan.Hold `json:"hold,omitempty"` // under the id; without a daemon it is not known
	Message string     `json:"message"`
}

// change has the daemon change something or, when none runs, writes to the state file what the next pass will find there.
func (p process) change(cmd *cobra.Command, c *config.Config, daemon func(context.Context, *rpc.Client) (change, error), file func(*state.Store) (change, error)) error {
	var done change
	client, err := dial(cmd.Context(), c)
	switch {
	case err == nil:
		defer client.Close()
		done, err = daemon(cmd.Context(), client)
		done.Daemon = true
	case errors.Is(err, rpc.ErrNoDaemon):
		done, err = changeFile(c, file)
	}
	if err != nil {
		return err
	}
	done.Schema, done.Command = "usersyncd.change/v1", cmd.Name()
	return p.show(c, done, func(w io.Writer) { fmt.Fprintln(w, done.Message) })
}

// changeFile changes an existing state file.
func changeFile(c *config.Config, file func(*state.Store) (change, error)) (done change, err error) {
	path, err := c.StatePath()
	if err != nil {
		return done, err
	}
	if _, err := os.Stat(path); err != nil {
		return done, fmt.Errorf("no daemon runs, and there is no state file: %w; give one of them with --socket or --state", err)
	}
	store, err := state.Open(path, state.Options{Process: c.Process})
	if err != nil {
		return done, lockHint(c, err)
	}
	done, err = file(store)
	return done, errors.Join(err, store.Close())
}

// waitNote is the time after which a command says what it is waiting for.
const waitNote = 2 * time.Second

// noteWait says why nothing happens for a while, unless it is stopped before.
func (p process) noteWait() *time.Timer {
	return time.AfterFunc(waitNote, func() {
		fmt.Fprintln(p.stderr, "waiting for the daemon; usersyncd status shows what it is doing")
	})
}

func whoami() string {
	if u, err := user.Current(); err == nil {
		return u.Username
	}
	return ""
}
