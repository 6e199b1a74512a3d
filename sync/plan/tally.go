package plan

import (
	"maps"
	"slices"
	"time"

	"usersyncd/spec"
	"usersyncd/state"
)

const (
	tallied = 24 * time.Hour // for how long what was done counts
	// keepTally is for how long it is remembered: a clock that was ahead may be set right.
	keepTally = 7 * tallied
)

// recall takes over what the guards remember. What is dated in the future, by a clock that was set back since, is
// taken as of now: it counts, and not for ever.
func (p *planner) recall() {
	p.Guards.Released = slices.Clone(p.snap.Guards.Released)
	if first := p.snap.Guards.FirstImport; !first.IsZero() && p.now.Sub(first) < tallied {
		p.Guards.FirstImport = notAfter(first, p.now)
	}
	for _, t := range p.snap.Guards.Done {
		t.At = notAfter(t.At, p.now)
		switch age := p.now.Sub(t.At); {
		case age < tallied:
			p.Guards.Done = added(p.Guards.Done, t, time.Minute)
		case age < keepTally:
			p.Guards.Done = added(p.Guards.Done, t, time.Hour)
		}
	}
	if p.snap.Damaged > 0 {
		p.Guards.Done = added(p.Guards.Done, state.Tally{At: minute(p.now), Forgotten: true}, time.Minute)
	}
}

func minute(t time.Time) time.Time { return t.UTC().Truncate(time.Minute) }

func notAfter(t, now time.Time) time.Time {
	if t.After(now) {
		return minute(now)
	}
	return t
}

// lately sums up what was done within the time that counts.
func (p *planner) lately() state.Tally {
	all := state.Tally{}
	for _, t := range p.Guards.Done {
		if p.now.Sub(t.At) < tallied {
			all = sum(all, t)
		}
	}
	return all
}

// Count adds to the tally what was done to a user, with some fields of a change: before is what was known until then,
// nil for nobody, and after what is known now. It is to be asked on every way on which a change succeeds. What a
// person has released does not count. It reports whether there is something to remember.
func (p *Plan) Count(c *Change, before, after *state.User, fields []spec.Field, now time.Time) bool {
	t := p.tallyOf(c, before, after, fields, now)
	t.At = minute(now)
	spent := !active(before) && active(after) && p.spend(token(guardReactivations, c), fieldToken(guardReactivations, c, spec.State))
	if t.Removed+t.Deactivated+t.Created+t.Renamed+len(t.Lost) == 0 {
		return spent
	}
	p.Guards.Done = added(p.Guards.Done, t, time.Minute)
	return true
}

// tallyOf is what of that counts.
func (p *Plan) tallyOf(c *Change, before, after *state.User, fields []spec.Field, now time.Time) state.Tally {
	var t state.Tally
	one := func(tokens ...string) int {
		if slices.ContainsFunc(tokens, func(t string) bool { return slices.Contains(p.Guards.Released, t) }) {
			return 0
		}
		return 1
	}
	switch {
	case c.Action == Unmanage, c.Action.Removes() && before != nil && stateOf(before) != stateOf(after) && after.Fields[spec.State] == c.Desired[spec.State]:
		t.Removed = one(token(guardRemovals, c))
	case c.Action.Removes():
	case before == nil || before.Deleted() || c.recovers(before, after):
		ours := before != nil && before.Removed != "" // and only brought back
		if !ours && !after.Deleted() && p.Guards.FirstImport.IsZero() {
			t.Created = one(token(guardCreations, c), token(guardRemovals, c), token(guardReactivations, c))
		}
	case slices.Contains(fields, spec.State) && active(before) && !active(after) && !c.again(before):
		t.Deactivated = one(token(guardDeactivations, c))
	}
	if before == nil || c.leaves {
		return t
	}
	if slices.Contains(fields, spec.Email) && before.Key() != after.Key() {
		t.Renamed = one(fieldToken(guardMaxRenames, c, spec.Email))
	}
	for _, f := range fields {
		if recent(before.Repairs[f], now) {
			continue // what somebody else gives again and again is lost by one user, however often it is taken
		}
		for _, name := range losses(f, before.Fields[f], after.Fields[f]) {
			if one(fieldToken(guardLosses, c, f)) > 0 {
				if t.Lost == nil {
					t.Lost = map[string]int{}
				}
				t.Lost[lossKey(f, name)] = 1
			}
		}
	}
	return t
}

// countFound counts what is found done of what an earlier pass sent and never got an answer to: was is what was known
// until now, and the change's user has what is in force since.
func (p *planner) countFound(u *spec.User, c *Change, was *state.User) {
	f, failed := p.snap.Failures[u.Key]
	unanswered := f.Status == 0 || f.Status == 408 || f.Status >= 500
	if !failed || !unanswered || c.Current == was || f.Desired != u.Hash() {
		return
	}
	before, after := *was, *c.Current
	for _, known := range []*state.User{&before, &after} {
		known.Fields = maps.Clone(known.Fields)
		maps.Copy(known.Fields, known.Applied)
	}
	c.Hash, c.leaves = f.Desired, active(&before) && !active(&after)
	p.Count(c, &before, &after, slices.Sorted(maps.Keys(c.Desired)), p.now)
}

// recovers reports whether somebody who was found is whom an earlier pass began to create, and could not record.
func (c *Change) recovers(before, after *state.User) bool {
	return c.begun && before.Applied == nil && after.Applied != nil
}

// spend forgets what was released and is done now: done again it is to be asked about again.
func (p *Plan) spend(tokens ...string) bool {
	left := slices.DeleteFunc(slices.Clone(p.Guards.Released), func(t string) bool { return slices.Contains(tokens, t) })
	spent := len(left) < len(p.Guards.Released)
	p.Guards.Released = left
	return spent
}

func stateOf(u *state.User) string {
	if u == nil {
		return ""
	}
	return u.Fields[spec.State].Text()
}

func active(u *state.User) bool { return stateOf(u) == "active" }

// added adds what was done, to what was done within the same minute or hour.
func added(done []state.Tally, t state.Tally, unit time.Duration) []state.Tally {
	if n := len(done); n > 0 && done[n-1].At.Truncate(unit).Equal(t.At.Truncate(unit)) {
		return append(slices.Clip(done[:n-1]), sum(done[n-1], t))
	}
	return append(slices.Clip(done), t)
}

// sum adds up two tallies, as of the second.
func sum(a, b state.Tally) state.Tally {
	b.Forgotten = b.Forgotten || a.Forgotten
	b.Removed += a.Removed
	b.Deactivated += a.Deactivated
	b.Created += a.Created
	b.Renamed += a.Renamed
	if len(a.Lost) > 0 {
		lost := maps.Clone(b.Lost)
		if lost == nil {
			lost = map[string]int{}
		}
		for key, n := range a.Lost {
			lost[key] += n
		}
		b.Lost = lost
	}
	return b
}
