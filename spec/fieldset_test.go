package spec_test

import (
	"maps"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"usersyncd/spec"
)

// Fields are what a map with the same values is, in the order of the names, and in no more memory than they need.
func TestFieldsAreAMap(t *testing.T) {
	names := rapid.SampledFrom([]spec.Field{"a", "b", "c", "d", "e", "f", "é", "<"})
	values := rapid.SampledFrom([]spec.Value{"", `"A"`, `"<&>"`, "\"\u2028\"", `["é"]`})
	fields := rapid.MapOf(names, values)
	rapid.Check(t, func(t *rapid.T) {
		model := fields.Draw(t, "fields")
		f := spec.FieldsOf(model)
		t.Repeat(map[string]func(*rapid.T){
			"set": func(t *rapid.T) {
				name, v := names.Draw(t, "name"), values.Draw(t, "value")
				f.Set(name, v)
				model[name] = v
			},
			"with": func(t *rapid.T) {
				others := fields.Draw(t, "others")
				f = f.With(spec.FieldsOf(others))
				maps.Copy(model, others)
			},
			"without": func(t *rapid.T) {
				dropped := rapid.SliceOfN(names, 0, 3).Draw(t, "names")
				f = f.Without(dropped...)
				maps.DeleteFunc(model, func(name spec.Field, _ spec.Value) bool { return slices.Contains(dropped, name) })
			},
			"": func(t *rapid.T) {
				if got := maps.Collect(f.All()); !maps.Equal(got, model) || len(f) != len(model) {
					t.Fatalf("%q, want %q", f, model)
				}
				if !slices.Equal(f.Names(), slices.Sorted(maps.Keys(model))) {
					t.Fatalf("%q is not sorted", f.Names())
				}
				name := names.Draw(t, "name")
				got, found := f.Lookup(name)
				if want, has := model[name]; got != want || found != has || f.Get(name) != want {
					t.Fatalf("%s is %q, %t, want %q, %t", name, got, found, want, has)
				}
			},
		})
	})
}

// With and Without leave the memory of others as it is, and Set takes room for one field at a time.
func TestFieldsMemory(t *testing.T) {
	one := spec.FieldsOf(map[spec.Field]spec.Value{"a": "1", "c": "3"})
	before := slices.Clone(one)
	with, without := one.With(spec.Fields{{Field: "b", Value: "2"}, {Field: "c", Value: "4"}}), one.Without("a")
	with.Set("a", "5")
	without.Set("c", "6")
	if !slices.Equal(one, before) {
		t.Errorf("%q was changed to %q", before, one)
	}
	if cap(with) != 3 {
		t.Errorf("room for %d fields, where there are 3", cap(with))
	}
	with.Set("d", "7")
	if cap(with) != 4 {
		t.Errorf("room for %d fields, where there are 4", cap(with))
	}
}

// None and nil differ, as those of a map do: a user that was never managed has no applied fields.
func TestNoFields(t *testing.T) {
	var null spec.Fields
	none := spec.FieldsOf(nil)
	if none == nil || none.Without("a") == nil || null.Without("a") != nil || null.With(nil) == nil {
		t.Error("nil is not kept apart from none")
	}
}
