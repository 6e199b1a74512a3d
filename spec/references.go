package spec

import (
	"maps"
	"slices"
)

// Kind is what a name refers to in the organization.
type Kind string

// The kinds of things that the fields of a user refer to by name.
const (
	KindSkill    Kind = "skill"
	KindLanguage Kind = "language"
	KindDivision Kind = "division"
	KindRole     Kind = "role"
	KindQueue    Kind = "queue"
	KindGroup    Kind = "group"
	KindLocation Kind = "location"
)

// Ref is one thing of the organization that a value names.
type Ref struct {
	Kind Kind
	Name string // as in the spec; "Name (id)" where several things have the name
}

// AllDivisions among the divisions of a role means all of them, those of tomorrow included. It is no name.
const AllDivisions = "*"

// References lists the things that must exist in the organization for the value to make sense, each
// once, in an order that the value alone decides. There are none for a field that names nothing, and
// for a value that is empty or not one of the field.
func References(f Field, v Value) []Ref {
	switch f {
	case Skills:
		return refsOf(KindSkill, sortedKeys(v))
	case Languages:
		return refsOf(KindLanguage, sortedKeys(v))
	case Division:
		if name, err := Decode[string](v); err == nil && name != "" {
			return refsOf(KindDivision, []string{name})
		}
	case Roles:
		return roleRefs(v)
	case Queues:
		return refsOf(KindQueue, decoded[[]string](v))
	case Groups:
		return refsOf(KindGroup, decoded[[]string](v))
	case Locations:
		var names []string
		for _, l := range decoded[[]Location](v) {
			names = append(names, l.Name)
		}
		return refsOf(KindLocation, names)
	}
	return nil
}

func roleRefs(v Value) []Ref {
	var roles, divisions []string
	for _, r := range decoded[[]Role](v) {
		roles = append(roles, r.Name)
		divisions = append(divisions, r.Divisions...)
	}
	divisions = slices.DeleteFunc(divisions, func(name string) bool { return name == AllDivisions })
	return append(refsOf(KindRole, roles), refsOf(KindDivision, divisions)...)
}

func refsOf(kind Kind, names []string) []Ref {
	var refs []Ref
	for _, name := range set(names) {
		refs = append(refs, Ref{kind, name})
	}
	return refs
}

func sortedKeys(v Value) []string {
	return slices.Sorted(maps.Keys(decoded[map[string]float64](v)))
}

// decoded is Decode where a value of another shape holds nothing.
func decoded[T any](v Value) T {
	out, err := Decode[T](v)
	if err != nil {
		var zero T
		return zero
	}
	return out
}
