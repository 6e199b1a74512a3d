package plan

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"usersyncd/spec"
	"usersyncd/spec/text"
	"usersyncd/state"
)

// Rollback says which writes are to be rolled back: those that a revision asked for, or all since a time.
type Rollback struct {
	Revision string // or its beginning; "" if Since counts
	Since    time.Time
	Releases []string     `json:"-"` // ids of holds on earlier plans of it that a person has released
	Paused   *state.Pause `json:"-"` // when it was requested; nil: passes were not paused
}

func (r Rollback) String() string {
	if r.Revision != "" {
		return r.Revision
	}
	return "since " + text.Time(r.Since.UTC())
}

// Allowed reports whether nobody has paused passes since the rollback was requested.
func (r Rollback) Allowed(now *state.Pause) bool {
	return now == nil || r.Paused != nil && r.Paused.At.Equal(now.At) && r.Paused.By == now.By && r.Paused.Reason == now.Reason
}

// Pause returns the pause that a rollback begins with. If it continues an earlier one, that is its pause.
func (r Rollback) Pause(at time.Time, by string) state.Pause {
	p := state.Pause{At: at, By: by, Reason: "rollback of " + spec.ShortRevision(r.String()), Rollback: true}
	switch before := r.Paused; {
	case before == nil || before.Reason == "":
	case strings.HasPrefix(before.Reason, p.Reason):
		return *before
	default:
		p.Reason += "; it was paused before: " + before.Reason
	}
	return p
}

// ErrAmbiguous is returned when the beginning of a revision matches several, or is too short.
var ErrAmbiguous = errors.New("ambiguous revision")

// minRevision is how many characters of a revision must be given.
const minRevision = 4

// ResolveRevision returns the complete revision, from the events that match its beginning.
func (r Rollback) ResolveRevision(events []state.Event) (string, error) {
	if r.Revision == "" {
		return "", nil
	}
	if commit, _ := spec.CutDirty(r.Revision); len(commit) < minRevision {
		return "", fmt.Errorf("%w: give at least %d characters of %q", ErrAmbiguous, minRevision, r.Revision)
	}
	revision := r.Revision
	for _, e := range events {
		if revision != r.Revision && e.Revision != revision {
			return "", fmt.Errorf("%w: %q matches %s and %s", ErrAmbiguous, r.Revision, spec.ShortRevision(revision), spec.ShortRevision(e.Revision))
		}
		revision = e.Revision
	}
	return revision, nil
}

// A UserRollback has one user's fields before and after the writes to be rolled back.
type UserRollback struct {
	ID, Key  string
	created  bool // by one of the writes
	restored bool
	Before   spec.Fields
	After    spec.Fields
}

// UserRollbacks merges events, which come newest first, by user and field. Fields with the same value before and after are
// left out and, of the writes of a revision, those that changed drift back.
func UserRollbacks(events []state.Event, ofRevision bool) []*UserRollback {
	byID := map[string]*UserRollback{}
	for _, e := range events {
		u := byID[e.ID]
		if u == nil {
			u = &UserRollback{ID: e.ID, Key: e.Email, Before: spec.Fields{}, After: spec.Fields{}}
			byID[e.ID] = u
		}
		u.created = u.created || Action(e.Action) == Create
		u.restored = u.restored || Action(e.Action) == Restore && e.RollbackOf == ""
		for _, f := range e.Fields {
			if ofRevision && cmp.Or(f.Cause, e.Cause) == string(Drift) {
				continue // the commit did not ask for it
			}
			if _, later := u.After.Lookup(f.Field); !later {
				u.After.Set(f.Field, f.After)
			}
			u.Before.Set(f.Field, f.Before)
		}
	}
	for id, u := range byID {
		u.Before = slices.DeleteFunc(u.Before, func(v spec.FieldValue) bool { return v.Value == u.After.Get(v.Field) })
		if len(u.Before) == 0 {
			delete(byID, id)
		}
	}
	return slices.SortedFunc(maps.Values(byID), func(a, b *UserRollback) int { return cmp.Or(cmp.Compare(a.Key, b.Key), cmp.Compare(a.ID, b.ID)) })
}

