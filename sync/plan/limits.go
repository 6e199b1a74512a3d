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

// Limit is a percentage, but at least a number.
type Limit struct {
	Percent int
	Floor   int
}

// of returns how many of all the limit allows.
func (l Limit) of(all int) int { return max(l.Floor, all*l.Percent/100) }

// halved returns the limit for an organization of so many users. Its floor is at most half of them: a floor of 10 would
// protect nobody in an organization of 12.
func (l Limit) halved(users int) Limit {
	l.Floor = min(l.Floor, max(1, (users+1)/2))
	return l
}

func (l *Limit) String() string { return fmt.Sprintf("%d%%,%d", l.Percent, l.Floor) }

// A usage compares what a plan would do with the limit of a guard.
type usage struct {
	guard   string
	limit   *Limit // nil: none
	planned int
	recent  int    // done within the last 24 hours
	all     int    // of which the limit allows a share
	users   int    // to halve the limit by; -1: it is not halved
	noun    string // of what is done, such as "removals"
	unknown bool   // the state file was damaged within 24 hours: more may have been done
}

func (u *usage) allowed() int {
	if u.users < 0 {
		return u.limit.of(u.all)
	}
	return u.limit.halved(u.users).of(u.all)
}

func (u *usage) exceeded() bool {
	return u.limit != nil && u.planned > 0 && (u.unknown || u.recent+u.planned > u.allowed())
}

// reason says what a plan would do, and why that is held.
func (u *usage) reason(would string) string {
	if u.unknown {
		return fmt.Sprintf("%s; the state file was damaged within 24 hours, and earlier %s may be missing in it (--%s %s)", would, u.noun, u.guard, u.limit)
	}
	if u.recent > 0 {
		would += fmt.Sprintf(", after %d in the last 24 hours", u.recent)
	}
	note := ""
	if u.users > 0 && u.limit.halved(u.users).Floor < u.limit.Floor {
		note = fmt.Sprintf("; its floor is at most half of %d users", u.users)
	}
	return fmt.Sprintf("%s; the limit is %d (--%s %s%s)", would, u.allowed(), u.guard, u.limit, note)
}

// userCounts are what limits are measured against.
type userCounts struct {
	managed int
	former  int // no longer managed, at most: those whom usersyncd has removed, or is set to leave as they are
	listed  int // managed or not
	inScope int // managed, or declared and existing
	recent  state.Tally
	floor   int // users that a floor is measured against
}

func (g *guards) countUsers() {
	g.counts = userCounts{recent: tally.Recent(g.Guards.Tallies, g.now)}
	for id, u := range g.snap.Users {
		if u.LastApplied == nil && (u.Removed != "" || !u.Deleted() && cmp.Or(g.policy.OnRemoval, Unmanage) == Unmanage) {
			g.counts.former++
		}
		if u.Deleted() {
			continue
		}
		g.counts.listed++
		if u.LastApplied != nil {
			g.counts.managed++
		}
		if g.inScope(id) {
			g.counts.inScope++
		}
	}
	g.counts.floor = cmp.Or(g.counts.managed, g.counts.listed)
	if e := g.policy.Previous; e != nil { // before it, no user may have been managed
		g.counts.floor = e.counts.floor
	}
}

// inScope reports whether a known user is managed or declared.
func (g *guards) inScope(id string) bool {
	return g.snap.Users[id].LastApplied != nil || g.OwnerOf[id] != ""
}

// describe names the users that a limit is a share of.
func (n userCounts) describe(all int) string {
	if n.managed < all {
		return fmt.Sprintf("%d users", all)
	}
	return fmt.Sprintf("%d managed users", all)
}

// limitRemovals holds too many removals of users that are no longer declared. It also holds creations, if they exceed the
// limit, too: then the tree may be another organization's.
func (g *guards) limitRemovals() {
	changes := g.plannedChanges(func(c *Change) bool { return c.Action.Removes() && !g.isReleased(c, guardRemovals) })
	done := g.counts.recent
	all := g.counts.managed + min(done.Removed, g.counts.former) // some may be back
	u := usage{guard: guardRemovals, limit: g.policy.Guard.Removals, planned: len(changes), recent: done.Removed, all: all, users: all,
		noun: "removals", unknown: done.Incomplete}
	if !u.exceeded() {
		return
	}
	would := fmt.Sprintf("would remove %d of %d managed users", len(changes), all)
	created := g.plannedChanges(func(c *Change) bool { return c.addsUser() && !g.isReleased(c, guardRemovals) })
	if len(created)+done.Created > u.allowed() {
		would += fmt.Sprintf(" and create %d", len(created))
		changes = append(changes, created...)
	}
	g.hold(guardRemovals, u.reason(would), changes)
}

