// Package schema describes values of a YAML format: from one description follow how a value is read and checked, its
// JSON Schema, and how it is documented.
//
//	phone := schema.Struct(Phone{Type: "work"}, `{type: work, number: "+34600000001"}`,
//		schema.Key("type", schema.OneOf("work", "home"), func(p *Phone) *string { return &p.Type }, "Which phone."),
//		schema.Key("number", schema.Text(), func(p *Phone) *string { return &p.Number }, "The number.").Required())
//	phones := schema.List(phone, ...)
//
//	var r schema.Reader
//	all, ok := phones.Parse(&r, node) // what is wrong is in r.Problems
//
// A [Type] is a description, typed by what it is read into. An editor reads its JSON Schema ([Type].JSON), which says
// less than Parse checks.
package schema
