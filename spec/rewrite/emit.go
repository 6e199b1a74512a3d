package rewrite

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"

	"usersyncd/spec"
)

// How much of a list or map is written on one line of a new spec.
const (
	mostOnLine = 3   // entries
	widestLine = 100 // bytes
)

// Marshal writes users as YAML, one document each, their fields in the format's order. Loading the text
// gives the same fields again, provided that they are valid: what the organization holds may not be.
func Marshal(users ...*spec.User) ([]byte, error) {
	var b strings.Builder
	for i, u := range users {
		if i > 0 {
			b.WriteString("---\n")
		}
		for _, info := range spec.All() {
			v, ok := u.Fields[info.Field]
			if !ok {
				continue
			}
			if !json.Valid([]byte(v)) || v == "null" {
				return nil, fmt.Errorf("writing %s as YAML: %s is %q", u.Key, info.Field, string(v))
			}
			b.WriteString(string(info.Field) + ": " + flow(v) + "\n")
			if info.Field == spec.Email && u.ID != "" {
				b.WriteString(spec.KeyID + ": " + scalar(u.ID) + "\n")
			}
			switch former := u.PreviousEmails; {
			case info.Field != spec.Email || len(former) == 0:
			case len(former) == 1:
				b.WriteString(spec.KeyPreviousEmail + ": " + scalar(former[0]) + "\n")
			default:
				b.WriteString(spec.KeyPreviousEmail + ": " + flow(listOf(former)) + "\n")
			}
		}
	}
	return []byte(b.String()), nil
}

// entry is an entry of a map, or an item of a list; then its key is "".
type entry struct {
	key   string
	value spec.Value
}

// entriesOf takes a value one level apart, in its order. A value that is no list or map has none.
func entriesOf(v spec.Value) []entry {
	if !isList(v) && !isMap(v) {
		return nil
	}
	d := json.NewDecoder(strings.NewReader(string(v)))
	if _, err := d.Token(); err != nil {
		return nil
	}
	var out []entry
	for d.More() {
		var e entry
		if isMap(v) {
			key, err := d.Token()
			if err != nil {
				return nil
			}
			e.key, _ = key.(string)
		}
		var raw json.RawMessage
		if err := d.Decode(&raw); err != nil {
			return nil
		}
		e.value = spec.Value(raw)
		out = append(out, e)
	}
	return out
}

func isList(v spec.Value) bool { return strings.HasPrefix(string(v), "[") }
func isMap(v spec.Value) bool  { return strings.HasPrefix(string(v), "{") }

// mapOf is the map with these entries.
func mapOf(all []entry) spec.Value {
	texts := make([]string, len(all))
	for i, e := range all {
		texts[i] = string(spec.Text(e.key)) + ":" + string(e.value)
	}
	return spec.Value("{" + strings.Join(texts, ",") + "}")
}

// listOf is the list of these texts, in their order.
func listOf(texts []string) spec.Value {
	out := make([]string, len(texts))
	for i, t := range texts {
		out[i] = string(spec.Text(t))
	}
	return spec.Value("[" + strings.Join(out, ",") + "]")
}

// flow writes a value as YAML on one line.
func flow(v spec.Value) string {
	switch {
	case isList(v), isMap(v):
		all := entriesOf(v)
		texts := make([]string, len(all))
		for i, e := range all {
			texts[i] = flowEntry(e)
		}
		if isList(v) {
			return "[" + strings.Join(texts, ", ") + "]"
		}
		return "{" + strings.Join(texts, ", ") + "}"
	case strings.HasPrefix(string(v), `"`):
		return scalar(v.Text())
	}
	return string(v)
}

func flowEntry(e entry) string {
	if e.key == "" {
		return flow(e.value)
	}
	return scalar(e.key) + ": " + flow(e.value)
}

// plainText needs no quotes in any version of YAML, but for the words that some take for booleans or null.
var (
	plainText = regexp.MustCompile(`^\p{L}[\p{L}\p{M}\p{N}_@./+-]*( [\p{L}\p{M}\p{N}_@./+-]+)*$`)
	notPlain  = regexp.MustCompile(`^(?i:y|n|yes|no|on|off|true|false|null)$`)
)

// scalar writes a text without quotes where every YAML reader sees the same text, and else as JSON, which
// YAML reads too.
func scalar(s string) string {
	if plainText.MatchString(s) && !notPlain.MatchString(s) {
		return s
	}
	return string(spec.Text(s))
}

// lines writes a list or map that is not empty with one entry a line.
func lines(v spec.Value) []string {
	var out []string
	for _, e := range entriesOf(v) {
		text := flowEntry(e)
		if isList(v) {
			text = "- " + text
		}
		out = append(out, text)
	}
	return out
}

// entryLines writes a key and its value, on one line if that is short.
func entryLines(key string, v spec.Value) []string {
	line := scalar(key) + ": " + flow(v)
	if all := entriesOf(v); len(all) <= mostOnLine && (len(all) < 2 || len(line) <= widestLine) {
		return []string{line}
	}
	out := []string{scalar(key) + ":"}
	for _, line := range lines(v) {
		out = append(out, "  "+line)
	}
	return out
}
