package spec

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"usersyncd/spec/strictyaml"
	"usersyncd/spec/text"

	"golang.org/x/text/unicode/norm"
)

// Value is the value of a field: canonical JSON of its normalised form, so that two values are the same exactly if their
// texts are. It is stored, hashed and compared as it is.
//
// The constructor of the field (Text, Strings, PhoneList, ...) makes it: the YAML reader and the API adapter agree because
// both use them. Decode reads it back.
type Value string

// RawJSON is the value as JSON: null if nothing is known.
func (v Value) RawJSON() json.RawMessage {
	if v == "" {
		return json.RawMessage("null")
	}
	return json.RawMessage(v)
}

// FromRawJSON is what RawJSON was made of.
func FromRawJSON(raw json.RawMessage) Value {
	if string(raw) == "null" {
		return ""
	}
	return Value(raw)
}

// Key is the identity of a user within a tree: the e-mail address in lower case and NFC.
func Key(email string) string { return norm.NFC.String(strings.ToLower(email)) }

// Text returns the text of a value made by Text; "" for other values.
func (v Value) Text() string { return decoded[string](v) }

// Decode reads a value back into the type that its constructor takes: string for Text, bool for Bool,
// []string for Strings, map[string]float64 for Proficiencies, []Phone for PhoneList, and so on. With an error it is zero.
func Decode[T any](v Value) (T, error) {
	var out, zero T
	if v == "" {
		return zero, errors.New("decoding a field: no value")
	}
	if text, isText := any(&out).(*string); isText && unescaped(v) {
		*text = string(v[1 : len(v)-1])
		return out, nil
	}
	d := json.NewDecoder(strings.NewReader(string(v)))
	d.DisallowUnknownFields()
	if err := d.Decode(&out); err != nil {
		return zero, fmt.Errorf("decoding field value %q as %T: %w", string(v), zero, err)
	}
	if _, err := d.Token(); err != io.EOF {
		return zero, fmt.Errorf("decoding field value %q: text after its end", string(v))
	}
	return out, nil
}

// unescaped reports whether a value is a text without escapes, which need not be decoded.
func unescaped(v Value) bool {
	return len(v) > 1 && v[0] == '"' && v[len(v)-1] == '"' && !strings.ContainsAny(string(v[1:len(v)-1]), `\"`)
}

// Entry is an entry of a map, or an item of a list; then its Key is "".
type Entry struct {
	Key   string
	Value Value
}

// IsList reports whether the value is a list.
func (v Value) IsList() bool { return strings.HasPrefix(string(v), "[") }

// IsMap reports whether the value is a map.
func (v Value) IsMap() bool { return strings.HasPrefix(string(v), "{") }

// Entries are those of a list or map, in its order. A value that is neither has none.
func (v Value) Entries() (all []Entry) {
	if !v.IsList() && !v.IsMap() {
		return nil
	}
	d := json.NewDecoder(strings.NewReader(string(v)))
	_, _ = d.Token() // the bracket
	for d.More() {
		var e Entry
		if v.IsMap() {
			key, err := d.Token()
			if err != nil {
				return nil
			}
			e.Key, _ = key.(string)
		}
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			return nil
		}
		e.Value = Value(value)
		all = append(all, e)
	}
	return all
}

// Display is the value for people: strings in quotes, lists and maps on one line, and every character that is not
// printable escaped as in Go, so that nothing in a spec or in the organization can move a terminal's cursor or turn its
// text around. An unknown value is (unknown).
func (v Value) Display() string {
	var texts []string
	for _, e := range v.Entries() {
		if v.IsMap() {
			texts = append(texts, text.Key(e.Key)+": "+e.Value.Display())
		} else {
			texts = append(texts, e.Value.Display())
		}
	}
	switch {
	case v == "":
		return "(unknown)"
	case !json.Valid([]byte(v)):
		return strconv.Quote(string(v))
	case v.IsList():
		return "[" + strings.Join(texts, ", ") + "]"
	case v.IsMap():
		return "{" + strings.Join(texts, ", ") + "}"
	case v[0] == '"':
		return strconv.Quote(v.Text())
	}
	return text.Escape(string(v))
}

// decoded is Decode where a value of another shape holds nothing.
func decoded[T any](v Value) T {
	out, _ := Decode[T](v)
	return out
}

// equalAs compares decoded values. One that cannot be decoded equals none.
func equalAs[T any](same func(desired, observed T) bool) func(desired, observed Value) bool {
	return func(desired, observed Value) bool {
		d, errD := Decode[T](desired)
		o, errO := Decode[T](observed)
		return errD == nil && errO == nil && same(d, o)
	}
}

// encode makes the canonical JSON of strings, finite numbers, and maps, slices and structs of these.
func encode(v any) Value {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false) // readable as it is stored
	_ = e.Encode(v)
	return Value(bytes.TrimSuffix(b.Bytes(), []byte("\n")))
}

// Text is the value of a field that is one text; "" empties the field. Of email and manager it is Text(Key(address)).
func Text(s string) Value {
	s = strictyaml.Clean(s)
	if strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r > '~' || r == '"' || r == '\\' }) {
		return encode(s)
	}
	return Value(`"` + s + `"`) // as most are
}

// Bool is the value of acdAutoAnswer.
func Bool(b bool) Value { return encode(b) }

// Strings is the value of certifications, profileSkills, queues and groups: a set, so order and
// repetition do not count. None is [].
func Strings(list []string) Value { return encode(set(list)) }

func set(list []string) []string { return sorted(list, strictyaml.Clean, strings.Compare) }

// sorted cleans items, sorts them, and drops repetitions.
func sorted[T comparable](list []T, clean func(T) T, compare func(a, b T) int) []T {
	out := make([]T, 0, len(list))
	for _, v := range list {
		out = append(out, clean(v))
	}
	slices.SortFunc(out, compare)
	return slices.Compact(out)
}
