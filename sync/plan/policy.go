package plan

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"usersyncd/spec"
	"usersyncd/spec/selection"
	"usersyncd/state"
	"usersyncd/sync/plan/identity"
	"usersyncd/sync/plan/reference"
	"usersyncd/sync/plan/window"
)

// ReadLag is how long a reading may still be of before a write that carries no version.
const ReadLag = state.ReadLag

// Policy is what a plan may do.
type Policy struct {
	Create      bool   // make declared users that do not exist, and restore deleted ones
	Adopt       bool   // manage users that exist already
	Retry       bool   // try users in quarantine whatever their backoff
	OnRemoval   Action // of managed users who are no longer declared: Unmanage (also if empty), Deactivate or Delete
	ReportDrift bool   // drift is reported, and not changed back
	// LookUpMissing looks for those who are to be created among the deleted users, so that the plan says what becomes
	// of them. To carry it out it is not needed.
	LookUpMissing bool
	// LeaversOnly changes nobody but those who are certain to leave: the tree has problems, and is not applied.
	LeaversOnly bool
	Select      Selection
	Guard       Guard
	Schedule    Schedule

	// Unmanaged fields belong to somebody else, an identity provider for one: they are given to a user who
	// is created, and neither compared nor written from then on.
	Unmanaged []spec.Field

	// DetailInterval is within which time everybody's fields that no listing shows are read again; 0: never.
	DetailInterval time.Duration

	Previous *Plan // that was carried out before, in the same pass; nil: none

	Limits // of the directory's API; a pass asks the directory for them
}

// Limits is what the API of a directory cannot do.
type Limits struct {
	DetailFields      []spec.Field // no listing shows them: they are asked for, user by user
	UnversionedFields []spec.Field // they are written without a version: for ReadLag a reading may be of before that
}

// Selection is a part of the declared users. The zero value is all of them. While it is not all, nobody
// counts as removed.
type Selection struct {
	Only  []string            // keys; none: everybody
	Where selection.Selection // what their fields are, as declared
}

// All reports whether everybody is selected.
func (s *Selection) All() bool { return len(s.Only) == 0 && s.Where.Empty() }

// Selects reports whether a user is selected.
func (s *Selection) Selects(u *spec.User) bool {
	return (len(s.Only) == 0 || slices.Contains(s.Only, u.Key)) && (s.Where.Empty() || s.Where.Matches(u.Fields))
}

// ErrUnknownAddress is returned when a selection names users who are not there.
var ErrUnknownAddress = errors.New("nobody has the address")

// Check refuses a selection that names somebody who is not among the users.
func (s *Selection) Check(users map[string]bool) error {
	for _, key := range s.Only {
		if !users[key] {
			return fmt.Errorf("--only: %w %s%s", ErrUnknownAddress, spec.Text(key).Display(), reference.DidYouMean(key, slices.Collect(maps.Keys(users))))
		}
	}
	return nil
}

// Schedule says when fields that touch routing may be changed. The zero value is always.
type Schedule struct {
	Windows window.List  // none: always
	Fields  []spec.Field // which of them are kept to the windows; all others go at once
	// Partial are, by address, the fields that go on at any hour, as a pass that ended early has written some of what is to
	// be done to them: half of that may be worse than either.
	Partial map[string][]spec.Field
}

// RoutingFields are the fields that decide which conversations reach a user.
func RoutingFields() []spec.Field {
	return []spec.Field{spec.Skills, spec.Languages, spec.Queues, spec.Utilization, spec.State}
}

// Opens returns when a window opens next, in its time zone; zero if that does not matter, as none ever closes.
func (s *Schedule) Opens(now time.Time) time.Time { return s.Windows.Opens(now) }

// Closes returns until when the fields may be changed: now itself if they may not, zero if they always may.
func (s *Schedule) Closes(now time.Time) time.Time {
	if len(s.Fields) == 0 {
		return time.Time{}
	}
	return s.Windows.Closes(now)
}

// NextChange returns when the schedule asks for another plan than one that was made in its sight: a window closes, and
// something is kept to it, or one opens, and something waits for it. Zero if neither matters.
func (s *Schedule) NextChange(p *Plan) time.Time {
	at, closes := time.Time{}, s.Closes(p.Began)
	for _, c := range p.Changes {
		switch {
		case len(c.Deferred) > 0:
			at = Earliest(at, c.Until)
		case c.Outcome == Planned && slices.ContainsFunc(c.Fields, func(fc FieldChange) bool { return s.keeps(c, fc) }):
			at = Earliest(at, closes)
		}
	}
	return at
}

