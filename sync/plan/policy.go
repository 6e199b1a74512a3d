package plan

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"usersyncd/spec"
	"usersyncd/state"
	"usersyncd/sync/plan/identity"
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

	Earlier *Plan // that was carried out before, in the same pass; nil: none

	Limits // of the directory's API; a pass asks the directory for them
}

// Limits is what the API of a directory cannot do.
type Limits struct {
	DetailFields      []spec.Field // no listing shows them: they are asked for, user by user
	UnversionedFields []spec.Field // they are written without a version: for ReadLag a reading may be of before that
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
	if slices.Contains(p.Unmanaged, spec.Email) { // whatever it is, it stays: the user is known by the declared one
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

// Selection is a part of the declared users. The zero value is all of them. While it is not all, nobody
// counts as removed.
type Selection struct {
	Only  []string       // keys; none: everybody
	Where spec.Selection // what their fields are, as declared
}

// All reports whether everybody is selected.
func (s *Selection) All() bool { return len(s.Only) == 0 && s.Where.Empty() }

// Takes reports whether a user is selected.
func (s *Selection) Takes(u *spec.User) bool {
	return (len(s.Only) == 0 || slices.Contains(s.Only, u.Key)) && (s.Where.Empty() || s.Where.Matches(u.Fields))
}

// ErrNobody is returned when a selection names users who are not there.
var ErrNobody = errors.New("nobody has the address")

// Check refuses a selection that names somebody who is not among the users.
func (s *Selection) Check(users map[string]bool) error {
	for _, key := range s.Only {
		if users[key] {
			continue
		}
		return fmt.Errorf("--only: %w %s%s", ErrNobody, spec.Text(key).Display(), DidYouMean(key, slices.Collect(maps.Keys(users))))
	}
	return nil
}
