package genesys

import (
	"context"
	"maps"
	"slices"
	"strings"

	"usersyncd/spec"
	"usersyncd/sync/genesys/api"
	"usersyncd/sync/genesys/names"
	"usersyncd/sync/plan"
)

// ratings are the skills or the languages of a user: a map that is written entry by entry, in the fewest calls.
type ratings struct {
	field       spec.Field
	kind        spec.RefKind
	add, remove *api.Operation
}

var (
	skills    = ratings{spec.Skills, spec.KindSkill, &addSkills, &removeSkill}
	languages = ratings{spec.Languages, spec.KindLanguage, &addLanguages, &removeLanguage}
)

// rating is one of them (UserRoutingSkill, UserRoutingLanguage).
type rating struct {
	named
	Proficiency float64 `json:"proficiency"`
	State       string  `json:"state"`
}

func ratingsValue(x *names.Index, list []rating) spec.Value {
	all := make(map[string]float64, len(list))
	for _, s := range list {
		if !strings.EqualFold(s.State, "deleted") {
			all[x.Label(s.ID, s.Name)] = s.Proficiency
		}
	}
	return spec.Proficiencies(all)
}

// skillSteps replaces all skills in one call, if they fit into one. Otherwise it replaces and adds, or
// removes and adds, whatever takes fewer calls.
func skillSteps(have, want spec.Value) []step {
	all, gone, changed := difference(have, want)
	single := append(skills.puts(changed), skills.removes(gone)...)
	first, rest := slices.Sorted(maps.Keys(all)), []string(nil)
	if most := replaceSkills.Most; len(first) > most {
		first, rest = first[:most], first[most:]
	}
	replace := append([]step{skills.put(&replaceSkills, first)}, skills.puts(rest)...)
	if have != "" && len(rest) > 0 && len(single) > 0 && len(single) < len(replace) {
		return single
	}
	return replace
}

// languageSteps adds what is new, and removes what is gone one by one: the API has no call that replaces all.
func languageSteps(have, want spec.Value) []step {
	_, gone, changed := difference(have, want)
	return append(languages.puts(changed), languages.removes(gone)...)
}

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

// puts adds ratings, or changes them.
func (t ratings) puts(names []string) (steps []step) {
	for some := range slices.Chunk(names, t.add.Most) {
		steps = append(steps, t.put(t.add, some))
	}
	return steps
}

// put sends the desired ratings of the names given.
func (t ratings) put(op *api.Operation, names []string) step {
	return step{op: op, prepare: func(ctx context.Context, d *Directory, users []*plan.Change) (*write, error) {
		type item struct {
			ID          string  `json:"id"`
			Proficiency float64 `json:"proficiency"`
		}
		want, err := spec.Decode[map[string]float64](after(users[0], t.field))
		if err != nil {
			return nil, err
		}
		now := map[string]float64{}
		if op == t.add {
			now = t.known(users[0])
		}
		items := make([]item, len(names))
		for i, name := range names {
			id, err := d.idOf(ctx, t.kind, name)
			if err != nil {
				return nil, err
			}
			items[i], now[name] = item{id, want[name]}, want[name]
		}
		return &write{body: items, valueAfter: as(spec.Proficiencies(now))}, nil
	}}
}

// removes takes ratings away, one by one.
func (t ratings) removes(names []string) (steps []step) {
	for _, name := range names {
		steps = append(steps, step{op: t.remove, prepare: func(ctx context.Context, d *Directory, users []*plan.Change) (*write, error) {
			id, err := d.idToRemove(ctx, t.kind, name)
			now := t.known(users[0])
			delete(now, name)
			return &write{args: []string{users[0].Current.ID, id}, skip: id == "", valueAfter: as(spec.Proficiencies(now))}, err
		}})
	}
	return steps
}

// known is what is known of a user's ratings.
func (t ratings) known(c *plan.Change) map[string]float64 {
	all, err := spec.Decode[map[string]float64](c.Current.Fields.Get(t.field))
	if err != nil {
		return map[string]float64{}
	}
	return all
}
