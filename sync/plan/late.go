package plan

import (
	"maps"
	"slices"
	"time"

	"usersyncd/spec"
	"usersyncd/state"
)

// What is written without a version is read late: for up to ReadLag a reading may show what was before, and nothing in it
// tells. Every reading of a user is merged into what is known by Believed, which is where that is allowed for.

// Wrote notes that fields of a user were written now, or may have been, if that makes readings doubtful. A user who was
// just made may be shown without what the organization gives to everybody.
func (p *Policy) Wrote(u *state.User, made bool, fields []spec.Field, now time.Time) {
	if made {
		u.Made = now.Unix()
	}
	if late := slices.DeleteFunc(slices.Clone(fields), func(f spec.Field) bool { return !p.Unversioned(f) }); len(late) > 0 {
		u.Times = u.Times.WithWritten(now, late...)
	}
}

// Unversioned reports whether a field is written without a version.
func (p *Policy) Unversioned(f spec.Field) bool { return slices.Contains(p.UnversionedFields, f) }

// Believable reports whether a reading of a field, taken at a time, shows what we have written to the user.
func (p *Policy) Believable(u *state.User, f spec.Field, at time.Time) bool {
	return u.Times.Shows(f, at) && (u.ShowsAll(at) || !p.Unversioned(f))
}

// Believed returns what a reading of a known user, begun at a time, shows: in place of what is not believable stands what
// is known. Where nothing is known, the reading is the best there is.
func (p *Policy) Believed(known *state.User, read spec.Fields, at time.Time) spec.Fields {
	var shown spec.Fields
	for f, v := range known.Fields {
		if read[f] == v || p.Believable(known, f, at) {
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

// Doubtful reports whether what is known of a field, read at a time, may be of before a write of ours: it could not be
// believed then, and is not what we have written.
func (p *Policy) Doubtful(u *state.User, f spec.Field, at time.Time) bool {
	v, known := u.Fields[f]
	return !p.Believable(u, f, at) && (!known || u.Applied[f] != v)
}

// ShownBy returns when a reading shows what a call wrote that had no answer yet at a time.
func (p *Policy) ShownBy(f spec.Field, at time.Time) time.Time {
	if p.Unversioned(f) {
		return at.Add(ReadLag)
	}
	return at
}
