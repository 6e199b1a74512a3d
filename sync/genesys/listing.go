package genesys

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"strings"

	"usersyncd/spec"
	"usersyncd/state"
	usersync "usersyncd/sync"
	"usersyncd/sync/genesys/api"
)

// List implements usersync.Reader. Active and inactive users are listed one after the other, as the
// vendor's Terraform provider does; one that is met twice, having moved meanwhile, counts as it was last.
func (d *Directory) List(ctx context.Context, fields ...spec.Field) (usersync.Listing, error) {
	defer d.expect.expectReads(0)
	if err := d.forgetNames(ctx); err != nil {
		return usersync.Listing{}, err
	}
	r, err := d.reading(ctx, fields)
	if err != nil {
		return usersync.Listing{}, err
	}
	var listing usersync.Listing
	var gaps, caps []string
	at := map[string]int{}
	for i, name := range []string{"active", "inactive"} {
		others := 1 - i // requests that come after this state's
		d.expect.expectReads(1 + others)
		part, err := api.RetryInconsistent(ctx, d.Client, func() (usersync.Listing, error) { return d.listState(ctx, r, name, others) })
		if err != nil {
			return usersync.Listing{}, err
		}
		gaps, caps = append(gaps, part.Gap), append(caps, part.Cap)
		listing.Users = appendNew(listing.Users, at, part.Users)
	}
	listing.Gap, listing.Cap = strings.Join(unique(gaps), "; "), strings.Join(unique(caps), "; ")
	d.addresses.Learn(listing.Users...)
	return listing, nil
}

// appendNew appends users, of which at knows the places; of two readings of a user the newer stays.
func appendNew(list []state.Observed, at map[string]int, users []state.Observed) []state.Observed {
	for _, u := range users {
		i, known := at[u.ID]
		switch {
		case !known:
			at[u.ID] = len(list)
			list = append(list, u)
		case u.Version > list[i].Version:
			list[i] = u
		}
	}
	return list
}

// listState reads the users in one state. If even the smallest page would be too large, it reads them in several sweeps,
// each with a part of the fields that are asked for. others is how many requests come after it.
func (d *Directory) listState(ctx context.Context, r *reading, name string, others int) (usersync.Listing, error) {
	parts := r.split(int(d.sweeps.Load()))
	var whole usersync.Listing
	at := map[string]int{}
	for i, part := range parts {
		l, err := d.sweep(ctx, part, name, others+len(parts)-1-i)
		if more := 2 * len(parts); api.IsTooLarge(err) && len(r.split(more)) > len(parts) {
			d.sweeps.Store(int32(more))
			return d.listState(ctx, r, name, others)
		}
		if err != nil {
			return usersync.Listing{}, err
		}
		whole.Gap, whole.Cap = cmp.Or(whole.Gap, l.Gap), cmp.Or(whole.Cap, l.Cap)
		for _, u := range l.Users {
			if i, known := at[u.ID]; known && whole.Users[i].Version == u.Version {
				maps.Copy(whole.Users[i].Fields, u.Fields)
				whole.Users[i].Opaque = u.Opaque // it has the parts that earlier sweeps showed, too
			}
		}
		whole.Users = appendNew(whole.Users, at, l.Users)
	}
	return whole, nil
}

// sweep reads users in one state: by pages and, where these do not go far enough, by cursor.
func (d *Directory) sweep(ctx context.Context, r *reading, name string, others int) (usersync.Listing, error) {
	l := api.Listing{
		Request: api.Request{Operation: &listUsers, Query: r.query()}, What: name + " users", Size: d.Options().PageSize,
		Parallel: 4, // the vendor's Terraform provider goes from 1 to 75
		Expect:   func(pages int) { d.expect.expectReads(pages + others) },
	}
	l.Query.Set("state", name)
	p := api.NewReader(d.Client, l, r.observed)
	if err := p.Read(ctx); err != nil {
		return usersync.Listing{}, err
	}
	users, limit, closed := p.All(), 0, ""
	if p.AtCap {
		l.Operation = &queryUsers
		rest := api.NewReader(d.Client, l, r.observed)
		switch err := rest.Read(ctx); {
		case api.IsDenied(err):
			limit, closed = listUsers.Cap, fmt.Sprintf("%s: a listing shows %d, and by cursor they cannot be read: %v", l.What, listUsers.Cap, err)
		case err != nil:
			return usersync.Listing{}, err
		}
		users = append(users, rest.All()...)
	}
	users = appendNew(nil, map[string]int{}, users)
	problem, gap := p.Verdict(len(users), limit)
	if problem != "" {
		return usersync.Listing{}, l.Inconsistent(problem + "; does the OAuth client have its role in all divisions?")
	}
	if gap != "" {
		gap = l.What + ": " + gap
	}
	return usersync.Listing{Users: users, Gap: gap, Cap: closed}, nil
}
