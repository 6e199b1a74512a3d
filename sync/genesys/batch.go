package genesys

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"

	"usersyncd/spec"
	"usersyncd/state"
	"usersyncd/sync/apply"
	"usersyncd/sync/genesys/api"
)

// Many users in one request: by id, and by address.

// Read implements usersync.Reader. Whether a listing by id shows inactive and deleted users, and whether it is
// refused if one of them does not exist, is not documented. So whom it does not show is asked for alone.
func (d *Directory) Read(ctx context.Context, ids []string, fields ...spec.Field) ([]state.Observed, error) {
	defer d.expect.expectReads(0)
	r, err := d.reading(ctx, fields)
	if err != nil {
		return nil, err
	}
	ids = unique(ids)
	found := make(map[string]state.Observed, len(ids))
	listable := slices.DeleteFunc(slices.Clone(ids), func(id string) bool { return strings.Contains(id, ",") })
	err = d.inBatches(listable, readUsers.Most, 0, func(batch []string) error {
		query := r.query()
		query.Set("id", strings.Join(batch, ","))
		users, err := d.users(ctx, r, &api.Request{Operation: &readUsers, Query: query})
		if len(batch) == 1 && isOfBatch(err) {
			return nil
		}
		for _, seen := range users {
			if slices.Contains(batch, seen.ID) && (found[seen.ID].ID == "" || found[seen.ID].Version < seen.Version) {
				found[seen.ID] = seen
			}
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	missing := slices.DeleteFunc(slices.Clone(ids), func(id string) bool { return found[id].ID != "" })
	if len(missing) > 0 {
		d.expect.expectReads(len(missing))
	}
	var mu sync.Mutex
	var unread error // of users who may exist, and could not be read
	left := len(missing)
	err = d.each(ctx, missing, func(ctx context.Context, id string) error {
		seen, err := d.get(ctx, id, fields, "", "deleted")
		mu.Lock()
		defer mu.Unlock()
		left--
		d.expect.expectReads(left)
		switch {
		case err == nil:
			found[id] = seen
		case errors.Is(err, apply.ErrNotFound):
		case api.IsDenied(err), errors.Is(err, apply.ErrUncertain):
			unread = errors.Join(unread, fmt.Errorf("user %s: %w", id, err))
		default:
			return err
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	var list []state.Observed
	for _, id := range ids {
		if seen, ok := found[id]; ok {
			list = append(list, seen)
		}
	}
	d.addresses.Learn(list...)
	return list, unread
}

// each reads something of each user, some at a time.
func (d *Directory) each(ctx context.Context, ids []string, read func(ctx context.Context, id string) error) error {
	g, group := errgroup.WithContext(ctx)
	g.SetLimit(d.Options().MaxConns)
	for _, id := range ids {
		if group.Err() != nil {
			break
		}
		g.Go(func() error { return read(group, id) })
	}
	if err := g.Wait(); err != nil {
		return err
	}
	return ctx.Err()
}

// unique drops what is empty, or there before.
func unique(texts []string) (list []string) {
	seen := map[string]bool{"": true}
	for _, s := range texts {
		if !seen[s] {
			list = append(list, s)
		}
		seen[s] = true
	}
	return list
}

// users makes a request whose answer shows several users.
func (d *Directory) users(ctx context.Context, r *reading, request *api.Request) (list []state.Observed, err error) {
	_, err = d.Send(ctx, request, func(answer *api.Body) (err error) {
		list, err = r.users(answer)
		return err
	})
	return list, err
}

// Deleted implements usersync.Reader. All deleted users are listed, if that takes fewer requests than a search for each of
// so many addresses, and the listing does not stop before its end.
func (d *Directory) Deleted(ctx context.Context, emails []string) ([]state.Observed, error) {
	defer d.expect.expectReads(0)
	found, err := d.listDeleted(ctx, (len(emails)+searchUsers.Most-1)/searchUsers.Most)
	if found == nil && err == nil {
		found, err = d.Search(ctx, emails)
	}
	keys := map[string]bool{}
	for _, email := range emails {
		keys[spec.Key(email)] = true
	}
	return slices.DeleteFunc(found, func(u state.Observed) bool { return !u.Deleted() || !keys[u.Key()] }), err
}

// listDeleted lists all deleted users, if that takes less than so many requests. It returns nil if it does not, or if they are
// not all shown.
func (d *Directory) listDeleted(ctx context.Context, requests int) ([]state.Observed, error) {
	if requests < 3 { // to count them takes one
		return nil, nil
	}
	l := api.Listing{Request: api.Request{Operation: &listUsers, Query: url.Values{"state": {state.Deleted}}}, Size: d.Options().PageSize, Complete: true}
	type counted struct {
		Total *int `json:"total"`
	}
	first := l.Request
	first.Query = url.Values{"state": {state.Deleted}, "pageSize": {"1"}}
	d.expect.expectReads(requests)
	n, err := api.Call[counted](ctx, d.Client, &first)
	switch {
	case api.IsDenied(err), err == nil && (n.Total == nil || *n.Total >= listUsers.Cap || *n.Total/l.Size+2 >= requests):
		return nil, nil
	case err != nil:
		return nil, err
	}
	all, err := api.ReadAll(ctx, d.Client, l, d.defaultReading.observed)
	if api.IsDenied(err) || errors.Is(err, apply.ErrListing) {
		return nil, nil
	}
	return append([]state.Observed{}, all...), err
}

// Search looks up the users who have one of the addresses, deleted ones included, up to 50 addresses in one request. Unlike
// Find it does not read the users again. They come in the order of the addresses, deleted ones last for each. ErrListing if
// some are missing.
func (d *Directory) Search(ctx context.Context, emails []string) ([]state.Observed, error) {
	defer d.expect.expectReads(0)
	keys := make([]string, len(emails))
	for i, email := range emails {
		keys[i] = spec.Key(email)
	}
	keys = unique(keys)
	order := make(map[string]int, len(keys))
	for i, key := range keys {
		order[key] = i
	}
	var list []state.Observed
	listed := map[string]bool{}
	err := d.inBatches(keys, searchUsers.Most, 0, func(batch []string) error {
		users, err := d.hits(ctx, batch)
		for _, seen := range users {
			if slices.Contains(batch, seen.Key()) && !listed[seen.ID] {
				list, listed[seen.ID] = append(list, seen), true
			}
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	slices.SortStableFunc(list, func(a, b state.Observed) int {
		return cmp.Or(cmp.Compare(order[a.Key()], order[b.Key()]), deletedLast(a, b))
	})
	return list, nil
}

// deletedLast orders users who have the same address.
func deletedLast(a, b state.Observed) int {
	switch {
	case a.Deleted() == b.Deleted():
		return 0
	case b.Deleted():
		return -1
	}
	return 1
}

// hits are the users whom the search shows for the addresses, deleted ones included. All of them, or it is an error:
// nobody could tell which address is that of a missing one.
func (d *Directory) hits(ctx context.Context, emails []string) ([]state.Observed, error) {
	type criterion struct { // UserSearchCriteria
		Type   string   `json:"type"`
		Fields []string `json:"fields"`
		Value  string   `json:"value,omitempty"`
		Values []string `json:"values,omitempty"`
	}
	type search struct { // UserSearchRequest
		PageSize   int         `json:"pageSize"`
		PageNumber int         `json:"pageNumber"`
		Query      []criterion `json:"query"`
	}
	byEmail := criterion{Type: "EXACT", Fields: []string{"email"}, Values: emails}
	if len(emails) == 1 {
		byEmail.Value, byEmail.Values = emails[0], nil
	}
	query := []criterion{byEmail, {Type: "EXACT", Fields: []string{"state"}, Values: []string{"active", "inactive", "deleted"}}}
	users, err := api.ReadAll(ctx, d.Client, api.Listing{
		Request: api.Request{Operation: &searchUsers}, Size: max(25, len(emails)), Complete: true,
		Body: func(size, n int) any { return search{PageSize: size, PageNumber: n, Query: query} },
	}, d.defaultReading.observed)
	if errors.Is(err, apply.ErrNotFound) { // how it may say that there is nobody
		return nil, nil
	}
	return users, err
}

// inBatches reads so many at a time. What is refused is read again in halves: it may be too much at once, or one
// of them may be what is refused. It tells the limiter of the requests still to come, with those after it.
func (d *Directory) inBatches(all []string, size, after int, read func(batch []string) error) error {
	left := (len(all) + size - 1) / size
	for batch := range slices.Chunk(all, size) {
		d.expect.expectReads(left + after)
		left--
		err := read(batch)
		if len(batch) > 1 && isOfBatch(err) {
			err = d.inBatches(batch, (len(batch)+1)/2, left+after, read)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// isOfBatch reports whether an error may be of one of a batch, or of its size.
func isOfBatch(err error) bool {
	return errors.Is(err, apply.ErrRefused) || errors.Is(err, apply.ErrNotFound)
}
