package schema

import (
	"slices"
	"strings"

	"usersyncd/spec/strictyaml"
	"usersyncd/spec/text"
)

// The ways of emptying a value in YAML.
const (
	EmptyText = `""`
	EmptyList = "[]"
	EmptyMap  = "{}"
)

// A Type describes values that are read into a T.
type Type[T any] struct {
	Empty string   // how the value is emptied: "", [] or {}; none if it cannot be
	Words []string // the only values there are; nil: any
	Form  string   // for people, such as "text" or "list of names"
	JSON  Object   // JSON Schema, draft-07

	// read reads a node that is neither broken nor null. It reports what is wrong and then returns false.
	read func(r *Reader, n *strictyaml.Node) (v T, ok bool)
}

// Parse reads a value. If something is wrong, it is reported to r, and ok is false.
func (t Type[T]) Parse(r *Reader, n *strictyaml.Node) (v T, ok bool) {
	if !r.Present(n, t.Empty) {
		return v, false
	}
	return t.read(r, n)
}

// Must adds a check, with what to say of a value that fails it. VALUE in complaint stands for its text.
func (t Type[T]) Must(pass func(T) bool, complaint string) Type[T] {
	return t.Check(func(_ *strictyaml.Node, v T) string {
		if pass(v) {
			return ""
		}
		return complaint
	})
}

// Check adds a check, which returns what to say of a value that fails it, as Must does; "" if it passes.
func (t Type[T]) Check(complaint func(n *strictyaml.Node, v T) string) Type[T] {
	read := t.read
	t.read = func(r *Reader, n *strictyaml.Node) (v T, ok bool) {
		if v, ok = read(r, n); !ok {
			return v, false
		}
		if said := complaint(n, v); said != "" {
			r.Problem(n, "%s", strings.ReplaceAll(said, "VALUE", text.Quote(n.Text)))
			return v, false
		}
		return v, true
	}
	return t
}

// NotEmpty makes a value that cannot be emptied.
func (t Type[T]) NotEmpty() Type[T] {
	t.Empty = ""
	return t
}

// WithForm sets Form.
func (t Type[T]) WithForm(form string) Type[T] {
	t.Form = form
	return t
}

// WithJSON adds keywords to the JSON Schema.
func (t Type[T]) WithJSON(more ...any) Type[T] {
	t.JSON = append(slices.Clip(t.JSON), more...)
	return t
}

// As converts what is read.
func As[T, V any](t Type[T], convert func(T) V) Type[V] {
	return Type[V]{t.Empty, t.Words, t.Form, t.JSON, func(r *Reader, n *strictyaml.Node) (v V, ok bool) {
		was, ok := t.read(r, n)
		return convert(was), ok
	}}
}

// Func makes a type whose values are read by a function, which is not called for null.
func Func[T any](form string, json Object, read func(r *Reader, n *strictyaml.Node) (v T, ok bool)) Type[T] {
	return Type[T]{Form: form, JSON: json, read: read}
}
