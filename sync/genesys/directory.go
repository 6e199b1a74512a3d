package genesys

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"

	"golang.org/x/sync/semaphore"

	"usersyncd/spec"
	"usersyncd/state"
	usersync "usersyncd/sync"
	"usersyncd/sync/apply"
	"usersyncd/sync/genesys/api"
	"usersyncd/sync/genesys/names"
	"usersyncd/sync/genesys/unmanaged"
	"usersyncd/sync/plan"
)

// Directory is an organization of Genesys Cloud as a pass sees it. Make one with New.
type Directory struct {
	*api.Client
	fields         table
	defaultReading *reading         // of the fields that need not be asked for
	order          []*api.Operation // see table.writes
	addresses      names.Addresses
	names          nameIndexes
	groups         groupVersions
	unmanaged      unmanaged.Known
	expect         expectation
	sweeps         atomic.Int32          // how many readings of a listing divide its fields, as one would be too large; 0 is one
	org            atomic.Pointer[named] // once it was asked for
}

var _ usersync.Directory = (*Directory)(nil)

// New checks the options and returns the directory. It sends nothing.
func New(o api.Options) (*Directory, error) {
	c, err := api.New(o, &searchUsers)
	if err != nil {
		return nil, fmt.Errorf("genesys: %w", err)
	}
	rows := fields()
	always := slices.DeleteFunc(slices.Clone(rows), func(f field) bool { return f.user == "" || f.expand })
	d := &Directory{
		Client: c, fields: rows, defaultReading: &reading{rows: always}, order: rows.writes(),
		names:  nameIndexes{turn: semaphore.NewWeighted(1), known: map[spec.RefKind]*names.Index{}, denied: map[spec.RefKind]error{}},
		expect: expectation{limiter: o.Limiter},
	}
	d.defaultReading.known = &d.unmanaged
	d.addresses.Reset(nil)
	d.unmanaged.Reset()
	d.expect.reset()
	return d, nil
}

// Open implements usersync.Reader. The organization is asked for once; where it may not be read, the
// id is "".
func (d *Directory) Open(ctx context.Context, known map[string]*state.User) (org string, err error) {
	d.addresses.Reset(known)
	d.unmanaged.Reset()
	for id, u := range known {
		d.unmanaged.Put(id, u.Opaque)
	}
	d.groups.individuals.Clear()
	d.expect.reset()
	org, _, err = d.Identify(ctx)
	return org, err
}

// Identify returns the id and the name of the organization; "" if they may not be read. It costs one request in the life of
// the directory.
func (d *Directory) Identify(ctx context.Context) (id, name string, err error) {
	if org := d.org.Load(); org != nil {
		return org.ID, org.Name, nil
	}
	d.expect.expectReads(3) // this one, and most often the first pages of a listing: so few need not be paced
	defer d.expect.expectReads(2)
	me, err := d.organization(ctx)
	if err != nil {
		return "", "", err
	}
	d.org.Store(&me)
	return me.ID, me.Name, nil
}

// Opened returns the organization that Open has read; "" for what is not known of it.
func (d *Directory) Opened() (id, name string) {
	if org := d.org.Load(); org != nil {
		return org.ID, org.Name
	}
	return "", ""
}

// Authorize implements usersync.Reader.
func (d *Directory) Authorize(ctx context.Context) error {
	d.expect.reset()
	_, err := d.organization(ctx)
	return err
}

// organization reads which one it is. A client without any permission may not; then it is unknown.
func (d *Directory) organization(ctx context.Context) (named, error) {
	me, err := api.Call[named](ctx, d.Client, &api.Request{Operation: &getOrganization})
	if e := (*apply.CallError)(nil); errors.As(err, &e) && (e.Status == http.StatusForbidden || e.Status == http.StatusNotFound) {
		err = nil
	}
	return me, err
}

// Get implements usersync.Reader.
func (d *Directory) Get(ctx context.Context, id string, fields ...spec.Field) (state.Observed, error) {
	now, err := d.get(ctx, id, fields, "", "deleted")
	if err != nil {
		return now, err
	}
	return d.withDetails(ctx, now, fields)
}

// get reads one user, trying one state after the other: the API hides deleted users unless they are
// asked for. "" shows active and inactive ones.
func (d *Directory) get(ctx context.Context, id string, fields []spec.Field, states ...string) (seen state.Observed, err error) {
	r, err := d.reading(ctx, fields)
	if err != nil {
		return seen, err
	}
	for _, s := range states {
		q := r.query()
		if s != "" {
			q.Set("state", s)
		}
		_, err = d.Send(ctx, &api.Request{Operation: &getUser, Args: []string{id}, Query: q}, func(answer *api.Body) (err error) {
			seen, err = r.user(answer)
			return err
		})
		if !errors.Is(err, apply.ErrNotFound) {
			break
		}
	}
	if err != nil {
		return state.Observed{}, err
	}
	d.addresses.Learn(seen)
	return seen, nil
}

