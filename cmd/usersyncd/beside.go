package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"usersyncd/cmd/usersyncd/internal/config"
	"usersyncd/spec/text"
	"usersyncd/state"
	"usersyncd/sync/control/rpc"
	"usersyncd/sync/plan"
)

// A besideDaemon is what a command that only reads has from the daemon: a copy of its state file, so that it plans from what
// the daemon knows, in its own process.
type besideDaemon struct {
	rpc.StateCopy
	store *state.Store
	// denied is why there is no copy although a daemon may be running.
	denied error
}

// askDaemon gets a copy of the state file from the daemon that works with the same API; without one, it has no store. What
// a flag does not name is passed over if it cannot be used.
func askDaemon(ctx context.Context, c *config.Config) (*besideDaemon, error) {
	client, err := dial(ctx, c)
	switch {
	case errors.Is(err, rpc.ErrNoDaemon):
		return &besideDaemon{}, nil
	case errors.Is(err, fs.ErrPermission) && c.Socket == "":
		return &besideDaemon{denied: err}, nil
	case err != nil:
		return nil, err
	}
	defer client.Close()
	d := &besideDaemon{}
	copied, body, err := client.CopyState(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { _ = body.Close() }() // read, or of no use
	if d.StateCopy = copied; !sameAPI(c, copied.Status.API) && c.Socket == "" && c.State == "" {
		return &besideDaemon{}, nil
	}
	d.store, err = state.OpenCopy(body, copied.File.Size, copied.File.Path, state.Options{Untrusted: config.InCheckout(copied.File.Path, c.Dir)})
	return d, err
}

// sameAPI reports whether a daemon works with the API of the settings.
func sameAPI(c *config.Config, api string) bool {
	base, _, err := c.Endpoints()
	return err == nil && strings.EqualFold(strings.TrimRight(base, "/"), api)
}

// notes say why the daemon may plan something else than a command that has read the specs in c.Dir.
func (d *besideDaemon) notes(c *config.Config, holds []plan.Hold) (notes []string) {
	note := func(format string, args ...any) { notes = append(notes, fmt.Sprintf(format, args...)) }
	if d.denied != nil {
		note("the state of the daemon is not used: %v", d.denied)
	}
	if d.store == nil {
		return notes
	}
	s := d.Status
	if v := version(); s.Version != v {
		note("the daemon is of version %s, and this is %s: restart it to have the same", s.Version, v)
	}
	if !sameFile(s.Dir, c.Dir) {
		note("the daemon applies the specs in %s, not these", s.Dir)
	}
	var differ []string
	ours := c.Effects()
	for _, name := range slices.Sorted(maps.Keys(d.File.Settings)) {
		if theirs := d.File.Settings[name]; theirs != ours[name] {
			differ = append(differ, fmt.Sprintf("%s is %s there, and %s here", name, cmp.Or(theirs, "empty"), cmp.Or(ours[name], "empty")))
		}
	}
	if len(differ) > 0 {
		with := "the same flags"
		if file := d.File.Config; file != "" && !sameFile(file, c.File) {
			with = "--config " + text.ShellWord(file)
		}
		note("the daemon has other settings; plan with %s for: %s", with, text.List(differ, 10, len(differ)))
	}
	for _, h := range s.Holds {
		if !slices.ContainsFunc(holds, func(ours plan.Hold) bool { return ours.ID == h.ID }) {
			note("the daemon holds %s under %s (%s), and this plan does not: usersyncd status", text.Plural(len(h.Users), "user"), h.ID, h.Guard)
		}
	}
	return notes
}

// sameFile reports whether two paths lead to the same file or directory.
func sameFile(a, b string) bool {
	for _, path := range []*string{&a, &b} {
		if real, err := filepath.EvalSymlinks(*path); err == nil {
			*path = real
		}
		if abs, err := filepath.Abs(*path); err == nil {
			*path = abs
		}
	}
	return a == b
}
