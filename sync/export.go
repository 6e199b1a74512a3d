package sync

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"usersyncd/spec"
	"usersyncd/state"
	"usersyncd/sync/plan"
	"usersyncd/sync/plan/identity"
	"usersyncd/sync/plan/reference"
)

// ExportResult has the exported users.
type ExportResult struct {
	Users   []*spec.User // by key
	Omitted Omitted
}

// Omitted counts the fields that an export omits, because usersyncd wrote so shortly before that a reading may be older.
type Omitted struct {
	Fields, Users int
	Until         time.Time // when all of them can be read; zero if there are none
	Rebuilt       bool      // the state file was rebuilt, so it is not known what was written last
}

// Export reads the organization and returns its users as specs, by key: with the fields, the address, the name and the Genesys
// id. Policy.Select selects them. What it reads is written to the state file, unless that is read-only, and detail fields are not read again within an
// hour, so that it can be interrupted, and the next plan need not read them. The users do not become managed.
//
// A field whose value is not certain is omitted, so that the caller can leave it in the files as it is. folderBy is read and
// returned in any case.
func (r *Reconciler) Export(ctx context.Context, fields []spec.Field, folderBy spec.Field) (*ExportResult, error) {
	began := time.Now()
	r.update(func(s *Status) { s.Phase, s.Began = PhaseRefresh, began.UTC() })
	defer r.update(func(s *Status) { s.Phase = PhaseIdle })
	snap, err := r.Store.Snapshot()
	if err != nil {
		return nil, err
	}
	refresher := r.newRefresher(Mode{Strict: true, DryRun: r.Store.ReadOnly()})
	if err := refresher.awaitWrites(ctx, snap); err != nil {
		return nil, err
	}
	began = time.Now() // after awaitWrites
	if err := refresher.openOnce(ctx, snap)(); err != nil {
		return nil, err
	}
	read := slices.Clone(fields)
	if !slices.Contains(read, folderBy) {
		read = append(read, folderBy)
	}
	listed, where := slices.Clone(read), r.Policy.Select.Where.Fields()
	for _, f := range append(slices.Clip(where), snap.Refresh.Fields...) { // fields that are known stay so
		if !slices.Contains(listed, f) {
			listed = append(listed, f)
		}
	}
	out := &ExportResult{Users: []*spec.User{}, Omitted: Omitted{Rebuilt: snap.Rebuilt}}
	if err := refresher.refresh(ctx, ctx, snap, listed); err != nil {
		return nil, err
	}
	if slices.ContainsFunc(where, func(f spec.Field) bool { return slices.Contains(r.Policy.DetailFields, f) }) {
		if err := refresher.readMissing(ctx, snap, slices.Collect(maps.Keys(snap.Users)), where, began); err != nil {
			return nil, err
		}
	}
	index := identity.NewIndex(snap.Users)
	var chosen []string
	exist := make(map[string]bool, len(snap.Users))
	for id, u := range snap.Users {
		exist[u.Key()] = exist[u.Key()] || !u.Deleted()
		if !u.Deleted() && r.Policy.Select.Selects(index.Declarable(u, listed)) {
			chosen = append(chosen, id)
		}
	}
	if key := r.Policy.Select.Unknown(exist); key != "" {
		if _, deleted := exist[key]; deleted {
			return nil, fmt.Errorf("--only: %w %s; a deleted user has it", plan.ErrUnknownAddress, spec.Text(key).Display())
		}
		maps.DeleteFunc(exist, func(_ string, exists bool) bool { return !exists })
		return nil, fmt.Errorf("--only: %w %s%s", plan.ErrUnknownAddress, spec.Text(key).Display(), reference.DidYouMean(key, slices.Collect(maps.Keys(exist))))
	}
	if err := refresher.readMissing(ctx, snap, chosen, read, began); err != nil {
		return nil, err
	}
	if slices.Contains(read, spec.Groups) {
		if err := refresher.leaveOutGiven(ctx, snap, chosen); err != nil {
			return nil, err
		}
	}
	for _, id := range chosen {
		out.Users = append(out.Users, index.Declarable(snap.Users[id], without(read, r.omit(snap, id, fields, began, &out.Omitted))))
	}
	slices.SortFunc(out.Users, func(a, b *spec.User) int { return cmp.Or(cmp.Compare(a.Key, b.Key), cmp.Compare(a.ID, b.ID)) })
	return out, nil
}

// leaveOutGiven takes the groups that users are in by a rule, or as owners, out of what is known of them, for an export alone.
// Where that cannot be read, a user's groups are not known.
func (o *refresher) leaveOutGiven(ctx context.Context, snap *state.Snapshot, ids []string) error {
	var all []plan.Membership
	for _, id := range ids {
		groups, _ := spec.Decode[[]string](snap.Users[id].Fields.Get(spec.Groups))
		for _, group := range groups {
			all = append(all, plan.Membership{Group: group, User: id})
		}
	}
	why := map[plan.Membership]error{}
	given, err := o.readGiven(ctx, all, why)
	if err != nil {
		return err
	}
	for _, m := range given {
		snap.Users[m.User] = withoutGroup(snap.Users[m.User], m.Group)
	}
	told := map[string]bool{}
	for _, m := range all {
		if why[m] == nil {
			continue
		}
		if u := *snap.Users[m.User]; u.Fields.Get(spec.Groups) != "" {
			u.Fields = u.Fields.Without(spec.Groups)
			snap.Users[m.User] = &u
		}
		if !told[m.Group] {
			told[m.Group] = true
			o.Log.Warn("it is not known who is in a group by a rule; the groups of its members are not exported", "group", m.Group, "error", why[m])
		}
	}
	return nil
}

// omit returns the fields of a user, read since a time, whose values are not certain, and counts them.
func (r *Reconciler) omit(snap *state.Snapshot, id string, fields []spec.Field, read time.Time, omitted *Omitted) []spec.Field {
	u := snap.Users[id]
	intent, started := snap.CreateIntents[u.Key()] // of its creation, by a process that was killed
	created := started && read.Sub(intent.Started).Abs() < plan.ReadLag
	uncertain := slices.DeleteFunc(slices.Clone(fields), func(f spec.Field) bool {
		w, interrupted := snap.WriteIntents[id][f]
		interrupted = interrupted && r.Policy.ReadableFrom(f, w.At).After(read)
		unrecorded := r.Policy.Unversioned(f) && (omitted.Rebuilt || created)
		return !interrupted && !unrecorded && !r.Policy.Uncertain(u, f, read)
	})
	if len(uncertain) > 0 {
		omitted.Fields += len(uncertain)
		omitted.Users++
		omitted.Until = read.Add(plan.ReadLag)
	}
	return uncertain
}
