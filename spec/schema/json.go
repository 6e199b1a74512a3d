package schema

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
)

// Object is a JSON object: keys and values in turn, in the order in which they are printed.
type Object []any

// MarshalJSON keeps the order.
func (o Object) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	b.WriteByte('{')
	for pair := range slices.Chunk(o, 2) {
		if b.Len() > 1 {
			b.WriteByte(',')
		}
		for i, v := range pair {
			if i > 0 {
				b.WriteByte(':')
			}
			e := json.NewEncoder(&b)
			e.SetEscapeHTML(false)
			if err := e.Encode(v); err != nil {
				return nil, err
			}
		}
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

// Definition refers to one of the schema's definitions.
func Definition(name string) Object { return Object{"$ref", "#/definitions/" + name} }

// Has is the schema of a map with a key. It names the key twice, as strict validators want it.
func Has(key string) Object {
	return Object{"type", "object", "required", []string{key}, "properties", Object{key, true}}
}

// Described adds a description. What stands beside a $ref does not count in draft-07.
func Described(about string, o Object) Object {
	out := Object{"description", strings.ReplaceAll(about, "`", "")}
	if o[0] == "$ref" {
		return append(out, "allOf", []Object{o})
	}
	return append(out, o...)
}

// Mapping is the schema of a map with known keys.
func Mapping(about string, properties Object, more ...any) Object {
	return append(Object{"type", "object", "description", about, "additionalProperties", false, "properties", properties}, more...)
}
