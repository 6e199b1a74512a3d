package genesys

import (
	"context"
	"errors"
	"fmt"
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
	defer d.expect.listing(0)
	r, err := d.reading(ctx, fields)
	if err != nil {
		return nil, err
	}
	found := make(map[string]state.Observed, len(ids))
	asked := make(map[string]bool, len(ids))
	var order, together []string
	for _, id := range ids {
		if id == "" || asked[id] {
			continue
		}
		asked[id] = true
		if order = append(order, id); !strings.Contains(id, ",") {
			together = append(together, id)
		}
	}
	err = d.inBatches(together, readUsers.Most, 0, func(batch []string) error {
		query := r.query()
		query.Set("id", strings.Join(batch, ","))
		users, err := d.users(ctx, r, &api.Request{Operation: &readUsers, Query: query})
		if len(batch) == 1 && notAsBatch(err) {
			return nil
		}
		for _, now := range users {
			if asked[now.ID] && (found[now.ID].ID == "" || found[now.ID].Version < now.Version) {
				found[now.ID] = now
			}
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	unread, err := d.readEach(ctx, slices.DeleteFunc(slices.Clone(order), func(id string) bool { return found[id].ID != "" }), fields, found)
	if err != nil {
		return nil, err
	}
	var list []state.Observed
	for _, id := range order {
		if now, ok := found[id]; ok {
			list = append(list, now)
		}
	}
	d.addresses.Learn(list...)
	return list, unread
}

// users makes a request whose answer shows several users.
func (d *Directory) users(ctx context.Context, r *reading, request *api.Request) (list []state.Observed, err error) {
	_, err = d.client.Do(ctx, request, func(answer []byte) (err error) {
		list, err = r.users(answer)
		return err
	})
	return list, err
}

// readEach reads users one by one, and adds those who exist to found. unread is of those of whom that is not known.
func (d *Directory) readEach(ctx context.Context, ids []string, fields []spec.Field, found map[string]state.Observed) (unread, err error) {
	var mu sync.Mutex
	g, group := errgroup.WithContext(ctx)
	g.SetLimit(d.atOnce)
	for i, id := range ids {
		if group.Err() != nil {
			break
		}
		d.expect.listing(len(ids) - i)
		g.Go(func() error {
			now, err := d.get(group, id, fields, "", "deleted")
			mu.Lock()
			defer mu.Unlock()
			switch {
			case err == nil:
				found[id] = now
			case errors.Is(err, apply.ErrNotFound):
			case api.IsDenied(err), errors.Is(err, apply.ErrUncertain):
				unread = errors.Join(unread, fmt.Errorf("user %s: %w", id, err))
			default:
				return err
			}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	return unread, ctx.Err()
}

// Search implements usersync.Reader.
func (d *Directory) Search(ctx context.Context, emails []string) ([]state.Observed, error) {
	defer d.expect.listing(0)
	var order []string
	found := make(map[string][]state.Observed, len(emails)) // by key of the address
	for _, email := range emails {
		if key := spec.Key(email); key != "" && found[key] == nil {
			found[key] = []state.Observed{}
			order = append(order, key)
		}
	}
	err := d.inBatches(order, searchUsers.Most, 0, func(batch []string) error {
		users, err := d.hits(ctx, batch)
		for _, now := range users {
			same, asked := found[now.Key()]
			if asked && !slices.ContainsFunc(same, func(other state.Observed) bool { return other.ID == now.ID }) {
				found[now.Key()] = append(same, now)
			}
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	var list []state.Observed
	for _, key := range order {
		for _, deleted := range []bool{false, true} {
			for _, now := range found[key] {
				if deleted == (now.Fields[spec.State] == spec.Text("deleted")) {
					list = append(list, now)
				}
			}
		}
	}
	return list, nil
}

// search asks for the users that meet every criterion (UserSearchRequest).
type search struct {
	PageSize   int         `json:"pageSize"`
	PageNumber int         `json:"pageNumber"`
	Query      []criterion `json:"query"`
}

type criterion struct {
	Type   string   `json:"type"`
	Fields []string `json:"fields"`
	Value  string   `json:"value,omitempty"`
	Values []string `json:"values,omitempty"`
}

// hits are the users whom the search shows for the addresses, deleted ones included. All of them, or it is an error:
// nobody could tell which address is that of a missing one.
func (d *Directory) hits(ctx context.Context, emails []string) ([]state.Observed, error) {
	byEmail := criterion{Type: "EXACT", Fields: []string{"email"}, Values: emails}
	if len(emails) == 1 {
		byEmail.Value, byEmail.Values = emails[0], nil
	}
	query := []criterion{byEmail, {Type: "EXACT", Fields: []string{"state"}, Values: []string{"active", "inactive", "deleted"}}}
	users, err := api.ReadAll(ctx, d.client, api.Listing{
		Request: api.Request{Operation: &searchUsers}, Size: max(25, len(emails)), Complete: true,
		Body: func(size, n int) any { return search{PageSize: size, PageNumber: n, Query: query} },
	}, d.alwaysShown().observed)
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
		d.expect.listing(left + after)
		left--
		err := read(batch)
		if len(batch) > 1 && notAsBatch(err) {
			err = d.inBatches(batch, (len(batch)+1)/2, left+after, read)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// notAsBatch reports whether an error may be of one of a batch, or of its size.
func notAsBatch(err error) bool {
	return errors.Is(err, apply.ErrRefused) || errors.Is(err, apply.ErrNotFound)
}
