package spec

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"iter"
	"maps"
	"slices"
)

// formatVersion is part of every hash: if it changes, all users are compared again.
const formatVersion = 1

// Fields are the fields that are managed (desired) or known (observed, applied), each with its value.
// A field that is absent is not managed, or not known; it is not empty.
//
// They are sorted by name, and only the methods change them. A map would take twice the memory, which matters as every user
// has them, desired and observed. A copy refers to the same memory, as that of any slice does: Set and Share are for the one
// who has made the Fields, and still has them alone. Others call [slices.Clone] first. [slices.Equal] compares.
type Fields []FieldValue

// FieldValue is a field and its value.
type FieldValue struct {
	Field Field
	Value Value
}

// FieldsOf returns the fields of a map.
func FieldsOf(values map[Field]Value) Fields {
	f := make(Fields, 0, len(values))
	for _, name := range slices.Sorted(maps.Keys(values)) {
		f = append(f, FieldValue{name, values[name]})
	}
	return f
}

// find returns where a field is, or belongs.
func (f Fields) find(name Field) (at int, found bool) {
	return slices.BinarySearchFunc(f, name, func(v FieldValue, name Field) int { return cmp.Compare(v.Field, name) })
}

// Lookup returns the value of a field, and whether there is one.
func (f Fields) Lookup(name Field) (v Value, found bool) {
	at, found := f.find(name)
	if !found {
		return "", false
	}
	return f[at].Value, true
}

// Get returns the value of a field; "" if it is absent.
func (f Fields) Get(name Field) Value {
	v, _ := f.Lookup(name)
	return v
}

// All are the fields and their values, by name.
func (f Fields) All() iter.Seq2[Field, Value] {
	return func(yield func(Field, Value) bool) {
		for _, v := range f {
			if !yield(v.Field, v.Value) {
				return
			}
		}
	}
}

// Names are the fields in the order of their names.
func (f Fields) Names() []Field {
	names := make([]Field, 0, len(f))
	for name := range f.All() {
		names = append(names, name)
	}
	return names
}

// With returns Fields of its own memory: those of f, and of others, whose values count where both have a field.
func (f Fields) With(others Fields) Fields {
	n := len(f)
	for name := range others.All() {
		if _, both := f.find(name); !both {
			n++
		}
	}
	out := append(make(Fields, 0, n), f...)
	for name, v := range others.All() {
		out.Set(name, v)
	}
	return out
}

// Without returns Fields of its own memory: those of f, except some.
func (f Fields) Without(names ...Field) Fields {
	return slices.DeleteFunc(slices.Clone(f), func(v FieldValue) bool { return slices.Contains(names, v.Field) })
}

// Set sets the value of a field. Where there is no room for another, there is then for just one, as most Fields are made
// once, in the size that they have, and kept.
func (f *Fields) Set(name Field, v Value) {
	at, found := f.find(name)
	if found {
		(*f)[at].Value = v
		return
	}
	if len(*f) == cap(*f) {
		*f = append(make(Fields, 0, len(*f)+1), *f...)
	}
	*f = slices.Insert(*f, at, FieldValue{name, v})
}

// Share returns f in as much memory of others as possible: others if they are equal, else f with the values that are equal.
func (f Fields) Share(others Fields) Fields {
	if slices.Equal(f, others) {
		return others
	}
	for i, v := range f {
		if other := others.Get(v.Field); other == v.Value {
			f[i].Value = other
		}
	}
	return f
}

// Hash is the SHA-256, in hex, of the fields and their values.
func (f Fields) Hash() string {
	h := sha256.New()
	h.Write([]byte{formatVersion})
	for name, v := range f.All() {
		// Canonical JSON holds no NUL, so the parts cannot run into each other.
		_, _ = io.WriteString(h, string(name)+"\x00"+string(v)+"\x00")
	}
	return hex.EncodeToString(h.Sum(nil))
}
