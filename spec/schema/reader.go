package schema

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"usersyncd/spec/strictyaml"
	"usersyncd/spec/text"
)

// Reader collects what is wrong with the nodes of a document. Problems of broken nodes were reported by
// [strictyaml.Parse].
type Reader struct{ Problems []strictyaml.Problem }

// Problem reports something at a node.
func (r *Reader) Problem(n *strictyaml.Node, format string, args ...any) {
	r.Problems = append(r.Problems, strictyaml.Problem{Pos: n.Pos, Field: n.Path(), Message: fmt.Sprintf(format, args...)})
}

// problem reports that a node is neither list nor map, or what keeps it from being one.
func (r *Reader) problem(n *strictyaml.Node, why string) {
	if n.Kind == strictyaml.Scalar && !n.Quoted {
		why = cmp.Or(strictyaml.WithoutSpace(n.Text), why)
	}
	r.Problem(n, "%s", why)
}

// Present reports whether a node can be read. Null is refused: it could mean either that the value is not managed or
// that it is to be made empty. empty is how it would be made empty, "" if it cannot be.
func (r *Reader) Present(n *strictyaml.Node, empty string) bool {
	switch {
	case n.Kind == strictyaml.Broken:
	case !n.IsNull():
		return true
	case n.InList():
		r.Problem(n, "has no value; remove the item")
	case empty == "":
		r.Problem(n, "has no value; leave the field out to not manage it")
	default:
		r.Problem(n, "has no value; leave the field out to not manage it, or write %s to empty it", empty)
	}
	return false
}

// text is a scalar's text, without space around it. Unquoted text that YAML reads as a number or a boolean must be put in
// quotes, because other tools would rewrite it (007123 is 3667 to some).
func (r *Reader) text(n *strictyaml.Node) (string, bool) {
	switch {
	case n.Kind != strictyaml.Scalar:
		r.Problem(n, "must be text, not %s", n.Kind)
	case n.IsTyped():
		r.Problem(n, "YAML reads this as a number or a boolean; put it in quotes: %s", text.Quote(n.Text))
	default:
		return strictyaml.Clean(n.Text), true
	}
	return "", false
}

// List reports whether a node is a list.
func (r *Reader) List(n *strictyaml.Node, example string) bool {
	if n.Kind != strictyaml.List {
		r.problem(n, "must be a list, such as "+example)
		return false
	}
	return true
}

// Mapping reports whether a node is a map with these keys; without keys, any name is one.
func (r *Reader) Mapping(n *strictyaml.Node, example string, keys ...string) bool {
	if n.Kind != strictyaml.Mapping {
		r.problem(n, "must be a map, such as "+example)
		return false
	}
	ok := !n.Bad
	for _, e := range n.Entries {
		if len(keys) > 0 {
			ok = r.Known(e.Key, keys) && ok
		} else if e.Key.Text == "" {
			r.Problem(e.Key, "a name must not be empty")
			ok = false
		}
	}
	return ok
}

// Known refuses a key that the format does not have, and says which one was probably meant.
func (r *Reader) Known(key *strictyaml.Node, keys []string) bool {
	if slices.Contains(keys, key.Text) {
		return true
	}
	if key.Text == "password" {
		r.Problem(key, "is not part of the format: a password cannot be read back, so it cannot be compared; remove it")
	} else if k := text.Suggest(key.Text, keys); k != "" {
		r.Problem(key, "unknown field; did you mean %q?", k)
	} else {
		r.Problem(key, "unknown field; the fields here are %s", strings.Join(keys, ", "))
	}
	return false
}

// Once refuses an item that an earlier one of the list repeats. lines is empty at the start of the list.
func (r *Reader) Once(n *strictyaml.Node, lines map[string]int, id, what string) bool {
	if line := lines[id]; line > 0 {
		r.Problem(n, "%s is listed twice, first in line %d; keep one", what, line)
		return false
	}
	lines[id] = n.Pos.Line
	return true
}
