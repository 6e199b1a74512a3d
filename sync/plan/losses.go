package plan

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"usersyncd/spec"
)

// lossKey names what users lose, as state.Tally does.
func lossKey(f spec.Field, name string) string { return string(f) + " " + name }

// losses lists what a user has of a field before, by name, and has not afterwards. A role counts by its name, and by
// each division in which it is granted; a medium is lost when its capacity becomes 0.
func losses(f spec.Field, before, after spec.Value) []string {
	if before == after || before == "" || after == "" {
		return nil
	}
	if f == spec.Utilization {
		switchedOff := off(before)
		return slices.DeleteFunc(off(after), func(medium string) bool { return slices.Contains(switchedOff, medium) })
	}
	has := map[string]bool{}
	for _, name := range holdings(f, after) {
		has[name] = true
	}
	return slices.DeleteFunc(holdings(f, before), func(name string) bool { return has[name] })
}

// holdings lists what a user has of a field, by name.
func holdings(f spec.Field, v spec.Value) []string {
	switch f {
	case spec.Skills, spec.Languages:
		rated, _ := spec.Decode[map[string]float64](v)
		return slices.Sorted(maps.Keys(rated))
	case spec.Queues, spec.Groups:
		names, _ := spec.Decode[[]string](v)
		return names
	case spec.Locations:
		places, _ := spec.Decode[[]spec.Location](v)
		var names []string
		for _, l := range places {
			names = append(names, l.Name)
		}
		return slices.Compact(names) // they are sorted
	case spec.Roles:
		var names []string
		for _, g := range grantList(v) {
			names = append(names, g.role)
			names = append(names, g.role+" in "+cmp.Or(g.division, "the home division"))
		}
		slices.Sort(names)
		return slices.Compact(names)
	}
	return nil
}

// off lists the media of which a user takes nothing. One that is not named is as the organization has it.
func off(v spec.Value) []string {
	media, _ := spec.Decode[map[string]spec.MediaUtilization](v)
	maps.DeleteFunc(media, func(_ string, m spec.MediaUtilization) bool { return m.Capacity > 0 })
	return slices.Sorted(maps.Keys(media))
}

// A thing is what users may lose: a name in a field.
type thing struct {
	field spec.Field
	name  string
}

// limitLosses holds what takes the same thing from too many of those who have it. Who is deactivated or removed does not
// count.
func (p *planner) limitLosses() {
	l := p.policy.Guard.Losses
	if l == nil {
		return
	}
	losers := map[thing][]*Change{}
	for _, c := range p.planned(func(c *Change) bool { return (c.Action == Update || c.Action == Adopt) && !c.leaves }) {
		for _, fc := range c.Fields {
			if p.releasedField(c, fc.Field, guardLosses) {
				continue
			}
			for _, name := range losses(fc.Field, c.Current.Fields[fc.Field], fc.After) {
				losers[thing{fc.Field, name}] = append(losers[thing{fc.Field, name}], c)
			}
		}
	}
	if len(losers) == 0 {
		return
	}
	holders := p.holders(losers)
	held := map[*Change][]spec.Field{}
	var worst thing
	others := 0
	for _, t := range slices.SortedFunc(maps.Keys(losers), func(a, b thing) int {
		return cmp.Or(len(losers[b])-len(losers[a]), cmp.Compare(a.field, b.field), cmp.Compare(a.name, b.name))
	}) {
		done := p.users.done.Lost[lossKey(t.field, t.name)]
		if len(losers[t])+done <= l.within(p.users.floor).of(holders[t]+done) {
			continue
		}
		if worst.field == "" {
			worst = t
		} else {
			others++
		}
		for _, c := range losers[t] {
			if !slices.Contains(held[c], t.field) {
				held[c] = append(held[c], t.field)
			}
		}
	}
	var portions []portion
	for _, c := range p.planned(func(c *Change) bool { return held[c] != nil }) {
		portions = append(portions, portion{c, held[c]})
	}
	if len(portions) == 0 {
		return
	}
	done := p.users.done.Lost[lossKey(worst.field, worst.name)]
	reason := fmt.Sprintf("would %s%s; %s", worst.lostBy(len(losers[worst]), holders[worst]+done), after(done),
		l.inWords(guardLosses, holders[worst]+done, p.users.floor))
	if others > 0 {
		reason += fmt.Sprintf("; the same for %d more", others)
	}
	p.holdPortions(guardLosses, reason, portions)
}

// holders counts who has each of the things, of the users who are looked after.
func (p *planner) holders(losers map[thing][]*Change) map[thing]int {
	byField := map[spec.Field]bool{}
	for t := range losers {
		byField[t.field] = true
	}
	holders := map[thing]int{}
	for id, u := range p.snap.Users {
		if u.Deleted() || !p.ours(id) {
			continue
		}
		for f := range byField {
			v, known := u.Fields[f]
			if !known {
				continue
			}
			if f != spec.Utilization {
				for _, name := range holdings(f, v) {
					holders[thing{f, name}]++
				}
				continue
			}
			for t := range losers {
				if t.field == f && !slices.Contains(off(v), t.name) {
					holders[t]++
				}
			}
		}
	}
	return holders
}

// lostBy says in words what some of those who have the thing lose.
func (t thing) lostBy(n, holders int) string {
	name := spec.Text(t.name).Display()
	if t.field == spec.Utilization {
		return fmt.Sprintf("set the capacity for %s to 0 for %d of the %d users who take it", name, n, holders)
	}
	kinds := map[spec.Field]string{spec.Skills: "skill", spec.Languages: "language", spec.Queues: "queue", spec.Groups: "group", spec.Roles: "role", spec.Locations: "location"}
	return fmt.Sprintf("take the %s %s from %d of the %d users who have it", kinds[t.field], name, n, holders)
}
