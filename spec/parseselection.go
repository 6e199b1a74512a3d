package spec

import (
	"fmt"
	"slices"
	"strings"
)

// ParseSelection reads field=value,field=value. Several values of one field are alternatives; different fields
// must all match. A value with a comma in it stands in double quotes, where \" and \\ mean the characters
// themselves. Nothing but space is the Selection of everybody. The error says what to write instead.
func ParseSelection(text string) (Selection, error) {
	var s Selection
	rest := strings.TrimSpace(text)
	for more := rest != ""; more; {
		name, after, ok := strings.Cut(rest, "=")
		if !ok {
			return Selection{}, fmt.Errorf("selection: %s is not of the form field=value", quote(rest))
		}
		field, err := selectable(strings.TrimSpace(name))
		if err != nil {
			return Selection{}, err
		}
		var value string
		if value, rest, more, err = cutValue(after); err != nil {
			return Selection{}, fmt.Errorf("selection: %s: %w", field, err)
		}
		if err := checkWanted(field, value); err != nil {
			return Selection{}, err
		}
		s.add(field, value)
	}
	return s, nil
}

func (s *Selection) add(f Field, value string) {
	i := slices.IndexFunc(s.wants, func(w want) bool { return w.field == f })
	if i < 0 {
		i = len(s.wants)
		s.wants = append(s.wants, want{field: f})
	}
	if !slices.Contains(s.wants[i].values, value) {
		s.wants[i].values = append(s.wants[i].values, value)
	}
}

func selectable(name string) (Field, error) {
	if _, ok := Lookup(Field(name)); ok {
		return Field(name), nil
	}
	var fields []string
	for _, info := range table {
		fields = append(fields, string(info.Field))
	}
	if f := closest(name, fields); f != "" {
		return "", fmt.Errorf("selection: unknown field %s; did you mean %q?", quote(name), f)
	}
	return "", fmt.Errorf("selection: unknown field %s; the fields are %s", quote(name), strings.Join(fields, ", "))
}

// checkWanted refuses a value that no user can have: nobody would match, and nobody would know why.
func checkWanted(f Field, value string) error {
	var words []string
	switch f {
	case ACDAutoAnswer:
		words = []string{"true", "false"}
	case State:
		words = []string{"active", "inactive"}
	default:
		return nil
	}
	if !slices.ContainsFunc(words, func(w string) bool { return strings.EqualFold(w, value) }) {
		return fmt.Errorf("selection: %s is %s or %s, not %s", f, words[0], words[1], quote(value))
	}
	return nil
}

// cutValue takes the value off the front of the text; more says that a comma followed it.
func cutValue(text string) (value, rest string, more bool, err error) {
	text = strings.TrimLeft(text, " \t")
	if !strings.HasPrefix(text, `"`) {
		value, rest, more = strings.Cut(text, ",")
		if strings.Contains(value, `"`) {
			return "", "", false, fmt.Errorf("%s has a quote inside; put the whole value in quotes", quote(value))
		}
		return clean(value), rest, more, nil
	}
	var b strings.Builder
	for i := 1; i < len(text); i++ {
		switch c := text[i]; {
		case c == '\\' && i+1 < len(text) && (text[i+1] == '"' || text[i+1] == '\\'):
			i++
			b.WriteByte(text[i])
		case c == '"':
			after := strings.TrimLeft(text[i+1:], " \t")
			rest, more = strings.CutPrefix(after, ",")
			if !more && strings.TrimSpace(after) != "" {
				return "", "", false, fmt.Errorf("%s follows the closing quote; a comma goes there", quote(after))
			}
			return clean(b.String()), rest, more, nil
		default:
			b.WriteByte(c)
		}
	}
	return "", "", false, fmt.Errorf("%s has no closing quote", quote(text))
}
