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

// planWithLookups makes a plan again until it needs no lookups. Lookups that take a request or more for each user come last.
// Before these it returns a plan of what is urgent, if urgent is set and there is anything.
func (o *refresher) planWithLookups(ctx context.Context, snap *state.Snapshot, open func() error, urgent bool, newPlan func(*plan.LookupResults) *plan.Plan) (*plan.Plan, error) {
	results := &plan.LookupResults{Names: map[spec.Ref]string{}, Unread: map[string]error{}, IDs: map[string]bool{},
		Fresh: map[string]error{}, Searched: map[string]error{}, Memberships: map[plan.Membership]error{}, MembersByRule: map[string][]string{}, Reads: map[spec.Field]int{}}
	for {
		p := newPlan(results)
		if !p.NeedsLookups() {
			return p, nil
		}
		lookups, quick := p.Lookups.Quick()
		if !quick {
			if urgent {
				results.Urgent = true
				if u := newPlan(results); u.Sends() && !u.NeedsLookups() {
					return u, nil
				}
				results.Urgent = false
			}
			lookups = p.Lookups
		}
		if err := open(); err != nil {
			return nil, err
		}
		if err := o.lookUp(ctx, &lookups, snap, results); err != nil {
			return nil, err
		}
	}
}

func isAny(err error, targets ...error) bool {
	return slices.ContainsFunc(targets, func(target error) bool { return errors.Is(err, target) })
}

func (o *refresher) lookUp(ctx context.Context, l *plan.Lookups, snap *state.Snapshot, results *plan.LookupResults) error {
	if len(l.Names) > 0 {
		wrong, err := o.Directory.Check(ctx, slices.SortedFunc(maps.Keys(l.Names), func(x, y spec.Ref) int {
			return cmp.Or(cmp.Compare(x.Kind, y.Kind), cmp.Compare(x.Name, y.Name))
		}))
		if err != nil {
			return fmt.Errorf("look up names: %w", err)
		}
		for ref := range l.Names {
			results.Names[ref] = wrong[ref]
		}
	}
	for _, id := range l.IDs {
		results.IDs[id] = true
		switch now, err := o.Directory.Get(ctx, id, snap.Refresh.Fields...); {
		case err == nil && now.ID == id:
			snap.Users[id] = &state.User{Observed: now}
		case err != nil && !isAny(err, apply.ErrNotFound, apply.ErrRefused, apply.ErrForbidden):
			return fmt.Errorf("look up a pinned id: %w", err)
		}
	}
	if err := o.readFresh(ctx, slices.Sorted(maps.Keys(l.Fresh)), snap, results); err != nil {
		return fmt.Errorf("read users before they are removed: %w", err)
	}
	if waited, err := o.awaitNewUsers(ctx, snap, results.Fresh); waited || err != nil {
		dropNotShown(results.Fresh)
		return err
	}
	if err := o.searchDeleted(ctx, slices.Sorted(maps.Keys(l.Emails)), snap, results); err != nil {
		return fmt.Errorf("look up addresses: %w", err)
	}
	if err := o.lookUpMemberships(ctx, l.Memberships, snap, results); err != nil {
		return err
	}
	if len(l.Fields) > 0 {
		o.countReads(l.Fields, results.Reads)
		unread, err := o.readDetails(ctx, l.Fields, snap)
		if err != nil {
			return err
		}
		for id := range l.Fields {
			results.Unread[id] = unread[id]
		}
		if waited, err := o.awaitNewUsers(ctx, snap, unread); waited || err != nil {
			dropNotShown(results.Unread)
			return err
		}
	}
	if l.Admins {
		results.AdminsRead = true
		results.Admins, results.AdminsErr = o.Directory.Holders(ctx, o.Policy.Guard.AdminRoles)
		if err := results.AdminsErr; err != nil && !isAny(err, apply.ErrForbidden, apply.ErrRefused, apply.ErrListing) {
			return fmt.Errorf("look up administrators: %w", err)
		}
	}
	return nil
}

// manyReads is from how many on the requests for single users are announced in the log: they take minutes.
const manyReads = 1000

// countReads adds to the number of users of whom fields are read that take a request for each user.
func (o *refresher) countReads(want map[string][]spec.Field, reads map[spec.Field]int) {
	all, attrs := 0, []any{}
	for _, f := range o.Policy.PerUserFields {
		n := 0
		for _, fields := range want {
			if slices.Contains(fields, f) {
				n++
			}
		}
		if n > 0 {
			all, reads[f], attrs = all+n, reads[f]+n, append(attrs, string(f), n)
		}
	}
	if all >= manyReads {
		o.Log.Info("reading what no listing shows, a request for each user and field; leavers and new users do not wait for it", attrs...)
	}
}

