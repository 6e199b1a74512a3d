package spec

import (
	"slices"
	"strings"

	"usersyncd/spec/strictyaml"
	"usersyncd/spec/text"
)

// listOf is a list of items, no two of which are alike: id is what they are told apart by, and what how people call
// that.
func listOf[T any](item kind[T], example string, id func(T) (id, what string)) kind[[]T] {
	read := func(r *reader, n *strictyaml.Node) (all []T, ok bool) {
		ok = r.list(n, example)
		lines := map[string]int{}
		for _, i := range n.Items {
			v, good := item.parse(r, i)
			if id, what := id(v); good && lines[id] > 0 {
				r.problem(i, "%s is listed twice; the first is in line %d. Keep one", what, lines[id])
				good = false
			} else if good {
				lines[id] = i.Pos.Line
			}
			all, ok = append(all, v), ok && good
		}
		return all, ok
	}
	form := "list of " + item.form
	if noun := strings.IndexAny(item.form+" ", " ,`"); noun > 0 {
		form = "list of " + item.form[:noun] + "s" + item.form[noun:]
	}
	return kind[[]T]{read: read, empty: emptyList, form: form, schema: object{"type", "array", "uniqueItems", true, "items", item.schema}}
}

// names is a list of names, each once.
func names(example string) kind[[]string] { return wordList(name(), example) }

func wordList(item kind[string], example string) kind[[]string] {
	return listOf(item, example, func(s string) (id, what string) { return s, text.Quote(s) })
}

// mapOf is a map of keys to values; without keys, of names.
func mapOf[T any](value kind[T], example string, keys ...string) kind[map[string]T] {
	read := func(r *reader, n *strictyaml.Node) (map[string]T, bool) {
		ok := r.mapping(n, example, keys...)
		all := make(map[string]T, len(n.Entries))
		for _, e := range n.Entries {
			v, good := value.parse(r, e.Value)
			all[e.Key.Text], ok = v, ok && good
		}
		return all, ok
	}
	k := kind[map[string]T]{read: read, empty: emptyMap, form: "map of name to " + value.form}
	if len(keys) == 0 {
		k.schema = object{"type", "object", "propertyNames", definition("name"), "additionalProperties", value.schema}
		return k
	}
	var properties object
	for _, key := range keys {
		properties = append(properties, key, value.schema)
	}
	k.form = "map of `" + strings.Join(keys, "`, `") + "` to " + value.form
	k.schema = object{"type", "object", "additionalProperties", false, "properties", properties}
	return k
}

// A part is one key of a struct.
type part[T any] struct {
	key      string
	required bool
	read     func(r *reader, n *strictyaml.Node, into *T) bool
	form     string
	schema   object
}

// key makes a part of the kind of its value, and of where that is kept.
func key[T, P any](name string, k kind[P], at func(*T) *P, about string) part[T] {
	read := func(r *reader, n *strictyaml.Node, into *T) (ok bool) {
		*at(into), ok = k.parse(r, n)
		return ok
	}
	return part[T]{name, false, read, k.form, described(about, k.schema)}
}

func (p part[T]) require() part[T] {
	p.required = true
	return p
}

// structOf is a map with known keys. Parts that are left out have their value from zero.
func structOf[T any](zero T, example string, parts ...part[T]) kind[T] {
	var keys, required, forms []string
	var properties object
	for _, p := range parts {
		keys = append(keys, p.key)
		forms = append(forms, "`"+p.key+"` ("+p.form+")")
		properties = append(properties, p.key, p.schema)
		if p.required {
			required = append(required, p.key)
		}
	}
	read := func(r *reader, n *strictyaml.Node) (v T, ok bool) {
		v, ok = zero, r.mapping(n, example, keys...)
		for _, e := range n.Entries {
			if i := slices.Index(keys, e.Key.Text); i >= 0 {
				ok = parts[i].read(r, e.Value, &v) && ok
			}
		}
		for _, key := range required {
			if ok && n.Get(key) == nil {
				r.problem(n, "needs %s, such as %s", key, example)
				ok = false
			}
		}
		return v, ok
	}
	k := kind[T]{read: read, empty: emptyMap, form: "map of " + strings.Join(forms, ", ")}
	k.schema = object{"type", "object", "additionalProperties", false, "properties", properties}
	if len(required) > 0 {
		k = k.with("required", required)
	}
	return k
}
