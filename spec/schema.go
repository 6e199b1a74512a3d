package spec

import _ "embed"

//go:embed schema.json
var schema []byte

// Schema is the JSON Schema (draft-07, which editors understand best) of a spec file and of a
// _defaults.yaml. It is for editors: the loader checks more than a schema can say.
func Schema() []byte { return append([]byte(nil), schema...) }
