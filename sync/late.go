package sync

import (
	"maps"
	"slices"
	"time"

	"usersyncd/spec"
	"usersyncd/state"
	"usersyncd/sync/plan"
)

// What is written without a version is read late: for up to plan.ReadLag a reading may show what was before, and
// nothing in it tells. Every reading of a user is merged into what is known by believed, which is where that is
// allowed for.

// wrote notes that fields of a user were written now, or may have been, if that makes readings doubtful. A user who was
// just made may be shown without what the organization gives to everybody.
func (r *Reconciler) wrote(u *state.User, made bool, fields []spec.Field) {
	if made || slices.ContainsFunc(fields, r.unversioned) {
		u.WroteAt = time.Now().UTC().Truncate(time.Second)
	}
}

// unversioned reports whether a field is written without a version.
func (r *Reconciler) unversioned(f spec.Field) bool { return slices.Contains(r.Policy.Loose, f) }

// believable reports whether a reading of a field, taken at a time, shows what we have written to the user.
func (r *Reconciler) believable(u *state.User, f spec.Field, at time.Time) bool {
	return at.Sub(u.WroteAt).Abs() >= plan.ReadLag || !r.unversioned(f)
}

// believed returns what a reading of a known user, begun at a time, shows: in place of what is not believable stands what
// is known. Where nothing is known, the reading is the best there is.
func (r *Reconciler) believed(known *state.User, read spec.Fields, at time.Time) spec.Fields {
	var shown spec.Fields
	for f, v := range known.Fields {
		if read[f] == v || r.believable(known, f, at) {
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

// doubtful reports whether what is known of a field, read at a time, may be of before a write of ours: it could not be
// believed then, and is not what we have written.
func (r *Reconciler) doubtful(u *state.User, f spec.Field, at time.Time) bool {
	v, known := u.Fields[f]
	return !r.believable(u, f, at) && (!known || u.Applied[f] != v)
}