func (g *guards) limitDeactivations() {
	changes := g.plannedChanges(func(c *Change) bool {
		return !c.Action.Removes() && c.Deactivates() && !g.isReleased(c, guardDeactivations) && !c.repeatsDeactivation(c.Current)
	})
	all := g.counts.inScope
	// After damage of the state file earlier deactivations may be missing. They can be taken back, and leavers must not wait.
	u := usage{guard: guardDeactivations, limit: g.policy.Guard.Deactivations, planned: len(changes), recent: g.counts.recent.Deactivated, all: all, users: g.counts.floor}
	if u.exceeded() {
		g.hold(guardDeactivations, u.reason(fmt.Sprintf("would deactivate %d of %s", len(changes), g.counts.describe(all))), changes)
	}
}

// A new organization has at most so many users, none of them managed.
const newOrganization = 10

// limitCreations holds too many creations and restores. A first import is not held, even when it takes several passes;
// there is none if the state file was damaged recently.
func (g *guards) limitCreations() {
	changes := g.plannedChanges((*Change).addsUser)
	done := g.counts.recent
	if len(changes) > 0 && !done.Incomplete && g.counts.managed == 0 && g.counts.listed <= newOrganization && g.Guards.FirstImport.IsZero() {
		g.Guards.FirstImport = tally.Minute(g.now)
	}
	if !done.Incomplete && !g.Guards.FirstImport.IsZero() {
		return
	}
	changes = slices.DeleteFunc(changes, func(c *Change) bool {
		return g.isReleased(c, guardCreations, guardRemovals, guardReactivations, guardAdmins)
	})
	all := max(0, g.counts.listed-done.Created)
	u := usage{guard: guardCreations, limit: g.policy.Guard.Creations, planned: len(changes), recent: done.Created, all: all, users: -1,
		noun: "creations", unknown: done.Incomplete}
	if !u.exceeded() {
		return
	}
	verb := "create"
	if slices.ContainsFunc(changes, func(c *Change) bool { return c.Action == Restore }) {
		verb = "create or restore"
	}
	g.hold(guardCreations, u.reason(fmt.Sprintf("would %s %d users in an organization of %d", verb, len(changes), all)), changes)
}

func (g *guards) limitAddresses() {
	changes := g.plannedChanges(func(c *Change) bool { return c.ChangesAddress() && !g.isFieldReleased(c, spec.Email, guardMaxRenames) })
	all, done := g.counts.inScope, g.counts.recent
	u := usage{guard: guardMaxRenames, limit: g.policy.Guard.Addresses, planned: len(changes), recent: done.Renamed, all: all, users: g.counts.floor,
		noun: "changes of addresses", unknown: done.Incomplete}
	if u.exceeded() {
		g.hold(guardMaxRenames, u.reason(fmt.Sprintf("would change the address of %d of %s%s", len(changes), g.counts.describe(all), g.describeAdmins(changes))), changes, spec.Email)
	}
}

// limitChanges holds everything that no other guard is about, if too many users change.
func (g *guards) limitChanges() {
	if g.policy.Guard.Changes == nil {
		return
	}
	var portions []portion
	for _, c := range g.plannedChanges(func(c *Change) bool { return c.Action == Update || c.Action == Adopt }) {
		w := portion{Change: c}
		for _, fc := range c.Fields {
			if fc.Field != spec.Email && fc.Field != spec.State && !g.isFieldReleased(c, fc.Field, guardChanges) {
				w.fields = append(w.fields, fc.Field)
			}
		}
		if len(w.fields) > 0 {
			portions = append(portions, w)
		}
	}
	all := g.counts.inScope
	if u := (usage{guard: guardChanges, limit: g.policy.Guard.Changes, planned: len(portions), all: all, users: -1}); u.exceeded() {
		g.holdPortions(guardChanges, u.reason(fmt.Sprintf("would change %d of %s", len(portions), g.counts.describe(all))), portions)
	}
}

