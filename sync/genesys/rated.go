package genesys

import (
	"maps"
	"slices"
	"strings"

	"usersyncd/spec"
)

// Skills, languages and external ids: maps that are written entry by entry, in the fewest calls.

// difference compares two maps of proficiencies: the names that are gone, and those that are new or differ.
func difference(have, want spec.Value) (all map[string]float64, gone, changed []string) {
	before, _ := spec.Decode[map[string]float64](have)
	all, _ = spec.Decode[map[string]float64](want)
	for _, name := range slices.Sorted(maps.Keys(before)) {
		if _, kept := all[name]; !kept {
			gone = append(gone, name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(all)) {
		if p, there := before[name]; !there || p != all[name] {
			changed = append(changed, name)
		}
	}
	return all, gone, changed
}

// skillSteps replaces all skills in one call, if they fit into one. Otherwise it replaces and adds, or
// removes and adds, whatever takes fewer calls.
func skillSteps(have, want spec.Value) []op {
	all, gone, changed := difference(have, want)
	names := slices.Sorted(maps.Keys(all))
	replace := chunks(opSkills, names)
	if len(replace) == 0 {
		replace = []op{{kind: opSkills}}
	}
	replace[0].replace = true
	single := chunks(opSkills, changed)
	for _, name := range gone {
		single = append(single, op{kind: opSkillGone, target: name})
	}
	if have != "" && len(names) > maxRated && len(single) < len(replace) && len(single) > 0 {
		return single
	}
	return replace
}

// languageSteps adds what is new, and removes what is gone one by one: there is no replacing call.
func languageSteps(have, want spec.Value) []op {
	_, gone, changed := difference(have, want)
	steps := chunks(opLanguages, changed)
	for _, name := range gone {
		steps = append(steps, op{kind: opLanguageGone, target: name})
	}
	return steps
}

func chunks(kind opKind, names []string) []op {
	var steps []op
	for some := range slices.Chunk(names, maxRated) {
		steps = append(steps, op{kind: kind, names: some})
	}
	return steps
}

// keySeparator stands between the keys that one authority has for a user, if there are several. A spec
// has one at most, and cannot have this.
const keySeparator = "\n"

func externalSteps(have, want spec.Value) []op {
	before, _ := spec.Decode[map[string]string](have)
	after, _ := spec.Decode[map[string]string](want)
	var steps []op
	for _, authority := range slices.Sorted(maps.Keys(before)) {
		for key := range strings.SplitSeq(before[authority], keySeparator) {
			if key != after[authority] {
				steps = append(steps, op{kind: opExternalGone, target: authority, key: key})
			}
		}
	}
	for _, authority := range slices.Sorted(maps.Keys(after)) {
		if !slices.Contains(strings.Split(before[authority], keySeparator), after[authority]) {
			steps = append(steps, op{kind: opExternal, target: authority, key: after[authority]})
		}
	}
	return steps
}
