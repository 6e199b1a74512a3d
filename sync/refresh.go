package sync

import (
	"bytes"
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"usersyncd/state"
)

// A listing that misses more managed users than this is not believed: a role that was narrowed hides
// users just as a deletion does.
const (
	shortFloor   = 10
	shortPercent = 5
)

// refresh reads the organization and merges it into the snapshot, in memory and in one commit.
func (r *Reconciler) refresh(ctx context.Context, snap *state.Snapshot, dryRun bool) error {
	listing, err := r.Directory.List(ctx)
	if err != nil {
		return err
	}
	commit := state.Commit{Refresh: &state.Refresh{At: time.Now(), Listed: len(listing.Users)}}
	seen := make(map[string]bool, len(listing.Users))
	for _, now := range listing.Users {
		seen[now.ID] = true
		if u := merge(snap.Users[now.ID], now); u != nil {
			snap.Users[now.ID] = u
			commit.Users = append(commit.Users, u)
		}
	}
	if listing.Complete {
		if err := r.absent(ctx, snap, seen, &commit); err != nil {
			return err
		}
	} else {
		r.Log.Warn("the API did not list every inactive user; users it left out are taken as unchanged", "listed", len(listing.Users))
	}
	snap.Refresh, snap.Rebuilt = *commit.Refresh, false
	if dryRun {
		return nil
	}
	return r.Store.Commit(commit)
}

// merge returns the user as it is known after an observation, or nil if that adds nothing: a reading
// older than what we know, or the same again.
func merge(before *state.User, now state.Observed) *state.User {
	if before == nil {
		return &state.User{Observed: now}
	}
	if now.Version < before.Version {
		return nil
	}
	u := &state.User{Observed: now, Applied: before.Applied}
	if now.Version == before.Version {
		// What the API left out this time is as it was.
		u.Fields = maps.Clone(before.Fields)
		maps.Copy(u.Fields, now.Fields)
		if maps.Equal(u.Fields, before.Fields) && bytes.Equal(u.Opaque, before.Opaque) {
			return nil
		}
	}
	return u
}

// absent looks after known users that a whole listing did not show. Managed ones are asked for one by
// one, because a missing line is no proof that a user was deleted; others are forgotten, which costs
// nothing. Too many managed ones are held.
func (r *Reconciler) absent(ctx context.Context, snap *state.Snapshot, seen map[string]bool, commit *state.Commit) error {
	managed := 0
	var missing []string
	for id, u := range snap.Users {
		if u.Applied != nil && !isDeleted(u) {
			managed++
			if !seen[id] {
				missing = append(missing, id)
			}
		}
	}
	if len(missing) > max(shortFloor, managed*shortPercent/100) {
		r.Log.Warn("the listing misses many managed users; they are held as they are. Does the OAuth client still have its role in all divisions?",
			"missing", len(missing), "managed", managed)
		slices.Sort(missing)
		commit.Refresh.Held = missing
		return nil
	}
	for _, id := range slices.Sorted(maps.Keys(snap.Users)) {
		u := snap.Users[id]
		if seen[id] {
			continue
		}
		if u.Applied != nil {
			now, err := r.Directory.Get(ctx, id)
			switch {
			case err == nil:
				if renewed := merge(u, now); renewed != nil {
					snap.Users[id] = renewed
					commit.Users = append(commit.Users, renewed)
				}
				continue
			case errors.Is(err, ErrForbidden), errors.Is(err, ErrUncertain), errors.Is(err, ErrRefused):
				r.Log.Warn("a managed user is not listed and cannot be read; it is taken as unchanged", "user", keyOf(u), "error", err)
				continue
			case !errors.Is(err, ErrNotFound):
				return err
			}
		}
		delete(snap.Users, id)
		commit.Forget = append(commit.Forget, id)
	}
	return nil
}
