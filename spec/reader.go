package spec

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// reader checks nodes and collects what is wrong with them. Its methods report a problem at the node
// and return ok = false; a node that was reported before is passed over in silence.
type reader struct{ problems []Problem }

func (r *reader) problem(n *node, format string, args ...any) {
	r.problems = append(r.problems, Problem{Pos: n.pos, Field: n.path(), Message: fmt.Sprintf(format, args...)})
}

// null is said of every null: leaving out and emptying are different wishes, and null could be either.
// Empty is how the value is emptied, or "" where it cannot be.
func (r *reader) null(n *node, empty string) {
	switch {
	case n.parent != nil && n.parent.kind == list:
		r.problem(n, "has no value; remove the item")
	case empty == "":
		r.problem(n, "has no value; leave the field out to not manage it")
	default:
		r.problem(n, "has no value; leave the field out to not manage it, or write %s to empty it", empty)
	}
}

// literal gives a scalar's text as it is written. Unquoted text that YAML reads as a number or a truth
// value must be put in quotes, because other tools would rewrite it (007123 is 3667 to some).
func (r *reader) literal(n *node, empty string) (string, bool) {
	switch {
	case n.kind == broken:
	case n.isNull():
		r.null(n, empty)
	case n.kind != scalar:
		r.problem(n, "must be text, not %s", n.kind)
	case !n.quoted && isTyped(n.tag):
		r.problem(n, "YAML takes this for a number or a truth value; write it in quotes: %s", quote(n.text))
	default:
		return n.text, true
	}
	return "", false
}

// word is a literal that must not be empty.
func (r *reader) word(n *node) (string, bool) {
	s, ok := r.literal(n, "")
	if ok && clean(s) == "" {
		r.problem(n, "must not be empty")
		return "", false
	}
	return clean(s), ok
}

func (r *reader) list(n *node, example string) ([]*node, bool) {
	switch {
	case n.kind == list:
		return n.items, true
	case n.kind == broken:
	case n.isNull():
		r.null(n, noList)
	default:
		r.problem(n, "must be a list, such as %s", example)
	}
	return nil, false
}

// mapping gives the entries of a map. With keys it refuses all others; without, any name is a key.
func (r *reader) mapping(n *node, example string, keys ...string) ([]entry, bool) {
	switch {
	case n.kind == mapping:
		ok := true
		for _, e := range n.entries {
			if len(keys) > 0 {
				ok = r.known(e.key, keys) && ok
			} else if e.key.text == "" {
				r.problem(e.key, "a name must not be empty")
				ok = false
			}
		}
		return n.entries, ok && !n.bad
	case n.kind == broken:
	case n.isNull():
		r.null(n, noMap)
	default:
		r.problem(n, "must be a map, such as %s", example)
	}
	return nil, false
}

// known refuses a key that the format does not have, and says which one was probably meant.
func (r *reader) known(key *node, keys []string) bool {
	if slices.Contains(keys, key.text) {
		return true
	}
	if key.text == "password" {
		r.problem(key, "is not part of the format: a password cannot be read back, so it cannot be compared; remove it")
	} else if k := closest(key.text, keys); k != "" {
		r.problem(key, "unknown field; did you mean %q?", k)
	} else {
		r.problem(key, "unknown field; the fields here are %s", strings.Join(keys, ", "))
	}
	return false
}

// choice is a word out of a list.
func (r *reader) choice(n *node, words ...string) (string, bool) {
	s, ok := r.literal(n, "")
	if !ok {
		return "", false
	}
	if slices.Contains(words, s) {
		return s, true
	}
	hint := ""
	if w := closest(s, words); w != "" {
		hint = fmt.Sprintf("; did you mean %q?", w)
	}
	r.problem(n, "%s is not one of %s%s", quote(s), strings.Join(words, ", "), hint)
	return "", false
}

func (r *reader) bool(n *node) (b, ok bool) {
	switch {
	case n.kind == broken:
	case n.isNull():
		r.null(n, "")
	case n.kind == scalar && !n.quoted && (n.text == "true" || n.text == "false"):
		return n.text == "true", true
	default:
		r.problem(n, "must be true or false")
	}
	return false, false
}

var plainNumber = regexp.MustCompile(`^-?(0|[1-9][0-9]*)(\.[0-9]+)?$`)

// number is a plain decimal from low to high. Hexadecimal, octal, exponents and 1_000 are refused.
func (r *reader) number(n *node, low, high float64, whole bool) (float64, bool) {
	what := "a number"
	if whole {
		what = "a whole number"
	}
	what += fmt.Sprintf(" from %.0f to %.0f", low, high)
	switch {
	case n.kind == broken:
	case n.isNull():
		r.null(n, "")
	case n.kind != scalar || n.quoted || !plainNumber.MatchString(n.text):
		r.problem(n, "must be %s, without quotes", what)
	default:
		f, err := strconv.ParseFloat(n.text, 64)
		if err == nil && f >= low && f <= high && (!whole || f == float64(int64(f))) {
			return f, true
		}
		r.problem(n, "%s is out of range; it must be %s", quote(n.text), what)
	}
	return 0, false
}

// A dot-atom, an @, and a domain of at least two labels; any letters (RFC 6531).
var address = regexp.MustCompile(`^[^\s@"(),:;<>\[\]\\.]+(\.[^\s@"(),:;<>\[\]\\.]+)*@([\p{L}\p{M}\p{N}]([\p{L}\p{M}\p{N}-]*[\p{L}\p{M}\p{N}])?\.)+[\p{L}\p{M}\p{N}]([\p{L}\p{M}\p{N}-]*[\p{L}\p{M}\p{N}])?$`)

// addressKey is the key of an e-mail address. Only its form is checked.
func (r *reader) addressKey(n *node) (string, bool) {
	s, ok := r.literal(n, "")
	if !ok {
		return "", false
	}
	local, _, _ := strings.Cut(s, "@")
	if len(s) > 254 || utf8.RuneCountInString(local) > 64 || !address.MatchString(s) {
		r.problem(n, "%s is not an e-mail address; write it as name@example.com", quote(s))
		return "", false
	}
	return Key(s), true
}

func (k kind) String() string {
	switch k {
	case scalar:
		return "a single value"
	case list:
		return "a list"
	case mapping:
		return "a map"
	}
	return "something broken"
}
