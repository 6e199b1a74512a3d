package genesys

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync/atomic"

	"usersyncd/spec"
	"usersyncd/state"
	usersync "usersyncd/sync"
	"usersyncd/sync/apply"
)

// Paths below the base URLs.
const (
	orgPath    = "/api/v2/organizations/me"
	usersPath  = "/api/v2/users"
	searchPath = "/api/v2/users/search"
	oneUser    = "/api/v2/users/{id}"
	tokenPath  = "/oauth/token" // below the login service's
)

// The permissions that the calls need, of a role that the OAuth client has in all divisions.
const (
	mayView = "directory:user:view"
	mayAdd  = "directory:user:add"
	mayEdit = "directory:user:edit"
)

// Directory is an organization of Genesys Cloud as a pass sees it. Make one with New.
type Directory struct {
	client   *client
	clientID string
	index    index
	names    catalogues
	groups   groupVersions
	expect   expectation
	pageSize int
	atOnce   int                    // requests of one reading under way together
	org      atomic.Pointer[string] // once it was asked for
}

var _ usersync.Directory = (*Directory)(nil)

// New checks the options and returns the directory. It sends nothing.
func New(o Options) (*Directory, error) {
	c, err := newClient(o)
	if err != nil {
		return nil, fmt.Errorf("genesys: %w", err)
	}
	d := &Directory{client: c, clientID: o.ClientID, names: newCatalogues(), expect: expectation{limiter: o.Limiter}, pageSize: o.withDefaults().PageSize, atOnce: o.withDefaults().MaxConns}
	d.index.reset(nil)
	d.groups.known = map[string]int{}
	d.expect.reset()
	return d, nil
}

// API returns the base URL in its normal form: what a state file is bound to.
func (d *Directory) API() string { return d.client.base }

// Close closes idle connections.
func (d *Directory) Close() {
	if d.client.own != nil {
		d.client.own.CloseIdleConnections()
	}
}

// Stats is what a Directory asked for since it was made.
type Stats struct {
	Reads, Writes int64 // requests that went over the wire, each as often as it was sent
	Throttled     int64 // answers 429
	Retried       int64 // further tries of reads
	Tokens        int64 // access tokens fetched
}

// Stats returns the counts so far.
func (d *Directory) Stats() Stats {
	n := &d.client.count
	return Stats{
		Reads: n.reads.Load(), Writes: n.writes.Load(), Throttled: n.throttled.Load(),
		Retried: n.retried.Load(), Tokens: n.tokens.Load(),
	}
}

// Open implements usersync.Reader. The organization is asked for once; where it may not be read, the
// id is "".
func (d *Directory) Open(ctx context.Context, known map[string]*state.User) (org string, err error) {
	d.index.reset(known)
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
	me, err := call[reference](ctx, d.client, &request{method: http.MethodGet, path: orgPath})
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
func (d *Directory) get(ctx context.Context, id string, fields []spec.Field, states ...string) (state.Observed, error) {
	reading, err := d.labels(ctx, fields)
	if err != nil {
		return state.Observed{}, err
	}
	var u user
	for _, s := range states {
		q := expand(fields)
		if s != "" {
			q.Set("state", s)
		}
		u, err = call[user](ctx, d.client, &request{
			method: http.MethodGet, path: oneUser, values: []string{id}, query: q, needs: mayView,
		})
		if err == nil || !errors.Is(err, apply.ErrNotFound) {
			break
		}
	}
	if err != nil {
		return state.Observed{}, err
	}
	return d.seen(u, reading), nil
}

func (d *Directory) seen(u user, r reading) state.Observed {
	now := r.observed(u)
	d.index.learn(now)
	return now
}

// Find implements apply.Writer. What the search shows may be out of date, so whom it names is read
// and compared again.
func (d *Directory) Find(ctx context.Context, email string, fields ...spec.Field) (state.Observed, error) {
	users, err := d.hits(ctx, []string{email})
	if err != nil {
		return state.Observed{}, err
	}
	nobody := &apply.CallError{Kind: apply.ErrNotFound, Op: http.MethodPost + " " + searchPath, Message: fmt.Sprintf("no user has the address %q", email)}
	var hit *user
	for i, u := range users {
		if spec.Key(u.Email) == spec.Key(email) && (hit == nil || hit.State == "deleted") {
			hit = &users[i]
		}
	}
	if hit == nil {
		return state.Observed{}, nobody
	}
	states := []string{"", "deleted"}
	if hit.State == "deleted" {
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