// NewRollback plans a rollback. It is pure, and the guards apply as to any plan.
func NewRollback(r Rollback, users []*UserRollback, snap *state.Snapshot, policy Policy, results *LookupResults, now time.Time) *Plan {
	p := newPlanner(snap, policy, results, now)
	p.RollbackOf, p.Revision = r.String(), r.Revision
	p.reportDrift, p.emailUnmanaged = false, false
	for _, u := range users {
		c := p.rollbackChange(u, snap.Users[u.ID])
		key := c.Key
		if p.changes[key] != nil {
			key = u.ID // another user had the address then
		}
		p.changes[key] = c
	}
	for _, c := range p.changes { // only now: while they are compared, an address means the user that has it
		if c.Outcome == Planned && c.HasField(spec.Email) {
			p.OwnerOf[c.Current.ID], p.Index.RenamedTo[c.Key] = c.Key, c.Current.ID
		}
	}
	g := newGuards(p)
	g.run()
	g.saveReleases(false)
	p.finish()
	p.record()
	return p.Plan
}

// rollbackChange returns the change of one user. A field that is not as the writes left it is not changed.
func (p *planner) rollbackChange(u *UserRollback, current *state.User) *Change {
	c := &Change{Key: u.Key, Action: Update, Cause: RolledBack, OneOff: true, Lane: LaneRest, Desired: spec.Fields{}, Current: current, Outcome: Planned}
	skip := func(note string) *Change {
		c.Outcome, c.Note = Skipped, note
		return c
	}
	switch {
	case u.created:
		return skip("the user was created, and stays; deactivate or delete it by hand if it is not wanted")
	case u.restored:
		return skip("the user had been deleted and was restored, and stays; deactivate or delete it by hand if it is not wanted")
	case current == nil && u.After.Get(spec.State) == spec.Text(state.Deleted):
		return skip("the user was deleted; the next pass restores it once the commit is reverted in the checkout")
	case current == nil:
		return skip("the user does not exist any more")
	}
	why := "changed since: not rolled back"
	for _, info := range p.infos {
		f := info.Field
		before, written := u.Before.Lookup(f)
		have := current.Fields.Get(f)
		fc := FieldChange{Field: f, Before: p.Index.AsDeclared(f, have), After: before, Cause: RolledBack}
		switch {
		case !written, before != "" && p.Index.Same(f, before, have):
		case f == spec.State && before.Text() == state.Deleted: // never
			c.Drift = append(c.Drift, fc)
		case slices.Contains(p.policy.Unmanaged, f): // since then
			why = "the field is no longer managed: not rolled back"
			c.Drift = append(c.Drift, fc)
		case before == "", !p.Index.Same(f, u.After.Get(f), have):
			c.Drift = append(c.Drift, fc)
		default:
			c.Fields = append(c.Fields, fc)
			c.Desired.Set(f, before)
			if info.Access {
				c.Lane = LaneAccess
			}
		}
	}
	if current.Deleted() {
		c.Action = Restore
		if !c.HasField(spec.State) {
			c.Fields = nil
		}
	}
	if c.HasField(spec.Email) {
		c.Key = spec.Key(c.Desired.Get(spec.Email).Text()) // as in any plan
	}
	c.Hash = (&spec.User{Key: c.Key, Fields: c.Desired}).Hash()
	switch refused := p.policy.Guard.Refuses(c); {
	case len(c.Fields) == 0 && len(c.Drift) > 0:
		return skip(why)
	case len(c.Fields) == 0:
		return skip("it is already as it was before")
	case len(refused) > 0:
		c.Outcome, c.Note = Held, refused[0].String()
	}
	return c
}
