package plan

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"usersyncd/spec"
	"usersyncd/state"
	"usersyncd/sync/plan/access"
	"usersyncd/sync/plan/contest"
	"usersyncd/sync/plan/tally"
)

// Event returns the history's event of a write of some fields of a change; false if the change has none of them.
func (p *Plan) Event(c *Change, written []spec.Field, at time.Time) (state.Event, bool) {
	e := p.newEvent(c, at)
	for _, fc := range c.Fields {
		if slices.Contains(written, fc.Field) {
			e.Fields = append(e.Fields, fieldEvent(&e, fc))
		}
	}
	return e, len(e.Fields) > 0
}

// Intent returns the event of a write that is about to be made to all of the fields, those that the change does not have
// included.
func (p *Plan) Intent(c *Change, fields []spec.Field, at time.Time) state.Event {
	e := p.newEvent(c, at)
	for _, f := range fields {
		fc := find(c.Fields, f)
		if fc == nil {
			fc = &FieldChange{Field: f, Before: c.Desired.Get(f), After: c.Desired.Get(f), Cause: c.Cause}
		}
		e.Fields = append(e.Fields, fieldEvent(&e, *fc))
	}
	return e
}

// Unmanaged returns the event of a user who is no longer managed. It has no fields, as nothing is written to Genesys.
func (p *Plan) Unmanaged(c *Change, at time.Time) state.Event {
	e := p.newEvent(c, at)
	e.Fields = []state.FieldEvent{}
	return e
}

func (p *Plan) newEvent(c *Change, at time.Time) state.Event {
	e := state.Event{
		At: at, Revision: p.Revision, Plan: p.ID, ID: c.Current.ID, Email: c.Key,
		Action: string(c.Action), Cause: string(c.Cause), RollbackOf: p.RollbackOf,
	}
	if c.OneOff {
		e.Cause = string(RolledBack) // comparing it again has replaced the cause
	}
	return e
}

func fieldEvent(e *state.Event, fc FieldChange) state.FieldEvent {
	f := state.FieldEvent{Field: fc.Field, Before: fc.Before, After: fc.After}
	if cause := string(fc.Cause); cause != e.Cause && e.RollbackOf == "" {
		f.Cause = cause
	}
	return f
}

// Count adds to the guards' tallies what was done to a user, with some fields of a change: before is what was known until
// then, nil for nothing, and after what is known now. It must be called wherever a change succeeds. What a person has
// released does not count. It reports whether the guards have something to store.
func (p *Plan) Count(c *Change, before, after *state.User, fields []spec.Field, now time.Time) bool {
	t := p.tallyOf(c, before, after, fields, now)
	used := !active(before) && active(after) && p.useReleases(token(guardReactivations, c), fieldToken(guardReactivations, c, spec.State))
	if t.Removed+t.Deactivated+t.Created+t.Renamed+len(t.Losses) == 0 {
		return used
	}
	p.Guards.Tallies = tally.Add(p.Guards.Tallies, t, now)
	return true
}

func (p *Plan) tallyOf(c *Change, before, after *state.User, fields []spec.Field, now time.Time) state.Tally {
	var t state.Tally
	one := func(tokens ...string) int {
		if slices.ContainsFunc(tokens, p.released) {
			return 0
		}
		return 1
	}
	switch {
	case c.Action == Unmanage, c.Action.Removes() && before != nil && stateOf(before) != stateOf(after) && after.Fields.Get(spec.State) == c.Desired.Get(spec.State):
		t.Removed = one(token(guardRemovals, c))
	case c.Action.Removes():
	case before == nil || before.Deleted() || c.completesCreation(before, after):
		removed := before != nil && before.Removed != "" // by usersyncd
		if !removed && !after.Deleted() && p.Guards.FirstImport.IsZero() {
			t.Created = one(token(guardCreations, c), token(guardRemovals, c), token(guardReactivations, c))
		}
	case slices.Contains(fields, spec.State) && active(before) && !active(after) && !c.repeatsDeactivation(before):
		t.Deactivated = one(token(guardDeactivations, c))
	}
	if before == nil || c.endsAccess {
		return t
	}
	if slices.Contains(fields, spec.Email) && before.Key() != after.Key() {
		t.Renamed = one(fieldToken(guardMaxRenames, c, spec.Email))
	}
	for _, f := range fields {
		if contest.Recent(before.Repairs[f], now) {
			continue // somebody else gives it again and again: it counted the first time
		}
		for _, name := range access.Losses(f, before.Fields.Get(f), after.Fields.Get(f)) {
			if one(fieldToken(guardLosses, c, f)) > 0 {
				if t.Losses == nil {
					t.Losses = map[string]int{}
				}
				t.Losses[lossKey(f, name)] = 1
			}
		}
	}
	return t
}

