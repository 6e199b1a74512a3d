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

// AllDivisions among the divisions of a role means all of them, future ones too. It is no name.
const AllDivisions = "*"

func textRef(kind Kind) func(Value) []Ref {
	return func(v Value) []Ref {
		return refsOf(kind, slices.DeleteFunc([]string{v.Text()}, func(name string) bool { return name == "" }))
	}
}

func listRefs(kind Kind) func(Value) []Ref {
	return func(v Value) []Ref { return refsOf(kind, decoded[[]string](v)) }
}

func keyRefs(kind Kind) func(Value) []Ref {
	return func(v Value) []Ref { return refsOf(kind, slices.Collect(maps.Keys(decoded[map[string]float64](v)))) }
}

func locationRefs(v Value) []Ref {
	var names []string
	for _, l := range decoded[[]Location](v) {
		names = append(names, l.Name)
	}
	return refsOf(KindLocation, names)
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
