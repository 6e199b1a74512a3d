package genesys

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"

	"usersyncd/spec"
	"usersyncd/state"
	usersync "usersyncd/sync"
)

// Do implements usersync.Directory. The body is made now, from what is now known of the user.
func (d *Directory) Do(ctx context.Context, call *usersync.Call) ([]state.Observed, error) {
	now, err := d.do(ctx, call)
	d.expect.done(call, err)
	if err != nil {
		return nil, err
	}
	return []state.Observed{now}, nil
}

func (d *Directory) do(ctx context.Context, c *usersync.Call) (state.Observed, error) {
	r, err := d.request(ctx, c)
	if err != nil {
		return state.Observed{}, err
	}
	u, err := call[user](ctx, d.client, r)
	if err != nil {
		return state.Observed{}, err
	}
	return d.seen(u), nil
}

// request turns a call into what is to be sent. What cannot be sent is refused as the API would.
func (d *Directory) request(ctx context.Context, call *usersync.Call) (*request, error) {
	refused := func(err error) error {
		var e *usersync.CallError
		if errors.As(err, &e) || ctx.Err() != nil {
			return err
		}
		return &usersync.CallError{Kind: usersync.ErrRefused, Op: call.Name, Err: err}
	}
	o, ours := call.Op.(op)
	if !ours || len(call.Changes) != 1 {
		return nil, refused(errors.New("not a call that this directory compiled"))
	}
	c := call.Changes[0]
	if o == opCreate {
		body, err := creation(c)
		if err != nil {
			return nil, refused(err)
		}
		return &request{method: http.MethodPost, path: usersPath, template: usersPath, body: body, writes: true, needs: mayAdd}, nil
	}
	if c.Current == nil || c.Current.ID == "" {
		return nil, refused(errors.New("the user is not known to exist"))
	}
	current, err := d.complete(ctx, c, call.Fields)
	if err != nil {
		return nil, err
	}
	body, err := update(c, current, call.Fields, func(key string) (string, error) { return d.manager(ctx, key) })
	if err != nil {
		return nil, refused(err)
	}
	return &request{
		method: http.MethodPatch, path: usersPath + "/" + url.PathEscape(current.ID), template: oneUser, body: body, writes: true, needs: mayEdit,
	}, nil
}

// complete returns what is known of the user, read anew if its contacts are to be written and not known:
// the list is replaced as a whole, so nobody's entries would be lost.
func (d *Directory) complete(ctx context.Context, c *usersync.Change, fields []spec.Field) (state.Observed, error) {
	if slices.Contains(fields, spec.Phones) || slices.Contains(fields, spec.Emails) {
		if _, err := merge(c.Current.Opaque, nil, nil); err != nil {
			return d.Get(ctx, c.Current.ID)
		}
	}
	return c.Current.Observed, nil
}

// manager returns the id of the user with that address: one that is known, else one that a search finds.
func (d *Directory) manager(ctx context.Context, key string) (string, error) {
	if id := d.index.id(spec.Key(key)); id != "" {
		return id, nil
	}
	u, err := d.Find(ctx, key)
	if errors.Is(err, usersync.ErrNotFound) {
		return "", fmt.Errorf("no user has the address %q; declare one, or correct the address", key)
	}
	return u.ID, err
}
