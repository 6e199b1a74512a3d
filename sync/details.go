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
	"usersyncd/sync/plan/identity"
)

// detailsPerCommit bounds what is read again after a crash, and what is held in memory.
const detailsPerCommit = 200

// details reads fields of single users, those that no listing shows for one, and merges them into the snapshot, in
// memory and in the state file. It resolves the intents of what it reads. It returns why users could not be read.
func (o *observer) details(ctx context.Context, want map[string][]spec.Field, snap *state.Snapshot) (map[string]error, error) {
	unread := map[string]error{}
	var commit state.Commit
	flush := func() error {
		defer func() { commit = state.Commit{} }()
		if o.dryRun {
			return nil
		}
		return o.store.Commit(commit)
	}
	o.sending()
	o.update(func(s *Status) { s.Phase, s.Reading, s.Read = PhaseRead, len(want), 0 })
	began := time.Now()
	denied, unanswered, lacking := 0, 0, error(nil)
	var index *identity.Index
	if len(snap.Writes) > 0 {
		index = identity.NewIndex(snap.Users)
	}
	err := o.directory.Details(ctx, want, func(now state.Observed, why error) error {
		o.update(func(s *Status) {
			if !errors.Is(why, apply.ErrUncertain) { // no answer is no progress
				s.Read++
			}
		})
		switch {
		case errors.Is(why, apply.ErrForbidden):
			if denied++; denied >= apply.MaxForbidden {
				lacking = why
				return errLacking
			}
		case errors.Is(why, apply.ErrUncertain):
			if unanswered++; unanswered >= apply.MaxUnanswered {
				return why
			}
		case errors.Is(why, apply.ErrUnauthorized), errors.Is(why, apply.ErrThrottled), errors.Is(why, apply.ErrUnreachable):
			return why
		case why == nil:
			denied, unanswered = 0, 0
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if errors.Is(why, apply.ErrNotFound) && unshown(snap.Users[now.ID]) {
			why = plan.ErrNotShownYet
		}
		if unread[now.ID] = why; why != nil {
			return nil //nolint:nilerr // it is this user's alone
		}
		u := snap.Users[now.ID]
		if u == nil {
			return nil
		}
		if now.Version > 0 && now.Version < u.Version {
			unread[now.ID] = fmt.Errorf("the API shows version %d of the user, and had shown %d", now.Version, u.Version)
			return nil
		}
		asked, writes := want[now.ID], snap.Writes[now.ID]
		if now.Version > 0 { // it was read itself, and not only what hangs under it
			if merged := o.merge(u, now, asked, began); merged != nil {
				u = merged
			}
		}
		renewed := o.detailed(u, now.Fields, asked, writes, began)
		if len(writes) > 0 {
			apply.ResolveWrites(o.store, o.policy, index, renewed, asked, began, snap, &commit)
		}
		snap.Users[now.ID] = renewed
		if commit.Users = append(commit.Users, renewed); len(commit.Users) >= detailsPerCommit {
			return flush()
		}
		return nil
	})
	if errors.Is(err, errLacking) { // so does everybody else
		err = nil
		for id := range want {
			if _, read := unread[id]; !read {
				unread[id] = lacking
			}
		}
	}
	return unread, errors.Join(err, flush())
}

// errLacking ends a reading for which the permission is missing.
var errLacking = errors.New("the permission is missing")

// detailed adds what was read of a user, at a time, to what is known: of the fields that were asked for, those of which
// a reading counts. Of the others that no listing shows, the ones that nobody manages are forgotten once they are too
// old to be compared.
func (o *observer) detailed(u *state.User, read spec.Fields, asked []spec.Field, writes map[spec.Field]state.Event, at time.Time) *state.User {
	renewed := *u
	renewed.Fields = make(spec.Fields, len(u.Fields)+len(asked))
	maps.Copy(renewed.Fields, u.Fields)
	var fresh, kept []spec.Field
	unsure := false // whether a reading may be of before our own write, and nothing else is known
	for _, f := range asked {
		v, shown := read[f]
		_, known := u.Fields[f]
		w, doubtful := writes[f]
		switch {
		case doubtful && o.policy.ReadableFrom(f, w.At).After(at):
			continue
		case doubtful && !shown:
			delete(renewed.Fields, f)
		case !shown, known && !doubtful && !o.policy.Reliable(u, f, at):
			continue
		default:
			renewed.Fields[f] = v
			unsure = unsure || !doubtful && !o.policy.Reliable(u, f, at)
		}
		if slices.Contains(o.policy.DetailFields, f) {
			fresh = append(fresh, f)
		}
	}
	for f := range u.Fields {
		if !slices.Contains(o.policy.DetailFields, f) || slices.Contains(fresh, f) {
			continue
		}
		_, managed := u.Applied[f]
		if every := o.policy.DetailInterval; managed || slices.Contains(asked, f) || every <= 0 || at.Sub(u.Times.ReadAt(f)) < every {
			kept = append(kept, f)
		} else {
			delete(renewed.Fields, f)
		}
	}
	if len(fresh) > 0 {
		renewed.Times = u.Times.WithRead(at, fresh, kept)
		renewed.Stale = unsure || u.Stale && len(kept) > 0
	}
	return &renewed
}

// rotate reads again what no listing shows, of the users who have waited longest, so that within
// Policy.DetailInterval everybody's is read once.
func (o *observer) rotate(ctx context.Context, snap *state.Snapshot, since time.Duration) error {
	if o.policy.DetailInterval <= 0 || o.dryRun {
		return nil
	}
	now := time.Now()
	want, all := map[string][]spec.Field{}, 0
	var due []*state.User
	for _, u := range snap.Users {
		var known []spec.Field
		for _, f := range o.policy.DetailFields {
			if _, managed := u.Applied[f]; managed {
				known = append(known, f)
			}
		}
		if len(known) == 0 || u.Deleted() {
			continue
		}
		all++
		known = slices.DeleteFunc(known, func(f spec.Field) bool { return !o.policy.Reliable(u, f, now) })
		if age := now.Sub(u.Times.Oldest()); len(known) > 0 && (u.Stale || age < 0 || age >= o.policy.DetailInterval) {
			due = append(due, u)
			want[u.ID] = known
		}
	}
	slices.SortFunc(due, func(a, b *state.User) int {
		return cmp.Or(a.Times.Oldest().Compare(b.Times.Oldest()), cmp.Compare(a.ID, b.ID))
	})
	share := min(1, float64(since)/float64(o.policy.DetailInterval))
	for _, u := range due[min(len(due), int(float64(all)*share)+1):] {
		if !u.Stale {
			delete(want, u.ID)
		}
	}
	if len(want) == 0 {
		return nil
	}
	unread, err := o.details(ctx, want, snap)
	var commit state.Commit
	for id, why := range unread {
		if u := snap.Users[id]; why != nil && u != nil { // who cannot be read stays as known, and takes nobody's turn
			tried := *u
			tried.Times, tried.Stale = u.Times.WithRead(now, want[id], nil), false
			snap.Users[id] = &tried
			commit.Users = append(commit.Users, &tried)
		}
	}
	return errors.Join(err, o.store.Commit(commit))
}

// exportsAgain is how old what no listing shows may be.
const exportsAgain = time.Hour

// readDetails reads the fields that no listing shows, where they were not read lately, or an interrupted call may have
// written one since.
func (o *observer) readDetails(ctx context.Context, snap *state.Snapshot, ids []string, fields []spec.Field, now time.Time) error {
	want := map[string][]spec.Field{}
	for _, id := range ids {
		u := snap.Users[id]
		if u.Deleted() {
			continue
		}
		for _, f := range fields {
			_, known := u.Fields[f]
			old := u.Stale || len(snap.Writes[id]) > 0 || now.Sub(u.Times.ReadAt(f)).Abs() >= exportsAgain
			if apart := slices.Contains(o.policy.DetailFields, f); !known || apart && old {
				want[id] = append(want[id], f)
			}
		}
	}
	if len(want) == 0 {
		return nil
	}
	unread, err := o.details(ctx, want, snap)
	for id, why := range unread {
		if why != nil {
			o.log.Warn("a user could not be read whole; what is missing is not exported", "user", snap.Users[id].Key(), "error", why)
		}
	}
	return err
}

// readAgain reads what the fields are now: the listing, and of the users in question what it does not show. The state
// file learns nothing of it.
func (o *observer) readAgain(ctx context.Context, wanted []*plan.UserRollback, snap *state.Snapshot) error {
	used := map[spec.Field]bool{}
	apart := map[string][]spec.Field{}
	for _, u := range wanted {
		for f := range u.Before {
			used[f] = true
			if slices.Contains(o.policy.DetailFields, f) && snap.Users[u.ID] != nil {
				apart[u.ID] = append(apart[u.ID], f)
			}
		}
	}
	fields := slices.Sorted(maps.Keys(used))
	if err := o.refresh(ctx, ctx, snap, fields); err != nil {
		return err
	}
	if len(apart) == 0 {
		return nil
	}
	unread, err := o.details(ctx, apart, snap)
	for id, why := range unread {
		if why != nil {
			err = errors.Join(err, fmt.Errorf("read user %s: %w", id, why))
		}
	}
	return err
}
