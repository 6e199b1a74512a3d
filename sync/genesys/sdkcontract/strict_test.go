package sdkcontract

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"reflect"
	"slices"
	"strings"
	"time"
)

// strict returns what is wrong with a JSON text as a value of the type: fields that the type does not have,
// values of another JSON type, null.
func strict(body []byte, model reflect.Type) []string {
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	var value any
	if err := d.Decode(&value); err != nil {
		return []string{"no JSON: " + err.Error()}
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return []string{"more than one JSON value"}
	}
	var w walk
	w.value("$", value, model)
	return w.wrong
}

// strictAs is strict for a model that is known when this is compiled.
func strictAs[M any](body []byte) []string { return strict(body, reflect.TypeFor[M]()) }

// A walk goes through a JSON value and a type side by side.
type walk struct{ wrong []string }

func (w *walk) fault(at, format string, args ...any) {
	w.wrong = append(w.wrong, at+": "+fmt.Sprintf(format, args...))
}

func (w *walk) value(at string, v any, t reflect.Type) {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch {
	case v == nil:
		w.fault(at, "null for %s", t)
	case t == reflect.TypeFor[time.Time]():
		w.time(at, v)
	case t.Kind() == reflect.Interface: // the model says nothing
	case t.Kind() == reflect.Struct:
		w.object(at, v, t)
	case t.Kind() == reflect.Map:
		o, ok := v.(map[string]any)
		if !ok {
			w.fault(at, "%s for %s", kindOf(v), t)
		}
		for _, name := range slices.Sorted(maps.Keys(o)) {
			w.value(at+"."+name, o[name], t.Elem())
		}
	case t.Kind() == reflect.Slice:
		list, ok := v.([]any)
		if !ok {
			w.fault(at, "%s for %s", kindOf(v), t)
		}
		for i, item := range list {
			w.value(fmt.Sprintf("%s[%d]", at, i), item, t.Elem())
		}
	default:
		w.scalar(at, v, t)
	}
}

func (w *walk) object(at string, v any, t reflect.Type) {
	o, ok := v.(map[string]any)
	if !ok {
		w.fault(at, "%s for %s", kindOf(v), t)
		return
	}
	known := fieldsOf(t)
	for _, name := range slices.Sorted(maps.Keys(o)) {
		if field, ok := known[name]; ok {
			w.value(at+"."+name, o[name], field)
		} else {
			w.fault(at, "%s has no field %q", t, name)
		}
	}
}

// fieldsOf is what a model calls its fields in JSON. The names are exact.
func fieldsOf(t reflect.Type) map[string]reflect.Type {
	known := map[string]reflect.Type{}
	for f := range t.Fields() {
		if name, _, _ := strings.Cut(f.Tag.Get("json"), ","); name != "" && name != "-" {
			known[name] = f.Type
		}
	}
	return known
}

func (w *walk) time(at string, v any) {
	text, ok := v.(string)
	if !ok {
		w.fault(at, "%s for a time", kindOf(v))
	} else if _, err := time.Parse(time.RFC3339, text); err != nil {
		w.fault(at, "%v", err)
	}
}

func (w *walk) scalar(at string, v any, t reflect.Type) {
	want := ""
	switch t.Kind() {
	case reflect.String:
		want = "string"
	case reflect.Bool:
		want = "bool"
	case reflect.Int, reflect.Int32, reflect.Int64, reflect.Float32, reflect.Float64:
		want = "number"
	}
	switch have := kindOf(v); {
	case want == "":
		w.fault(at, "this check knows no %s", t)
	case have != want:
		w.fault(at, "%s for %s", have, t)
	case have == "number" && t.Kind() != reflect.Float32 && t.Kind() != reflect.Float64:
		if _, err := v.(json.Number).Int64(); err != nil {
			w.fault(at, "%s for %s", v, t)
		}
	}
}

func kindOf(v any) string {
	switch v.(type) {
	case string:
		return "string"
	case bool:
		return "bool"
	case json.Number:
		return "number"
	case []any:
		return "array"
	case map[string]any:
		return "object"
	}
	return "null"
}