// dropNotShown drops the results of users that were not shown, so that they are looked up again.
func dropNotShown(unread map[string]error) {
	maps.DeleteFunc(unread, func(_ string, err error) bool { return errors.Is(err, plan.ErrNotShownYet) })
}

// readFresh reads known users in this pass, and forgets those that no longer exist. results has which could not be read.
func (o *refresher) readFresh(ctx context.Context, ids []string, snap *state.Snapshot, results *plan.LookupResults) error {
	if len(ids) == 0 {
		return nil
	}
	began, fields := time.Now(), o.listable(snap.Refresh.Fields)
	found, err := o.Directory.Read(ctx, ids, fields...)
	if err != nil && !isAny(err, apply.ErrForbidden, apply.ErrUncertain, apply.ErrRefused) {
		return err
	}
	for _, id := range ids {
		results.Fresh[id] = err
	}
	var commit state.Commit
	read := make(map[string]bool, len(found))
	for _, now := range found {
		read[now.ID], results.Fresh[now.ID] = true, nil
		o.observe(now, fields, began, snap, &commit)
	}
	for _, id := range ids {
		switch {
		case err != nil, read[id]:
		case isNew(snap.Users[id]):
			results.Fresh[id] = plan.ErrNotShownYet
		default:
			delete(snap.Users, id)
			commit.Forget = append(commit.Forget, id)
		}
	}
	return o.commit(commit)
}

// searchDeleted finds deleted users by their addresses, which no listing shows, and reads them, as a search may be outdated.
func (o *refresher) searchDeleted(ctx context.Context, emails []string, snap *state.Snapshot, results *plan.LookupResults) error {
	if len(emails) == 0 {
		return nil
	}
	found, err := o.Directory.Deleted(ctx, emails)
	if err != nil && !isAny(err, apply.ErrForbidden, apply.ErrRefused, apply.ErrListing, apply.ErrUncertain) {
		return err
	}
	var ids []string
	for _, now := range found {
		if snap.Users[now.ID] == nil {
			ids = append(ids, now.ID)
		}
	}
	for _, email := range emails {
		results.Searched[email] = err
	}
	return o.readFresh(ctx, ids, snap, results)
}

// lookUpMemberships takes those that a rule gives out of what is known of the users, as nothing can be done about them. A user
// who was added so recently that a reading may not show it counts as one who can be removed.
func (o *refresher) lookUpMemberships(ctx context.Context, memberships map[plan.Membership]bool, snap *state.Snapshot, results *plan.LookupResults) error {
	if len(memberships) == 0 {
		return nil
	}
	began := time.Now()
	given, err := o.readGiven(ctx, slices.Collect(maps.Keys(memberships)), results.Memberships)
	if err != nil {
		return err
	}
	var commit state.Commit
	for _, m := range given {
		u := snap.Users[m.User]
		if !o.Policy.Reliable(u, spec.Groups, began) {
			continue
		}
		u = withoutGroup(u, m.Group)
		snap.Users[m.User] = u
		commit.Users = append(commit.Users, u)
		results.MembersByRule[m.Group] = append(results.MembersByRule[m.Group], u.Key())
	}
	for _, users := range results.MembersByRule {
		slices.Sort(users)
	}
	return o.commit(commit)
}

// readGiven returns which of the memberships a rule gives, or being an owner, in order. why says of each why that could not be
// read, nil if it was.
func (o *refresher) readGiven(ctx context.Context, memberships []plan.Membership, why map[plan.Membership]error) (given []plan.Membership, err error) {
	slices.SortFunc(memberships, func(a, b plan.Membership) int {
		return cmp.Or(cmp.Compare(a.Group, b.Group), cmp.Compare(a.User, b.User))
	})
	var group string
	var individuals []string
	var failed error
	for i, m := range memberships {
		if i == 0 || m.Group != group {
			group = m.Group
			if individuals, failed = o.Directory.Individuals(ctx, group); ctx.Err() != nil {
				return nil, ctx.Err()
			}
			slices.Sort(individuals)
		}
		if why[m] = failed; failed != nil {
			continue
		}
		if _, direct := slices.BinarySearch(individuals, m.User); !direct {
			given = append(given, m)
		}
	}
	return given, nil
}

// withoutGroup returns a user that is not in a group.
func withoutGroup(u *state.User, group string) *state.User {
	next := *u
	next.Fields = slices.Clone(u.Fields)
	groups, _ := spec.Decode[[]string](u.Fields.Get(spec.Groups))
	next.Fields.Set(spec.Groups, spec.Strings(slices.DeleteFunc(groups, func(name string) bool { return name == group })))
	return &next
}
