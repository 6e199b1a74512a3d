package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"usersyncd/cmd/usersyncd/internal/config"
	"usersyncd/state"
	"usersyncd/sync/control/rpc"
)

// A backend is what a command has got hold of: the daemon or, if none runs, the state file.
type backend struct {
	client *rpc.Client
	store  *state.Store // read-only
	// nothing is why the state file says nothing; nil if it does.
	nothing error
}

// openBackend finds the daemon, or opens the state file for reading.
func openBackend(ctx context.Context, c *config.Config) (backend, error) {
	client, err := dial(ctx, c)
	if err == nil {
		return backend{client: client}, nil
	}
	if !errors.Is(err, rpc.ErrNoDaemon) {
		return backend{}, err
	}
	path, failed := c.StatePath()
	if failed != nil {
		return backend{}, failed
	}
	store, failed := state.OpenReadOnly(path, state.Options{})
	if errors.Is(failed, state.ErrLocked) {
		return backend{}, fmt.Errorf("%w: the state file %s is in use, so one runs; say with --socket where it listens", err, path)
	}
	if failed != nil {
		return backend{}, failed
	}
	r := backend{store: store}
	meta, failed := store.Meta()
	switch {
	case failed != nil:
		return backend{}, errors.Join(failed, store.Close())
	case store.Empty() && meta.Rebuilt:
		r.nothing = fmt.Errorf("%w, and the state file %s is damaged: the next pass sets it aside, and reads the organization again", err, path)
	case store.Empty():
		r.nothing = fmt.Errorf("%w, and there is no state file %s: say with --state which one the service, or the run in CI, uses", err, path)
	}
	return r, nil
}

func (r backend) close() {
	if r.client != nil {
		r.client.Close()
	} else {
		_ = r.store.Close() // it was only read
	}
}

// dial finds the daemon. rpc.ErrNoDaemon: none answers.
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
		if err == nil {
			return client, nil
		}
		if !errors.Is(err, rpc.ErrNoDaemon) {
			return nil, err
		}
		missed = cmp.Or(missed, err)
	}
	return nil, missed
}

// parseSince reads a time: how long ago (90m, 2d), a day, or a time with its zone.
func parseSince(text string, now time.Time) (time.Time, error) {
	ago := text
	if days, ok := strings.CutSuffix(text, "d"); ok {
		var n int
		if _, err := fmt.Sscanf(days+" ", "%d ", &n); err == nil {
			ago = fmt.Sprintf("%dh", n*24)
		}
	}
	if d, err := time.ParseDuration(ago); err == nil && d >= 0 {
		return now.Add(-d), nil
	}
	if t, err := time.Parse(time.RFC3339, text); err == nil {
		return t, nil
	}
	for _, layout := range []string{"2006-01-02 15:04", time.DateOnly} {
		if t, err := time.ParseInLocation(layout, text, now.Location()); err == nil {
			return t, nil
		}
	}
	return time.Time{}, usage("--since: %q is not a time: say how long ago (90m, 2d), a day (2026-11-24), or a time (2026-11-24T03:00:00Z)", text)
}
