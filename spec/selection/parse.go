package selection

import (
	"fmt"
	"slices"
	"strings"

	"usersyncd/spec"
	"usersyncd/spec/strictyaml"
	"usersyncd/spec/text"
)

// Parse reads field=value,field=value. Several values of one field are alternatives; different fields must all match. A
// value with a comma in it is written in double quotes, with \" and \\ for the characters themselves. An empty text
// selects every user.
func Parse(s string) (Selection, error) {
	var selected Selection
	rest := strings.TrimSpace(s)
	for more := rest != ""; more; {
		name, after, ok := strings.Cut(rest, "=")
		if !ok {
			return Selection{}, fmt.Errorf("%s is not of the form field=value", text.Quote(rest))
		}
		field, err := spec.FieldNamed(strings.TrimSpace(name))
		if err != nil {
			return Selection{}, err
		}
		var value string
		if value, rest, more, err = cutValue(after); err != nil {
			return Selection{}, fmt.Errorf("%s: %w", field, err)
		}
		if err := checkWanted(field, value); err != nil {
			return Selection{}, err
		}
		selected.add(field, value)
	}
	return selected, nil
}

func (s *Selection) add(f spec.Field, value string) {
	i := slices.IndexFunc(s.wants, func(w want) bool { return w.field == f })
	if i < 0 {
		i = len(s.wants)
		s.wants = append(s.wants, want{field: f})
	}
	if !slices.Contains(s.wants[i].values, value) {
		s.wants[i].values = append(s.wants[i].values, value)
	}
}

// checkWanted refuses a value that no user can have.
func checkWanted(f spec.Field, value string) error {
	info, _ := spec.Lookup(f)
	words := info.Words()
	if words != nil && !slices.ContainsFunc(words, func(w string) bool { return strings.EqualFold(w, value) }) {
		return fmt.Errorf("%s is %s, not %s", f, strings.Join(words, " or "), text.Quote(value))
	}
	return nil
}

// cutValue splits the first value from s. more is true if a comma follows it.
func cutValue(s string) (value, rest string, more bool, err error) {
	s = strings.TrimLeft(s, " \t")
	if !strings.HasPrefix(s, `"`) {
		value, rest, more = strings.Cut(s, ",")
		if strings.Contains(value, `"`) {
			return "", "", false, fmt.Errorf("%s has a quote inside; put the whole value in quotes", text.Quote(value))
		}
		return strictyaml.Clean(value), rest, more, nil
	}
	var b strings.Builder
	for i := 1; i < len(s); i++ {
		switch c := s[i]; {
		case c == '\\' && i+1 < len(s) && (s[i+1] == '"' || s[i+1] == '\\'):
			i++
			b.WriteByte(s[i])
		case c == '"':
			after := strings.TrimLeft(s[i+1:], " \t")
			rest, more = strings.CutPrefix(after, ",")
			if !more && strings.TrimSpace(after) != "" {
				return "", "", false, fmt.Errorf("%s follows the closing quote; a comma goes there", text.Quote(after))
			}
			return strictyaml.Clean(b.String()), rest, more, nil
		default:
			b.WriteByte(c)
		}
	}
	return "", "", false, fmt.Errorf("%s has no closing quote", text.Quote(s))
}
