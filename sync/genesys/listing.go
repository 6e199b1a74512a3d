package genesys

import (
	"cmp"
	"context"
	"fmt"
	"strings"

	"usersyncd/spec"
	"usersyncd/state"
	usersync "usersyncd/sync"
	"usersyncd/sync/genesys/api"
)

// List implements usersync.Reader. Active and inactive users are listed one after the other, as the
// vendor's Terraform provider does.
func (d *Directory) List(ctx context.Context, page func([]state.Observed), fields ...spec.Field) (usersync.Listing, error) {
	defer d.expect.expectReads(0)
	if err := d.forgetNames(ctx); err != nil {
		return usersync.Listing{}, err
	}
	r, err := d.reading(ctx, fields)
	if err != nil {
		return usersync.Listing{}, err
	}
	take := func(users []state.Observed) {
		d.addresses.Learn(users...)
		page(users)
	}
	var gaps, caps []string
	for i, name := range []string{"active", "inactive"} {
		others := 1 - i // requests that come after this state's
		d.expect.expectReads(1 + others)
		part, err := api.RetryInconsistent(ctx, d.Client, func() (usersync.Listing, error) { return d.listState(ctx, r, name, take, others) })
		if err != nil {
			return usersync.Listing{}, err
		}
		gaps, caps = append(gaps, part.Gap), append(caps, part.Cap)
	}
	return usersync.Listing{Gap: strings.Join(unique(gaps), "; "), Cap: strings.Join(unique(caps), "; ")}, nil
}

// listState reads the users in one state. If even the smallest page would be too large, it reads them in several sweeps,
// each with a part of the fields that are asked for. others is how many requests come after it.
func (d *Directory) listState(ctx context.Context, r *reading, name string, take func([]state.Observed), others int) (whole usersync.Listing, err error) {
	parts := r.split(int(d.sweeps.Load()))
	for i, part := range parts {
		l, err := d.sweep(ctx, part, name, take, others+len(parts)-1-i)
		if more := 2 * len(parts); api.IsTooLarge(err) && len(r.split(more)) > len(parts) {
			d.sweeps.Store(int32(more))
			return d.listState(ctx, r, name, take, others)
		}
		if err != nil {
			return usersync.Listing{}, err
		}
		whole.Gap, whole.Cap = cmp.Or(whole.Gap, l.Gap), cmp.Or(whole.Cap, l.Cap)
	}
	return whole, nil
}

// sweep reads users in one state: by pages and, where these do not go far enough, by cursor.
func (d *Directory) sweep(ctx context.Context, r *reading, name string, take func([]state.Observed), others int) (usersync.Listing, error) {
	l := api.Listing{
		Request: api.Request{Operation: &listUsers, Query: r.query()}, What: name + " users", Size: d.Options().PageSize,
		Parallel: 4, // the vendor's Terraform provider goes from 1 to 75
		Expect:   func(pages int) { d.expect.expectReads(pages + others) },
	}
	l.Query.Set("state", name)
	shown := map[string]struct{}{}
	count := func(users []state.Observed) {
		for _, u := range users {
			shown[u.ID] = struct{}{}
		}
		take(users)
	}
	p := api.NewReader(d.Client, l, r.observed)
	p.Take = count
	if err := p.Read(ctx); err != nil {
		return usersync.Listing{}, err
	}
	limit, closed := 0, ""
	if p.AtCap {
		l.Operation = &queryUsers
		rest := api.NewReader(d.Client, l, r.observed)
		rest.Take = count
		switch err := rest.Read(ctx); {
		case api.IsDenied(err):
			limit, closed = listUsers.Cap, fmt.Sprintf("%s: a listing shows %d, and by cursor they cannot be read: %v", l.What, listUsers.Cap, err)
		case err != nil:
			return usersync.Listing{}, err
		}
	}
	problem, gap := p.Verdict(len(shown), limit)
	if problem != "" {
		return usersync.Listing{}, l.Inconsistent(problem + "; does the OAuth client have its role in all divisions?")
	}
	if gap != "" {
		gap = l.What + ": " + gap
	}
	return usersync.Listing{Gap: gap, Cap: closed}, nil
}
