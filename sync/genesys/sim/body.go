package sim

import (
	"bytes"
	"encoding/json"
	"maps"
	"reflect"
	"slices"
	"strings"
)

// decode reads a JSON body into v. A field that v does not have is refused unless an option says
// otherwise, and so is one in another spelling, which encoding/json alone would take.
func (s *Server) decode(req *request, v any) *answer {
	err := json.Unmarshal(req.body, v)
	if err != nil {
		return invalid("The request could not be understood by the server due to malformed syntax: %v", err)
	}
	if s.o.AllowUnknownFields {
		return nil
	}
	if name, found := unknown(req.body, reflect.TypeOf(v)); found {
		return invalid("Unrecognized field [%s]", name)
	}
	return nil
}

// unknown finds the first field in a JSON text that a type does not have, by its exact name. What has
// no fields, or a shape that is not the type's, is not looked into.
func unknown(data []byte, t reflect.Type) (name string, found bool) {
	switch t.Kind() {
	case reflect.Pointer:
		return unknown(data, t.Elem())
	case reflect.Slice:
		var list []json.RawMessage
		_ = json.Unmarshal(data, &list)
		for _, item := range list {
			if name, found := unknown(item, t.Elem()); found {
				return name, true
			}
		}
	case reflect.Map:
		var entries map[string]json.RawMessage
		_ = json.Unmarshal(data, &entries)
		for _, key := range slices.Sorted(maps.Keys(entries)) {
			if name, found := unknown(entries[key], t.Elem()); found {
				return name, true
			}
		}
	case reflect.Struct:
		var fields map[string]json.RawMessage
		if bytes.HasPrefix(bytes.TrimSpace(data), []byte("{")) {
			_ = json.Unmarshal(data, &fields)
		}
		types := map[string]reflect.Type{}
		for _, f := range reflect.VisibleFields(t) {
			if name, _, _ := strings.Cut(f.Tag.Get("json"), ","); name != "" { // an embedded type has none
				types[name] = f.Type
			}
		}
		for _, name := range slices.Sorted(maps.Keys(fields)) {
			sub, ok := types[name]
			if !ok {
				return name, true
			}
			if inner, found := unknown(fields[name], sub); found {
				return name + "." + inner, true
			}
		}
	}
	return "", false
}
