package sync

import (
	"context"
	"math"
	"time"

	"usersyncd/state"
)

// awaitWrites waits, where somebody waits for the pass anyway, until the API shows what calls that were interrupted
// have written without a version: at most plan.ReadLag. One from the future, of before the clock was set back, counts
// as of now.
func (r *Reconciler) awaitWrites(ctx context.Context, snap *state.Snapshot, mode Mode) error {
	now, shown := time.Now(), time.Time{}
	var future state.Commit
	for id, writes := range snap.Writes {
		if u := snap.Users[id]; unshown(u) { // nor the user
			if at := time.Unix(u.Made, 0).Add(state.ReadLag); at.After(shown) {
				shown = at
			}
		}
		for f, w := range writes {
			if w.At.After(now) {
				w.At = now
				writes[f] = w
				future.Writes = append(future.Writes, w)
			}
			if at := r.Policy.ShownBy(f, w.At); at.After(shown) {
				shown = at
			}
		}
	}
	if !mode.DryRun {
		if err := r.Store.Commit(future); err != nil {
			return err
		}
	}
	wait := shown.Sub(now)
	if wait <= 0 || !mode.Strict && !mode.DryRun {
		return nil
	}
	r.Log.Info("waiting until the API shows what calls that were interrupted have changed", "users", len(snap.Writes), "seconds", math.Ceil(wait.Seconds()))
	s := r.Status()
	s.Phase = "wait"
	r.set(s)
	timer := time.NewTimer(wait)
	defer timer.Stop()
	defer r.waited(now)
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
