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

// answered makes a plan again and again until it has nothing left to ask. What takes a request or more for each user is
// asked last, and before that the plan is returned of what is urgent, if anything is and urgent says that it may be.
func (r *Reconciler) answered(ctx context.Context, snap *state.Snapshot, bind func() error, urgent, dryRun bool, make func(*plan.LookupResults) *plan.Plan) (*plan.Plan, error) {
	answers := &plan.LookupResults{Names: map[spec.Ref]string{}, Unread: map[string]error{}, Looked: map[string]bool{},
		Fresh: map[string]error{}, Searched: map[string]error{}}
	for {
		p := make(answers)
		if !p.NeedsLookups() {
			return p, nil
		}
		next, quick := p.Lookups.Quick()
		if !quick {
			if urgent {
				answers.Urgent = true
				if u := make(answers); u.Sends() && !u.NeedsLookups() {
					return u, nil
				}
				answers.Urgent = false
			}
			next = p.Lookups
		}
		if err := bind(); err != nil {
			return nil, err
		}
		if err := r.ask(ctx, &next, snap, answers, dryRun); err != nil {
			return nil, err
		}
	}
}

func (r *Reconciler) ask(ctx context.Context, a *plan.Lookups, snap *state.Snapshot, answers *plan.LookupResults, dryRun bool) error {
	if len(a.Names) > 0 {
		wrong, err := r.Directory.Check(ctx, slices.SortedFunc(maps.Keys(a.Names), func(x, y spec.Ref) int {
			return cmp.Or(cmp.Compare(x.Kind, y.Kind), cmp.Compare(x.Name, y.Name))
		}))
		if err != nil {
			return fmt.Errorf("look names up: %w", err)
		}
		for ref := range a.Names {
			answers.Names[ref] = wrong[ref]
		}
	}
	for _, id := range a.IDs {
		answers.Looked[id] = true
		switch now, err := r.Directory.Get(ctx, id, snap.Refresh.Fields...); {
		case err == nil && now.ID == id:
			snap.Users[id] = &state.User{Observed: now}
		case err != nil && !errors.Is(err, apply.ErrNotFound) && !errors.Is(err, apply.ErrRefused) && !errors.Is(err, apply.ErrForbidden):
			return fmt.Errorf("look up a pinned id: %w", err)
		}
	}
	if err := r.readFresh(ctx, slices.Sorted(maps.Keys(a.Fresh)), snap, answers, dryRun); err != nil {
		return fmt.Errorf("read users before they are removed: %w", err)
	}
	if err := r.searchDeleted(ctx, slices.Sorted(maps.Keys(a.Emails)), snap, answers, dryRun); err != nil {
		return fmt.Errorf("look addresses up: %w", err)
	}
	if len(a.Fields) > 0 {
		unread, err := r.details(ctx, a.Fields, snap, dryRun)
		if err != nil {
			return err
		}
		for id := range a.Fields {
			answers.Unread[id] = unread[id]
		}
	}
	if a.Admins {
		answers.Counted = true
		answers.Admins, answers.NoCount = r.Directory.Holders(ctx, r.Policy.Guard.AdminRoles)
		if err := answers.NoCount; err != nil && !errors.Is(err, apply.ErrForbidden) && !errors.Is(err, apply.ErrRefused) && !errors.Is(err, apply.ErrListing) {
			return fmt.Errorf("look the administrators up: %w", err)
		}
	}
	return nil
}

// detailsPerCommit bounds what is read again after a crash, and what is held in memory.
const detailsPerCommit = 200

