package sync

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"usersyncd/spec"
	"usersyncd/state"
	"usersyncd/sync/apply"
)

// refresh reads the organization and merges it into the snapshot, in memory and in one commit. until ends the reading of
// single users after that.
func (r *Reconciler) refresh(ctx, until context.Context, snap *state.Snapshot, fields []spec.Field, dryRun bool) error {
	began, before := time.Now(), snap.Refresh.At
	listing, err := r.Directory.List(ctx, fields...)
	if err != nil {
		return err
	}
	commit := state.Commit{Refresh: &state.Refresh{At: time.Now(), Listed: len(listing.Users), Fields: fields, Gap: listing.Gap}}
	seen := make(map[string]bool, len(listing.Users))
	for _, now := range listing.Users {
		seen[now.ID] = true
		if u := r.merge(snap.Users[now.ID], now, fields, began); u != nil {
			snap.Users[now.ID] = u
			commit.Users = append(commit.Users, u)
		}
	}
	if listing.Complete() {
		if err := r.absent(ctx, snap, fields, seen, &commit); err != nil {
			return err
		}
	} else {
		r.Log.Warn("the API did not list every user; users it left out are taken as unchanged", "listed", len(listing.Users), "missing", cmp.Or(listing.Gap, listing.Cap))
	}
	snap.Refresh, snap.Rebuilt = *commit.Refresh, false
	if !dryRun {
		if err := r.Store.Commit(commit); err != nil {
			return err
		}
		r.standing.Refresh = snap.Refresh.At
	}
	r.waited(began)
	since := r.Policy.DetailInterval
	if !before.IsZero() {
		since = began.Sub(before)
	}
	return r.rotate(until, snap, since, dryRun)
}

// merge returns the user as it is known after an observation, or nil if that adds nothing: a reading
// older than what we know, or the same again. asked are the fields that the reading was asked for, at a time.
func (r *Reconciler) merge(before *state.User, now state.Observed, asked []spec.Field, at time.Time) *state.User {
	if before == nil {
		return &state.User{Observed: now}
	}
	if now.Version < before.Version {
		return nil
	}
	now.Fields = r.Policy.Believed(before, now.Fields, at)
	if now.Version == before.Version && bytes.Equal(now.Opaque, before.Opaque) && !tellsMore(before, now) {
		return nil
	}
	u := *before
	u.Observed = now
	u.Fields = make(spec.Fields, len(before.Fields))
	for f, v := range before.Fields {
		if now.Version == before.Version || slices.Contains(r.Policy.DetailFields, f) || !slices.Contains(asked, f) || !r.Policy.Believable(before, f, at) {
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
func (r *Reconciler) absent(ctx context.Context, snap *state.Snapshot, fields []spec.Field, seen map[string]bool, commit *state.Commit) error {
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
	if TooFew(managed-len(missing), managed) { // a role that was narrowed hides users just as a deletion does
		r.Log.Warn("the listing misses many managed users; they are held as they are. Does the OAuth client still have its role in all divisions?",
			"missing", len(missing), "managed", managed)
		slices.Sort(missing)
		commit.Refresh.Held = missing
		return nil
	}
	for _, id := range slices.Sorted(maps.Keys(snap.Users)) {
		u := snap.Users[id]
		if seen[id] || u.Deleted() && u.Applied == nil && (u.Declared.Key != "" || u.Removed != "") {
			continue // no listing shows who is deleted
		}
		if u.Applied != nil {
			at := time.Now()
			now, err := r.Directory.Get(ctx, id, r.listed(fields)...)
			switch {
			case err == nil:
				if renewed := r.merge(u, now, fields, at); renewed != nil {
					snap.Users[id] = renewed
					commit.Users = append(commit.Users, renewed)
				}
				continue
			case errors.Is(err, apply.ErrForbidden), errors.Is(err, apply.ErrUncertain), errors.Is(err, apply.ErrRefused):
				r.Log.Warn("a managed user is not listed and cannot be read; it is taken as unchanged", "user", u.Key(), "error", err)
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
func (r *Reconciler) listed(fields []spec.Field) []spec.Field {
	return slices.DeleteFunc(slices.Clone(fields), func(f spec.Field) bool { return slices.Contains(r.Policy.DetailFields, f) })
}

// inUse returns the fields that a pass must know: those that are declared, and those that were applied.
func (r *Reconciler) inUse(tree *spec.Tree, snap *state.Snapshot) []spec.Field {
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
func (r *Reconciler) covers(last state.Refresh, fields []spec.Field) bool {
	return !slices.ContainsFunc(r.listed(fields), func(f spec.Field) bool { return !slices.Contains(last.Fields, f) })
}
