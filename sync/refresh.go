package sync

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"maps"
	"math"
	"slices"
	"sync"
	"time"

	"usersyncd/spec"
	"usersyncd/state"
	"usersyncd/sync/apply"
	"usersyncd/sync/plan"
)

// A refresher reads the organization into a snapshot of what is known, and into the state file.
type refresher struct {
	*Reconciler
	dryRun  bool       // nothing is written to the state file
	patient bool       // it waits for what the API shows late, at most plan.ReadLag
	tree    *spec.Tree // with which users share the values that they have as declared; nil: none
}

// newRefresher returns one for a pass, and asks the directory how its API treats fields.
func (r *Reconciler) newRefresher(mode Mode) *refresher {
	r.Policy.Capabilities = r.Directory.Capabilities()
	return &refresher{Reconciler: r, dryRun: mode.DryRun, patient: mode.Strict || mode.DryRun}
}

// openOnce returns a function that opens the directory on the first call. A pass that needs no request does not call it.
func (o *refresher) openOnce(ctx context.Context, snap *state.Snapshot) func() error {
	return sync.OnceValue(func() error {
		org, err := o.Directory.Open(ctx, snap.Users)
		if err != nil {
			return err
		}
		return o.Store.Bind(state.Org{API: o.API, ID: org})
	})
}

// refresh reads the organization and merges it into the snapshot and the state file. interruptible ends the reading of single
// users after that.
func (o *refresher) refresh(ctx, interruptible context.Context, snap *state.Snapshot, fields []spec.Field) error {
	began, before := time.Now(), snap.Refresh.At
	listed, changed := map[string]bool{}, map[string]*state.User{}
	listing, err := o.Directory.List(ctx, func(users []state.Observed) { // of most users nothing has changed, and nothing is kept
		for _, seen := range users {
			listed[seen.ID] = true
			if u := o.merge(cmp.Or(changed[seen.ID], snap.Users[seen.ID]), seen, fields, began); u != nil {
				changed[seen.ID] = u
			}
		}
	}, fields...)
	if err != nil {
		return err
	}
	commit := state.Commit{Refresh: &state.Refresh{At: time.Now(), Listed: len(listed), Fields: fields, Gap: listing.Gap}}
	for _, id := range slices.Sorted(maps.Keys(changed)) {
		o.record(changed[id], snap, &commit)
	}
	if listing.Complete() {
		if err := o.checkUnlisted(ctx, snap, fields, listed, &commit); err != nil {
			return err
		}
	} else {
		o.Log.Warn("the API did not list every user; missing users are taken as unchanged", "listed", len(listed), "missing", cmp.Or(listing.Gap, listing.Cap))
	}
	snap.Refresh, snap.Rebuilt = *commit.Refresh, false
	if !o.dryRun {
		if commit.Users, err = o.Store.CommitMost(commit.Users); err != nil {
			return err
		}
		if err := o.Store.Commit(commit); err != nil {
			return err
		}
		o.update(func(s *Status) { s.Refresh = snap.Refresh.At.UTC() })
	}
	o.excludeWait(began)
	since := o.Policy.DetailInterval
	if !before.IsZero() {
		since = began.Sub(before)
	}
	return o.rotateDetails(interruptible, snap, since)
}

// commit stores what was read, unless nothing may be written.
func (o *refresher) commit(read state.Commit) error {
	if o.dryRun {
		return nil
	}
	return o.Store.Commit(read)
}

// observe merges an observation into the snapshot and the commit, as merge does.
func (o *refresher) observe(seen state.Observed, fields []spec.Field, at time.Time, snap *state.Snapshot, commit *state.Commit) {
	if u := o.merge(snap.Users[seen.ID], seen, fields, at); u != nil {
		o.record(u, snap, commit)
	}
}

// record puts what is now known of a user into the snapshot and the commit.
func (o *refresher) record(u *state.User, snap *state.Snapshot, commit *state.Commit) {
	if intent, created := snap.CreateIntents[u.Key()]; created && snap.Users[u.ID] == nil { // by a process that was killed
		u.CreatedAt = intent.Started.Unix()
	}
	snap.Users[u.ID] = u
	commit.Users = append(commit.Users, u)
}

// merge merges an observation into what is known of a user, before. It returns nil if it adds nothing, or is older than what
// is known. fields were requested with it, at a time.
func (o *refresher) merge(before *state.User, seen state.Observed, fields []spec.Field, at time.Time) *state.User {
	if before == nil {
		return o.share(&state.User{Observed: seen})
	}
	if seen.Version < before.Version {
		return nil
	}
	seen.Fields = o.Policy.ReliableFields(before, seen.Fields, at)
	if seen.Version == before.Version && bytes.Equal(seen.Opaque, before.Opaque) && !showsMore(before, seen) {
		return nil
	}
	u := *before
	u.Observed = seen
	kept := make(spec.Fields, 0, len(before.Fields))
	for f, v := range before.Fields.All() {
		if seen.Version == before.Version || slices.Contains(o.Policy.DetailFields, f) || !slices.Contains(fields, f) || !o.Policy.Reliable(before, f, at) {
			kept.Set(f, v) // it stays, though it is not shown
		}
	}
	u.Fields = kept.With(seen.Fields)
	o.Policy.ForgetLost(&u, before)
	if u.Fields.Get(spec.State) == spec.Text("active") {
		u.Removed, u.Suspended = "", ""
	}
	return o.share(&u)
}

