package plan

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"time"

	"usersyncd/spec"
	"usersyncd/state"
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
func (p *planner) count() {
	p.users = census{done: p.lately()}
	for id, u := range p.snap.Users {
		if u.Deleted() {
			continue
		}
		p.users.listed++
		if u.Applied != nil {
			p.users.managed++
		}
		if p.ours(id) {
			p.users.ours++
		}
	}
	p.users.floor = cmp.Or(p.users.managed, p.users.listed)
	if e := p.policy.Earlier; e != nil { // which may have been the first
		p.users.floor = e.users.floor
	}
}

// ours reports whether a known user is looked after.
func (p *planner) ours(id string) bool { return p.snap.Users[id].Applied != nil || p.OwnerOf[id] != "" }

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
func (p *planner) limitRemovals() {
	l, done := p.policy.Guard.Removals, p.users.done.Removed
	changes := p.planned(func(c *Change) bool { return c.Action.Removes() && !p.released(guardRemovals, c) })
	if l == nil || len(changes) == 0 {
		return
	}
	all := p.users.managed + done
	most := l.within(all).of(all)
	if done+len(changes) <= most && !p.users.done.Forgotten {
		return
	}
	what := fmt.Sprintf("would remove %d of %d managed users", len(changes), all)
	created := p.planned(func(c *Change) bool { return c.creates() && !p.released(guardRemovals, c) })
	if len(created)+p.users.done.Created > most {
		what += fmt.Sprintf(" and create %d", len(created))
		changes = append(changes, created...)
	}
	reason := what + after(done) + "; " + l.inWords(guardRemovals, all, all)
	if p.users.done.Forgotten {
		reason = forgottenReason(what, "removals", guardRemovals, l)
	}
	p.hold(guardRemovals, reason, changes)
}

// forgottenReason is why a limit holds everything that it is about: how much was done in 24 hours is not known.
func forgottenReason(what, earlier, guard string, l *Limit) string {
	return fmt.Sprintf("%s; the state file was damaged within 24 hours, and earlier %s may be forgotten (--%s %s)", what, earlier, guard, l)
}

// limitDeactivations holds the declared users who are switched off, if there are too many.
func (p *planner) limitDeactivations() {
	l, done, all, most := p.policy.Guard.Deactivations, p.users.done.Deactivated, p.users.ours, p.users.floor
	changes := p.planned(func(c *Change) bool {
		return !c.Action.Removes() && c.Deactivates() && !p.released(guardDeactivations, c) && !c.again(c.Current)
	})
	if l != nil && done+len(changes) > l.within(most).of(all) {
		p.hold(guardDeactivations, fmt.Sprintf("would deactivate %d of %s%s; %s", len(changes), p.users.ofWhom(all), after(done),
			l.inWords(guardDeactivations, all, most)), changes)
	}
}

// Deactivates reports whether a user who is active will not be.
func (c *Change) Deactivates() bool {
	return active(c.Current) && slices.ContainsFunc(c.Fields, func(fc FieldChange) bool {
		return fc.Field == spec.State && fc.After != spec.Text("active")
	})
}

// again reports whether a user was deactivated before, as declared, and somebody else has activated it: that counted
// the first time, and is done every time.
func (c *Change) again(before *state.User) bool {
	return before.Applied[spec.State] != "" && before.Applied[spec.State] == c.Desired[spec.State]
}

// creates reports whether somebody is there afterwards who was not, and whom usersyncd did not take away itself.
func (c *Change) creates() bool {
	return c.Action == Create || c.Action == Restore && c.Current.Removed == ""
}

// A new organization is one of at most so many users, of whom none is managed.
const newOrganization = 10

// limitCreations holds the users who are created or restored, if there are too many. A first import is never held, also
// when it takes several passes; nothing is one while the state file was damaged of late.
func (p *planner) limitCreations() {
	l, done, forgotten := p.policy.Guard.Creations, p.users.done.Created, p.users.done.Forgotten
	changes := p.planned(func(c *Change) bool { return c.creates() })
	if len(changes) > 0 && !forgotten && p.users.managed == 0 && p.users.listed <= newOrganization && p.Guards.FirstImport.IsZero() {
		p.Guards.FirstImport = minute(p.now)
	}
	if l == nil || !forgotten && !p.Guards.FirstImport.IsZero() {
		return
	}
	changes = slices.DeleteFunc(changes, func(c *Change) bool {
		return p.releasedUnder(c, guardCreations, guardRemovals, guardReactivations, guardAdmins)
	})
	all := max(0, p.users.listed-done)
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
	p.hold(guardCreations, reason, changes)
}

// EndImport ends the first import of a new organization, once the tree is fully applied. It returns what is to be
// remembered; nil if there was none.
func (p *Plan) EndImport() *state.Guards {
	if p.Guards.FirstImport.IsZero() {
		return nil
	}
	p.Guards.FirstImport = time.Time{}
	guards := p.Guards
	return &guards
}

// limitAddresses holds the changes of addresses, if there are too many.
func (p *planner) limitAddresses() {
	l, done, all, most := p.policy.Guard.Addresses, p.users.done.Renamed, p.users.ours, p.users.floor
	forgotten := p.users.done.Forgotten
	changes := p.planned(func(c *Change) bool { return c.ChangesAddress() && !p.releasedField(c, spec.Email, guardMaxRenames) })
	if l == nil || len(changes) == 0 || !forgotten && done+len(changes) <= l.within(most).of(all) {
		return
	}
	what := fmt.Sprintf("would change the address of %d of %s%s", len(changes), p.users.ofWhom(all), p.amongThem(changes))
	reason := what + after(done) + "; " + l.inWords(guardMaxRenames, all, most)
	if forgotten {
		reason = forgottenReason(what, "changes of addresses", guardMaxRenames, l)
	}
	p.holdField(guardMaxRenames, reason, spec.Email, changes)
}

// ChangesAddress reports whether a user gets another address.
func (c *Change) ChangesAddress() bool {
	return c.Current != nil && c.Action != Create && slices.ContainsFunc(c.Fields, func(fc FieldChange) bool {
		return fc.Field == spec.Email && spec.Key(fc.After.Text()) != c.Current.Key()
	})
}

// limitChanges holds everything that no other guard is about, if too many users change.
func (p *planner) limitChanges() {
	l := p.policy.Guard.Changes
	if l == nil {
		return
	}
	var held []portion
	for _, c := range p.planned(func(c *Change) bool { return c.Action == Update || c.Action == Adopt }) {
		w := portion{Change: c}
		for _, fc := range c.Fields {
			if fc.Field != spec.Email && fc.Field != spec.State && !p.releasedField(c, fc.Field, guardChanges) {
				w.fields = append(w.fields, fc.Field)
			}
		}
		if len(w.fields) > 0 {
			held = append(held, w)
		}
	}
	if all := p.users.ours; len(held) > l.of(all) {
		p.holdPortions(guardChanges, fmt.Sprintf("would change %d of %s; %s", len(held), p.users.ofWhom(all), l.inWords(guardChanges, all, 0)), held)
	}
}

// keepAddresses refers to whoever keeps the address for now by that: what is not held of others does not wait for it.
func (p *planner) keepAddresses() {
	keep := map[string]spec.Value{}
	p.keeps = map[string]bool{}
	for _, c := range p.changes {
		if c.Withholds(spec.Email) {
			keep[c.Key], p.keeps[c.Current.Key()] = spec.Text(c.Current.Key()), true
		}
	}
	if len(keep) == 0 {
		return
	}
	for _, c := range p.changes {
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