func lossKey(f spec.Field, name string) string { return string(f) + " " + name }

// released reports whether a person has released what a token is of.
func (p *Plan) released(token string) bool {
	_, found := slices.BinarySearch(p.Guards.Released, token)
	return found
}

// useReleases drops releases that apply only once, and reports whether there were any.
func (p *Plan) useReleases(tokens ...string) bool {
	used := slices.ContainsFunc(tokens, p.released)
	if used {
		p.Guards.Released = slices.DeleteFunc(slices.Clone(p.Guards.Released), func(t string) bool { return slices.Contains(tokens, t) })
	}
	return used
}

// CountRepairs records in what is known of a user which of the written fields were repairs, and returns their number. It
// must be called wherever a change succeeds. A field that was written for another reason is no longer contested.
func (p *Plan) CountRepairs(c *Change, after *state.User, written []spec.Field, now time.Time) (n int) {
	after.Repairs = maps.Clone(after.Repairs)
	for _, fc := range c.Fields {
		switch {
		case !slices.Contains(written, fc.Field):
		case fc.Cause != Drift:
			delete(after.Repairs, fc.Field)
		default:
			if after.Repairs == nil {
				after.Repairs = map[spec.Field]state.Repair{}
			}
			after.Repairs[fc.Field] = contest.AddRepair(after.Repairs[fc.Field], fc.Before, now.UTC().Truncate(time.Second))
			if until, contested := contest.Until(after, fc.Field, now); contested {
				p.Contested = contest.Insert(p.Contested, contest.Contest{Email: c.Key, Field: fc.Field, Until: until})
			}
			n++
		}
	}
	if len(after.Repairs) == 0 {
		after.Repairs = nil
	}
	return n
}

// withholdContested withholds contested fields, and lists them. It notes the repairs that never stick.
func (p *Plan) withholdContested(changes map[string]*Change, known map[string]*state.User, now time.Time) {
	futile := map[spec.Field][]string{}
	for _, c := range changes {
		if c.Outcome == Planned {
			c.WithholdContested(now)
		}
		for _, fc := range c.Fields {
			if fc.Cause == Drift && c.Current != nil && contest.Futile(c.Current.Repairs[fc.Field], fc.Before) {
				futile[fc.Field] = append(futile[fc.Field], c.Key)
			}
		}
	}
	for _, f := range slices.Sorted(maps.Keys(futile)) {
		p.Notes = append(p.Notes, contest.FutileNote(f, futile[f]))
	}
	recorded := map[string]*state.User{}
	for _, u := range p.Record.Users {
		recorded[u.ID] = u
	}
	for id, u := range known {
		if u.LastApplied == nil || len(u.Repairs) == 0 {
			continue
		}
		u = cmp.Or(recorded[id], u)
		for f := range u.Repairs {
			if until, contested := contest.Until(u, f, now); contested {
				p.Contested = append(p.Contested, contest.Contest{Email: cmp.Or(p.OwnerOf[id], u.Key()), Field: f, Until: until})
			}
		}
	}
	slices.SortFunc(p.Contested, contest.Contest.Compare)
}
