package spec

import (
	"fmt"
	"strings"
)

// Setting is one entry of a settings file: a mapping of names to plain values.
type Setting struct {
	Pos   Pos
	Value string // a list is joined with commas
}

// Settings reads a program's settings under the same rules as specs: no aliases, tags or duplicate
// keys, and a place for every problem. It is here because only this package knows YAML.
func Settings(data []byte, file string) (map[string]Setting, []Problem) {
	docs, problems := parse(file, data)
	if len(docs) > 1 {
		problems = append(problems, Problem{Pos: docs[1].pos, Message: "a settings file has one document"})
	}
	settings := map[string]Setting{}
	if len(docs) == 0 {
		return settings, problems
	}
	if docs[0].kind != mapping && !docs[0].bad {
		problems = append(problems, Problem{Pos: docs[0].pos, Message: "settings are lines of the form name: value"})
	}
	for _, e := range docs[0].entries {
		value, err := settingValue(e.value)
		if err != nil {
			problems = append(problems, Problem{Pos: e.value.pos, Field: e.key.text, Message: err.Error()})
			continue
		}
		settings[e.key.text] = Setting{Pos: e.key.pos, Value: value}
	}
	return settings, problems
}

func settingValue(n *node) (string, error) {
	switch {
	case n.kind == scalar && !n.isNull():
		return n.text, nil
	case n.kind == list:
		values := make([]string, len(n.items))
		for i, item := range n.items {
			if item.kind != scalar || item.isNull() || strings.Contains(item.text, ",") {
				return "", fmt.Errorf("item %d is not a plain value", i+1)
			}
			values[i] = item.text
		}
		return strings.Join(values, ","), nil
	}
	return "", fmt.Errorf("is not a plain value; leave the setting out for its default")
}

// Suggest returns the candidate that a misspelt word most likely means, or "" if none is close.
func Suggest(word string, candidates []string) string { return closest(word, candidates) }
