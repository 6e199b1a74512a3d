package rewrite

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"usersyncd/spec"
	"usersyncd/spec/strictyaml"
	"usersyncd/spec/text"
)

// ownValue is what a user's own file must say so that, merged with the _defaults.yaml files above, the field has the
// value. declared is what the file says now; nil if nothing. The error says why nothing can be written. If nothing is
// inherited, this is not checked, as readable costs a parse.
func ownValue(info spec.FieldInfo, want spec.Value, defaults, declared *strictyaml.Node) (spec.Value, error) {
	above := defaults.Get(string(info.Field))
	if above == nil || above.Kind != strictyaml.Mapping || len(above.Entries) == 0 || !want.IsMap() {
		return want, nil
	}
	inherited, _ := info.Parse(above)
	if short := withoutInherited(want, inherited, declared); readable(info, short, want, above) == nil {
		return short, nil
	}
	err := readable(info, want, want, above)
	if err == nil {
		return want, nil
	}
	if full := withEmptyParts(want, inherited); readable(info, full, want, above) == nil {
		return full, nil
	}
	return "", err
}

// withoutInherited leaves out the entries of a map that are inherited, except for those that the file has already.
func withoutInherited(want, inherited spec.Value, declared *strictyaml.Node) spec.Value {
	has, own := setOf(inherited.Entries()), declared.Getter()
	out := slices.DeleteFunc(want.Entries(), func(e spec.Entry) bool { return has[e] && own(e.Key) == nil })
	if len(out) == 0 { // {} would mean none
		return want
	}
	return mapOf(out)
}

// withEmptyParts adds empty values for parts that would be inherited. Only employer and utilization have such parts.
func withEmptyParts(want, inherited spec.Value) spec.Value {
	out := want.Entries()
	at := make(map[string]int, len(out))
	for i, o := range out {
		at[o.Key] = i
	}
	for _, e := range inherited.Entries() {
		switch i, wanted := at[e.Key]; {
		case wanted && e.Value.IsMap():
			out[i].Value = withEmptyParts(out[i].Value, e.Value)
		case wanted, e.Value.IsMap():
		case e.Value.IsList():
			out = append(out, spec.Entry{Key: e.Key, Value: "[]"})
		case e.Value == "true":
			out = append(out, spec.Entry{Key: e.Key, Value: "false"})
		default:
			out = append(out, spec.Entry{Key: e.Key, Value: `""`})
		}
	}
	return mapOf(out)
}

// readable returns why a value, when written and read with what is inherited, does not give the wanted one.
func readable(info spec.FieldInfo, written, want spec.Value, above *strictyaml.Node) error {
	if !json.Valid([]byte(written)) {
		return errors.New("it is not a value")
	}
	got, problems := readBack(info, written, above)
	switch {
	case len(problems) > 0 && (problems[0].Field == "" || problems[0].Field == string(info.Field)):
		return errors.New(problems[0].Message)
	case len(problems) > 0:
		return errors.New(problems[0].Field + ": " + problems[0].Message)
	case spec.Equal(info.Field, got, want):
		return nil
	case above != nil && above.Kind == strictyaml.Mapping && want.IsMap():
		return fmt.Errorf("a _defaults.yaml above sets %s too, and a user's file cannot remove it", text.Cut(surplus(got, want), 120))
	}
	return fmt.Errorf("it would be read as %s", text.Cut(got.Display(), 120))
}

// readBack writes a value, and reads it with what is inherited.
func readBack(info spec.FieldInfo, written spec.Value, above *strictyaml.Node) (spec.Value, []spec.Problem) {
	field := string(info.Field)
	docs, problems := strictyaml.Parse("", []byte(field+": "+flow(written)+"\n"))
	switch {
	case len(problems) > 0:
		return "", problems
	case len(docs) != 1 || docs[0].Get(field) == nil:
		return "", []spec.Problem{{Message: "it cannot be written as YAML"}}
	}
	return info.Parse(strictyaml.Merge(above, docs[0].Get(field)))
}

// surplus names the entries of a map that are not wanted.
func surplus(got, want spec.Value) string {
	var names []string
	wanted := setOf(want.Entries())
	for _, e := range got.Entries() {
		if !wanted[e] {
			names = append(names, text.Key(e.Key))
		}
	}
	return strings.Join(names, ", ")
}

func setOf(entries []spec.Entry) map[spec.Entry]bool {
	set := make(map[spec.Entry]bool, len(entries))
	for _, e := range entries {
		set[e] = true
	}
	return set
}
