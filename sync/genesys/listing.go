package genesys

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"strconv"
	"strings"

	"usersyncd/spec"
	"usersyncd/state"
	usersync "usersyncd/sync"
)

const (
	pagesAtOnce = 4      // of one listing; the vendor's Terraform provider goes from 1 to 75
	listingCap  = 10_000 // users of one state that a listing shows before it answers 400 (the provider, DEVTOOLING-862)
)

// List implements usersync.Reader. Active and inactive users are listed one after the other, as the
// vendor's Terraform provider does; one that is met twice, having moved meanwhile, counts as it was last.
func (d *Directory) List(ctx context.Context, fields ...spec.Field) (usersync.Listing, error) {
	defer d.expect.listing(0)
	if err := d.forget(ctx); err != nil {
		return usersync.Listing{}, err
	}
	reading, err := d.labels(ctx, fields)
	if err != nil {
		return usersync.Listing{}, err
	}
	var listing usersync.Listing
	var gaps, caps []string
	at := map[string]int{}
	for i, name := range []string{"active", "inactive"} {
		others := 1 - i // requests that come after this state's
		d.expect.listing(1 + others)
		part, err := retryInconsistent(ctx, d.client.log, func() (usersync.Listing, error) { return d.listState(ctx, &reading, name, others) })
		if err != nil {
			return usersync.Listing{}, err
		}
		if part.Gap != "" {
			gaps = append(gaps, name+" users: "+part.Gap)
		}
		if part.Cap != "" {
			caps = append(caps, name+" users: "+part.Cap)
		}
		listing.Users = appendNew(listing.Users, at, part.Users)
	}
	listing.Gap, listing.Cap = strings.Join(gaps, "; "), strings.Join(caps, "; ")
	d.index.learn(listing.Users...)
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

// listState reads the users in one state: by pages and, where these do not go far enough, by cursor. others is
// how many requests come after it.
func (d *Directory) listState(ctx context.Context, r *reading, name string, others int) (usersync.Listing, error) {
	s := source{
		path: usersPath, query: expand(r.fields), needs: mayView, noun: name + " users", size: d.pageSize,
		limit: listingCap, parallel: pagesAtOnce, expect: func(pages int) { d.expect.listing(pages + others) },
	}
	s.query.Set("state", name)
	p := newPager(d.client, s, r.observed)
	if err := p.run(ctx); err != nil {
		return usersync.Listing{}, err
	}
	users, limit, closed := p.all(), 0, ""
	if p.atLimit {
		rest, err := d.query(ctx, r, s)
		switch {
		case isClosed(err):
			limit, closed = listingCap, fmt.Sprintf("a listing shows %d, and by cursor they cannot be read: %v", listingCap, err)
		case err != nil:
			return usersync.Listing{}, err
		}
		users = append(users, rest...)
	}
	users = appendNew(nil, map[string]int{}, users)
	problem, gap := p.check.verdict(len(users), limit)
	if problem != "" {
		return usersync.Listing{}, s.inconsistent(problem + "; does the OAuth client have its role in all divisions?")
	}
	return usersync.Listing{Users: users, Gap: gap, Cap: closed}, nil
}

// cursorPage is a page of GET /users/query (UserCursorEntityListing).
type cursorPage struct {
	page[user]
	Results *int   `json:"results"` // of this page
	Cursor  string `json:"cursor"`  // where the next page begins; "" after the last
}

// query reads all users of a state by cursor, which has no cap. It needs the permission to see every division, so
// it is only done where pages do not go far enough. A listing by cursor tells no total. Whether a page that is
// empty, but names another, is the last one is not known: it is taken so, and the total that the pages told says
// whether somebody is missing.
func (d *Directory) query(ctx context.Context, r *reading, s source) (users []state.Observed, err error) {
	s.path += "/query"
	check, cursor := newPageCheck(s.size), ""
	pageOf := map[string]int{} // by cursor
	for n := 1; ; n++ {
		query := maps.Clone(s.query)
		query.Set("pageSize", strconv.Itoa(s.size))
		if cursor != "" {
			query.Set("cursor", cursor)
		}
		p, err := call[cursorPage](ctx, d.client, &request{method: http.MethodGet, path: s.path, needs: s.needs, query: query})
		if err != nil {
			return users, err
		}
		facts := p.facts()
		if p.Results != nil {
			facts.total = *p.Results
		}
		if problem := check.add(n, facts); problem != "" {
			return nil, s.inconsistent(problem)
		}
		for _, u := range p.Entities {
			users = append(users, r.observed(u))
		}
		if cursor = p.Cursor; cursor == "" || len(p.Entities) == 0 {
			return users, nil
		}
		if other, again := pageOf[cursor]; again {
			return nil, s.inconsistent(fmt.Sprintf("page %d and page %d are followed by the same", other, n))
		}
		pageOf[cursor] = n
	}
}
