package spec_test

import (
	"fmt"
	"testing"

	"pgregory.net/rapid"

	"usersyncd/spec"
)

// Positions hold what was set, for each place that a file can have and for more files than a path has folders.
func TestPositions(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		fields := spec.AllFields()
		want := map[spec.Field]spec.Pos{}
		var p spec.Positions
		for _, i := range rapid.Permutation(fields).Draw(t, "fields")[:rapid.IntRange(0, len(fields)).Draw(t, "n")] {
			place := rapid.IntRange(1, 2<<20) // a file of 2 MiB
			want[i.Field] = spec.Pos{File: rapid.SampledFrom([]string{"a.yaml", "_defaults.yaml", "a/_defaults.yaml"}).Draw(t, "file"), Line: place.Draw(t, "line"), Column: place.Draw(t, "column")}
			p.Set(i.Field, want[i.Field])
		}
		for _, i := range fields {
			at, ok := p.Of(i.Field)
			expected, set := want[i.Field]
			if ok != set || at != expected {
				t.Fatalf("%s: %v %v, want %v %v", i.Field, at, ok, expected, set)
			}
		}
	})
	var p spec.Positions
	for i := range 5000 {
		p.Set(spec.Name, spec.Pos{File: fmt.Sprint(i), Line: 1 << 23, Column: -1})
	}
	p.Set(spec.Title, spec.Pos{File: "last", Line: 1 << 23, Column: 1 << 23})
	if at, ok := p.Of(spec.Title); !ok || at != (spec.Pos{File: "4095", Line: 1<<22 - 1, Column: 1<<22 - 1}) {
		t.Error("out of range:", at, ok)
	}
	p.Set("shoeSize", spec.Pos{File: "a.yaml", Line: 1, Column: 1})
	if at, ok := p.Of("shoeSize"); ok {
		t.Error("a field that the format does not have:", at)
	}
}
