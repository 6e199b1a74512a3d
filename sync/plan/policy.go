package plan

import (
	"errors"
	"iter"
	"slices"
	"time"

	"usersyncd/spec"
	"usersyncd/spec/selection"
	"usersyncd/state"
	"usersyncd/sync/plan/identity"
	"usersyncd/sync/plan/window"
)

// ReadLag is for how long a reading may be older than a write without a version.
const ReadLag = state.ReadLag

// Policy is what a plan may do.
type Policy struct {
	Create           bool   // declared users that do not exist; restores deleted ones, too
	Adopt            bool   // manage users that exist already
	IgnoreQuarantine bool   // tries users in quarantine before their backoff is over
	OnRemoval        Action // for managed users that are no longer declared: Unmanage (also if empty), Deactivate or Delete
	ReportDrift      bool   // drift is reported, and not changed back
	// LeaversOnly changes only users that are declared inactive: the tree has problems, and is not applied.
	LeaversOnly bool
	Select      Selection
	Guard       Guard
	Schedule    Schedule

	// Unmanaged fields are managed by others, such as an identity provider: they are set when a user is created, and
	// neither compared nor written from then on.
	Unmanaged []spec.Field

	// DetailInterval is within which time the fields that no listing shows are read again for every user; 0: never.
	DetailInterval time.Duration

	Previous *Plan     // carried out earlier in the same pass; nil: none
	Approved *Approved // all that may be done; nil: it is not limited so

	Capabilities // of the directory's API; a pass asks the directory for them
}

// Capabilities say how the API of a directory treats fields.
type Capabilities struct {
	DetailFields      []spec.Field // that no listing shows: they are requested for each user
	PerUserFields     []spec.Field // of these, those that take a request for each user, however many users they are
	UnversionedFields []spec.Field // that are written without a version: for ReadLag a reading may be older
}

// Selection selects declared users. The zero value selects all. Unless all are selected, no user counts as removed.
type Selection struct {
	Only  []string            // keys; none: all
	Where selection.Selection // what their fields are, as declared
}

// All reports whether all users are selected.
func (s *Selection) All() bool { return len(s.Only) == 0 && s.Where.Empty() }

// Selects reports whether a user is selected.
func (s *Selection) Selects(u *spec.User) bool {
	return (len(s.Only) == 0 || slices.Contains(s.Only, u.Key)) && (s.Where.Empty() || s.Where.Matches(u.Fields))
}

// Errors of a selection by an address.
var (
	ErrUnknownAddress    = errors.New("no user has the address")
	ErrUndeclaredAddress = errors.New("no spec declares the address")
)

// Unknown returns the first address of the selection that is not a key of users; "" if there is none.
func (s *Selection) Unknown(users map[string]bool) (key string) {
	for _, key := range s.Only {
		if !users[key] {
			return key
		}
	}
	return ""
}

// Schedule says when fields that affect routing may be changed. The zero value is always.
type Schedule struct {
	Windows window.List  // none: always
	Fields  []spec.Field // that are limited to the windows
	// Partial are, by address, fields that an interrupted pass has written in part. The rest is written at any hour: half of
	// a change may be worse than none.
	Partial map[string][]spec.Field
}

// RoutingFields are the fields that decide which conversations reach a user.
func RoutingFields() []spec.Field {
	return []spec.Field{spec.Skills, spec.Languages, spec.Queues, spec.Utilization, spec.State}
}

// Closes returns until when the fields may be changed: now if they may not, zero if they always may.
func (s *Schedule) Closes(now time.Time) time.Time {
	if len(s.Fields) == 0 {
		return time.Time{}
	}
	return s.Windows.Closes(now)
}

// NextChange returns when the windows require another plan than p: one closes that p writes fields in, or one opens that
// fields wait for. Zero if there is neither.
func (s *Schedule) NextChange(p *Plan) time.Time {
	at, closes := time.Time{}, s.Closes(p.At)
	for _, c := range p.Changes {
		switch {
		case len(c.Deferred) > 0:
			at = Earliest(at, c.Until)
		case c.Outcome == Planned && slices.ContainsFunc(c.Fields, func(fc FieldChange) bool { return s.windowed(c, fc) }):
			at = Earliest(at, closes)
		}
	}
	return at
}

