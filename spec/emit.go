package spec

import (
	"encoding/json"
	"strings"
)

// How much of a list or map is written on one line of a new spec.
const (
	mostOnLine = 3   // entries
	widestLine = 100 // bytes
)

// part is an entry of a map, or an item of a list; then its key is "".
type part struct {
	key   string
	value Value
}

// parts takes a value one level apart, in its order. A value that is no list or map has none.
func parts(v Value) []part {
	if !isList(v) && !isMap(v) {
		return nil
	}
	d := json.NewDecoder(strings.NewReader(string(v)))
	if _, err := d.Token(); err != nil {
		return nil
	}
	var out []part
	for d.More() {
		var p part
		if isMap(v) {
			key, err := d.Token()
			if err != nil {
				return nil
			}
			p.key, _ = key.(string)
		}
		var raw json.RawMessage
		if err := d.Decode(&raw); err != nil {
			return nil
		}
		p.value = Value(raw)
		out = append(out, p)
	}
	return out
}

func isList(v Value) bool { return strings.HasPrefix(string(v), "[") }
func isMap(v Value) bool  { return strings.HasPrefix(string(v), "{") }

// joined is the map with these parts.
func joined(all []part) Value {
	texts := make([]string, len(all))
	for i, p := range all {
		texts[i] = string(encode(p.key)) + ":" + string(p.value)
	}
	return Value("{" + strings.Join(texts, ",") + "}")
}

// flow writes a value as YAML on one line.
func flow(v Value) string {
	switch {
	case isList(v), isMap(v):
		all := parts(v)
		texts := make([]string, len(all))
		for i, p := range all {
			texts[i] = flowPart(p)
		}
		if isList(v) {
			return "[" + strings.Join(texts, ", ") + "]"
		}
		return "{" + strings.Join(texts, ", ") + "}"
	case strings.HasPrefix(string(v), `"`):
		var s string
		_ = json.Unmarshal([]byte(v), &s) // it is checked to be JSON before the text is used
		return scalarText(s)
	}
	return string(v)
}

func flowPart(p part) string {
	if p.key == "" {
		return flow(p.value)
	}
	return scalarText(p.key) + ": " + flow(p.value)
}

// scalarText writes a text without quotes where every YAML reader sees the same text, and else as JSON, which
// YAML reads too.
func scalarText(s string) string {
	if plainText.MatchString(s) && !notPlain.MatchString(s) {
		return s
	}
	return string(encode(s))
}

// lines writes a list or map that is not empty with one entry a line.
func lines(v Value) []string {
	var out []string
	for _, p := range parts(v) {
		text := flowPart(p)
		if isList(v) {
			text = "- " + text
		}
		out = append(out, text)
	}
	return out
}

// entryLines writes a key and its value, on one line if that is short.
func entryLines(key string, v Value) []string {
	line := scalarText(key) + ": " + flow(v)
	if all := parts(v); len(all) <= mostOnLine && (len(all) < 2 || len(line) <= widestLine) {
		return []string{line}
	}
	out := []string{scalarText(key) + ":"}
	for _, line := range lines(v) {
		out = append(out, "  "+line)
	}
	return out
}
