package plan

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"usersyncd/spec"
	"usersyncd/spec/text"
	"usersyncd/state"
)

// ErrNotShownYet is why a user could not be read who was created so recently that it is no news if the API does not show it.
var ErrNotShownYet = errors.New("it was created a moment ago, and the API does not show it yet")

// Lookups is what a plan still has to know before anything may be sent.
type Lookups struct {
	Names  map[spec.Ref]bool
	Fields map[string][]spec.Field // by id: unknown ones
	IDs    []string                // pinned ones, of users who are not known
	Fresh  map[string]bool         // ids of known users who must be read in this very pass
	Emails map[string]bool         // keys: addresses of users whom no listing shows, deleted ones
	Admins bool
}

// needsQuick reports whether there is anything but the fields of single users to ask for.
func (l *Lookups) needsQuick() bool {
	return len(l.Names)+len(l.IDs)+len(l.Fresh)+len(l.Emails) > 0 || l.Admins
}

// Quick returns the look-ups without those that take a request or more for each user; false if there are no others.
func (l Lookups) Quick() (Lookups, bool) {
	quick := l.needsQuick()
	l.Fields = nil
	return l, quick
}

// LookupResults is what the organization was asked for a plan, beside the listing, and what it said. The zero
// value has asked nothing.
type LookupResults struct {
	Names      map[spec.Ref]string // asked for: what is wrong with the name, "" for nothing
	Unread     map[string]error    // by id: users whose unknown fields were asked for; why not, if they could not be read
	IDs        map[string]bool     // pinned ids of nobody known that were looked up
	Fresh      map[string]error    // ids that were to be read in this pass: why they could not be, nil for those that were
	Searched   map[string]error    // addresses that were looked up: why they could not be, nil for those that were
	Admins     []string            // ids of those who have an administrator's role, if
	AdminsRead bool                // that was asked for
	AdminsErr  error               // why it could not be told
	// Urgent leaves fields out that are not known instead of asking for them: reading them may take hours, and what is
	// urgent needs none of it. See Plan.Urgent.
	Urgent bool
}

// readable asks for the fields whose values now are not known. Those that could not be read are left out.
func (p *planner) readable(u *spec.User, c *Change) {
	unknown, undeclared := p.doubt(c)
	c.Current = p.forget(c.Current, undeclared)
	if len(unknown) > 0 && p.inQuarantine(c.Key, u.Hash()) {
		unknown = nil // nothing is to be written yet
	}
	if !c.Current.Deleted() { // who is, is read once it is restored
		unknown = append(unknown, p.unread(c)...)
	}
	if len(unknown) == 0 {
		return
	}
	err, asked := p.answers.Unread[c.Current.ID]
	switch {
	case !asked && p.Urgent:
		c.withhold(Withheld{Reason: ByUncertainty, Note: "it is read first"}, func(fc FieldChange) bool { return slices.Contains(unknown, fc.Field) })
	case !asked:
		p.Lookups.Fields[c.Current.ID] = unknown
	case errors.Is(err, ErrNotShownYet):
		until := p.now.Add(ReadLag)
		c.withhold(Withheld{Reason: ByUncertainty, Note: err.Error(), Until: until}, func(fc FieldChange) bool { return slices.Contains(unknown, fc.Field) })
	case err != nil:
		for _, f := range unknown {
			p.leaveOut(u, c, f, fmt.Sprintf("what Genesys has now cannot be read, so it is not written: %v", err))
		}
	}
}

// unread returns the fields of a change that are to be written and not known, since what they hold now decides what
// must be sent, and those that are newly managed and were read too long ago to be compared.
func (p *planner) unread(c *Change) []spec.Field {
	var unknown []spec.Field
	for _, fc := range c.Fields {
		if _, known := c.Current.Fields[fc.Field]; !known {
			unknown = append(unknown, fc.Field)
		}
	}
	for _, f := range p.policy.DetailFields {
		_, declared := c.Desired[f]
		_, known := c.Current.Fields[f]
		_, managed := c.Current.Applied[f]
		every := p.policy.DetailInterval
		if declared && known && !managed && every > 0 && p.now.Sub(c.Current.Times.ReadAt(f)) >= every && !c.Withholds(f) {
			unknown = append(unknown, f)
		}
	}
	return unknown
}

// mostSearched is how many addresses of users to be created are looked up to tell whom it will restore.
const mostSearched = 500

// lookUpMissing asks which of the users who are to be created exist, and are deleted: they will be restored.
func (p *planner) lookUpMissing() {
	if !p.policy.LookUpMissing {
		return
	}
	missing := p.planned(func(c *Change) bool { return c.Action == Create })
	if len(missing) > mostSearched {
		p.Notes = append(p.Notes, fmt.Sprintf("%d users are to be created, too many to look each up: those who were deleted before will be restored instead", len(missing)))
		return
	}
	failed, why := 0, error(nil)
	for _, c := range missing {
		switch err, asked := p.answers.Searched[c.Key]; {
		case !asked:
			p.Lookups.Emails[c.Key] = true
		case err != nil:
			failed, why = failed+1, err
		}
	}
	if failed > 0 {
		p.Notes = append(p.Notes, fmt.Sprintf("%s to be created: it cannot be told who was deleted before, and will be restored instead: %v", text.Plural(failed, "user"), why))
	}
}

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
		until := p.policy.ReadableFrom(f, w.At)
		if p.shown(f, w) {
			readable, until = append(readable, f), time.Time{}
		}
		if declared && !c.Current.Deleted() {
			withheld = append(withheld, Withheld{FieldChange: FieldChange{Field: f, After: want, Cause: Edit}, Reason: ByUncertainty, Note: doubtful, Until: until})
		}
	}
	c.SetWithheld(withheld)
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
	p.Record.ClearWrites = append(p.Record.ClearWrites, state.UserFields{ID: u.ID, Fields: fields})
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
	return !p.policy.ReadableFrom(f, w.At).After(p.now)
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
			p.Record.ClearWrites = append(p.Record.ClearWrites, state.UserFields{ID: id, Fields: fields})
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
