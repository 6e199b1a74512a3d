package sync

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"log/slog"
	"maps"
	"math"
	"slices"
	"time"

	"usersyncd/spec"
	"usersyncd/state"
	"usersyncd/sync/apply"
	"usersyncd/sync/plan"
)

// An observer reads the organization into a snapshot of what is known, and into the state file.
type observer struct {
	directory Reader
	api       string // base URL
	store     *state.Store
	policy    *plan.Policy
	log       *slog.Logger
	*publisher
	*interrupter
	dryRun  bool // the state file learns nothing of it
	patient bool // somebody waits for the pass: it waits for what the API shows late, at most plan.ReadLag
}

// binder returns what is to be called before the first call that matters, and not for a pass that makes none.
func (o *observer) binder(ctx context.Context, snap *state.Snapshot) func() error {
	bound := false
	return func() error {
		if bound {
			return nil
		}
		org, err := o.directory.Open(ctx, snap.Users)
		if err != nil {
			return err
		}
		bound = true
		return o.store.Bind(state.Org{API: o.api, ID: org})
	}
}

// refresh reads the organization and merges it into the snapshot, in memory and in one commit. until ends the reading of
// single users after that.
func (o *observer) refresh(ctx, until context.Context, snap *state.Snapshot, fields []spec.Field) error {
	began, before := time.Now(), snap.Refresh.At
	listing, err := o.directory.List(ctx, fields...)
	if err != nil {
		return err
	}
	commit := state.Commit{Refresh: &state.Refresh{At: time.Now(), Listed: len(listing.Users), Fields: fields, Gap: listing.Gap}}
	seen := make(map[string]bool, len(listing.Users))
	for _, now := range listing.Users {
		seen[now.ID] = true
		if u := o.merge(snap.Users[now.ID], now, fields, began); u != nil {
			snap.Users[now.ID] = u
			commit.Users = append(commit.Users, u)
		}
	}
	if listing.Complete() {
		if err := o.absent(ctx, snap, fields, seen, &commit); err != nil {
			return err
		}
	} else {
		o.log.Warn("the API did not list every user; users it left out are taken as unchanged", "listed", len(listing.Users), "missing", cmp.Or(listing.Gap, listing.Cap))
	}
	snap.Refresh, snap.Rebuilt = *commit.Refresh, false
	if !o.dryRun {
		if err := o.store.Commit(commit); err != nil {
			return err
		}
		o.update(func(s *Status) { s.Refresh = snap.Refresh.At.UTC() })
	}
	o.waited(began)
	since := o.policy.DetailInterval
	if !before.IsZero() {
		since = began.Sub(before)
	}
	return o.rotate(until, snap, since)
}

// merge returns the user as it is known after an observation, or nil if that adds nothing: a reading
// older than what we know, or the same again. asked are the fields that the reading was asked for, at a time.
func (o *observer) merge(before *state.User, now state.Observed, asked []spec.Field, at time.Time) *state.User {
	if before == nil {
		return &state.User{Observed: now}
	}
	if now.Version < before.Version {
		return nil
	}
	now.Fields = o.policy.ReliableFields(before, now.Fields, at)
	if now.Version == before.Version && bytes.Equal(now.Opaque, before.Opaque) && !tellsMore(before, now) {
		return nil
	}
	u := *before
	u.Observed = now
	u.Fields = make(spec.Fields, len(before.Fields))
	for f, v := range before.Fields {
		if now.Version == before.Version || slices.Contains(o.policy.DetailFields, f) || !slices.Contains(asked, f) || !o.policy.Reliable(before, f, at) {
			u.Fields[f] = v // what was left out is as it was
		}
	}
	maps.Copy(u.Fields, now.Fields)
	if u.Fields[spec.State] == spec.Text("active") { // whoever did that
		u.Removed, u.Suspended = "", ""
	}
	return &u
}

// tellsMore reports whether a reading of a user shows anything else than what is known.
func tellsMore(before *state.User, now state.Observed) bool {
	for f, v := range now.Fields {
		if before.Fields[f] != v {
			return true
		}
	}
	return false
}

