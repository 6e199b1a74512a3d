package genesys

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"usersyncd/spec"
	"usersyncd/state"
)

// fewUsers is for how many users a field is read one by one, whatever reading it for many would cost.
const fewUsers = 10

// Details implements usersync.Reader. A field that can be read for many users at once is, where that takes fewer requests
// than asking for each user.
func (d *Directory) Details(ctx context.Context, want map[string][]spec.Field, got func(state.Observed, error) error) error {
	defer d.expect.listing(0)
	known := make(map[string]spec.Fields, len(want))
	rest := maps.Clone(want)
	for id := range want {
		known[id] = spec.Fields{}
	}
	for _, f := range d.fields {
		ids := slices.DeleteFunc(slices.Sorted(maps.Keys(want)), func(id string) bool { return !slices.Contains(want[id], f.Field) })
		if f.details == nil || len(ids) < fewUsers {
			continue
		}
		values, ok, err := f.details(ctx, d, ids)
		if err != nil {
			return err
		}
		for _, id := range ids {
			if ok {
				known[id][f.Field] = values[id]
				rest[id] = slices.DeleteFunc(slices.Clone(rest[id]), func(other spec.Field) bool { return other == f.Field })
			}
		}
	}
	return d.detailsOfEach(ctx, rest, known, got)
}

// detailsOfEach reads the rest of the fields user by user, and hands them over with what is known already.
func (d *Directory) detailsOfEach(ctx context.Context, rest map[string][]spec.Field, known map[string]spec.Fields, got func(state.Observed, error) error) error {
	var mu sync.Mutex
	hand := func(now state.Observed, err error) error {
		mu.Lock()
		defer mu.Unlock()
		return got(now, err)
	}
	var left atomic.Int64
	for _, fields := range rest {
		left.Add(int64(len(fields)))
	}
	d.expect.listing(int(left.Load()))
	g, group := errgroup.WithContext(ctx)
	g.SetLimit(d.atOnce)
	for _, id := range slices.Sorted(maps.Keys(rest)) {
		if len(rest[id]) == 0 {
			if err := hand(state.Observed{ID: id, Fields: known[id]}, nil); err != nil {
				return errors.Join(err, g.Wait())
			}
			continue
		}
		if group.Err() != nil {
			break
		}
		g.Go(func() error {
			now, err := d.detailsOf(group, id, rest[id])
			d.expect.listing(int(left.Add(int64(-len(rest[id])))))
			if group.Err() != nil {
				return group.Err()
			}
			maps.Copy(now.Fields, known[id])
			return hand(now, err)
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	return ctx.Err()
}

// detailsOf reads fields of one user, each by a request of its own; the user itself is read if it has some of them.
func (d *Directory) detailsOf(ctx context.Context, id string, fields []spec.Field) (state.Observed, error) {
	now := state.Observed{ID: id, Fields: spec.Fields{}}
	if slices.ContainsFunc(fields, func(f spec.Field) bool { return d.fields.of(f).detail == nil }) {
		u, err := d.get(ctx, id, fields, "", "deleted")
		if err != nil {
			return now, err
		}
		now = u
	}
	return d.withDetails(ctx, now, fields)
}

// withDetails adds to what was read of a user the fields that no User has.
func (d *Directory) withDetails(ctx context.Context, now state.Observed, fields []spec.Field) (state.Observed, error) {
	if now.Fields[spec.State] == spec.Text("deleted") {
		return now, nil
	}
	for _, name := range fields {
		f := d.fields.of(name)
		if f.detail == nil {
			continue
		}
		v, err := f.detail(ctx, d, now.ID)
		if err != nil {
			return now, err
		}
		now.Fields[name] = v
	}
	return now, nil
}