// Earliest returns the earlier of two times. The zero time is none.
func Earliest(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

// Latest returns the later of two times.
func Latest(a, b time.Time) time.Time {
	if a.Before(b) {
		return b
	}
	return a
}

// windowed reports whether a field of a change may be written only while a window is open.
func (s *Schedule) windowed(c *Change, fc FieldChange) bool {
	f := fc.Field
	if f == spec.Roles && c.Activates() {
		f = spec.State // an inactive user has none
	}
	return !c.ignoresWindows() && slices.Contains(s.Fields, f) && !slices.Contains(s.Partial[c.Key], f)
}

// Defer defers the fields of planned changes that wait for a window, if none is open.
func (s *Schedule) Defer(changes iter.Seq[*Change], now time.Time) {
	if closes := s.Closes(now); closes.IsZero() || now.Before(closes) {
		return
	}
	opens := s.Windows.Opens(now)
	for c := range changes {
		var now, later []FieldChange
		for _, fc := range c.Fields {
			if s.windowed(c, fc) {
				later = append(later, fc)
			} else {
				now = append(now, fc)
			}
		}
		if c.Outcome != Planned || len(later) == 0 {
			continue
		}
		c.Fields, c.Deferred, c.Until = now, later, opens
		if len(now) > 0 {
			c.setCauseAndLane()
		} else {
			c.Outcome = Deferred
		}
	}
}

// staysInactive reports whether a user is, or will be, inactive as declared. Such a user has no roles.
func (p *Policy) staysInactive(declared spec.Fields, current *state.User) bool {
	want, managed := declared.Lookup(spec.State)
	if managed = managed && (current == nil || !slices.Contains(p.Unmanaged, spec.State)); managed {
		return want != spec.Text("active")
	}
	return stateOf(current) == "inactive" && current.Removed == "" // else it is activated again
}

// ManagedFields returns the fields that are compared and written, of those declared for a user.
func (p *Policy) ManagedFields(declared spec.Fields, current *state.User) spec.Fields {
	inactive := p.staysInactive(declared, current)
	if !inactive && (len(p.Unmanaged) == 0 || current == nil) {
		return declared
	}
	var dropped []spec.Field
	if inactive {
		dropped = append(dropped, spec.Roles)
	}
	if current != nil {
		dropped = append(dropped, p.Unmanaged...)
	}
	fields := declared.Without(dropped...)
	if current != nil && slices.Contains(p.Unmanaged, spec.Email) { // it stays as it is in Genesys
		fields.Set(spec.Email, current.Fields.Get(spec.Email))
	}
	return fields
}

// ObservedManagers replaces references to other users by their observed addresses, if addresses are not managed: they will not
// become the declared ones.
func (p *Policy) ObservedManagers(fields spec.Fields, index *identity.Index) spec.Fields {
	if !slices.Contains(p.Unmanaged, spec.Email) {
		return fields
	}
	for _, info := range spec.AllFields() {
		key := fields.Get(info.Field).Text()
		if id := index.RenamedTo[key]; info.RefersToUser && id != "" && index.ByID[id] != nil {
			fields = slices.Clone(fields)
			fields.Set(info.Field, spec.Text(index.ByID[id].Key()))
		}
	}
	return fields
}

// ForgetLost removes from u what a change of state since before has taken from the user. An inactive user has lost the roles,
// and does not get them back; what else a change of state takes is not documented. So nothing is known of the roles of an
// inactive user, nor of any detail of one that has been restored or activated. It reports whether the user has been.
func (p *Policy) ForgetLost(u, before *state.User) (regained bool) {
	if before == nil {
		before = &state.User{}
	}
	now, was := stateOf(u), stateOf(before)
	regained = was == state.Deleted && now != was || was == "inactive" && now == "active"
	u.Fields = slices.DeleteFunc(u.Fields, func(v spec.FieldValue) bool {
		return v.Field == spec.Roles && now == "inactive" || regained && slices.Contains(p.DetailFields, v.Field)
	})
	return regained
}

// For up to ReadLag after a write without a version, a reading may show the value before, and nothing in it says so. Every
// reading of a user is merged into what is known by ReliableFields, which takes that into account.

// RecordWrite records that fields of a user were written now, or may have been, and whether the user was created.
func (p *Policy) RecordWrite(u *state.User, created bool, fields []spec.Field, now time.Time) {
	if created {
		u.CreatedAt = now.Unix()
	}
	if late := slices.DeleteFunc(slices.Clone(fields), func(f spec.Field) bool { return !p.Unversioned(f) }); len(late) > 0 {
		u.Times = u.Times.WithWritten(now, late...)
	}
}

// Unversioned reports whether a field is written without a version.
func (p *Policy) Unversioned(f spec.Field) bool { return slices.Contains(p.UnversionedFields, f) }

// Reliable reports whether a reading of a field that began at a time shows what usersyncd has written to the user.
func (p *Policy) Reliable(u *state.User, f spec.Field, at time.Time) bool {
	return u.Times.Shows(f, at) && (u.ShowsAll(at) || !p.Unversioned(f))
}

// ReliableFields returns the fields of a reading of a known user that began at a time, with those that are not reliable
// replaced by the known values, if there are any.
func (p *Policy) ReliableFields(known *state.User, read spec.Fields, at time.Time) spec.Fields {
	var fields spec.Fields
	for f, v := range known.Fields.All() {
		if read.Get(f) == v || p.Reliable(known, f, at) {
			continue
		}
		if fields == nil {
			fields = slices.Clone(read)
		}
		fields.Set(f, v)
	}
	if fields == nil {
		return read
	}
	return fields
}

// Uncertain reports whether the known value of a field, read at a time, may be older than a write of usersyncd: the reading
// was not reliable, and the value is not what was written.
func (p *Policy) Uncertain(u *state.User, f spec.Field, at time.Time) bool {
	v, known := u.Fields.Lookup(f)
	return !p.Reliable(u, f, at) && (!known || u.LastApplied.Get(f) != v)
}

// ReadableFrom returns from when a reading shows what a call has written that had no answer yet at a time.
func (p *Policy) ReadableFrom(f spec.Field, at time.Time) time.Time {
	if p.Unversioned(f) {
		return at.Add(ReadLag)
	}
	return at
}
