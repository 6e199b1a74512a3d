package sync

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"usersyncd/spec"
	"usersyncd/state"
	"usersyncd/sync/apply"
	"usersyncd/sync/plan"
	"usersyncd/sync/plan/identity"
)

// detailsPerCommit bounds what is read again after a crash, and what is held in memory.
const detailsPerCommit = 200

// readDetails reads fields of single users, by id, and merges them into the snapshot and the state file. It resolves the
// intents of the fields. unread has why users could not be read.
func (o *refresher) readDetails(ctx context.Context, want map[string][]spec.Field, snap *state.Snapshot) (unread map[string]error, err error) {
	unread = map[string]error{}
	var commit state.Commit
	flush := func() error {
		defer func() { commit = state.Commit{} }()
		return o.commit(commit)
	}
	o.startSending()
	o.update(func(s *Status) { s.Phase, s.Reading, s.Read = PhaseRead, len(want), 0 })
	began := time.Now()
	var health apply.Health
	forbidden := error(nil) // the permission is missing
	resolver := apply.Resolver{Store: o.Store, Policy: &o.Policy, Snap: snap}
	if len(snap.WriteIntents) > 0 {
		resolver.Index = identity.NewIndex(snap.Users)
	}
	err = o.Directory.Details(ctx, want, func(seen state.Observed, readErr error) error {
		o.update(func(s *Status) {
			if !errors.Is(readErr, apply.ErrUncertain) { // a lost answer is no progress
				s.Read++
			}
		})
		if readErr == nil {
			health.Reset(nil)
		}
		if err := health.Note(seen.ID, readErr, true); err != nil {
			if errors.Is(err, apply.ErrForbidden) {
				forbidden = readErr
			}
			return err
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if errors.Is(readErr, apply.ErrNotFound) && isNew(snap.Users[seen.ID]) {
			readErr = plan.ErrNotShownYet
		}
		u := snap.Users[seen.ID]
		if u != nil && readErr == nil && !u.ShowsAll(began) && u.Fields.Get(spec.Roles) == "" && seen.Fields.Get(spec.Roles) != "" {
			readErr = plan.ErrNotShownYet // the role that every new user gets
			seen.Fields = seen.Fields.Without(spec.Roles)
		}
		fields, writes := want[seen.ID], snap.WriteIntents[seen.ID]
		if unread[seen.ID] = readErr; readErr != nil { // of some fields, which says nothing of them
			fields = slices.DeleteFunc(slices.Clone(fields), func(f spec.Field) bool { return seen.Fields.Get(f) == "" })
		}
		if u == nil || len(fields) == 0 {
			return nil
		}
		if seen.Version > 0 && seen.Version < u.Version {
			unread[seen.ID] = fmt.Errorf("the API shows version %d of the user, and had shown %d", seen.Version, u.Version)
			return nil
		}
		if seen.Version > 0 { // the user itself was read, too
			if merged := o.merge(u, seen, fields, began); merged != nil {
				u = merged
			}
		}
		u = o.mergeDetails(u, seen.Fields, fields, writes, began)
		if len(writes) > 0 {
			resolver.Resolve(u, fields, began, &commit)
		}
		snap.Users[seen.ID] = u
		if commit.Users = append(commit.Users, u); len(commit.Users) >= detailsPerCommit {
			return flush()
		}
		return nil
	})
	if forbidden != nil {
		err = nil
	}
	if err = errors.Join(err, flush()); err != nil || forbidden == nil {
		return unread, err
	}
	denied, rest := forbiddenFields(forbidden), map[string][]spec.Field{}
	for id, fields := range want {
		if _, read := unread[id]; read {
			continue
		}
		unread[id] = forbidden // it is so of the other users, too
		if fields = without(fields, denied); len(denied) > 0 && len(fields) > 0 {
			rest[id] = fields
		}
	}
	if len(rest) == 0 {
		return unread, nil
	}
	others, err := o.readDetails(ctx, rest, snap)
	for id, readErr := range others {
		unread[id] = errors.Join(unread[id], readErr)
	}
	return unread, err
}

// forbiddenFields returns the fields that the OAuth client may not read, if an error says which.
func forbiddenFields(err error) (fields []spec.Field) {
	of := plan.FieldsError(nil)
	_ = errors.As(err, &of)
	for f, why := range of {
		if errors.Is(why, apply.ErrForbidden) {
			fields = append(fields, f)
		}
	}
	return fields
}

// mergeDetails merges fields of a user that were read at a time into what is known: those of the requested fields that are
// reliable. Other detail fields that are not managed are dropped when they are too old to be compared.
func (o *refresher) mergeDetails(u *state.User, read spec.Fields, fields []spec.Field, writes map[spec.Field]state.Event, at time.Time) *state.User {
	next := *u
	next.Fields = append(make(spec.Fields, 0, len(u.Fields)+len(fields)), u.Fields...)
	var fresh, others []spec.Field
	stale := false // a value may be older than a write of usersyncd, and no other is known
	for _, f := range fields {
		v, shown := read.Lookup(f)
		_, known := u.Fields.Lookup(f)
		w, interrupted := writes[f]
		switch {
		case interrupted && o.Policy.ReadableFrom(f, w.At).After(at):
			continue
		case interrupted && !shown:
			next.Fields = next.Fields.Without(f)
		case !shown, known && !interrupted && !o.Policy.Reliable(u, f, at):
			continue
		default:
			next.Fields.Set(f, v)
			stale = stale || !interrupted && !o.Policy.Reliable(u, f, at)
		}
		if slices.Contains(o.Policy.DetailFields, f) {
			fresh = append(fresh, f)
		}
	}
	for f := range u.Fields.All() {
		if !slices.Contains(o.Policy.DetailFields, f) || slices.Contains(fresh, f) {
			continue
		}
		_, managed := u.LastApplied.Lookup(f)
		if interval := o.Policy.DetailInterval; managed || slices.Contains(fields, f) || interval <= 0 || at.Sub(u.Times.ReadAt(f)) < interval {
			others = append(others, f)
		} else {
			next.Fields = next.Fields.Without(f)
		}
	}
	if len(fresh) > 0 {
		next.Times = u.Times.WithRead(at, fresh, others)
		next.Stale = stale || u.Stale && len(others) > 0
	}
	next.Fields = slices.Clone(next.Fields) // in the size that it has
	return o.share(&next)
}

// rotateDetails reads the detail fields of some users again, those with the oldest reading first, so that each user is read
// once within Policy.DetailInterval. After them come users of whom the listing leaves out a managed field that is not known
// any more, as the user has changed: no drift of it would ever be found. since is when it was last called.
func (o *refresher) rotateDetails(ctx context.Context, snap *state.Snapshot, since time.Duration) error {
	if o.Policy.DetailInterval <= 0 || o.dryRun {
		return nil
	}
	now := time.Now()
	isDetail := func(f spec.Field) bool { return slices.Contains(o.Policy.DetailFields, f) }
	want, all := map[string][]spec.Field{}, 0
	var due, incomplete []*state.User
	for _, u := range snap.Users {
		var details, unknown []spec.Field
		for f := range u.LastApplied.All() {
			if isDetail(f) {
				details = append(details, f)
			} else if _, known := u.Fields.Lookup(f); !known {
				unknown = append(unknown, f)
			}
		}
		if len(details)+len(unknown) == 0 || u.Deleted() {
			continue
		}
		all++
		readable := slices.DeleteFunc(details, func(f spec.Field) bool { return !o.Policy.Reliable(u, f, now) })
		switch age := now.Sub(u.Times.Oldest()); {
		case len(readable) > 0 && (u.Stale || age < 0 || age >= o.Policy.DetailInterval):
			due = append(due, u)
			want[u.ID] = slices.Sorted(slices.Values(append(readable, unknown...)))
		case len(unknown) > 0:
			incomplete = append(incomplete, u)
			want[u.ID] = slices.Sorted(slices.Values(unknown))
		}
	}
	oldestFirst := func(a, b *state.User) int {
		return cmp.Or(a.Times.Oldest().Compare(b.Times.Oldest()), cmp.Compare(a.ID, b.ID))
	}
	slices.SortFunc(due, oldestFirst)
	slices.SortFunc(incomplete, oldestFirst)
	due = append(due, incomplete...)
	share := min(1, float64(since)/float64(o.Policy.DetailInterval))
	for _, u := range due[min(len(due), int(float64(all)*share)+1):] {
		if !u.Stale {
			delete(want, u.ID)
		}
	}
	if len(want) == 0 {
		return nil
	}
	unread, err := o.readDetails(ctx, want, snap)
	var commit state.Commit
	for id, readErr := range unread {
		details := slices.DeleteFunc(want[id], func(f spec.Field) bool { return !isDetail(f) })
		if u := snap.Users[id]; readErr != nil && u != nil && len(details) > 0 { // it counts as read, so that it does not stay first
			next := *u
			next.Times, next.Stale = u.Times.WithRead(now, details, nil), false
			snap.Users[id] = &next
			commit.Users = append(commit.Users, &next)
		}
	}
	return errors.Join(err, o.Store.Commit(commit))
}

// maxDetailAge is how old detail fields may be for an export.
const maxDetailAge = time.Hour

// readMissing reads the fields that are unknown, may have been written by an interrupted call, or are too old.
func (o *refresher) readMissing(ctx context.Context, snap *state.Snapshot, ids []string, fields []spec.Field, now time.Time) error {
	want := map[string][]spec.Field{}
	for _, id := range ids {
		u := snap.Users[id]
		if u.Deleted() {
			continue
		}
		for _, f := range fields {
			if f == spec.Roles && u.Fields.Get(spec.State) == spec.Text("inactive") {
				continue // see Policy.ForgetLost
			}
			_, known := u.Fields.Lookup(f)
			old := u.Stale || len(snap.WriteIntents[id]) > 0 || now.Sub(u.Times.ReadAt(f)).Abs() >= maxDetailAge
			if !known || old && slices.Contains(o.Policy.DetailFields, f) {
				want[id] = append(want[id], f)
			}
		}
	}
	if len(want) == 0 {
		return nil
	}
	unread, err := o.readDetails(ctx, want, snap)
	for id, readErr := range unread {
		if readErr != nil {
			o.Log.Warn("a user could not be read completely; what is missing is not exported", "user", snap.Users[id].Key(), "error", readErr)
		}
	}
	return err
}
