package sync

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"usersyncd/spec"
	"usersyncd/state"
	"usersyncd/sync/apply"
	"usersyncd/sync/plan"
)

// answered makes a plan again and again until it has nothing left to ask. What takes a request or more for each user is
// asked last, and before that the plan is returned of what is urgent, if anything is and urgent says that it may be.
func (o *observer) answered(ctx context.Context, snap *state.Snapshot, bind func() error, urgent bool, newPlan func(*plan.LookupResults) *plan.Plan) (*plan.Plan, error) {
	answers := &plan.LookupResults{Names: map[spec.Ref]string{}, Unread: map[string]error{}, IDs: map[string]bool{},
		Fresh: map[string]error{}, Searched: map[string]error{}}
	for {
		p := newPlan(answers)
		if !p.NeedsLookups() {
			return p, nil
		}
		next, quick := p.Lookups.Quick()
		if !quick {
			if urgent {
				answers.Urgent = true
				if u := newPlan(answers); u.Sends() && !u.NeedsLookups() {
					return u, nil
				}
				answers.Urgent = false
			}
			next = p.Lookups
		}
		if err := bind(); err != nil {
			return nil, err
		}
		if err := o.ask(ctx, &next, snap, answers); err != nil {
			return nil, err
		}
	}
}

func (o *observer) ask(ctx context.Context, a *plan.Lookups, snap *state.Snapshot, answers *plan.LookupResults) error {
	if len(a.Names) > 0 {
		wrong, err := o.directory.Check(ctx, slices.SortedFunc(maps.Keys(a.Names), func(x, y spec.Ref) int {
			return cmp.Or(cmp.Compare(x.Kind, y.Kind), cmp.Compare(x.Name, y.Name))
		}))
		if err != nil {
			return fmt.Errorf("look names up: %w", err)
		}
		for ref := range a.Names {
			answers.Names[ref] = wrong[ref]
		}
	}
	for _, id := range a.IDs {
		answers.IDs[id] = true
		switch now, err := o.directory.Get(ctx, id, snap.Refresh.Fields...); {
		case err == nil && now.ID == id:
			snap.Users[id] = &state.User{Observed: now}
		case err != nil && !errors.Is(err, apply.ErrNotFound) && !errors.Is(err, apply.ErrRefused) && !errors.Is(err, apply.ErrForbidden):
			return fmt.Errorf("look up a pinned id: %w", err)
		}
	}
	if err := o.readFresh(ctx, slices.Sorted(maps.Keys(a.Fresh)), snap, answers); err != nil {
		return fmt.Errorf("read users before they are removed: %w", err)
	}
	if waited, err := o.awaitUsers(ctx, snap, answers.Fresh); waited || err != nil {
		maps.DeleteFunc(answers.Fresh, func(_ string, why error) bool { return errors.Is(why, plan.ErrNotShownYet) })
		return err
	}
	if err := o.searchDeleted(ctx, slices.Sorted(maps.Keys(a.Emails)), snap, answers); err != nil {
		return fmt.Errorf("look addresses up: %w", err)
	}
	if len(a.Fields) > 0 {
		unread, err := o.details(ctx, a.Fields, snap)
		if err != nil {
			return err
		}
		for id := range a.Fields {
			answers.Unread[id] = unread[id]
		}
		if waited, err := o.awaitUsers(ctx, snap, unread); waited || err != nil { // asked again, they are shown
			maps.DeleteFunc(answers.Unread, func(_ string, why error) bool { return errors.Is(why, plan.ErrNotShownYet) })
			return err
		}
	}
	if a.Admins {
		answers.AdminsRead = true
		answers.Admins, answers.AdminsErr = o.directory.Holders(ctx, o.policy.Guard.AdminRoles)
		if err := answers.AdminsErr; err != nil && !errors.Is(err, apply.ErrForbidden) && !errors.Is(err, apply.ErrRefused) && !errors.Is(err, apply.ErrListing) {
			return fmt.Errorf("look the administrators up: %w", err)
		}
	}
	return nil
}

// readFresh reads known users in this very pass, and forgets those who do not exist any more. Those who cannot be
// read are told apart: nothing may be done to them that depends on it.
func (o *observer) readFresh(ctx context.Context, ids []string, snap *state.Snapshot, answers *plan.LookupResults) error {
	if len(ids) == 0 {
		return nil
	}
	began, fields := time.Now(), o.listed(snap.Refresh.Fields)
	found, err := o.directory.Read(ctx, ids, fields...)
	if err != nil && !errors.Is(err, apply.ErrForbidden) && !errors.Is(err, apply.ErrUncertain) && !errors.Is(err, apply.ErrRefused) {
		return err
	}
	for _, id := range ids {
		answers.Fresh[id] = err
	}
	var commit state.Commit
	for _, now := range found {
		answers.Fresh[now.ID] = nil
		if u := o.merge(snap.Users[now.ID], now, fields, began); u != nil {
			snap.Users[now.ID] = u
			commit.Users = append(commit.Users, u)
		}
	}
	if err == nil {
		seen := make(map[string]bool, len(found))
		for _, now := range found {
			seen[now.ID] = true
		}
		for _, id := range ids {
			switch {
			case seen[id]:
			case unshown(snap.Users[id]):
				answers.Fresh[id] = plan.ErrNotShownYet
			default:
				delete(snap.Users, id)
				commit.Forget = append(commit.Forget, id)
			}
		}
	}
	if o.dryRun {
		return nil
	}
	return o.store.Commit(commit)
}

// searchDeleted finds deleted users by their addresses, which no listing shows. Whom the search names is read: it
// may be behind. A search that failed does not tell that nobody has an address.
func (o *observer) searchDeleted(ctx context.Context, emails []string, snap *state.Snapshot, answers *plan.LookupResults) error {
	if len(emails) == 0 {
		return nil
	}
	found, err := o.directory.Search(ctx, emails)
	if err != nil && !errors.Is(err, apply.ErrForbidden) && !errors.Is(err, apply.ErrRefused) && !errors.Is(err, apply.ErrListing) {
		return err
	}
	var ids []string
	for _, now := range found {
		if u := (&state.User{Observed: now}); u.Deleted() && snap.Users[now.ID] == nil {
			ids = append(ids, now.ID)
		}
	}
	for _, email := range emails {
		answers.Searched[email] = err
	}
	return o.readFresh(ctx, ids, snap, answers)
}
