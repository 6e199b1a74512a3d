package spec

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// object is a JSON object: keys and values in turn, in the order in which they are printed.
type object []any

// MarshalJSON keeps the order.
func (o object) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	b.WriteByte('{')
	for pair := range slices.Chunk(o, 2) {
		if b.Len() > 1 {
			b.WriteByte(',')
		}
		b.WriteString(string(encode(pair[0])) + ":" + string(encode(pair[1])))
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

func definition(name string) object { return object{"$ref", "#/definitions/" + name} }

// described adds a description to a schema. What stands beside a $ref does not count in draft-07.
func described(about string, s object) object {
	out := object{"description", strings.ReplaceAll(about, "`", "")}
	if s[0] == "$ref" {
		return append(out, "allOf", []object{s})
	}
	return append(out, s...)
}

// Schema is the JSON Schema (draft-07, which editors understand best) of a spec file and of a
// _defaults.yaml. It is for editors: the loader checks more than a schema can say.
func Schema() []byte {
	var user, defaults object
	for _, info := range table {
		user = append(user, string(info.Field), described(info.About, info.kind.schema))
		if info.Field == Email {
			user = append(user, KeyID, described(aboutID, idKind.schema), KeyPreviousEmail, described(aboutPreviousEmail, previousEmailKind.schema))
		}
		if !info.PerUser {
			defaults = append(defaults, string(info.Field), object{"$ref", "#/definitions/user/properties/" + string(info.Field)})
		}
	}
	users := described("The users.", object{"type", "array", "minItems", 1, "items", definition("user")})
	label := `[^\s@\"(),:;<>\[\]\\.]+`
	schema := object{
		"$schema", "http://json-schema.org/draft-07/schema#",
		"title", "usersyncd user spec",
		"description", "A document of a spec file: one user, or users: [...]. The document of a _defaults.yaml is #/definitions/defaults.",
		"if", object{"type", "object", "required", []string{"users"}},
		"then", definition("users"),
		"else", definition("user"),
		"definitions", object{
			"user", mapping("One user.", user, "required", []string{"email"}),
			"users", mapping("A list of users.", object{"users", users}, "required", []string{"users"}),
			"defaults", mapping("What every user below a folder has in common (_defaults.yaml).", defaults, "minProperties", 1),
			"name", object{"type", "string", "pattern", `\S`},
			"address", object{"type", "string", "maxLength", 254, "pattern", fmt.Sprintf(`^%s(\.%[1]s)*@(%[1]s\.)+%[1]s$`, label)},
		},
	}
	var b bytes.Buffer
	_ = json.Indent(&b, []byte(encode(schema)), "", "  ") // it is valid JSON
	b.WriteByte('\n')
	return b.Bytes()
}

func mapping(about string, properties object, more ...any) object {
	return append(object{"type", "object", "description", about, "additionalProperties", false, "properties", properties}, more...)
}

// MarkdownTable documents the fields, for the README.
func MarkdownTable() string {
	var b strings.Builder
	b.WriteString("| field | value | empty | meaning |\n|---|---|---|---|\n")
	for _, info := range table {
		empty := "no"
		if info.Empty() != "" {
			empty = "`" + info.Empty() + "`"
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", info.Field, info.kind.form, empty, info.About)
	}
	return b.String()
}
