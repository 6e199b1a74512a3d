package spec

import (
	"encoding/json"
	"fmt"

	"usersyncd/spec/schema"
)

// Schema is the JSON Schema (draft-07, which editors understand best) of a spec file and of a
// _defaults.yaml. It is for editors: the loader checks more than a schema can say.
func Schema() []byte {
	var user, defaults schema.Object
	for _, info := range table {
		user = append(user, string(info.Field), schema.Described(info.About, info.typ.JSON))
		if info.Field == Email {
			user = append(user, KeyID, schema.Described(aboutID, idKind.JSON), KeyPreviousEmail, schema.Described(aboutPreviousEmail, previousEmailKind.JSON))
		}
		if !info.NoDefault {
			defaults = append(defaults, string(info.Field), schema.Definition("user/properties/"+string(info.Field)))
		}
	}
	users := schema.Object{"type", "array", "minItems", 1, "items", schema.Definition("user")}
	label := `[^\s@"(),:;<>\[\]\\.]+`            // as in that of schema.Address; unlike Go's, other engines refuse \"
	text, _ := json.MarshalIndent(schema.Object{ // it has only values that JSON has
		"$schema", "http://json-schema.org/draft-07/schema#",
		"title", "usersyncd user spec",
		"description", "A document of a spec file: one user, or users: [...]. The document of a _defaults.yaml is #/definitions/defaults.",
		"if", schema.Has("users"),
		"then", schema.Definition("users"),
		"else", schema.Definition("user"),
		"definitions", schema.Object{
			"user", schema.Mapping("One user.", user, "required", []string{"email"}),
			"users", schema.Mapping("A list of users.", schema.Object{"users", schema.Described("The users.", users)}, "required", []string{"users"}),
			"defaults", schema.Mapping("What every user below a folder has in common (_defaults.yaml).", defaults, "minProperties", 1),
			"name", schema.Object{"type", "string", "pattern", `\S`},
			"address", schema.Object{"type", "string", "maxLength", 254, "pattern", schema.Spaced(fmt.Sprintf(`^%s(\.%[1]s)*@(%[1]s\.)+%[1]s$`, label))},
		},
	}, "", "  ")
	return append(text, '\n')
}
