package plan

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"usersyncd/spec"
	"usersyncd/state"
	"usersyncd/sync/plan/access"
	"usersyncd/sync/plan/tally"
)

// Limit is a share of something, but never less than a number.
type Limit struct {
	Percent int
	Floor   int
}

// of is how many of so many the limit allows.
func (l Limit) of(all int) int { return max(l.Floor, all*l.Percent/100) }

// within is the limit in an organization of so many users. Its floor is at most half of them: a floor of 10 protects
// nobody in an organization of 12.
func (l Limit) within(users int) Limit {
	l.Floor = min(l.Floor, max(1, (users+1)/2))
	return l
}

func (l *Limit) String() string { return fmt.Sprintf("%d%%,%d", l.Percent, l.Floor) }

// inWords says what a limit of a guard allows, of so many, in an organization of so many users; 0: whatever their number.
func (l Limit) inWords(guard string, all, users int) string {
	if halved := l.within(users); users > 0 && halved.Floor < l.Floor {
		return fmt.Sprintf("the limit is %d (--%s %s; its floor is at most half of %d users)", halved.of(all), guard, &l, users)
	}
	return fmt.Sprintf("the limit is %d (--%s %s)", l.of(all), guard, &l)
}

// A census is how many users limits are measured against.
type census struct {
	managed int
	listed  int // managed or not
	ours    int // managed, or declared and there
	done    state.Tally
	floor   int // how many users a floor is measured against
}

// count makes the census.
func (g *guards) count() {
	g.users = census{done: tally.Recent(g.Guards.Tallies, g.now)}
	for id, u := range g.snap.Users {
		if u.Deleted() {
			continue
		}
		g.users.listed++
		if u.Applied != nil {
			g.users.managed++
		}
		if g.ours(id) {
			g.users.ours++
		}
	}
	g.users.floor = cmp.Or(g.users.managed, g.users.listed)
	if e := g.policy.Previous; e != nil { // which may have been the first
		g.users.floor = e.users.floor
	}
}

// ours reports whether a known user is looked after.
func (g *guards) ours(id string) bool { return g.snap.Users[id].Applied != nil || g.OwnerOf[id] != "" }

// ofWhom names the users that a limit is a share of.
func (n census) ofWhom(all int) string {
	if n.managed < all {
		return fmt.Sprintf("%d users", all)
	}
	return fmt.Sprintf("%d managed users", all)
}

// after says in words what was done of the same already.
func after(done int) string {
	if done == 0 {
		return ""
	}
	return fmt.Sprintf(", after %d in the last 24 hours", done)
}

// limitRemovals holds the users who are no longer declared, if there are too many. Where they are, creations wait with them:
// it may be the same people, in a tree that is another one's.
func (g *guards) limitRemovals() {
	l, done := g.policy.Guard.Removals, g.users.done.Removed
	changes := g.planned(func(c *Change) bool { return c.Action.Removes() && !g.released(c, guardRemovals) })
	if l == nil || len(changes) == 0 {
		return
	}
	all := g.users.managed + done
	most := l.within(all).of(all)
	if done+len(changes) <= most && !g.users.done.Incomplete {
		return
	}
	what := fmt.Sprintf("would remove %d of %d managed users", len(changes), all)
	created := g.planned(func(c *Change) bool { return c.creates() && !g.released(c, guardRemovals) })
	if len(created)+g.users.done.Created > most {
		what += fmt.Sprintf(" and create %d", len(created))
		changes = append(changes, created...)
	}
	reason := what + after(done) + "; " + l.inWords(guardRemovals, all, all)
	if g.users.done.Incomplete {
		reason = forgottenReason(what, "removals", guardRemovals, l)
	}
	g.hold(guardRemovals, reason, changes)
}

// forgottenReason is why a limit holds everything that it is about: how much was done in 24 hours is not known.
func forgottenReason(what, earlier, guard string, l *Limit) string {
	return fmt.Sprintf("%s; the state file was damaged within 24 hours, and earlier %s may be forgotten (--%s %s)", what, earlier, guard, l)
}

