package rewrite

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"usersyncd/spec"
	"usersyncd/spec/strictyaml"
)

// expressible is a list or map without the entries that the format cannot express, and why it cannot. If it can express
// none, or if not the entries are the problem, rest is "".
func expressible(info spec.FieldInfo, v spec.Value) (rest spec.Value, left []spec.Problem) {
	if !json.Valid([]byte(v)) {
		return "", nil
	}
	for {
		_, problems := readBack(info, v, nil)
		if len(problems) == 0 {
			return v, left
		}
		less := withoutAny(v, string(info.Field), problems)
		if less == v || len(less.Entries()) == 0 {
			return "", nil
		}
		v, left = less, append(left, problems...)
	}
}

// withoutAny leaves out the entries of a value, at a path, in which there are problems. An entry is left out as a whole, as
// a part of it may mean something else: a role without its divisions is granted in another one. Only the labels of
// utilization are entries in an entry.
func withoutAny(v spec.Value, path string, problems []spec.Problem) spec.Value {
	var keep []spec.Entry
	for i, e := range v.Entries() {
		at := fmt.Sprintf("%s[%d]", path, i)
		if v.IsMap() {
			at = strictyaml.PathOf(path, e.Key)
		}
		switch {
		case !slices.ContainsFunc(problems, func(p spec.Problem) bool { return isWithin(p.Field, at) }):
		case at != string(spec.Utilization)+".labels":
			continue
		default:
			if e.Value = withoutAny(e.Value, at, problems); len(e.Value.Entries()) == 0 {
				continue
			}
		}
		keep = append(keep, e)
	}
	if v.IsMap() {
		return mapOf(keep)
	}
	texts := make([]string, len(keep))
	for i, e := range keep {
		texts[i] = string(e.Value)
	}
	return spec.Value("[" + strings.Join(texts, ",") + "]")
}

// isWithin reports whether a path is at another one, or below it.
func isWithin(path, at string) bool {
	below, ok := strings.CutPrefix(path, at)
	return ok && (below == "" || below[0] == '.' || below[0] == '[')
}
