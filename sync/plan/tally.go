package plan

import (
	"slices"
	"time"

	"usersyncd/spec"
	"usersyncd/state"
)

// Count adds to the tally what was done to a user, with some fields of a change: before is what was known until then,
// nil for nobody, and after what is known now. It is to be asked on every way on which a change succeeds. What a
// person has released does not count. It reports whether there is something to remember.
func (p *Plan) Count(c *Change, before, after *state.User, fields []spec.Field, now time.Time) bool {
	t := state.Tally{At: now.UTC().Truncate(time.Minute)}
	counts := func(guard string) bool { return !slices.Contains(p.Guards.Released, token(guard, c)) }
	active := func(u *state.User) bool { return u != nil && u.Fields[spec.State].Text() == "active" }
	switch {
	case c.Action == Unmanage, c.Action.Removes() && active(before) && !active(after):
		if counts(guardRemovals) {
			t.Removed = 1
		}
	case slices.Contains(fields, spec.State) && active(before) && !active(after):
		// Who is activated by somebody else again and again is one user who is deactivated, however often.
		if counts(guardDeactivations) && !recent(before.Repairs[spec.State], now) {
			t.Deactivated = 1
		}
	}
	if t.Removed+t.Deactivated == 0 {
		return false
	}
	if n := len(p.Guards.Done); n > 0 && p.Guards.Done[n-1].At.Equal(t.At) {
		t = sum(p.Guards.Done[n-1], t)
		p.Guards.Done = p.Guards.Done[:n-1]
	}
	p.Guards.Done = append(slices.Clip(p.Guards.Done), t)
	return true
}

// sum adds up what was done in the same minute.
func sum(a, b state.Tally) state.Tally {
	return state.Tally{
		At: a.At, Forgotten: a.Forgotten || b.Forgotten,
		Removed: a.Removed + b.Removed, Deactivated: a.Deactivated + b.Deactivated,
	}
}
