package sync

import (
	"context"
	"errors"
	"time"

	"usersyncd/state"
	"usersyncd/sync/apply"
	"usersyncd/sync/plan"
)

// readFresh reads known users in this very pass, and forgets those who do not exist any more. Those who cannot be
// read are told apart: nothing may be done to them that depends on it.
func (r *Reconciler) readFresh(ctx context.Context, ids []string, snap *state.Snapshot, answers *plan.LookupResults, dryRun bool) error {
	if len(ids) == 0 {
		return nil
	}
	began, fields := time.Now(), r.listed(snap.Refresh.Fields)
	found, err := r.Directory.Read(ctx, ids, fields...)
	if err != nil && !errors.Is(err, apply.ErrForbidden) && !errors.Is(err, apply.ErrUncertain) && !errors.Is(err, apply.ErrRefused) {
		return err
	}
	for _, id := range ids {
		answers.Fresh[id] = err
	}
	var commit state.Commit
	for _, now := range found {
		answers.Fresh[now.ID] = nil
		if u := r.merge(snap.Users[now.ID], now, fields, began); u != nil {
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
				answers.Fresh[id] = plan.ErrUnshown
			default:
				delete(snap.Users, id)
				commit.Forget = append(commit.Forget, id)
			}
		}
	}
	if dryRun {
		return nil
	}
	return r.Store.Commit(commit)
}

// unshown reports whether a user was made so recently that it is no news if the API does not show it.
func unshown(u *state.User) bool { return u != nil && !u.ShowsAll(time.Now()) }

// searchDeleted finds deleted users by their addresses, which no listing shows. Whom the search names is read: it
// may be behind. A search that failed does not tell that nobody has an address.
func (r *Reconciler) searchDeleted(ctx context.Context, emails []string, snap *state.Snapshot, answers *plan.LookupResults, dryRun bool) error {
	if len(emails) == 0 {
		return nil
	}
	found, err := r.Directory.Search(ctx, emails)
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
	return r.readFresh(ctx, ids, snap, answers, dryRun)
}
