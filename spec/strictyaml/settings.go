package strictyaml

import (
	"fmt"
	"strings"
)

// Setting is one entry of a settings file: a mapping of names to plain values.
type Setting struct {
	Pos   Pos
	Value string // a list is joined with commas
}

// Settings reads a settings file.
func Settings(data []byte, file string) (map[string]Setting, []Problem) {
	docs, problems := Parse(file, data)
	if len(docs) > 1 {
		problems = append(problems, Problem{Pos: docs[1].Pos, Message: "a settings file has one document"})
	}
	settings := map[string]Setting{}
	if len(docs) == 0 {
		return settings, problems
	}
	if docs[0].Kind != Mapping && !docs[0].Bad {
		problems = append(problems, Problem{Pos: docs[0].Pos, Message: "settings are lines of the form name: value"})
	}
	for _, e := range docs[0].Entries {
		value, err := settingValue(e.Value)
		if err != nil {
			problems = append(problems, Problem{Pos: e.Value.Pos, Field: e.Key.Text, Message: err.Error()})
			continue
		}
		settings[e.Key.Text] = Setting{Pos: e.Key.Pos, Value: value}
	}
	return settings, problems
}

func settingValue(n *Node) (string, error) {
	switch {
	case n.Kind == Scalar && !n.IsNull():
		return n.Text, nil
	case n.Kind == List:
		values := make([]string, len(n.Items))
		for i, item := range n.Items {
			if item.Kind != Scalar || item.IsNull() || strings.Contains(item.Text, ",") {
				return "", fmt.Errorf("item %d is not a plain value", i+1)
			}
			values[i] = item.Text
		}
		return strings.Join(values, ","), nil
	}
	return "", fmt.Errorf("is not a plain value; leave the setting out for its default")
}
