package sdkcontract

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// find returns the operation that a request is for: of those that fit, the one with the fewest variables.
func (d *description) find(method, path string) *operation {
	var best *operation
	for template, methods := range d.Paths {
		o := methods[strings.ToLower(method)]
		if o != nil && fits(template, path) && (best == nil || strings.Count(o.path, "{") < strings.Count(best.path, "{")) {
			best = o
		}
	}
	return best
}

func fits(template, path string) bool {
	want, have := strings.Split(template, "/"), strings.Split(path, "/")
	if len(want) != len(have) {
		return false
	}
	for i, part := range want {
		if part != have[i] && (!strings.HasPrefix(part, "{") || have[i] == "") {
			return false
		}
	}
	return true
}

// body is the parameter that is the body.
func (o *operation) body() *parameter {
	for i, p := range o.Parameters {
		if p.In == "body" {
			return &o.Parameters[i]
		}
	}
	return nil
}

// check returns what is wrong with a request: that there is no such operation, parameters, the body. What
// strict finds is not looked for again.
func (d *description) check(method, target string, body []byte) []string {
	u, err := url.Parse(target)
	if err != nil {
		return []string{err.Error()}
	}
	o := d.find(method, u.EscapedPath())
	if o == nil {
		return []string{"no such operation: " + method + " " + u.Path}
	}
	var w walk
	d.checkQuery(&w, o, u.Query())
	switch p := o.body(); {
	case p == nil && len(body) > 0:
		w.fault("body", "%s takes no body", o.path)
	case p != nil && p.Required && len(body) == 0:
		w.fault("body", "no body")
	case len(body) > 0:
		var value any
		if err := json.Unmarshal(body, &value); err != nil {
			w.fault("body", "%v", err)
		}
		d.checkValue(&w, "$", value, p.Schema, true)
	}
	return w.wrong
}

// checkAnswer returns the words in a body that was answered which are none of those that there may be.
func (d *description) checkAnswer(method, path string, status int, body []byte) []string {
	o := d.find(method, path)
	if o == nil {
		return []string{"no such operation: " + method + " " + path}
	}
	var value any
	if err := json.Unmarshal(body, &value); err != nil {
		return []string{err.Error()}
	}
	var w walk
	d.checkValue(&w, "$", value, o.Responses[strconv.Itoa(status)].Schema, false)
	return w.wrong
}

func (d *description) checkQuery(w *walk, o *operation, query url.Values) {
	for _, name := range slices.Sorted(maps.Keys(query)) {
		at := slices.IndexFunc(o.Parameters, func(p parameter) bool { return p.In == "query" && p.Name == name })
		if at < 0 {
			w.fault("query", "no query parameter %q", name)
			continue
		}
		p := o.Parameters[at]
		words, allowed := query[name], p.Enum
		if p.Type == "array" { // the SDK joins the words with commas
			words, allowed = strings.Split(strings.Join(words, ","), ","), p.Items.Enum
		}
		for _, word := range words {
			var err error
			switch p.Type {
			case "integer":
				_, err = strconv.Atoi(word)
			case "boolean":
				if word != "true" && word != "false" {
					err = strconv.ErrSyntax
				}
			}
			if err != nil || len(allowed) > 0 && !slices.Contains(allowed, word) {
				w.fault("query", "%q for %q, allowed: %v", word, name, allowed)
			}
		}
	}
	for _, p := range o.Parameters {
		if p.In == "query" && p.Required && !query.Has(p.Name) {
			w.fault("query", "no %q", p.Name)
		}
	}
}

// checkValue looks for what a model in Go does not tell.
func (d *description) checkValue(w *walk, at string, v any, s *schema, sent bool) {
	for s != nil && s.Ref != "" {
		s = d.Definitions[strings.TrimPrefix(s.Ref, "#/definitions/")]
	}
	if s == nil {
		return
	}
	switch v := v.(type) {
	case map[string]any:
		for _, name := range s.Required {
			if _, there := v[name]; !there && sent { // answers have references where the description has all of a thing
				w.fault(at, "no %q", name)
			}
		}
		for _, name := range slices.Sorted(maps.Keys(v)) {
			p := s.Properties[name]
			if p == nil {
				p = s.Additional
			}
			if p != nil && p.ReadOnly && sent {
				w.wrong = append(w.wrong, at+"."+name+" is read-only")
			}
			d.checkValue(w, at+"."+name, v[name], p, sent)
		}
	case []any:
		for i, item := range v {
			d.checkValue(w, fmt.Sprintf("%s[%d]", at, i), item, s.Items, sent)
		}
	case string:
		if len(s.Enum) > 0 && !slices.Contains(s.Enum, v) {
			w.fault(at, "%q, allowed: %v", v, s.Enum)
		}
	}
}
