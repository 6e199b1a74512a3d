package state

import (
	"bytes"
	"cmp"
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"time"

	"usersyncd/spec"
)

// A fieldLine is one line of a payload.
type fieldLine struct {
	mark  byte
	times FieldTime
	text  []byte     // of the value, in the payload
	value spec.Value // the same, in memory that may be kept
}

// decodeUser decodes a payload, and reports whether it is valid. The user does not refer to payload. Times of writing that
// no longer matter now are dropped. What the user's declaration, by key, has too is the same memory (see SnapshotFor).
func decodeUser(id string, payload []byte, now time.Time, declared func(key string) spec.Fields) (*User, bool) {
	first, rest, ok := bytes.Cut(payload, []byte("\n"))
	var head userHead
	if !ok || json.Unmarshal(first, &head) != nil {
		return nil, false
	}
	if head.ReadAt == 1 {
		head.ReadAt, head.Stale = 0, true
	}
	if !recent(head.Created, now) {
		head.Created = 0
	}
	var few [32]fieldLine // not on the heap, as long as there are no more fields
	lines, ok := splitFields(few[:0], rest, &head)
	if !ok {
		return nil, false
	}
	u := &User{
		Observed: Observed{ID: id, Version: head.Version, Opaque: head.Opaque}, Times: Times{Read: head.ReadAt}, CreatedAt: head.Created, Stale: head.Stale,
		Declared: Declaration{head.As, head.File, head.Ordinal}, FormerKeys: head.Formerly, Removed: head.Removed, Suspended: head.Suspended,
		Repairs: head.Repairs,
	}
	observed, applied := keysIn(lines)
	u.Declared.Key = cmp.Or(u.Declared.Key, applied) // left out, or the file is of format 1
	var fields spec.Fields
	if declared != nil {
		fields = declared(cmp.Or(u.Declared.Key, observed))
	}
	u.setFields(lines, head.Managed, fields)
	add := func(o FieldTime) {
		if !recent(o.Wrote, now) {
			o.Wrote = 0
		}
		if o.Wrote != 0 || o.Read != 0 {
			u.Times = u.Times.with(o)
		}
	}
	for _, o := range head.Times {
		add(o)
	}
	hasTimes := false // whether a field has its own time of writing
	for _, l := range lines {
		hasTimes = hasTimes || l.times.Wrote != 0
		add(l.times)
	}
	if !hasTimes && recent(head.WroteAt, now) {
		u.Times = u.Times.WithWritten(unixTime(head.WroteAt), slices.Concat(u.Fields.Names(), u.LastApplied.Names())...)
	}
	if len(u.FormerKeys) == 0 {
		u.FormerKeys = nil
	}
	if len(u.Repairs) == 0 {
		u.Repairs = nil
	}
	return u, true
}

// keysIn returns the observed and the applied address.
func keysIn(lines []fieldLine) (observed, applied string) {
	for _, l := range lines {
		if l.times.Field != spec.Email {
			continue
		}
		key := spec.Key(spec.Value(l.text).Text())
		if l.mark != inApplied {
			observed = key
		}
		if l.mark != inObserved {
			applied = key
		}
	}
	return observed, applied
}

// splitFields splits the lines after the first one, and reports whether they are valid.
func splitFields(lines []fieldLine, payload []byte, head *userHead) (all []fieldLine, ok bool) {
	for len(payload) > 0 {
		line, rest, ended := bytes.Cut(payload, []byte("\n"))
		name, value, ok := bytes.Cut(line, []byte(" "))
		if !ended || !ok || len(name) < 2 || !strings.ContainsRune("=<>", rune(name[0])) || name[0] != inObserved && !head.Managed {
			return nil, false
		}
		o, ok := splitName(string(name[1:]), head)
		if !ok || o.Field == "" {
			return nil, false
		}
		lines = append(lines, fieldLine{mark: name[0], times: o, text: value})
		payload = rest
	}
	return lines, true
}

// setFields sets the observed and applied fields. What is declared so is the same memory as in the declaration.
func (u *User) setFields(lines []fieldLine, managed bool, declared spec.Fields) {
	for i := range lines {
		l := &lines[i]
		if l.value = declared.Get(l.times.Field); string(l.value) != string(l.text) {
			l.value = spec.Value(l.text)
		}
	}
	u.Fields = fieldsOf(lines, inApplied, declared)
	if managed {
		u.LastApplied = fieldsOf(lines, inObserved, declared)
	}
}

// fieldsOf returns the fields of the lines that do not have a mark. They are those that are declared if they are equal.
func fieldsOf(lines []fieldLine, mark byte, declared spec.Fields) spec.Fields {
	n, asDeclared := 0, declared != nil
	for _, l := range lines {
		if l.mark != mark {
			n++
			want, found := declared.Lookup(l.times.Field)
			asDeclared = asDeclared && found && want == l.value
		}
	}
	if asDeclared && n == len(declared) {
		return declared
	}
	fields := make(spec.Fields, 0, n)
	for _, l := range lines {
		if l.mark != mark {
			fields.Set(l.times.Field, l.value)
		}
	}
	return fields
}

// splitName splits a field's name from its times.
func splitName(text string, head *userHead) (o FieldTime, ok bool) {
	name, later, read := strings.Cut(text, string(readMark))
	name, ago, wrote := strings.Cut(name, string(wroteMark))
	o.Field, ok = fieldNamed(name), true
	if read {
		n, err := strconv.ParseInt(later, 10, 64)
		o.Read, ok = head.ReadAt+n, err == nil
	}
	if wrote {
		n, err := strconv.ParseInt(ago, 10, 64)
		o.Wrote, ok = head.WroteAt-n, ok && err == nil
	}
	return o, ok
}

// fieldNamed returns a field whose name does not refer to the text that it is in.
func fieldNamed(name string) spec.Field {
	if info, known := spec.Lookup(spec.Field(name)); known {
		return info.Field
	}
	return spec.Field(strings.Clone(name)) // of another version of the format
}