// Find implements apply.Writer. What the search shows may be out of date, so whom it names is read
// and compared again.
func (d *Directory) Find(ctx context.Context, email string, fields ...spec.Field) (state.Observed, error) {
	users, err := d.hits(ctx, []string{email})
	if err != nil {
		return state.Observed{}, err
	}
	users = slices.DeleteFunc(users, func(u state.Observed) bool { return u.Key() != spec.Key(email) })
	slices.SortStableFunc(users, deletedLast)
	nobody := &apply.CallError{Kind: apply.ErrNotFound, Op: (&api.Request{Operation: &searchUsers}).String(), Message: fmt.Sprintf("no user has the address %q", email)}
	if len(users) == 0 {
		return state.Observed{}, nobody
	}
	states := []string{"", "deleted"}
	if users[0].Deleted() {
		states = []string{"deleted", ""}
	}
	now, err := d.get(ctx, users[0].ID, fields, states...)
	switch {
	case errors.Is(err, apply.ErrNotFound), err == nil && now.Key() != spec.Key(email):
		return state.Observed{}, nobody
	case err != nil:
		return state.Observed{}, err
	}
	return d.withDetails(ctx, now, fields)
}

// fewUsers is for how many users a field is read one by one, whatever reading it for many would cost.
const fewUsers = 10

// Details implements usersync.Reader. A field that can be read for many users at once is, where that takes fewer requests
// than asking for each user.
func (d *Directory) Details(ctx context.Context, want map[string][]spec.Field, got func(state.Observed, error) error) error {
	defer d.expect.expectReads(0)
	known := make(map[string]spec.Fields, len(want))
	rest := maps.Clone(want)
	for _, f := range d.fields {
		ids := slices.DeleteFunc(slices.Sorted(maps.Keys(want)), func(id string) bool { return !slices.Contains(want[id], f.Field) })
		if f.details == nil || len(ids) < fewUsers {
			continue
		}
		values, ok, err := f.details(ctx, d, ids)
		if err != nil && !api.IsDenied(err) { // else each user is told why
			return err
		}
		for _, id := range ids {
			if ok {
				known[id] = known[id].With(spec.Fields{{Field: f.Field, Value: values[id]}})
				rest[id] = slices.DeleteFunc(slices.Clone(rest[id]), func(other spec.Field) bool { return other == f.Field })
			}
		}
	}
	var mu sync.Mutex
	left := 0
	for _, fields := range rest {
		left += len(fields)
	}
	d.expect.expectReads(left)
	return d.each(ctx, slices.Sorted(maps.Keys(rest)), func(ctx context.Context, id string) error {
		now, err := d.detailsOf(ctx, id, rest[id])
		mu.Lock()
		defer mu.Unlock()
		left -= len(rest[id])
		d.expect.expectReads(left)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		now.Fields = now.Fields.With(known[id])
		return got(now, err)
	})
}

// detailsOf reads fields of one user, each by a request of its own; the user itself is read if it has some of them.
func (d *Directory) detailsOf(ctx context.Context, id string, fields []spec.Field) (state.Observed, error) {
	seen := state.Observed{ID: id, Fields: spec.Fields{}}
	if slices.ContainsFunc(fields, func(f spec.Field) bool { return d.fields.of(f).detail == nil }) {
		u, err := d.get(ctx, id, fields, "", "deleted")
		if err != nil {
			return seen, err
		}
		seen = u
	}
	return d.withDetails(ctx, seen, fields)
}

// withDetails adds to what was read of a user the fields that no User has. One that may not be read does not hide the others.
func (d *Directory) withDetails(ctx context.Context, seen state.Observed, fields []spec.Field) (state.Observed, error) {
	if seen.Deleted() {
		return seen, nil
	}
	denied := plan.FieldsError{}
	for _, name := range fields {
		f := d.fields.of(name)
		if f.detail == nil {
			continue
		}
		v, err := f.detail(ctx, d, seen.ID)
		switch {
		case errors.Is(err, apply.ErrForbidden), errors.Is(err, apply.ErrRefused):
			denied[name] = err
		case err != nil:
			return seen, err
		default:
			seen.Fields.Set(name, v)
		}
	}
	if len(denied) > 0 {
		return seen, denied
	}
	return seen, nil
}