// Earliest is the first of two times, of which each may be unknown: the zero time.
func Earliest(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

// Latest is the later of two times.
func Latest(a, b time.Time) time.Time {
	if a.Before(b) {
		return b
	}
	return a
}

// keeps reports whether a field of a change may only be written while a window is open.
func (s *Schedule) keeps(c *Change, fc FieldChange) bool {
	return !c.unscheduled() && slices.Contains(s.Fields, fc.Field) && !slices.Contains(s.Partial[c.Key], fc.Field)
}

// shut reports whether no window is open.
func (s *Schedule) shut(now time.Time) bool {
	closes := s.Closes(now)
	return !closes.IsZero() && !now.Before(closes)
}

// apply sets apart what waits for a window. Guards have looked at all of it before: who is to release
// something learns of it by day.
func (s *Schedule) apply(changes map[string]*Change, now time.Time) {
	if !s.shut(now) {
		return
	}
	opens := s.Opens(now)
	for _, c := range changes {
		if c.Outcome != Planned {
			continue
		}
		if s.postpone(c, opens); len(c.Fields) == 0 && len(c.Deferred) > 0 {
			c.Outcome = Deferred
		}
	}
}

// Defer sets apart which fields of a change wait until a window opens, if none is open.
func (s *Schedule) Defer(c *Change, now time.Time) {
	if s.shut(now) {
		s.postpone(c, s.Opens(now))
	}
}

func (s *Schedule) postpone(c *Change, opens time.Time) {
	var rest []FieldChange
	for _, fc := range c.Fields {
		if s.keeps(c, fc) {
			c.Deferred = append(c.Deferred, fc)
		} else {
			rest = append(rest, fc)
		}
	}
	if len(c.Deferred) == 0 {
		return
	}
	if c.Fields, c.Until = rest, opens; len(rest) > 0 {
		c.classify() // what is left may be less urgent
	}
}

// Managed returns the fields that are compared and written, of those declared for a user.
func (p *Policy) Managed(declared spec.Fields, current *state.User) spec.Fields {
	if len(p.Unmanaged) == 0 || current == nil {
		return declared
	}
	fields := maps.Clone(declared)
	for _, f := range p.Unmanaged {
		if f != spec.Email {
			delete(fields, f)
		}
	}
	if slices.Contains(p.Unmanaged, spec.Email) { // it stays as it is in Genesys: the user is known by the declared one
		fields[spec.Email] = current.Fields[spec.Email]
	}
	return fields
}

// Managers names the users that fields refer to by the address that they have, if somebody else owns the
// addresses: it is not going to become the declared one.
func (p *Policy) Managers(fields spec.Fields, index *identity.Index) spec.Fields {
	if !slices.Contains(p.Unmanaged, spec.Email) {
		return fields
	}
	for _, info := range spec.All() {
		key := fields[info.Field].Text()
		if id := index.RenamedTo[key]; info.User && id != "" && index.ByID[id] != nil {
			fields = maps.Clone(fields)
			fields[info.Field] = spec.Text(index.ByID[id].Key())
		}
	}
	return fields
}

// What is written without a version is read late: for up to ReadLag a reading may show what was before, and nothing in it
// tells. Every reading of a user is merged into what is known by Believed, which is where that is allowed for.

// RecordWrite notes that fields of a user were written now, or may have been, if that makes readings doubtful. A user who was
// just made may be shown without what the organization gives to everybody.
func (p *Policy) RecordWrite(u *state.User, made bool, fields []spec.Field, now time.Time) {
	if made {
		u.CreatedAt = now.Unix()
	}
	if late := slices.DeleteFunc(slices.Clone(fields), func(f spec.Field) bool { return !p.Unversioned(f) }); len(late) > 0 {
		u.Times = u.Times.WithWritten(now, late...)
	}
}

// Unversioned reports whether a field is written without a version.
func (p *Policy) Unversioned(f spec.Field) bool { return slices.Contains(p.UnversionedFields, f) }

// Reliable reports whether a reading of a field, taken at a time, shows what we have written to the user.
func (p *Policy) Reliable(u *state.User, f spec.Field, at time.Time) bool {
	return u.Times.Shows(f, at) && (u.ShowsAll(at) || !p.Unversioned(f))
}

// ReliableFields returns what a reading of a known user, begun at a time, shows: in place of what is not believable stands what
// is known. Where nothing is known, the reading is the best there is.
func (p *Policy) ReliableFields(known *state.User, read spec.Fields, at time.Time) spec.Fields {
	var shown spec.Fields
	for f, v := range known.Fields {
		if read[f] == v || p.Reliable(known, f, at) {
			continue
		}
		if shown == nil {
			shown = make(spec.Fields, len(read)+1)
			maps.Copy(shown, read)
		}
		shown[f] = v
	}
	if shown == nil {
		return read
	}
	return shown
}

// Uncertain reports whether what is known of a field, read at a time, may be of before a write of ours: it could not be
// believed then, and is not what we have written.
func (p *Policy) Uncertain(u *state.User, f spec.Field, at time.Time) bool {
	v, known := u.Fields[f]
	return !p.Reliable(u, f, at) && (!known || u.Applied[f] != v)
}

// ReadableFrom returns when a reading shows what a call wrote that had no answer yet at a time.
func (p *Policy) ReadableFrom(f spec.Field, at time.Time) time.Time {
	if p.Unversioned(f) {
		return at.Add(ReadLag)
	}
	return at
}
