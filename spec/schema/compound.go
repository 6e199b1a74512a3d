package schema

import (
	"slices"
	"strings"

	"usersyncd/spec/strictyaml"
	"usersyncd/spec/text"
)

// List is a list of items, each once: id is what they are told apart by, and what is how people call that.
func List[T any](item Type[T], example string, id func(T) (id, what string)) Type[[]T] {
	form := "list of " + item.Form
	if noun := strings.IndexAny(item.Form+" ", " ,`"); noun > 0 {
		form = "list of " + item.Form[:noun] + "s" + item.Form[noun:]
	}
	t := Func(form, Object{"type", "array", "uniqueItems", true, "items", item.JSON}, func(r *Reader, n *strictyaml.Node) (all []T, ok bool) {
		ok = r.List(n, example)
		lines := map[string]int{}
		for _, i := range n.Items {
			v, good := item.Parse(r, i)
			if id, what := id(v); good {
				good = r.Once(i, lines, id, what)
			}
			all, ok = append(all, v), ok && good
		}
		return all, ok
	})
	t.Empty = EmptyList
	return t
}

// Words is a list of texts, each once.
func Words(item Type[string], example string) Type[[]string] {
	return List(item, example, func(s string) (id, what string) { return s, text.Quote(s) })
}

// MaxEntries bounds a map: each user who adds to an inherited one has a value of its own, as long as all of it.
const MaxEntries = 1000

// Map is a map of keys to values; without keys, any name is one.
func Map[T any](value Type[T], example string, keys ...string) Type[map[string]T] {
	form := "map of name to " + value.Form
	json := Object{"type", "object", "propertyNames", Definition("name"), "additionalProperties", value.JSON}
	if len(keys) > 0 {
		var properties Object
		for _, key := range keys {
			properties = append(properties, key, value.JSON)
		}
		form = "map of `" + strings.Join(keys, "`, `") + "` to " + value.Form
		json = Object{"type", "object", "additionalProperties", false, "properties", properties}
	}
	t := Func(form, json, func(r *Reader, n *strictyaml.Node) (map[string]T, bool) {
		if len(n.Entries) > MaxEntries {
			r.Problem(n, "has more than %d entries, with those that it inherits; remove some", MaxEntries)
			return nil, false
		}
		ok := r.Mapping(n, example, keys...)
		all := make(map[string]T, len(n.Entries))
		for _, e := range n.Entries {
			v, good := value.Parse(r, e.Value)
			all[e.Key.Text], ok = v, ok && good
		}
		return all, ok
	})
	t.Empty = EmptyMap
	return t
}

// A Part is one key of a Struct.
type Part[T any] struct {
	key, form string
	required  bool
	json      Object
	read      func(r *Reader, n *strictyaml.Node, into *T) bool
}

// Key makes a part: its name, its type, where its value is kept, and what it is.
func Key[T, P any](name string, t Type[P], at func(*T) *P, about string) Part[T] {
	return KeyFunc(name, t, func(into *T, v P) { *at(into) = v }, about)
}

// KeyFunc is Key where the value is put in its place by a function.
func KeyFunc[T, P any](name string, t Type[P], put func(into *T, v P), about string) Part[T] {
	return Part[T]{name, t.Form, false, Described(about, t.JSON), func(r *Reader, n *strictyaml.Node, into *T) bool {
		v, ok := t.Parse(r, n)
		put(into, v)
		return ok
	}}
}

// Required makes a part that must not be left out.
func (p Part[T]) Required() Part[T] {
	p.required = true
	return p
}

// Struct is a map with known keys. Parts that are left out have their value from zero.
func Struct[T any](zero T, example string, parts ...Part[T]) Type[T] {
	var keys, required, forms []string
	var properties Object
	for _, p := range parts {
		keys = append(keys, p.key)
		forms = append(forms, "`"+p.key+"` ("+p.form+")")
		properties = append(properties, p.key, p.json)
		if p.required {
			required = append(required, p.key)
		}
	}
	json := Object{"type", "object", "additionalProperties", false, "properties", properties}
	if len(required) > 0 {
		json = append(json, "required", required)
	}
	t := Func("map of "+strings.Join(forms, ", "), json, func(r *Reader, n *strictyaml.Node) (v T, ok bool) {
		v, ok = zero, r.Mapping(n, example, keys...)
		for _, e := range n.Entries {
			if i := slices.Index(keys, e.Key.Text); i >= 0 {
				ok = parts[i].read(r, e.Value, &v) && ok
			}
		}
		for _, key := range required {
			if ok && n.Get(key) == nil {
				r.Problem(n, "needs %s, such as %s", key, example)
				ok = false
			}
		}
		return v, ok
	})
	t.Empty = EmptyMap
	return t
}
