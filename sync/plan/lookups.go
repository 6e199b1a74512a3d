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
	"usersyncd/sync/plan/access"
)

// ErrNotShownYet is why a user could not be read that was created so recently that the API need not show it yet.
var ErrNotShownYet = errors.New("it was created a moment ago, and the API does not show it yet")

// Lookups is what a plan still has to know before anything may be sent.
type Lookups struct {
	Names  map[spec.Ref]bool
	Fields map[string][]spec.Field // by id: unknown ones
	IDs    []string                // pinned ids of users that are not known
	Fresh  map[string]bool         // ids of known users that must be read in this pass
	Emails map[string]bool         // keys: addresses of users that no listing shows, deleted ones
	Admins bool
	// Memberships are those that are to be ended: a group may have members by a rule, whom no call removes.
	Memberships map[Membership]bool
}

// A Membership is a user's in a group, as a listing shows it.
type Membership struct {
	Group string // name, as in a spec
	User  string // id
}

// needsQuick reports whether there are lookups other than fields of single users.
func (l *Lookups) needsQuick() bool {
	return len(l.Names)+len(l.IDs)+len(l.Fresh)+len(l.Emails)+len(l.Memberships) > 0 || l.Admins
}

// Quick returns the lookups without those that take a request or more for each user; false if there are no others.
func (l Lookups) Quick() (Lookups, bool) {
	quick := l.needsQuick()
	l.Fields = nil
	return l, quick
}

// LookupResults are the results of the lookups for a plan. The zero value has none.
type LookupResults struct {
	Names      map[spec.Ref]string // that were checked: what is wrong with the name, "" for nothing
	Unread     map[string]error    // ids of users whose unknown fields were read: why they could not be, nil for those that were
	IDs        map[string]bool     // pinned ids that were looked up
	Fresh      map[string]error    // ids that were to be read in this pass: why they could not be, nil for those that were
	Searched   map[string]error    // addresses that were looked up: why they could not be, nil for those that were
	Admins     []string            // ids of the users with an administrator's role
	AdminsRead bool                // whether Admins was looked up
	AdminsErr  error               // why it could not be
	// Memberships are those that were looked up: why that failed, nil for a membership that can be ended, or that is not in the
	// snapshot any more, as it cannot. Given has the addresses of the latter's users, by group.
	Memberships   map[Membership]error
	MembersByRule map[string][]string
	// Reads is of how many users fields were read that take a request for each: Policy.PerUserFields.
	Reads map[spec.Field]int
	// Urgent withholds unknown fields instead of asking for them: reading them may take hours, and what is urgent needs none
	// of them. See Plan.Urgent.
	Urgent bool
}

// FieldsError says why some fields of a user could not be read, while the others were.
type FieldsError map[spec.Field]error

// Error lists the errors in the order of the fields' names.
func (e FieldsError) Error() string {
	texts := make([]string, 0, len(e))
	for _, f := range slices.Sorted(maps.Keys(e)) {
		texts = append(texts, e[f].Error())
	}
	return strings.Join(texts, "; ")
}

// Unwrap returns all of them.
func (e FieldsError) Unwrap() []error { return slices.Collect(maps.Values(e)) }

// lookUpUnknown asks for the fields whose current values are not known. Those that could not be read are withheld.
func (p *planner) lookUpUnknown(u *spec.User, c *Change) {
	unknown, undeclared := p.withholdUncertain(c)
	c.Current = p.dropIntents(c.Current, undeclared)
	if len(unknown) > 0 && p.inQuarantine(c.Key, u.Hash()) {
		unknown = nil // nothing is to be written yet
	}
	if !c.Current.Deleted() && !c.Activates() { // who is to be restored or activated is read after that
		unknown = append(unknown, p.unknownFields(c)...)
	}
	if len(unknown) == 0 {
		return
	}
	err, read := p.results.Unread[c.Current.ID]
	for _, f := range unknown { // what was applied and cannot be read is neither as declared nor different
		if err != nil && !c.HasField(f) && !c.Withholds(f) {
			c.Fields = append(c.Fields, FieldChange{Field: f, After: c.Desired.Get(f), Cause: Drift})
		}
	}
	switch {
	case !read && p.Urgent:
		c.withhold(Withheld{Reason: ByUncertainty, Note: "it is read first"}, unknown...)
	case !read:
		p.Lookups.Fields[c.Current.ID] = unknown
	case errors.Is(err, ErrNotShownYet):
		c.withhold(Withheld{Reason: ByUncertainty, Note: err.Error(), Until: p.now.Add(ReadLag)}, unknown...)
	case err != nil:
		for _, f := range unknown {
			why := err
			if of := (FieldsError)(nil); errors.As(err, &of) {
				why = cmp.Or(of[f], err)
			}
			p.withholdProblem(u, c, f, fmt.Sprintf("the current value in Genesys cannot be read, so it is not written: %v", why))
		}
	}
}

