package spec

import (
	"bytes"
	"encoding/json"
	"fmt"
	"regexp"
	"strings"

	"gopkg.in/yaml.v3"
)

// Marshal writes users as YAML, one document each, their fields in the format's order. Loading the text
// gives the same fields again, provided that they are valid: what the organization holds may not be.
func Marshal(users ...*User) ([]byte, error) {
	var out bytes.Buffer
	e := yaml.NewEncoder(&out)
	e.SetIndent(2)
	for _, u := range users {
		doc, err := document(u)
		if err != nil {
			return nil, fmt.Errorf("writing %s as YAML: %w", u.Key, err)
		}
		if err := e.Encode(doc); err != nil {
			return nil, fmt.Errorf("writing %s as YAML: %w", u.Key, err)
		}
	}
	if err := e.Close(); err != nil {
		return nil, fmt.Errorf("writing YAML: %w", err)
	}
	return out.Bytes(), nil
}

func document(u *User) (*yaml.Node, error) {
	doc := &yaml.Node{Kind: yaml.MappingNode}
	put := func(key string, value *yaml.Node) {
		doc.Content = append(doc.Content, textNode(key), value)
	}
	for _, info := range table {
		v, ok := u.Fields[info.Field]
		if !ok {
			continue
		}
		d := json.NewDecoder(strings.NewReader(string(v)))
		d.UseNumber()
		n, err := yamlNode(d)
		if err != nil {
			return nil, fmt.Errorf("%s is %q: %w", info.Field, string(v), err)
		}
		put(string(info.Field), n)
		if info.Field == Email && u.ID != "" {
			put(keyID, textNode(u.ID))
		}
		if info.Field == Email && len(u.PreviousEmails) > 0 {
			put(keyPreviousEmail, formerNode(u.PreviousEmails))
		}
	}
	return doc, nil
}

// formerNode is the value of previousEmail: an address, or a list of them.
func formerNode(keys []string) *yaml.Node {
	if len(keys) == 1 {
		return textNode(keys[0])
	}
	n := &yaml.Node{Kind: yaml.SequenceNode, Style: yaml.FlowStyle}
	for _, key := range keys {
		n.Content = append(n.Content, textNode(key))
	}
	return n
}

// yamlNode turns the next JSON value into YAML: canonical values have the shape of the format.
func yamlNode(d *json.Decoder) (*yaml.Node, error) {
	t, err := d.Token()
	if err != nil {
		return nil, err
	}
	switch t := t.(type) {
	case json.Delim:
		n := &yaml.Node{Kind: yaml.SequenceNode, Style: yaml.FlowStyle}
		if t == '{' {
			n.Kind = yaml.MappingNode
		}
		for d.More() { // the keys of an object are values to yamlNode too
			item, err := yamlNode(d)
			if err != nil {
				return nil, err
			}
			n.Content = append(n.Content, item)
		}
		if _, err := d.Token(); err != nil {
			return nil, err
		}
		return n, nil
	case string:
		return textNode(t), nil
	case json.Number:
		return &yaml.Node{Kind: yaml.ScalarNode, Value: t.String()}, nil
	case bool:
		return &yaml.Node{Kind: yaml.ScalarNode, Value: fmt.Sprint(t)}, nil
	}
	return nil, fmt.Errorf("it holds %v", t)
}

// plainText needs no quotes in any version of YAML, but for the words that some take for truth values or nothing.
var (
	plainText = regexp.MustCompile(`^\p{L}[\p{L}\p{M}\p{N}_@./+-]*( [\p{L}\p{M}\p{N}_@./+-]+)*$`)
	notPlain  = regexp.MustCompile(`^(?i:y|n|yes|no|on|off|true|false|null)$`)
)

func textNode(s string) *yaml.Node {
	n := &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: s, Style: yaml.DoubleQuotedStyle}
	if plainText.MatchString(s) && !notPlain.MatchString(s) {
		n.Style = 0
	}
	return n
}