// share makes what was observed as declared the same memory, see state.Store.SnapshotFor.
func (o *refresher) share(u *state.User) *state.User {
	if o.tree != nil {
		u.Fields = u.Fields.Share(o.tree.Fields(cmp.Or(u.Declared.Key, u.Key())))
	}
	return u
}

func showsMore(before *state.User, seen state.Observed) bool {
	for f, v := range seen.Fields.All() {
		if before.Fields.Get(f) != v {
			return true
		}
	}
	return false
}

// checkUnlisted handles known users that a complete listing does not have. Managed ones are read one by one, because a
// listing is no proof that a user was deleted; if they are too many, they are held. Others are forgotten.
func (o *refresher) checkUnlisted(ctx context.Context, snap *state.Snapshot, fields []spec.Field, listed map[string]bool, commit *state.Commit) error {
	managed := 0
	var missing []string
	for id, u := range snap.Users {
		if u.LastApplied != nil && !u.Deleted() {
			managed++
			if !listed[id] {
				missing = append(missing, id)
			}
		}
	}
	if apply.IsTruncated(managed-len(missing), managed) { // a role with fewer divisions hides users in the same way
		o.Log.Warn("many managed users are missing from the listing; they are held. Does the OAuth client still have its role in all divisions?",
			"missing", len(missing), "managed", managed)
		slices.Sort(missing)
		commit.Refresh.HeldIDs = missing
		return nil
	}
	for _, id := range slices.Sorted(maps.Keys(snap.Users)) {
		u := snap.Users[id]
		switch {
		case listed[id], u.LastApplied == nil && isNew(u): // of what was written to the latter, no reading is reliable
			continue
		case u.LastApplied == nil && u.Deleted() && (u.Declared.Key != "" || u.Removed != ""): // no listing shows deleted users
			continue
		case u.LastApplied != nil:
			at := time.Now()
			now, err := o.Directory.Get(ctx, id, o.listable(fields)...)
			switch {
			case err == nil:
				o.observe(now, fields, at, snap, commit)
				continue
			case errors.Is(err, apply.ErrForbidden), errors.Is(err, apply.ErrUncertain), errors.Is(err, apply.ErrRefused):
				o.Log.Warn("a managed user is not listed and cannot be read; it is taken as unchanged", "user", u.Key(), "error", err)
				continue
			case !errors.Is(err, apply.ErrNotFound):
				return err
			case isNew(u):
				continue
			}
		}
		delete(snap.Users, id)
		commit.Forget = append(commit.Forget, id)
	}
	return nil
}

func (o *refresher) listable(fields []spec.Field) []spec.Field {
	return without(fields, o.Policy.DetailFields)
}

func (o *refresher) isCovered(last state.Refresh, fields []spec.Field) bool {
	return len(without(o.listable(fields), last.Fields)) == 0
}

// awaitWrites waits, if the refresher is patient, until the API shows what interrupted calls have written without a version. A
// time in the future, because the clock was set back, counts as now.
func (o *refresher) awaitWrites(ctx context.Context, snap *state.Snapshot) error {
	now, until := time.Now(), time.Time{}
	var future state.Commit
	for id, writes := range snap.WriteIntents {
		until = plan.Latest(until, shownFrom(snap.Users[id], now))
		for f, w := range writes {
			if w.At.After(now) {
				w.At = now
				writes[f] = w
				future.WriteIntents = append(future.WriteIntents, w)
			}
			until = plan.Latest(until, o.Policy.ReadableFrom(f, w.At))
		}
	}
	if err := o.commit(future); err != nil {
		return err
	}
	_, err := o.await(ctx, until, "waiting until the API shows what interrupted calls have changed", len(snap.WriteIntents))
	return err
}

// awaitNewUsers waits, if the refresher is patient, until the API shows users that could not be read as they were just created.
// It reports whether it has waited. unread has why users could not be read, by id.
func (o *refresher) awaitNewUsers(ctx context.Context, snap *state.Snapshot, unread map[string]error) (waited bool, err error) {
	now, until, n := time.Now(), time.Time{}, 0
	for id, err := range unread {
		if errors.Is(err, plan.ErrNotShownYet) {
			until = plan.Latest(until, shownFrom(snap.Users[id], now))
			n++
		}
	}
	return o.await(ctx, until, "waiting until the API shows users that were just created", n)
}

// shownFrom returns from when the API shows a user that was just created; the zero time for any other.
func shownFrom(u *state.User, now time.Time) time.Time {
	if u == nil || u.ShowsAll(now) {
		return time.Time{}
	}
	return time.Unix(u.CreatedAt, 0).Add(plan.ReadLag)
}

// isNew reports whether a user was created so recently that the API need not show it yet.
func isNew(u *state.User) bool { return !shownFrom(u, time.Now()).IsZero() }

// await waits until a time, if the refresher is patient, and reports whether it has.
func (o *refresher) await(ctx context.Context, until time.Time, message string, users int) (waited bool, err error) {
	now := time.Now()
	wait := until.Sub(now)
	if wait <= 0 || !o.patient {
		return false, nil
	}
	o.Log.Info(message, "users", users, "seconds", math.Ceil(wait.Seconds()))
	o.update(func(s *Status) { s.Phase = PhaseWait })
	defer o.excludeWait(now)
	err = sleep(ctx, wait)
	return err == nil, err
}
