package genesys

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"sync"

	"golang.org/x/sync/errgroup"

	"usersyncd/spec"
	"usersyncd/state"
	usersync "usersyncd/sync"
)

const (
	pagesAtOnce = 4      // of one listing; the vendor's Terraform provider goes from 1 to 75
	listingCap  = 10_000 // users of one state that a listing shows before it answers 400 (the provider, DEVTOOLING-862)
)

// List implements usersync.Directory. Active and inactive users are listed one after the other, as the
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
	at := map[string]int{}
	listing := usersync.Listing{Complete: true}
	for i, name := range []string{"active", "inactive"} {
		s := &sweep{Directory: d, reading: &reading, state: name, pages: map[int][]state.Observed{}, others: 1 - i}
		d.expect.listing(1 + s.others)
		if err := s.run(ctx); err != nil {
			return usersync.Listing{}, err
		}
		if s.capped {
			rest, whole, err := s.query(ctx)
			if err != nil {
				return usersync.Listing{}, err
			}
			s.pages[len(s.pages)+1] = rest
			listing.Complete = listing.Complete && whole
		}
		for _, n := range slices.Sorted(maps.Keys(s.pages)) {
			listing.Users = appendNew(listing.Users, at, s.pages[n])
		}
	}
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

// A sweep reads all pages of the users in one state.
type sweep struct {
	*Directory
	reading *reading
	state   string
	others  int // requests that come after this sweep

	mu     sync.Mutex
	pages  map[int][]state.Observed // taken over as they come: what the API sends is larger
	last   bool                     // a page was empty, or beyond the cap
	capped bool
}

// run reads the first page alone, since it says how many there are, and then a few at a time. Without
// that number it goes on until a page is empty.
func (s *sweep) run(ctx context.Context) error {
	count, err := s.page(ctx, 1)
	if err != nil {
		return err
	}
	if count == 0 {
		for n := 2; !s.ended(); n++ {
			if _, err := s.page(ctx, n); err != nil {
				return err
			}
		}
		return nil
	}
	g, group := errgroup.WithContext(ctx)
	g.SetLimit(pagesAtOnce)
	for n := 2; n <= count && !s.ended() && group.Err() == nil; n++ {
		s.expect.listing(count - n + 1 + s.others)
		g.Go(func() error {
			_, err := s.page(group, n)
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	return ctx.Err() // else pages that were not begun would count as read
}

// query reads all users of the state by cursor, which has no cap. It needs the permission to see every
// division, so it is only done where pages do not go far enough; without it what the pages showed is all.
func (s *sweep) query(ctx context.Context) (users []state.Observed, whole bool, err error) {
	path, cursor := usersPath+"/query", ""
	for {
		query := expand(s.reading.fields)
		query.Set("state", s.state)
		query.Set("pageSize", strconv.Itoa(s.pageSize))
		if cursor != "" {
			query.Set("cursor", cursor)
		}
		p, err := call[userPage](ctx, s.client, &request{method: http.MethodGet, path: path, template: path, needs: mayView, query: query})
		switch {
		case errors.Is(err, usersync.ErrForbidden), errors.Is(err, usersync.ErrRefused), errors.Is(err, usersync.ErrNotFound):
			return users, false, nil
		case err != nil:
			return nil, false, err
		}
		for _, u := range p.Entities {
			users = append(users, s.reading.observed(u))
		}
		if cursor = p.Cursor; cursor == "" || len(p.Entities) == 0 {
			return users, true, nil
		}
	}
}

func (s *sweep) ended() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.last
}

// page reads one page and returns how many the API says there are; 0 if it does not say.
func (s *sweep) page(ctx context.Context, n int) (count int, err error) {
	query := expand(s.reading.fields)
	query.Set("state", s.state)
	query.Set("pageSize", strconv.Itoa(s.pageSize))
	query.Set("pageNumber", strconv.Itoa(n))
	p, err := call[userPage](ctx, s.client, &request{method: http.MethodGet, path: usersPath, template: usersPath, needs: mayView, query: query})
	users := make([]state.Observed, len(p.Entities))
	for i, u := range p.Entities {
		users[i] = s.reading.observed(u)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if e := (*usersync.CallError)(nil); errors.As(err, &e) && e.Status == http.StatusBadRequest && n*s.pageSize > listingCap {
		s.last, s.capped = true, true
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	s.pages[n] = users
	s.last = s.last || len(p.Entities) == 0
	return p.PageCount, nil
}
