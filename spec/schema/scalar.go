package schema

import (
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"usersyncd/spec/strictyaml"
	"usersyncd/spec/text"
)

// Text is text as it is written, which may be empty.
func Text() Type[string] {
	return Type[string]{Empty: EmptyText, Form: "text", JSON: Object{"type", "string"}, read: (*Reader).text}
}

// Name is text that is not empty.
func Name() Type[string] {
	return Func("name", Definition("name"), func(r *Reader, n *strictyaml.Node) (string, bool) {
		s, ok := r.text(n)
		if s = strictyaml.Clean(s); ok && s == "" {
			r.Problem(n, "must not be empty")
			ok = false
		}
		return s, ok
	})
}

// OneOf is one of some words.
func OneOf(words ...string) Type[string] {
	t := Func("`"+strings.Join(words, "`, `")+"`", Object{"enum", words}, func(r *Reader, n *strictyaml.Node) (string, bool) {
		s, ok := r.text(n)
		if !ok || slices.Contains(words, s) {
			return s, ok
		}
		hint := ""
		if w := text.Suggest(s, words); w != "" {
			hint = fmt.Sprintf("; did you mean %q?", w)
		}
		r.Problem(n, "%s is not one of %s%s", text.Quote(s), strings.Join(words, ", "), hint)
		return "", false
	})
	t.Words = words
	return t
}

// Matching is text in a form of its own, which the caller checks. JSON Schema knows it by a pattern, from ^ to $, around
// which there may be space.
func Matching(form, pattern string) Type[string] {
	return Func(form, Object{"type", "string", "pattern", Spaced(pattern)}, (*Reader).text)
}

// Spaced is a pattern from ^ to $ that allows space around the text.
func Spaced(pattern string) string {
	return `^\s*` + strings.TrimSuffix(strings.TrimPrefix(pattern, "^"), "$") + `\s*$`
}

// OrEmpty is what t is, or "".
func OrEmpty(t Type[string]) Type[string] {
	out := Func(t.Form, Object{"anyOf", []Object{t.JSON, {"const", ""}}}, func(r *Reader, n *strictyaml.Node) (string, bool) {
		if n.Kind == strictyaml.Scalar && n.Quoted && strictyaml.Clean(n.Text) == "" {
			return "", true
		}
		return t.read(r, n)
	})
	out.Empty = EmptyText
	return out
}

// Bool is true or false.
func Bool() Type[bool] {
	t := Func("`true` or `false`", Object{"type", "boolean"}, func(r *Reader, n *strictyaml.Node) (bool, bool) {
		if n.Kind != strictyaml.Scalar || n.Quoted || n.Text != "true" && n.Text != "false" {
			r.Problem(n, "must be true or false")
			return false, false
		}
		return n.Text == "true", true
	})
	t.Words = []string{"true", "false"}
	return t
}

// Number is a plain decimal from low to high. Hexadecimal, octal, exponents and 1_000 are refused.
func Number(low, high float64) Type[float64] {
	return number("number", low, high, func(float64) bool { return true })
}

// Whole is a number without a fraction.
func Whole(low, high float64) Type[float64] {
	return number("integer", low, high, func(f float64) bool { return f == math.Trunc(f) })
}

var decimal = regexp.MustCompile(`^-?(0|[1-9][0-9]*)(\.[0-9]+)?$`)

func number(jsonType string, low, high float64, valid func(float64) bool) Type[float64] {
	form := fmt.Sprintf("%s from %.0f to %.0f", strings.Replace(jsonType, "integer", "whole number", 1), low, high)
	return Func(form, Object{"type", jsonType, "minimum", low, "maximum", high}, func(r *Reader, n *strictyaml.Node) (float64, bool) {
		if n.Kind != strictyaml.Scalar || n.Quoted || !decimal.MatchString(n.Text) {
			r.Problem(n, "must be a %s, without quotes", form)
			return 0, false
		}
		f, err := strconv.ParseFloat(n.Text, 64)
		if err != nil || f < low || f > high || !valid(f) {
			r.Problem(n, "%s is out of range; it must be a %s", text.Quote(n.Text), form)
			return 0, false
		}
		return f, true
	})
}