// details reads fields of single users, those that no listing shows for one, and merges them into the snapshot, in
// memory and in the state file. It resolves the intents of what it reads. It returns why users could not be read.
func (r *Reconciler) details(ctx context.Context, want map[string][]spec.Field, snap *state.Snapshot, dryRun bool) (map[string]error, error) {
	unread := map[string]error{}
	var commit state.Commit
	flush := func() error {
		defer func() { commit = state.Commit{} }()
		if dryRun {
			return nil
		}
		return r.Store.Commit(commit)
	}
	r.sending()
	s := r.Status()
	s.Phase, s.Reading, s.Read = "read", len(want), 0
	r.set(s)
	began := time.Now()
	denied, unanswered, lacking := 0, 0, error(nil)
	var index *identity.Index
	if len(snap.Writes) > 0 {
		index = identity.NewIndex(snap.Users)
	}
	err := r.Directory.Details(ctx, want, func(now state.Observed, why error) error {
		if !errors.Is(why, apply.ErrUncertain) { // no answer is no progress
			s.Read++
		}
		r.set(s)
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
			why = plan.ErrUnshown
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
			if merged := r.merge(u, now, asked, began); merged != nil {
				u = merged
			}
		}
		renewed := r.detailed(u, now.Fields, asked, writes, began)
		if len(writes) > 0 {
			apply.Resolve(r.Store, &r.Policy, index, renewed, asked, began, snap, &commit)
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
func (r *Reconciler) detailed(u *state.User, read spec.Fields, asked []spec.Field, writes map[spec.Field]state.Event, at time.Time) *state.User {
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
		case doubtful && r.Policy.ShownBy(f, w.At).After(at):
			continue
		case doubtful && !shown:
			delete(renewed.Fields, f)
		case !shown, known && !doubtful && !r.Policy.Believable(u, f, at):
			continue
		default:
			renewed.Fields[f] = v
			unsure = unsure || !doubtful && !r.Policy.Believable(u, f, at)
		}
		if slices.Contains(r.Policy.DetailFields, f) {
			fresh = append(fresh, f)
		}
	}
	for f := range u.Fields {
		if !slices.Contains(r.Policy.DetailFields, f) || slices.Contains(fresh, f) {
			continue
		}
		_, managed := u.Applied[f]
		if every := r.Policy.DetailInterval; managed || every <= 0 || at.Sub(u.Times.ReadAt(f)) < every {
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
func (r *Reconciler) rotate(ctx context.Context, snap *state.Snapshot, since time.Duration, dryRun bool) error {
	if r.Policy.DetailInterval <= 0 || dryRun {
		return nil
	}
	now := time.Now()
	want, all := map[string][]spec.Field{}, 0
	var due []*state.User
	for _, u := range snap.Users {
		var known []spec.Field
		for _, f := range r.Policy.DetailFields {
			if _, managed := u.Applied[f]; managed {
				known = append(known, f)
			}
		}
		if len(known) == 0 || u.Deleted() {
			continue
		}
		all++
		known = slices.DeleteFunc(known, func(f spec.Field) bool { return !r.Policy.Believable(u, f, now) })
		if age := now.Sub(u.Times.Oldest()); len(known) > 0 && (u.Stale || age < 0 || age >= r.Policy.DetailInterval) {
			due = append(due, u)
			want[u.ID] = known
		}
	}
	slices.SortFunc(due, func(a, b *state.User) int {
		return cmp.Or(a.Times.Oldest().Compare(b.Times.Oldest()), cmp.Compare(a.ID, b.ID))
	})
	share := min(1, float64(since)/float64(r.Policy.DetailInterval))
	for _, u := range due[min(len(due), int(float64(all)*share)+1):] {
		if !u.Stale {
			delete(want, u.ID)
		}
	}
	if len(want) == 0 {
		return nil
	}
	unread, err := r.details(ctx, want, snap, false)
	var commit state.Commit
	for id, why := range unread {
		if u := snap.Users[id]; why != nil && u != nil { // who cannot be read stays as known, and takes nobody's turn
			tried := *u
			tried.Times, tried.Stale = u.Times.WithRead(now, want[id], nil), false
			snap.Users[id] = &tried
			commit.Users = append(commit.Users, &tried)
		}
	}
	return errors.Join(err, r.Store.Commit(commit))
}