// limitDeactivations holds the declared users who are switched off, if there are too many.
func (g *guards) limitDeactivations() {
	l, done, all, most := g.policy.Guard.Deactivations, g.users.done.Deactivated, g.users.ours, g.users.floor
	changes := g.planned(func(c *Change) bool {
		return !c.Action.Removes() && c.Deactivates() && !g.released(c, guardDeactivations) && !c.again(c.Current)
	})
	if l != nil && done+len(changes) > l.within(most).of(all) {
		g.hold(guardDeactivations, fmt.Sprintf("would deactivate %d of %s%s; %s", len(changes), g.users.ofWhom(all), after(done),
			l.inWords(guardDeactivations, all, most)), changes)
	}
}

// A new organization is one of at most so many users, of whom none is managed.
const newOrganization = 10

// limitCreations holds the users who are created or restored, if there are too many. A first import is never held, also
// when it takes several passes; nothing is one while the state file was damaged of late.
func (g *guards) limitCreations() {
	l, done, forgotten := g.policy.Guard.Creations, g.users.done.Created, g.users.done.Incomplete
	changes := g.planned(func(c *Change) bool { return c.creates() })
	if len(changes) > 0 && !forgotten && g.users.managed == 0 && g.users.listed <= newOrganization && g.Guards.FirstImport.IsZero() {
		g.Guards.FirstImport = tally.Minute(g.now)
	}
	if l == nil || !forgotten && !g.Guards.FirstImport.IsZero() {
		return
	}
	changes = slices.DeleteFunc(changes, func(c *Change) bool {
		return g.released(c, guardCreations, guardRemovals, guardReactivations, guardAdmins)
	})
	all := max(0, g.users.listed-done)
	if len(changes) == 0 || !forgotten && done+len(changes) <= l.of(all) {
		return
	}
	what := fmt.Sprintf("would create %d users", len(changes))
	if slices.ContainsFunc(changes, func(c *Change) bool { return c.Action == Restore }) {
		what = fmt.Sprintf("would create or restore %d users", len(changes))
	}
	reason := fmt.Sprintf("%s in an organization of %d%s; %s", what, all, after(done), l.inWords(guardCreations, all, 0))
	if forgotten {
		reason = forgottenReason(what, "creations", guardCreations, l)
	}
	g.hold(guardCreations, reason, changes)
}

// limitAddresses holds the changes of addresses, if there are too many.
func (g *guards) limitAddresses() {
	l, done, all, most := g.policy.Guard.Addresses, g.users.done.Renamed, g.users.ours, g.users.floor
	forgotten := g.users.done.Incomplete
	changes := g.planned(func(c *Change) bool { return c.ChangesAddress() && !g.releasedField(c, spec.Email, guardMaxRenames) })
	if l == nil || len(changes) == 0 || !forgotten && done+len(changes) <= l.within(most).of(all) {
		return
	}
	what := fmt.Sprintf("would change the address of %d of %s%s", len(changes), g.users.ofWhom(all), g.amongThem(changes))
	reason := what + after(done) + "; " + l.inWords(guardMaxRenames, all, most)
	if forgotten {
		reason = forgottenReason(what, "changes of addresses", guardMaxRenames, l)
	}
	g.hold(guardMaxRenames, reason, changes, spec.Email)
}

// limitChanges holds everything that no other guard is about, if too many users change.
func (g *guards) limitChanges() {
	l := g.policy.Guard.Changes
	if l == nil {
		return
	}
	var held []portion
	for _, c := range g.planned(func(c *Change) bool { return c.Action == Update || c.Action == Adopt }) {
		w := portion{Change: c}
		for _, fc := range c.Fields {
			if fc.Field != spec.Email && fc.Field != spec.State && !g.releasedField(c, fc.Field, guardChanges) {
				w.fields = append(w.fields, fc.Field)
			}
		}
		if len(w.fields) > 0 {
			held = append(held, w)
		}
	}
	if all := g.users.ours; len(held) > l.of(all) {
		g.holdPortions(guardChanges, fmt.Sprintf("would change %d of %s; %s", len(held), g.users.ofWhom(all), l.inWords(guardChanges, all, 0)), held)
	}
}