// unknownFields returns the fields of a change that are to be written and not known, because what must be sent depends on
// their current values, and those that are newly managed and were read too long ago to be compared.
func (p *planner) unknownFields(c *Change) []spec.Field {
	var unknown []spec.Field
	for _, fc := range c.Fields {
		if _, known := c.Current.Fields.Lookup(fc.Field); !known {
			unknown = append(unknown, fc.Field)
		}
	}
	for _, f := range p.policy.DetailFields {
		_, declared := c.Desired.Lookup(f)
		_, known := c.Current.Fields.Lookup(f)
		_, managed := c.Current.LastApplied.Lookup(f)
		interval := p.policy.DetailInterval
		if declared && managed && !known && !slices.Contains(unknown, f) {
			unknown = append(unknown, f)
		}
		if declared && known && !managed && interval > 0 && p.now.Sub(c.Current.Times.ReadAt(f)) >= interval && !c.Withholds(f) {
			unknown = append(unknown, f)
		}
	}
	return unknown
}

// askForMemberships asks which of the memberships that are to be ended can be, and withholds the groups where that is not known.
func (p *planner) askForMemberships(u *spec.User, c *Change) {
	fc := find(c.Fields, spec.Groups)
	if fc == nil || c.Current == nil || c.Action == Create || c.Action == Restore || p.inQuarantine(c.Key, u.Hash()) {
		return
	}
	for _, group := range access.AddedNames(fc.After, c.Current.Fields.Get(spec.Groups)) {
		m := Membership{group, c.Current.ID}
		switch err, read := p.results.Memberships[m]; {
		case !read:
			p.Lookups.Memberships[m] = true
		case err != nil:
			p.withholdProblem(u, c, spec.Groups, fmt.Sprintf("it is not known who is in the group %s by a rule, so nobody is removed from it: %v", spec.Text(group).Display(), err))
			return
		}
	}
}

// noteMembersByRule notes whom groups have by a rule, or as owners: no spec needs to say so, and nothing is changed.
func (p *planner) noteMembersByRule() {
	for _, group := range slices.Sorted(maps.Keys(p.results.MembersByRule)) {
		var users []string
		for _, key := range p.results.MembersByRule[group] {
			users = append(users, text.Escape(key))
		}
		p.Notes = append(p.Notes, fmt.Sprintf("the group %s has %s by a rule, or as owners; they stay, whatever their specs say",
			spec.Text(group).Display(), text.List(users, 3, len(users))))
	}
}

// lookUpDeleted looks up which of the users to be created were deleted: they are restored. The API need not refuse to create
// another user with the same address, so nobody is created while that is not known.
func (p *planner) lookUpDeleted() {
	for _, c := range p.plannedChanges(func(c *Change) bool { return c.Action == Create && !c.creationStarted }) {
		switch err, searched := p.results.Searched[c.Key]; {
		case !searched:
			p.Lookups.Emails[c.Key] = true
		case err != nil:
			c.Outcome, c.Note = Skipped, fmt.Sprintf("it is not known whether a deleted user has the address: %v", err)
		}
	}
}

// An intent that is left in the state file is of a call that was interrupted: it may have written the field, and what is known
// of the field may be outdated. The field is withheld, read, and only then compared. What a call without a version has written
// is shown late, so such a field is withheld until a reading of it is reliable.

