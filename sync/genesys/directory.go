package genesys

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	"usersyncd/spec"
	"usersyncd/state"
	usersync "usersyncd/sync"
	"usersyncd/sync/apply"
	"usersyncd/sync/genesys/api"
	"usersyncd/sync/genesys/names"
)

// Directory is an organization of Genesys Cloud as a pass sees it. Make one with New.
type Directory struct {
	client    *api.Client
	fields    table
	addresses names.Addresses
	names     nameIndexes
	groups    groupVersions
	expect    expectation
	atOnce    int                    // requests of one reading under way together
	org       atomic.Pointer[string] // once it was asked for
}

var _ usersync.Directory = (*Directory)(nil)

// New checks the options and returns the directory. It sends nothing.
func New(o api.Options) (*Directory, error) {
	c, err := api.New(o, &searchUsers)
	if err != nil {
		return nil, fmt.Errorf("genesys: %w", err)
	}
	d := &Directory{client: c, fields: fields(), names: newNameIndexes(), expect: expectation{limiter: o.Limiter}, atOnce: c.Options().MaxConns}
	d.addresses.Reset(nil)
	d.groups.known = map[string]int{}
	d.expect.reset()
	return d, nil
}

// API returns the base URL in its normal form: what a state file is bound to.
func (d *Directory) API() string { return d.client.BaseURL() }

// Close closes idle connections.
func (d *Directory) Close() { d.client.Close() }

// Stats returns what was sent so far.
func (d *Directory) Stats() api.Stats { return d.client.Stats() }

// Open implements usersync.Reader. The organization is asked for once; where it may not be read, the
// id is "".
func (d *Directory) Open(ctx context.Context, known map[string]*state.User) (org string, err error) {
	d.addresses.Reset(known)
	d.expect.reset()
	if org := d.org.Load(); org != nil {
		return *org, nil
	}
	d.expect.listing(3) // this one, and most often the first pages of a listing: so few need not wait for their turn
	defer d.expect.listing(2)
	me, err := d.organization(ctx)
	if err != nil {
		return "", err
	}
	d.org.Store(&me.ID)
	return me.ID, nil
}

// Authorize implements usersync.Reader.
func (d *Directory) Authorize(ctx context.Context) error {
	d.expect.reset()
	_, err := d.organization(ctx)
	return err
}

// organization reads which one it is, which every client may that has any permission: nothing if this one has not.
func (d *Directory) organization(ctx context.Context) (reference, error) {
	me, err := api.Call[reference](ctx, d.client, &api.Request{Operation: &getOrganization})
	if errors.Is(err, apply.ErrForbidden) || errors.Is(err, apply.ErrNotFound) {
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
func (d *Directory) get(ctx context.Context, id string, fields []spec.Field, states ...string) (now state.Observed, err error) {
	r, err := d.reading(ctx, fields)
	if err != nil {
		return now, err
	}
	for _, s := range states {
		q := r.query()
		if s != "" {
			q.Set("state", s)
		}
		_, err = d.client.Do(ctx, &api.Request{Operation: &getUser, Args: []string{id}, Query: q}, func(answer []byte) (err error) {
			now, err = r.user(answer)
			return err
		})
		if !errors.Is(err, apply.ErrNotFound) {
			break
		}
	}
	if err != nil {
		return state.Observed{}, err
	}
	d.addresses.Learn(now)
	return now, nil
}

// Find implements apply.Writer. What the search shows may be out of date, so whom it names is read
// and compared again.
func (d *Directory) Find(ctx context.Context, email string, fields ...spec.Field) (state.Observed, error) {
	users, err := d.hits(ctx, []string{email})
	if err != nil {
		return state.Observed{}, err
	}
	nobody := &apply.CallError{Kind: apply.ErrNotFound, Op: (&api.Request{Operation: &searchUsers}).String(), Message: fmt.Sprintf("no user has the address %q", email)}
	var hit state.Observed
	deleted := func() bool { return hit.Fields[spec.State] == spec.Text("deleted") }
	for _, u := range users {
		if u.Key() == spec.Key(email) && (hit.ID == "" || deleted()) {
			hit = u
		}
	}
	if hit.ID == "" {
		return state.Observed{}, nobody
	}
	states := []string{"", "deleted"}
	if deleted() {
		states = []string{"deleted", ""}
	}
	now, err := d.get(ctx, hit.ID, fields, states...)
	switch {
	case errors.Is(err, apply.ErrNotFound):
		return state.Observed{}, nobody
	case err != nil:
		return state.Observed{}, err
	case now.Key() != spec.Key(email):
		return state.Observed{}, nobody
	}
	return d.withDetails(ctx, now, fields)
}
