package spec

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// ownValue is what a user's own file must say so that the field has the value, laid over what the
// _defaults.yaml files above say. Declared is what the file says now; nil if nothing. The error says why no text
// can; where nothing is inherited that question is left to readable, as its answer costs a parse.
func ownValue(info Info, want Value, above, declared *node) (Value, error) {
	far := above.lookup(string(info.Field))
	if far == nil || far.kind != mapping || len(far.entries) == 0 || !isMap(want) {
		return want, nil
	}
	inherited, _ := info.read(&reader{}, far)
	if short := withoutInherited(want, inherited, declared); readable(info, short, want, far) == nil {
		return short, nil
	}
	err := readable(info, want, want, far)
	if err == nil {
		return want, nil
	}
	if full := withEmptyParts(want, inherited); readable(info, full, want, far) == nil {
		return full, nil
	}
	return "", err
}

// lookup is get for what may not be there.
func (n *node) lookup(key string) *node {
	if n == nil {
		return nil
	}
	return n.get(key)
}

// withoutInherited leaves out of a map what the user has anyway, but for what its file already says.
func withoutInherited(want, inherited Value, declared *node) Value {
	has := parts(inherited)
	out := slices.DeleteFunc(parts(want), func(p part) bool {
		return slices.Contains(has, p) && declared.lookup(p.key) == nil
	})
	if len(out) == 0 { // {} would mean none
		return want
	}
	return joined(out)
}

// withEmptyParts writes the parts that would be inherited and are to be empty.
// Only employer and utilization have such parts.
func withEmptyParts(want, inherited Value) Value {
	out := parts(want)
	for _, p := range parts(inherited) {
		switch i := slices.IndexFunc(out, func(o part) bool { return o.key == p.key }); {
		case i < 0 && isMap(p.value), i < 0 && isList(p.value):
		case i < 0:
			out = append(out, part{p.key, noText})
		case isMap(p.value):
			if entries := parts(out[i].value); len(entries) == 1 {
				out[i].value = joined(append(entries, part{"interruptedBy", noList}))
			}
		}
	}
	return joined(out)
}

// readable reports why a text does not give the wanted value when it is read over what is farther away.
func readable(info Info, text, want Value, far *node) error {
	if !json.Valid([]byte(text)) {
		return errors.New("it is not a value")
	}
	docs, problems := parse("", []byte(string(info.Field)+": "+flow(text)+"\n"))
	if len(problems) > 0 {
		return reason(info, problems[0])
	}
	if len(docs) != 1 || docs[0].get(string(info.Field)) == nil {
		return errors.New("it cannot be written as YAML")
	}
	var r reader
	got, ok := r.field(info, merge(far, docs[0].get(string(info.Field))))
	switch {
	case !ok && len(r.problems) > 0:
		return reason(info, r.problems[0])
	case Equal(info.Field, got, want):
		return nil
	case far != nil && far.kind == mapping && isMap(want):
		return fmt.Errorf("a _defaults.yaml above sets %s too, and nothing in the user's file can take that away", brief(surplus(got, want)))
	}
	return fmt.Errorf("it would be read as %s", brief(got.Display()))
}

// surplus names the parts that a map has and should not have.
func surplus(got, want Value) string {
	var names []string
	for _, p := range parts(got) {
		if !slices.Contains(parts(want), p) {
			names = append(names, plainOrQuoted(p.key))
		}
	}
	return strings.Join(names, ", ")
}

// brief keeps a comment readable.
func brief(s string) string {
	const most = 120
	if runes := []rune(s); len(runes) > most {
		return string(runes[:most]) + "..."
	}
	return s
}

// reason says what is wrong with a value, and where in it.
func reason(info Info, p Problem) error {
	if p.Field == "" || p.Field == string(info.Field) {
		return errors.New(p.Message)
	}
	return errors.New(p.Field + ": " + p.Message)
}