// absent looks after known users that a whole listing did not show. Managed ones are asked for one by
// one, because a missing line is no proof that a user was deleted; others are forgotten, which costs
// nothing. Too many managed ones are held.
func (o *observer) absent(ctx context.Context, snap *state.Snapshot, fields []spec.Field, seen map[string]bool, commit *state.Commit) error {
	managed := 0
	var missing []string
	for id, u := range snap.Users {
		if u.Applied != nil && !u.Deleted() {
			managed++
			if !seen[id] {
				missing = append(missing, id)
			}
		}
	}
	if apply.IsTruncated(managed-len(missing), managed) { // a role that was narrowed hides users just as a deletion does
		o.log.Warn("the listing misses many managed users; they are held as they are. Does the OAuth client still have its role in all divisions?",
			"missing", len(missing), "managed", managed)
		slices.Sort(missing)
		commit.Refresh.HeldIDs = missing
		return nil
	}
	for _, id := range slices.Sorted(maps.Keys(snap.Users)) {
		u := snap.Users[id]
		if seen[id] || u.Deleted() && u.Applied == nil && (u.Declared.Key != "" || u.Removed != "") {
			continue // no listing shows who is deleted
		}
		if u.Applied != nil {
			at := time.Now()
			now, err := o.directory.Get(ctx, id, o.listed(fields)...)
			switch {
			case err == nil:
				if renewed := o.merge(u, now, fields, at); renewed != nil {
					snap.Users[id] = renewed
					commit.Users = append(commit.Users, renewed)
				}
				continue
			case errors.Is(err, apply.ErrForbidden), errors.Is(err, apply.ErrUncertain), errors.Is(err, apply.ErrRefused):
				o.log.Warn("a managed user is not listed and cannot be read; it is taken as unchanged", "user", u.Key(), "error", err)
				continue
			case !errors.Is(err, apply.ErrNotFound):
				return err
			case unshown(u):
				continue
			}
		}
		delete(snap.Users, id)
		commit.Forget = append(commit.Forget, id)
	}
	return nil
}

// listed returns the fields that a listing can show.
func (o *observer) listed(fields []spec.Field) []spec.Field {
	return slices.DeleteFunc(slices.Clone(fields), func(f spec.Field) bool { return slices.Contains(o.policy.DetailFields, f) })
}

// inUse returns the fields that a pass must know: those that are declared, and those that were applied.
func (o *observer) inUse(tree *spec.Tree, snap *state.Snapshot) []spec.Field {
	used := map[spec.Field]bool{}
	for _, u := range tree.Users {
		for f := range u.Fields {
			used[f] = true
		}
	}
	for _, u := range snap.Users {
		for f := range u.Applied {
			used[f] = true
		}
	}
	var fields []spec.Field
	for _, info := range spec.All() {
		if used[info.Field] {
			fields = append(fields, info.Field)
		}
	}
	return fields
}

// covers reports whether the last listing was asked for all of the fields.
func (o *observer) covers(last state.Refresh, fields []spec.Field) bool {
	return !slices.ContainsFunc(o.listed(fields), func(f spec.Field) bool { return !slices.Contains(last.Fields, f) })
}

// awaitWrites waits, if it is patient, until the API shows what calls that were interrupted have written without a
// version. One from the future, of before the clock was set back, counts as of now.
func (o *observer) awaitWrites(ctx context.Context, snap *state.Snapshot) error {
	now, shown := time.Now(), time.Time{}
	var future state.Commit
	for id, writes := range snap.Writes {
		shown = plan.Latest(shown, shownAt(snap.Users[id], now))
		for f, w := range writes {
			if w.At.After(now) {
				w.At = now
				writes[f] = w
				future.Writes = append(future.Writes, w)
			}
			shown = plan.Latest(shown, o.policy.ReadableFrom(f, w.At))
		}
	}
	if !o.dryRun {
		if err := o.store.Commit(future); err != nil {
			return err
		}
	}
	_, err := o.await(ctx, shown, "waiting until the API shows what calls that were interrupted have changed", len(snap.Writes))
	return err
}

// awaitUsers waits, if it is patient, until the API shows those of the users whom it does not show yet, since they were
// made a moment ago. It reports whether it has waited for any.
func (o *observer) awaitUsers(ctx context.Context, snap *state.Snapshot, hidden map[string]error) (waited bool, err error) {
	now, shown, n := time.Now(), time.Time{}, 0
	for id, why := range hidden {
		if errors.Is(why, plan.ErrNotShownYet) {
			shown = plan.Latest(shown, shownAt(snap.Users[id], now))
			n++
		}
	}
	return o.await(ctx, shown, "waiting until the API shows users who were made a moment ago", n)
}

// shownAt is when the API shows a user who was made shortly before now; the zero time if it does already.
func shownAt(u *state.User, now time.Time) time.Time {
	if u == nil || u.ShowsAll(now) {
		return time.Time{}
	}
	return time.Unix(u.CreatedAt, 0).Add(plan.ReadLag)
}

// unshown reports whether a user was made so recently that it is no news if the API does not show it.
func unshown(u *state.User) bool { return !shownAt(u, time.Now()).IsZero() }

// await waits for a time, if it is patient, and reports whether it has.
func (o *observer) await(ctx context.Context, at time.Time, why string, users int) (waited bool, err error) {
	now := time.Now()
	wait := at.Sub(now)
	if wait <= 0 || !o.patient {
		return false, nil
	}
	o.log.Info(why, "users", users, "seconds", math.Ceil(wait.Seconds()))
	o.update(func(s *Status) { s.Phase = PhaseWait })
	timer := time.NewTimer(wait)
	defer timer.Stop()
	defer o.waited(now)
	select {
	case <-timer.C:
		return true, nil
	case <-ctx.Done():
		return false, ctx.Err()
	}
}
