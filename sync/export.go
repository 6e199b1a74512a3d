package sync

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"time"

	"usersyncd/spec"
	"usersyncd/state"
	"usersyncd/sync/plan"
	"usersyncd/sync/plan/identity"
)

// ExportResult is what an export has found.
type ExportResult struct {
	Users   []*spec.User // by key
	Omitted Omitted
}

// Omitted counts what an export leaves out, because we wrote so shortly before that a reading may be of before.
type Omitted struct {
	Fields, Users int
	Until         time.Time // when all of it can be read; zero if nothing is left out
	Rebuilt       bool      // the state file was rebuilt, so that nobody knows what was written last
}

// Export reads the organization and returns its users as specs would declare them, by key: the fields that
// are asked for, address and name in any case, with the Genesys id pinned. Policy.Select says whom. What it reads
// is kept in the state file, and what no listing shows is not read again within an hour: so it goes on where it was if it
// is interrupted, and the plan after it need not read it again. Nobody counts as managed by it.
//
// A field that cannot be known yet is left out: whoever writes the specs leaves it in the files as it is. by is read in
// any case, and not left out if it is not one of the fields: it says in which folder a new file goes.
func (r *Reconciler) Export(ctx context.Context, fields []spec.Field, by spec.Field) (*ExportResult, error) {
	began := time.Now()
	r.update(func(s *Status) { s.Phase, s.Began = PhaseRefresh, began.UTC() })
	snap, err := r.Store.Snapshot()
	if err != nil {
		return nil, err
	}
	org := r.observer(Mode{Strict: true})
	if err := org.awaitWrites(ctx, snap); err != nil {
		return nil, err
	}
	began = time.Now() // what is read from now on shows what was interrupted
	if err := org.openOnce(ctx, snap)(); err != nil {
		return nil, err
	}
	read := slices.Clone(fields)
	if !slices.Contains(read, by) {
		read = append(read, by)
	}
	listed, where := slices.Clone(read), r.Policy.Select.Where.Fields()
	for _, f := range append(slices.Clip(where), snap.Refresh.Fields...) { // what was known stays known
		if !slices.Contains(listed, f) {
			listed = append(listed, f)
		}
	}
	out := &ExportResult{Users: []*spec.User{}, Omitted: Omitted{Rebuilt: snap.Rebuilt}}
	if err := org.refresh(ctx, ctx, snap, listed); err != nil {
		return nil, err
	}
	if slices.ContainsFunc(where, func(f spec.Field) bool { return slices.Contains(r.Policy.DetailFields, f) }) {
		if err := org.readMissing(ctx, snap, slices.Collect(maps.Keys(snap.Users)), where, began); err != nil {
			return nil, err
		}
	}
	index := identity.NewIndex(snap.Users)
	var chosen []string
	there := make(map[string]bool, len(snap.Users))
	for id, u := range snap.Users {
		there[u.Key()] = there[u.Key()] || !u.Deleted()
		if !u.Deleted() && r.Policy.Select.Selects(index.Declarable(u, listed)) {
			chosen = append(chosen, id)
		}
	}
	if err := r.Policy.Select.Check(there); err != nil {
		return nil, err
	}
	if err := org.readMissing(ctx, snap, chosen, read, began); err != nil {
		return nil, err
	}
	for _, id := range chosen {
		unknown := r.leaveOut(snap, id, fields, began, &out.Omitted)
		out.Users = append(out.Users, index.Declarable(snap.Users[id], slices.DeleteFunc(slices.Clone(read), func(f spec.Field) bool { return slices.Contains(unknown, f) })))
	}
	slices.SortFunc(out.Users, func(a, b *spec.User) int { return cmp.Or(cmp.Compare(a.Key, b.Key), cmp.Compare(a.ID, b.ID)) })
	r.update(func(s *Status) { s.Phase = PhaseIdle })
	return out, nil
}

// leaveOut returns those of the fields of a user, read since a time, of which nobody knows what they are, and counts them.
func (r *Reconciler) leaveOut(snap *state.Snapshot, id string, fields []spec.Field, read time.Time, late *Omitted) []spec.Field {
	u := snap.Users[id]
	intent, begun := snap.Intents[u.Key()] // of its creation, by a process that did not live to record it
	made := begun && read.Sub(intent.Started).Abs() < plan.ReadLag
	unknown := slices.DeleteFunc(slices.Clone(fields), func(f spec.Field) bool {
		w, interrupted := snap.Writes[id][f] // a call, and a reading may not show yet what it did
		interrupted = interrupted && r.Policy.ReadableFrom(f, w.At).After(read)
		unrecorded := r.Policy.Unversioned(f) && (late.Rebuilt || made) || interrupted
		return !unrecorded && !r.Policy.Uncertain(u, f, read)
	})
	if len(unknown) > 0 {
		late.Fields += len(unknown)
		late.Users++
		late.Until = read.Add(plan.ReadLag)
	}
	return unknown
}
