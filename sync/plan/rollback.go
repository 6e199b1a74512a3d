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
	"usersyncd/state"
)

// Rollback says which writes are to be undone: those that a revision asked for, or all since a time.
type Rollback struct {
	Revision string // or how it begins; "" if Since counts
	Since    time.Time
	Releases []string     `json:"-"` // ids of holds on earlier plans of it, which a person has let through
	Paused   *state.Pause `json:"-"` // that passes are paused already; it is said on
}

func (u Rollback) String() string {
	if u.Revision != "" {
		return u.Revision
	}
	return "since " + u.Since.UTC().Format(time.RFC3339)
}

// Allowed reports whether nobody has paused the passes since the rollback was asked for.
func (u Rollback) Allowed(now *state.Pause) bool {
	return now == nil || u.Paused != nil && u.Paused.At.Equal(now.At) && u.Paused.By == now.By && u.Paused.Reason == now.Reason
}

// Pause is what a rollback begins with. One that goes on with what an earlier one left is paused since that one.
func (u Rollback) Pause(at time.Time, by string) state.Pause {
	p := state.Pause{At: at, By: by, Reason: fmt.Sprintf("rollback of %s; take it back in the checkout, too, before you resume", u)}
	switch before := u.Paused; {
	case before == nil || before.Reason == "":
	case strings.HasPrefix(before.Reason, p.Reason):
		return *before
	default:
		p.Reason += "; it was paused before: " + before.Reason
	}
	return p
}

// ErrAmbiguous is returned when the beginning of a revision fits several, or is too short to be meant.
var ErrAmbiguous = errors.New("which revision?")

// shortest is how much of a revision must be given.
const shortest = 4

// ResolveRevision completes a revision that was given by how it begins.
func (u Rollback) ResolveRevision(events []state.Event) (string, error) {
	if u.Revision == "" {
		return "", nil
	}
	if commit, _ := spec.CutDirty(u.Revision); len(commit) < shortest {
		return "", fmt.Errorf("%w %q is short: give %d characters of it or more", ErrAmbiguous, u.Revision, shortest)
	}
	revision := u.Revision
	for _, e := range events {
		if revision != u.Revision && e.Revision != revision {
			return "", fmt.Errorf("%w %q begins both %s and %s", ErrAmbiguous, u.Revision, revision, e.Revision)
		}
		revision = e.Revision
	}
	return revision, nil
}

// A UserRollback is one user's fields, as they were before the writes to be undone and as these left them.
type UserRollback struct {
	ID, Key  string
	created  bool // by one of the writes,
	restored bool // or restored
	Before   spec.Fields
	After    spec.Fields
}

// UserRollbacks sums events up, which come newest first, by user and field. What they took back themselves is none, and of
// one revision's writes those are none that changed back what was changed by hand.
func UserRollbacks(events []state.Event, revision bool) []*UserRollback {
	byID := map[string]*UserRollback{}
	var all []*UserRollback
	for _, e := range events {
		u := byID[e.ID]
		if u == nil {
			u = &UserRollback{ID: e.ID, Key: e.Email, Before: spec.Fields{}, After: spec.Fields{}}
			byID[e.ID] = u
			all = append(all, u)
		}
		u.created = u.created || Action(e.Action) == Create
		u.restored = u.restored || Action(e.Action) == Restore && e.RollbackOf == ""
		for _, f := range e.Fields {
			if revision && cmp.Or(f.Cause, e.Cause) == string(Drift) {
				continue // what somebody had changed by hand is not what the commit did
			}
			if _, later := u.After[f.Field]; !later {
				u.After[f.Field] = f.After
			}
			u.Before[f.Field] = f.Before
		}
	}
	for _, u := range all {
		maps.DeleteFunc(u.Before, func(f spec.Field, v spec.Value) bool { return v == u.After[f] })
	}
	all = slices.DeleteFunc(all, func(u *UserRollback) bool { return len(u.Before) == 0 })
	slices.SortFunc(all, func(a, b *UserRollback) int { return cmp.Or(cmp.Compare(a.Key, b.Key), cmp.Compare(a.ID, b.ID)) })
	return all
}

// NewRollback plans a rollback. It is pure. The guards look at it as at any plan.
func NewRollback(undo Rollback, wanted []*UserRollback, snap *state.Snapshot, policy Policy, answers *LookupResults, now time.Time) *Plan {
	p := newPlanner(snap, policy, answers, now)
	p.RollbackOf, p.Revision = undo.String(), undo.Revision
	p.reportDrift, p.emailUnmanaged = false, false
	for _, u := range wanted {
		c := changeBack(p, u, snap.Users[u.ID])
		key := c.Key
		if p.changes[key] != nil {
			key = u.ID // another user had the address by then
		}
		p.changes[key] = c
	}
	// After all are compared: until then an address means who has it today.
	for _, c := range p.changes {
		if c.Outcome == Planned && c.HasField(spec.Email) {
			p.OwnerOf[c.Current.ID], p.Index.RenamedTo[c.Key] = c.Key, c.Current.ID
		}
	}
	g := newGuards(p)
	g.run()
	g.remember(false)
	p.order()
	p.record()
	return p.Plan
}

// changeBack makes one user's change.
func changeBack(p *planner, u *UserRollback, current *state.User) *Change {
	c := &Change{Key: u.Key, Action: Update, Cause: RolledBack, OneOff: true, Lane: 3, Desired: spec.Fields{}, Current: current, Outcome: Planned}
	switch {
	case u.created:
		c.Outcome, c.Note = Skipped, "the user was created, and is left; deactivate or delete it by hand if it is not to be"
		return c
	case u.restored:
		c.Outcome, c.Note = Skipped, "the user had been deleted and was restored, and is left; deactivate or delete it by hand if it is not to be"
		return c
	case current == nil:
		c.Outcome, c.Note = Skipped, "the user does not exist any more"
		if u.After[spec.State] == spec.Text(state.Deleted) {
			c.Note = "the user was deleted; the next pass restores it once the commit is taken back in the checkout"
		}
		return c
	}
	why := "changed since: left as it is"
	for _, info := range p.infos {
		f := info.Field
		before, ours := u.Before[f]
		have := current.Fields[f]
		fc := FieldChange{Field: f, Before: p.Index.AsDeclared(f, have), After: before, Cause: RolledBack}
		switch {
		case !ours, before != "" && p.Index.Same(f, before, have):
		case f == spec.State && before.Text() == state.Deleted: // never
			c.Drift = append(c.Drift, fc)
		case slices.Contains(p.policy.Unmanaged, f): // since then
			why = "a field that somebody else owns: left as it is"
			c.Drift = append(c.Drift, fc)
		case before == "", !p.Index.Same(f, u.After[f], have):
			c.Drift = append(c.Drift, fc)
		default:
			c.Fields = append(c.Fields, fc)
			c.Desired[f] = before
			if info.Access {
				c.Lane = 2
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
		c.Key = spec.Key(c.Desired[spec.Email].Text()) // as in any plan
	}
	c.Hash = (&spec.User{Key: c.Key, Fields: c.Desired}).Hash()
	switch refused := p.policy.Guard.Refuses(c); {
	case len(c.Fields) == 0 && len(c.Drift) > 0:
		c.Outcome, c.Note = Skipped, why
	case len(c.Fields) == 0:
		c.Outcome, c.Note = Skipped, "it is as it was before already"
	case len(refused) > 0:
		c.Outcome, c.Note = Held, refused[0].String()
	}
	return c
}