// uncertainNote is the note on a field that is withheld for that.
const uncertainNote = "an interrupted call may have changed it; it is compared after it was read"

// withholdUncertain withholds the declared fields that an interrupted call may have written. Of the fields that can be read
// by now it returns those that must be read, and those that need not be, as they are not declared.
func (p *planner) withholdUncertain(c *Change) (readable, undeclared []spec.Field) {
	writes := p.snap.WriteIntents[c.Current.ID]
	if len(writes) == 0 {
		return nil, nil
	}
	withheld := slices.Clone(c.Withheld)
	for _, info := range p.infos {
		f := info.Field
		w, interrupted := writes[f]
		want, declared := c.Desired.Lookup(f)
		switch {
		case !interrupted:
			continue
		case f == spec.State: // always read: a removal may have changed it
		case !declared, c.Current.Deleted(): // a restored user is read completely
			if p.isReadable(f, w) {
				undeclared = append(undeclared, f)
			}
			continue
		}
		until := p.policy.ReadableFrom(f, w.At)
		if p.isReadable(f, w) {
			readable, until = append(readable, f), time.Time{}
		}
		if declared && !c.Current.Deleted() {
			withheld = append(withheld, Withheld{FieldChange: FieldChange{Field: f, After: want, Cause: Edit}, Reason: ByUncertainty, Note: uncertainNote, Until: until})
		}
	}
	c.SetWithheld(withheld)
	c.Drift = slices.DeleteFunc(slices.Clone(c.Drift), func(fc FieldChange) bool { return c.Withholds(fc.Field) })
	return readable, undeclared
}

// lookUpUncertain asks for what an interrupted call may have written to a user that stays as last applied.
func (p *planner) lookUpUncertain(c *Change) {
	readable, _ := p.withholdUncertain(c) // what is declared is not known
	if _, read := p.results.Unread[c.Current.ID]; !read && !p.Urgent && len(readable) > 0 && !p.inQuarantine(c.Key, c.Hash) {
		p.Lookups.Fields[c.Current.ID] = readable
	}
}

// dropIntents drops the intents of fields that are not declared, and the fields' known values: if they are declared again,
// they are read first. What identifies the user stays known.
func (p *planner) dropIntents(u *state.User, fields []spec.Field) *state.User {
	if len(fields) == 0 {
		return u
	}
	p.Record.ClearWriteIntents = append(p.Record.ClearWriteIntents, state.UserFields{ID: u.ID, Fields: fields})
	next := *u
	dropped := slices.DeleteFunc(slices.Clone(fields), func(f spec.Field) bool { return f == spec.Email || f == spec.Name || f == spec.State })
	next.Fields, next.LastApplied = u.Fields.Without(dropped...), u.LastApplied.Without(dropped...)
	p.Record.Users = append(p.Record.Users, &next)
	return &next
}

// isReadable reports whether a reading that is made now shows what an interrupted call has written.
func (p *planner) isReadable(f spec.Field, w state.Event) bool {
	return !p.policy.ReadableFrom(f, w.At).After(p.now)
}

// dropUnmanagedIntents drops the intents of users that are no longer managed.
func (p *planner) dropUnmanagedIntents() {
	for _, id := range slices.Sorted(maps.Keys(p.snap.WriteIntents)) {
		u := p.snap.Users[id]
		var fields []spec.Field
		for f, w := range p.snap.WriteIntents[id] {
			if p.isReadable(f, w) {
				fields = append(fields, f)
			}
		}
		slices.Sort(fields)
		switch {
		case u == nil:
			p.Record.ClearWriteIntents = append(p.Record.ClearWriteIntents, state.UserFields{ID: id, Fields: fields})
		case u.LastApplied == nil && p.OwnerOf[id] == "":
			p.dropIntents(u, fields)
		}
	}
}

// interruptedRemoval returns what an interrupted removal has done to a user, as state.User.Removed.
func (p *planner) interruptedRemoval(u *state.User) string {
	w, interrupted := p.snap.WriteIntents[u.ID][spec.State]
	if interrupted && Action(w.Action).Removes() && u.Fields.Get(spec.State) == w.Fields[0].After {
		return w.Action
	}
	return ""
}
