package spec

import (
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"usersyncd/spec/strictyaml"
	"usersyncd/spec/text"
)

// A kind is what a value may be: how its YAML is read and checked, and how it is documented.
type kind[T any] struct {
	// read reads a node that is neither broken nor null. It reports what is wrong and then returns false.
	read func(r *reader, n *strictyaml.Node) (v T, ok bool)

	empty  string   // how the value is emptied in YAML: "", [] or {}; none if it cannot be
	words  []string // the only values there are; nil: any
	form   string   // for people, such as "text" or "list of names"
	schema object   // in JSON Schema, draft-07
}

// The ways of emptying a field.
const (
	emptyText = `""`
	emptyList = "[]"
	emptyMap  = "{}"
)

func (k kind[T]) parse(r *reader, n *strictyaml.Node) (v T, ok bool) {
	if !r.present(n, k.empty) {
		return v, false
	}
	return k.read(r, n)
}

// must adds a check, with what to say of a value that fails it.
func (k kind[T]) must(pass func(T) bool, complaint string) kind[T] {
	read := k.read
	k.read = func(r *reader, n *strictyaml.Node) (v T, ok bool) {
		if v, ok = read(r, n); ok && !pass(v) {
			r.problem(n, "%s", strings.ReplaceAll(complaint, "VALUE", text.Quote(n.Text)))
			ok = false
		}
		return v, ok
	}
	return k
}

// with adds to the schema.
func (k kind[T]) with(more ...any) kind[T] {
	k.schema = append(slices.Clip(k.schema), more...)
	return k
}

// withForm sets what people are told.
func (k kind[T]) withForm(form string) kind[T] {
	k.form = form
	return k
}

// as makes a kind of another type: a value of a field.
func as[T, V any](k kind[T], convert func(T) V) kind[V] {
	read := func(r *reader, n *strictyaml.Node) (v V, ok bool) {
		t, ok := k.read(r, n)
		return convert(t), ok
	}
	return kind[V]{read, k.empty, k.words, k.form, k.schema}
}

// plain is text as it is written, which may be empty.
func plain() kind[string] {
	return kind[string]{read: (*reader).literal, empty: emptyText, form: "text", schema: object{"type", "string"}}
}

// name is text that is not empty.
func name() kind[string] {
	read := func(r *reader, n *strictyaml.Node) (string, bool) {
		s, ok := r.literal(n)
		if s = strictyaml.Clean(s); ok && s == "" {
			r.problem(n, "must not be empty")
			ok = false
		}
		return s, ok
	}
	return kind[string]{read: read, form: "name", schema: definition("name")}
}

// oneOf is one of some words.
func oneOf(words ...string) kind[string] {
	read := func(r *reader, n *strictyaml.Node) (string, bool) {
		s, ok := r.literal(n)
		if !ok || slices.Contains(words, s) {
			return s, ok
		}
		hint := ""
		if w := text.Suggest(s, words); w != "" {
			hint = fmt.Sprintf("; did you mean %q?", w)
		}
		r.problem(n, "%s is not one of %s%s", text.Quote(s), strings.Join(words, ", "), hint)
		return "", false
	}
	return kind[string]{read: read, words: words, form: "`" + strings.Join(words, "`, `") + "`", schema: object{"enum", words}}
}

// orEmpty is what k is, or "".
func orEmpty(k kind[string]) kind[string] {
	read := func(r *reader, n *strictyaml.Node) (string, bool) {
		if n.Kind == strictyaml.Scalar && n.Quoted && n.Text == "" {
			return "", true
		}
		return k.read(r, n)
	}
	return kind[string]{read: read, empty: emptyText, form: k.form, schema: object{"anyOf", []object{k.schema, {"const", ""}}}}
}

func boolean() kind[bool] {
	read := func(r *reader, n *strictyaml.Node) (bool, bool) {
		if n.Kind != strictyaml.Scalar || n.Quoted || n.Text != "true" && n.Text != "false" {
			r.problem(n, "must be true or false")
			return false, false
		}
		return n.Text == "true", true
	}
	return kind[bool]{read: read, words: []string{"true", "false"}, form: "`true` or `false`", schema: object{"type", "boolean"}}
}

var plainNumber = regexp.MustCompile(`^-?(0|[1-9][0-9]*)(\.[0-9]+)?$`)

// number is a plain decimal from low to high. Hexadecimal, octal, exponents and 1_000 are refused.
func number(low, high float64) kind[float64] {
	return numeric(low, high, "number", func(float64) bool { return true })
}

// whole is a number without a fraction.
func whole(low, high float64) kind[float64] {
	k := numeric(low, high, "whole number", func(f float64) bool { return f == math.Trunc(f) })
	k.schema[1] = "integer"
	return k
}

func numeric(low, high float64, noun string, valid func(float64) bool) kind[float64] {
	form := fmt.Sprintf("%s from %.0f to %.0f", noun, low, high)
	read := func(r *reader, n *strictyaml.Node) (float64, bool) {
		if n.Kind != strictyaml.Scalar || n.Quoted || !plainNumber.MatchString(n.Text) {
			r.problem(n, "must be a %s, without quotes", form)
			return 0, false
		}
		f, err := strconv.ParseFloat(n.Text, 64)
		if err != nil || f < low || f > high || !valid(f) {
			r.problem(n, "%s is out of range; it must be a %s", text.Quote(n.Text), form)
			return 0, false
		}
		return f, true
	}
	return kind[float64]{read: read, form: form, schema: object{"type", "number", "minimum", low, "maximum", high}}
}

// A dot-atom, an @, and a domain of at least two labels; any letters (RFC 6531).
var addressPattern = regexp.MustCompile(`^[^\s@"(),:;<>\[\]\\.]+(\.[^\s@"(),:;<>\[\]\\.]+)*@([\p{L}\p{M}\p{N}]([\p{L}\p{M}\p{N}-]*[\p{L}\p{M}\p{N}])?\.)+[\p{L}\p{M}\p{N}]([\p{L}\p{M}\p{N}-]*[\p{L}\p{M}\p{N}])?$`)

// address is an e-mail address, as a [Key]. Only its form is checked.
func address() kind[string] {
	k := kind[string]{read: (*reader).literal, form: "e-mail address", schema: definition("address")}
	return as(k.must(func(s string) bool {
		local, _, _ := strings.Cut(s, "@")
		return len(s) <= 254 && utf8.RuneCountInString(local) <= 64 && addressPattern.MatchString(s)
	}, "VALUE is not an e-mail address; write it as name@example.com"), Key)
}

// matching is text in a form that a pattern of the schema describes, too.
func matching(pattern string, pass func(string) bool, complaint string) kind[string] {
	return kind[string]{read: (*reader).literal, schema: object{"type", "string", "pattern", pattern}}.must(pass, complaint)
}
