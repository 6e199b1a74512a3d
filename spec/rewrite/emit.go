package rewrite

import (
	"regexp"
	"strconv"
	"strings"

	"usersyncd/spec"
	"usersyncd/spec/schema"
	"usersyncd/spec/strictyaml"
)

// How much of a list or map is written on one line of a new spec.
const (
	mostOnLine = 3   // entries
	widestLine = 100 // bytes
)

// mapOf is the map with these entries.
func mapOf(all []spec.Entry) spec.Value {
	texts := make([]string, len(all))
	for i, e := range all {
		texts[i] = string(spec.Text(e.Key)) + ":" + string(e.Value)
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
	case v.IsList(), v.IsMap():
		all := v.Entries()
		texts := make([]string, len(all))
		for i, e := range all {
			texts[i] = flowEntry(e)
		}
		if v.IsList() {
			return "[" + strings.Join(texts, ", ") + "]"
		}
		return "{" + strings.Join(texts, ", ") + "}"
	case strings.HasPrefix(string(v), `"`):
		return scalar(v.Text())
	}
	return string(v)
}

func flowEntry(e spec.Entry) string {
	if e.Key == "" {
		return flow(e.Value)
	}
	return scalar(e.Key) + ": " + flow(e.Value)
}

// plainText needs no quotes in any version of YAML, except for the words that some read as booleans or null.
var (
	plainText = regexp.MustCompile(`^\p{L}[\p{L}\p{M}\p{N}_@./+-]*( [\p{L}\p{M}\p{N}_@./+-]+)*$`)
	notPlain  = regexp.MustCompile(`^(?i:y|n|yes|no|on|off|true|false|null)$`)
)

// scalar writes a text without quotes if every YAML reader reads the same text, and else as JSON, which is YAML, too.
func scalar(s string) string {
	if _, hidden := strictyaml.Hidden(s); hidden || schema.LooksLikeAnother(s) {
		return strconv.QuoteToASCII(s)
	}
	if plainText.MatchString(s) && !notPlain.MatchString(s) {
		return s
	}
	return string(spec.Text(s))
}

// lines writes a list or map that is not empty with one entry a line.
func lines(v spec.Value) []string {
	var out []string
	for _, e := range v.Entries() {
		text := flowEntry(e)
		if v.IsList() {
			text = "- " + text
		}
		out = append(out, text)
	}
	return out
}

// entryLines writes a key and its value, on one line if that is short.
func entryLines(key string, v spec.Value) []string {
	line := scalar(key) + ": " + flow(v)
	if all := v.Entries(); len(all) <= mostOnLine && (len(all) < 2 || len(line) <= widestLine) {
		return []string{line}
	}
	out := []string{scalar(key) + ":"}
	for _, line := range lines(v) {
		out = append(out, "  "+line)
	}
	return out
}
