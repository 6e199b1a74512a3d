package spec

import (
	"encoding/json"
	"io"
	"strconv"
	"strings"

	"usersyncd/spec/text"
)

// Display is the value for people: strings in quotes, lists and maps on one line, and every rune that
// is not printable escaped as in Go, so that nothing in a spec or in the organization can move a
// terminal's cursor or turn its text around. The value of nothing known is (unknown).
func (v Value) Display() string {
	if v == "" {
		return "(unknown)"
	}
	d := json.NewDecoder(strings.NewReader(string(v)))
	d.UseNumber()
	var b strings.Builder
	if err := display(&b, d); err != nil {
		return strconv.Quote(string(v))
	}
	if _, err := d.Token(); err != io.EOF {
		return strconv.Quote(string(v))
	}
	return b.String()
}

// display writes the next JSON value, keeping the order of its keys.
func display(b *strings.Builder, d *json.Decoder) error {
	t, err := d.Token()
	if err != nil {
		return err
	}
	switch t := t.(type) {
	case json.Delim:
		b.WriteString(t.String())
		for i := 0; d.More(); i++ {
			if i > 0 {
				b.WriteString(", ")
			}
			if t == '{' {
				key, err := d.Token()
				if err != nil {
					return err
				}
				b.WriteString(text.Key(key.(string)) + ": ") // a key is always a string
			}
			if err := display(b, d); err != nil {
				return err
			}
		}
		end, err := d.Token()
		if err != nil {
			return err
		}
		b.WriteString(end.(json.Delim).String()) // More was false: the next token is the closing one
	case string:
		b.WriteString(strconv.Quote(t))
	case json.Number:
		b.WriteString(t.String())
	case bool:
		b.WriteString(strconv.FormatBool(t))
	default:
		b.WriteString("null")
	}
	return nil
}
