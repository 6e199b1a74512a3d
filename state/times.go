package state

import (
	"cmp"
	"slices"
	"time"

	"usersyncd/spec"
)

// ReadLag is how long a reading may still be of before a write that carries no version. (The vendor's
// provider waits 4 s for grants, and says that caches may take a minute.)
const ReadLag = time.Minute

// Times are when fields of a user were read or written, where no version tells how old what is known is: to the
// second, in Unix time. Most fields are read together and none was just written, so there is one time, and a list
// of the fields for which it is not true. A Times is never changed, but replaced.
type Times struct {
	Read   int64       // when the fields that no listing shows were read, the oldest of them; 0: never
	Others []FieldTime // sorted by field
}

// FieldTime is what sets one field apart.
type FieldTime struct {
	Field spec.Field `json:"field"`
	Read  int64      `json:"read,omitempty"`  // 0: as Times.Read
	Wrote int64      `json:"wrote,omitempty"` // when a call without a version last wrote it; 0: not within ReadLag
}

// ReadAt returns when a field that no listing shows was last read; zero if it never was.
func (t Times) ReadAt(f spec.Field) time.Time { return moment(cmp.Or(t.of(f).Read, t.Read)) }

// Oldest returns when that field was read whose reading is the oldest; zero if one never was.
func (t Times) Oldest() time.Time { return moment(t.Read) }

// Shows reports whether a reading of a field that was begun at a time shows what was last written to it.
func (t Times) Shows(f spec.Field, at time.Time) bool {
	return !recent(t.of(f).Wrote, at)
}

func (t Times) of(f spec.Field) FieldTime {
	for _, o := range t.Others {
		if o.Field == f {
			return o
		}
	}
	return FieldTime{}
}

// WithWritten returns the times after a write without a version.
func (t Times) WithWritten(at time.Time, fields ...spec.Field) Times {
	next := Times{Read: t.Read}
	for _, o := range t.Others {
		if !recent(o.Wrote, at) {
			o.Wrote = 0
		}
		next = next.with(o)
	}
	for _, f := range fields {
		next = next.with(FieldTime{f, t.of(f).Read, at.Unix()})
	}
	return next
}

// WithRead returns the times after a reading of fields that no listing shows. kept are the others of them that stay
// known.
func (t Times) WithRead(at time.Time, fields, kept []spec.Field) Times {
	next := Times{Read: at.Unix()}
	for _, f := range kept {
		next.Read = min(next.Read, cmp.Or(t.of(f).Read, t.Read))
	}
	for _, o := range t.Others {
		next = next.with(FieldTime{Field: o.Field, Wrote: o.Wrote})
	}
	for _, f := range kept {
		next = next.with(FieldTime{f, cmp.Or(t.of(f).Read, t.Read), t.of(f).Wrote})
	}
	for _, f := range fields {
		next = next.with(FieldTime{f, at.Unix(), t.of(f).Wrote})
	}
	return next
}

// with returns the times with those of one field replaced, and without what says nothing, so that times that say the
// same are equal.
func (t Times) with(o FieldTime) Times {
	if o.Read == t.Read {
		o.Read = 0
	}
	i, found := slices.BinarySearchFunc(t.Others, o.Field, func(o FieldTime, f spec.Field) int { return cmp.Compare(o.Field, f) })
	others := slices.Clone(t.Others)
	if found {
		others = slices.Delete(others, i, i+1)
	}
	if o.Read != 0 || o.Wrote != 0 {
		others = slices.Insert(others, i, o)
	}
	if len(others) == 0 {
		others = nil
	}
	return Times{t.Read, others}
}

// ShowsAll reports whether a reading that was begun at a time shows all of a user: who was just made may be shown
// without what the organization gives to everybody.
func (u *User) ShowsAll(at time.Time) bool { return !recent(u.CreatedAt, at) }

// recent reports whether a reading may still be of before something that was written then. The clock may have been set
// back since.
func recent(wrote int64, now time.Time) bool {
	return wrote != 0 && now.Sub(moment(wrote)).Abs() < ReadLag
}

// moment is a time that was stored; none is 0.
func moment(seconds int64) time.Time {
	if seconds == 0 {
		return time.Time{}
	}
	return time.Unix(seconds, 0).UTC()
}
