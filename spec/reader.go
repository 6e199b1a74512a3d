package spec

import (
	"fmt"
	"slices"
	"strings"

	"usersyncd/spec/strictyaml"
	"usersyncd/spec/text"
)

// reader collects what is wrong with the nodes of a document. A node that is broken was reported before.
type reader struct{ problems []Problem }

func (r *reader) problem(n *strictyaml.Node, format string, args ...any) {
	r.problems = append(r.problems, Problem{Pos: n.Pos, Field: n.Path(), Message: fmt.Sprintf(format, args...)})
}

// present reports whether anything can be read from a node. Null is refused: it could mean either that the field is
// not managed or that it is to be made empty. empty is how it would be made empty, "" if it cannot be.
func (r *reader) present(n *strictyaml.Node, empty string) bool {
	switch {
	case n.Kind == strictyaml.Broken:
	case !n.IsNull():
		return true
	case n.InList():
		r.problem(n, "has no value; remove the item")
	case empty == "":
		r.problem(n, "has no value; leave the field out to not manage it")
	default:
		r.problem(n, "has no value; leave the field out to not manage it, or write %s to empty it", empty)
	}
	return false
}

// literal gives a scalar's text as it is written. Unquoted text that YAML reads as a number or a boolean must be put
// in quotes, because other tools would rewrite it (007123 is 3667 to some).
func (r *reader) literal(n *strictyaml.Node) (string, bool) {
	switch {
	case n.Kind != strictyaml.Scalar:
		r.problem(n, "must be text, not %s", n.Kind)
	case n.IsTyped():
		r.problem(n, "YAML takes this for a number or a truth value; write it in quotes: %s", text.Quote(n.Text))
	default:
		return n.Text, true
	}
	return "", false
}

func (r *reader) list(n *strictyaml.Node, example string) bool {
	if n.Kind != strictyaml.List {
		r.problem(n, "must be a list, such as %s", example)
		return false
	}
	return true
}

// mapping checks the keys of a map. Without keys, any name is one.
func (r *reader) mapping(n *strictyaml.Node, example string, keys ...string) bool {
	if n.Kind != strictyaml.Mapping {
		r.problem(n, "must be a map, such as %s", example)
		return false
	}
	ok := !n.Bad
	for _, e := range n.Entries {
		if len(keys) > 0 {
			ok = r.known(e.Key, keys) && ok
		} else if e.Key.Text == "" {
			r.problem(e.Key, "a name must not be empty")
			ok = false
		}
	}
	return ok
}

// known refuses a key that the format does not have, and says which one was probably meant.
func (r *reader) known(key *strictyaml.Node, keys []string) bool {
	if slices.Contains(keys, key.Text) {
		return true
	}
	if key.Text == "password" {
		r.problem(key, "is not part of the format: a password cannot be read back, so it cannot be compared; remove it")
	} else if k := text.Suggest(key.Text, keys); k != "" {
		r.problem(key, "unknown field; did you mean %q?", k)
	} else {
		r.problem(key, "unknown field; the fields here are %s", strings.Join(keys, ", "))
	}
	return false
}
