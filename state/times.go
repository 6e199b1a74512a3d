package state

import (
	"cmp"
	"slices"
	"time"

	"usersyncd/spec"
)

// ReadLag is for how long a reading may be older than a write without a version. (The vendor's provider waits 4 s for
// grants, and says that caches may take a minute.)
const ReadLag = time.Minute

// Times are when fields of a user were read or written, in Unix time, where no version tells how old a value is. Most
// fields are read together and none was just written, so there is one time, and a list of the fields that differ from it.
// A Times is never changed, but replaced.
type Times struct {
	Read   int64       // when the fields that no listing shows were read, the oldest of them; 0: never
	Others []FieldTime // sorted by field
}

// FieldTime has the times of one field.
type FieldTime struct {
	Field spec.Field `json:"field"`
	Read  int64      `json:"read,omitempty"`  // 0: as Times.Read
	Wrote int64      `json:"wrote,omitempty"` // when a call without a version last wrote it; 0: not within ReadLag
}

// ReadAt returns when a field that no listing shows was last read; zero if it never was.
func (t Times) ReadAt(f spec.Field) time.Time { return unixTime(t.read(f)) }

// Oldest returns the time of the oldest reading of a field; zero if one was never read.
func (t Times) Oldest() time.Time { return unixTime(t.Read) }

// Shows reports whether a reading of a field that began at a time shows what was last written to it.
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

func (t Times) read(f spec.Field) int64 { return cmp.Or(t.of(f).Read, t.Read) }

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

// WithRead returns the times after a reading of fields that no listing shows. others are those of the other fields of
// this kind that stay known.
func (t Times) WithRead(at time.Time, fields, others []spec.Field) Times {
	next := Times{Read: at.Unix()}
	for _, f := range others {
		next.Read = min(next.Read, t.read(f))
	}
	for _, o := range t.Others {
		next = next.with(FieldTime{Field: o.Field, Wrote: o.Wrote})
	}
	for _, f := range others {
		next = next.with(FieldTime{f, t.read(f), t.of(f).Wrote})
	}
	for _, f := range fields {
		next = next.with(FieldTime{f, at.Unix(), t.of(f).Wrote})
	}
	return next
}

// with returns the times with those of one field replaced. It drops what is redundant, so that equal times are equal
// values.
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

// ShowsAll reports whether a reading that began at a time shows all of a user. One of a user who was just created may lack
// what the organization assigns to every new user.
func (u *User) ShowsAll(at time.Time) bool { return !recent(u.CreatedAt, at) }

// recent reports whether a reading may be older than something that was written at a time. The clock may have been set
// back since.
func recent(wrote int64, now time.Time) bool {
	return wrote != 0 && now.Sub(unixTime(wrote)).Abs() < ReadLag
}

// unixTime is a time that was stored; the zero time for 0.
func unixTime(seconds int64) time.Time {
	if seconds == 0 {
		return time.Time{}
	}
	return time.Unix(seconds, 0).UTC()
}