// substituteHeldAddresses makes references to users whose new address is held use the old one, so that what refers to them
// need not wait.
func (g *guards) substituteHeldAddresses() {
	current := map[string]spec.Value{}
	g.keptAddresses = map[string]bool{}
	for _, c := range g.changes {
		if c.Withholds(spec.Email) {
			current[c.Key], g.keptAddresses[c.Current.Key()] = spec.Text(c.Current.Key()), true
		}
	}
	if len(current) == 0 {
		return
	}
	for _, c := range g.changes {
		for i, fc := range c.Fields {
			info, _ := spec.Lookup(fc.Field)
			if address, held := current[fc.After.Text()]; info.RefersToUser && held {
				c.Fields = slices.Clone(c.Fields)
				c.Fields[i].After = address
				c.Desired = slices.Clone(c.Desired)
				c.Desired.Set(fc.Field, address)
			}
		}
	}
}

// An entitlement is what users may lose: a name in a field.
type entitlement struct {
	field spec.Field
	name  string
}

// limitLosses holds what takes the same entitlement from too many of those who have it. Users that are deactivated or
// removed do not count.
func (g *guards) limitLosses() {
	if g.policy.Guard.Losses == nil {
		return
	}
	losers := map[entitlement][]*Change{}
	for _, c := range g.plannedChanges(func(c *Change) bool { return (c.Action == Update || c.Action == Adopt) && !c.endsAccess }) {
		for _, fc := range c.Fields {
			if g.isFieldReleased(c, fc.Field, guardLosses) {
				continue
			}
			for _, name := range access.Losses(fc.Field, c.Current.Fields.Get(fc.Field), fc.After) {
				losers[entitlement{fc.Field, name}] = append(losers[entitlement{fc.Field, name}], c)
			}
		}
	}
	if len(losers) == 0 {
		return
	}
	holders := g.holders(losers)
	held := map[*Change][]spec.Field{}
	reason, others := "", 0
	for _, e := range slices.SortedFunc(maps.Keys(losers), func(a, b entitlement) int {
		return cmp.Or(len(losers[b])-len(losers[a]), cmp.Compare(a.field, b.field), cmp.Compare(a.name, b.name))
	}) {
		n, done := len(losers[e]), g.counts.recent.Losses[lossKey(e.field, e.name)]
		all := min(holders[e]+done, g.counts.inScope) // some may have it again
		u := usage{guard: guardLosses, limit: g.policy.Guard.Losses, planned: n, recent: done, all: all, users: g.counts.floor}
		if !u.exceeded() {
			continue
		}
		if reason == "" {
			reason = u.reason("would " + e.describeLoss(n, all))
		} else {
			others++
		}
		for _, c := range losers[e] {
			if !slices.Contains(held[c], e.field) {
				held[c] = append(held[c], e.field)
			}
		}
	}
	if others > 0 {
		reason += fmt.Sprintf("; the same for %d more", others)
	}
	var portions []portion
	for _, c := range g.plannedChanges(func(c *Change) bool { return held[c] != nil }) {
		portions = append(portions, portion{c, held[c]})
	}
	g.holdPortions(guardLosses, reason, portions)
}

// holders counts the users in scope that have each entitlement.
func (g *guards) holders(losers map[entitlement][]*Change) map[entitlement]int {
	byField, media := map[spec.Field]bool{}, []entitlement{}
	for e := range losers {
		if byField[e.field] = true; e.field == spec.Utilization {
			media = append(media, e)
		}
	}
	holders := map[entitlement]int{}
	for id, u := range g.snap.Users {
		if u.Deleted() || !g.inScope(id) {
			continue
		}
		for f := range byField {
			v, known := u.Fields.Lookup(f)
			if !known {
				continue
			}
			if f != spec.Utilization {
				for _, name := range access.Names(f, v) {
					holders[entitlement{f, name}]++
				}
				continue
			}
			disabled := access.DisabledMedia(v)
			for _, e := range media {
				if !slices.Contains(disabled, e.name) {
					holders[e]++
				}
			}
		}
	}
	return holders
}

func (e entitlement) describeLoss(n, holders int) string {
	name := spec.Text(e.name).Display()
	if e.field == spec.Utilization {
		return fmt.Sprintf("set the capacity for %s to 0 for %d of the %d users who take it", name, n, holders)
	}
	kinds := map[spec.Field]string{spec.Skills: "skill", spec.Languages: "language", spec.Queues: "queue", spec.Groups: "group", spec.Roles: "role", spec.Locations: "location"}
	return fmt.Sprintf("take the %s %s from %d of the %d users who have it", kinds[e.field], name, n, holders)
}