// keepAddresses refers to whoever keeps the address for now by that: what is not held of others does not wait for it.
func (g *guards) keepAddresses() {
	keep := map[string]spec.Value{}
	g.keeps = map[string]bool{}
	for _, c := range g.changes {
		if c.Withholds(spec.Email) {
			keep[c.Key], g.keeps[c.Current.Key()] = spec.Text(c.Current.Key()), true
		}
	}
	if len(keep) == 0 {
		return
	}
	for _, c := range g.changes {
		for i, fc := range c.Fields {
			info, _ := spec.Lookup(fc.Field)
			if now, kept := keep[fc.After.Text()]; info.User && kept {
				c.Fields = slices.Clone(c.Fields)
				c.Fields[i].After = now
				c.Desired = maps.Clone(c.Desired)
				c.Desired[fc.Field] = now
			}
		}
	}
}

// A thing is what users may lose: a name in a field.
type thing struct {
	field spec.Field
	name  string
}

// limitLosses holds what takes the same thing from too many of those who have it. Who is deactivated or removed does not
// count.
func (g *guards) limitLosses() {
	l := g.policy.Guard.Losses
	if l == nil {
		return
	}
	losers := map[thing][]*Change{}
	for _, c := range g.planned(func(c *Change) bool { return (c.Action == Update || c.Action == Adopt) && !c.leaves }) {
		for _, fc := range c.Fields {
			if g.releasedField(c, fc.Field, guardLosses) {
				continue
			}
			for _, name := range access.Losses(fc.Field, c.Current.Fields[fc.Field], fc.After) {
				losers[thing{fc.Field, name}] = append(losers[thing{fc.Field, name}], c)
			}
		}
	}
	if len(losers) == 0 {
		return
	}
	holders := g.holders(losers)
	held := map[*Change][]spec.Field{}
	var worst thing
	others := 0
	for _, t := range slices.SortedFunc(maps.Keys(losers), func(a, b thing) int {
		return cmp.Or(len(losers[b])-len(losers[a]), cmp.Compare(a.field, b.field), cmp.Compare(a.name, b.name))
	}) {
		done := g.users.done.Losses[lossKey(t.field, t.name)]
		if len(losers[t])+done <= l.within(g.users.floor).of(holders[t]+done) {
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
	for _, c := range g.planned(func(c *Change) bool { return held[c] != nil }) {
		portions = append(portions, portion{c, held[c]})
	}
	if len(portions) == 0 {
		return
	}
	done := g.users.done.Losses[lossKey(worst.field, worst.name)]
	reason := fmt.Sprintf("would %s%s; %s", worst.lostBy(len(losers[worst]), holders[worst]+done), after(done),
		l.inWords(guardLosses, holders[worst]+done, g.users.floor))
	if others > 0 {
		reason += fmt.Sprintf("; the same for %d more", others)
	}
	g.holdPortions(guardLosses, reason, portions)
}

// holders counts who has each of the things, of the users who are looked after.
func (g *guards) holders(losers map[thing][]*Change) map[thing]int {
	byField := map[spec.Field]bool{}
	for t := range losers {
		byField[t.field] = true
	}
	holders := map[thing]int{}
	for id, u := range g.snap.Users {
		if u.Deleted() || !g.ours(id) {
			continue
		}
		for f := range byField {
			v, known := u.Fields[f]
			if !known {
				continue
			}
			if f != spec.Utilization {
				for _, name := range access.Names(f, v) {
					holders[thing{f, name}]++
				}
				continue
			}
			for t := range losers {
				if t.field == f && !slices.Contains(access.DisabledMedia(v), t.name) {
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
