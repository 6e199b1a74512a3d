// Package selection picks users by the values of their fields, as --select says.
package selection

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"usersyncd/spec"
)

// Selection picks users by their fields. The zero Selection picks all of them.
type Selection struct{ wants []want }

// want is a field and its selected values.
type want struct {
	field  spec.Field
	values []string
}

// Empty reports whether every user matches.
func (s Selection) Empty() bool { return len(s.wants) == 0 }

// Matches reports whether every field of the selection has one of its values, compared without case. A list matches by
// one of its entries, an entry with parts by its name, role, address or number, a map by one of its keys. A field that is
// absent does not match.
func (s Selection) Matches(f spec.Fields) bool {
	for _, w := range s.wants {
		v, ok := f.Lookup(w.field)
		if !ok || !w.matches(v) {
			return false
		}
	}
	return true
}

func (w want) matches(v spec.Value) bool {
	var held any
	if err := json.Unmarshal([]byte(v), &held); err != nil {
		return false
	}
	return slices.ContainsFunc(w.values, func(value string) bool {
		if w.field == spec.Phones {
			value = spec.PhoneNumber(value)
		}
		return holds(held, value)
	})
}

func holds(held any, value string) bool {
	switch held := held.(type) {
	case string:
		return strings.EqualFold(held, value)
	case bool:
		return strings.EqualFold(fmt.Sprint(held), value)
	case []any:
		return slices.ContainsFunc(held, func(item any) bool { return isCalled(item, value) })
	case map[string]any:
		for key := range held {
			if strings.EqualFold(key, value) {
				return true
			}
		}
	}
	return false
}

// isCalled reports whether an entry of a list has the value as its name.
func isCalled(item any, value string) bool {
	parts, ok := item.(map[string]any)
	if !ok {
		return holds(item, value)
	}
	for _, part := range []string{"name", "role", "address", "number"} {
		if text, ok := parts[part].(string); ok && strings.EqualFold(text, value) {
			return true
		}
	}
	return false
}

// String writes the selection as Parse reads it, values in quotes where they need them.
func (s Selection) String() string {
	var pairs []string
	for _, w := range s.wants {
		for _, value := range w.values {
			pairs = append(pairs, string(w.field)+"="+selectionValue(value))
		}
	}
	return strings.Join(pairs, ",")
}

func selectionValue(s string) string {
	if !strings.ContainsAny(s, `",\`) {
		return s
	}
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"`
}

// Fields are the fields of the selection.
func (s Selection) Fields() []spec.Field {
	var all []spec.Field
	for _, w := range s.wants {
		all = append(all, w.field)
	}
	return all
}
