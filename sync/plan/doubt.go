package plan

import (
	"maps"
	"slices"
	"time"

	"usersyncd/spec"
	"usersyncd/state"
)

// A call that was interrupted may have written a field, and the commit that says what came of it is missing. What is
// known of that field is what was before, so nothing follows from it: neither that it is as declared, nor that it
// is not. It is read, and only then compared. What a call without a version has written is shown late; a field of
// such a call is withheld until a reading of it counts.

// doubtful is the note on a field that is withheld for that.
const doubtful = "a call that was interrupted may have changed it; it is compared when it was read"

// doubt withholds the declared fields that an interrupted call may have written. Of all that a reading shows by now it
// returns those that are to be read, and those of which nobody has to know what became of them.
func (p *planner) doubt(c *Change) (readable, undeclared []spec.Field) {
	writes := p.snap.Writes[c.Current.ID]
	if len(writes) == 0 {
		return nil, nil
	}
	withheld := slices.Clone(c.Withheld)
	for _, info := range p.infos {
		f := info.Field
		w, begun := writes[f]
		want, declared := c.Desired[f]
		switch {
		case !begun:
			continue
		case f == spec.State: // whatever is declared: it may be what a removal has left
		case !declared, c.Current.Deleted(): // who is restored is read whole
			if p.shown(f, w) {
				undeclared = append(undeclared, f)
			}
			continue
		}
		until := p.policy.ShownBy(f, w.At)
		if p.shown(f, w) {
			readable, until = append(readable, f), time.Time{}
		}
		if declared && !c.Current.Deleted() {
			withheld = append(withheld, Withheld{FieldChange: FieldChange{Field: f, After: want, Cause: Edit}, Reason: ByDoubt, Note: doubtful, Until: until})
		}
	}
	c.Keep(withheld)
	c.Drift = slices.DeleteFunc(slices.Clone(c.Drift), func(fc FieldChange) bool { return c.Withholds(fc.Field) })
	return readable, undeclared
}

// lookInto asks for what an interrupted call may have written to a user who stays as last applied.
func (p *planner) lookInto(c *Change) {
	readable, _ := p.doubt(c) // what is declared is not known
	if _, asked := p.answers.Unread[c.Current.ID]; !asked && !p.Urgent && len(readable) > 0 && !p.inQuarantine(c.Key, c.Hash) {
		p.Lookups.Fields[c.Current.ID] = readable
	}
}

// forget drops the intents of fields that nobody declares, and what was known of them: should they be declared again,
// they are read first. Who the user is stays known.
func (p *planner) forget(u *state.User, fields []spec.Field) *state.User {
	if len(fields) == 0 {
		return u
	}
	p.Record.Resolved = append(p.Record.Resolved, state.UserFields{ID: u.ID, Fields: fields})
	next := *u
	next.Fields, next.Applied = maps.Clone(u.Fields), maps.Clone(u.Applied)
	for _, f := range fields {
		if f != spec.Email && f != spec.Name && f != spec.State {
			delete(next.Fields, f)
			delete(next.Applied, f)
		}
	}
	p.Record.Users = append(p.Record.Users, &next)
	return &next
}

// shown reports whether a reading that is made now shows what an interrupted call has written.
func (p *planner) shown(f spec.Field, w state.Event) bool {
	return !p.policy.ShownBy(f, w.At).After(p.now)
}

// unmanaged drops the intents of users who are not managed any more.
func (p *planner) unmanaged() {
	for _, id := range slices.Sorted(maps.Keys(p.snap.Writes)) {
		u := p.snap.Users[id]
		var fields []spec.Field
		for f, w := range p.snap.Writes[id] {
			if p.shown(f, w) {
				fields = append(fields, f)
			}
		}
		slices.Sort(fields)
		switch {
		case u == nil:
			p.Record.Resolved = append(p.Record.Resolved, state.UserFields{ID: id, Fields: fields})
		case u.Applied == nil && p.OwnerOf[id] == "":
			p.forget(u, fields)
		}
	}
}

// finished is what an interrupted removal has done to a user: "" for nothing that is known.
func (p *planner) finished(u *state.User) string {
	w, begun := p.snap.Writes[u.ID][spec.State]
	if begun && Action(w.Action).Removes() && u.Fields[spec.State] == w.Fields[0].After {
		return w.Action
	}
	return ""
}
