package plan

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"usersyncd/spec"
	"usersyncd/spec/text"
	"usersyncd/state"
	"usersyncd/sync/plan/identity"
)

// removed plans what is managed and no longer declared, as the policy says. Whatever that is, the user is
// no longer managed after it.
func (p *planner) removed() {
	for key := range p.snap.Intents {
		if p.match.Declared[key] == nil {
			p.Record.ClearIntents = append(p.Record.ClearIntents, key)
		}
	}
	for _, u := range p.left() {
		c := p.removal(u)
		if p.changes[c.Key] != nil {
			continue // the address went to another declared user: next time
		}
		p.changes[c.Key], p.removals[u.ID] = c, c
	}
	for key := range p.snap.Failures {
		if c := p.changes[key]; p.match.Declared[key] == nil && (c == nil || c.Action == Unmanage) {
			p.Record.ClearFailures = append(p.Record.ClearFailures, key)
		}
	}
}

// removal makes the change of a user who is no longer declared.
func (p *planner) removal(u *state.User) *Change {
	c := &Change{Key: u.Key(), Current: u, Outcome: Planned, Action: cmp.Or(p.policy.OnRemoval, Unmanage)}
	c.Desired = spec.Fields{spec.State: spec.Text(map[Action]string{Deactivate: "inactive", Delete: state.Deleted}[c.Action])}
	p.Compare(c)
	c.Hash = string(c.Action)
	if p.moved(u) { // what was released before does not count
		c.Hash += " " + u.Key()
	}
	if c.Action != Unmanage {
		if len(c.Fields) == 0 {
			c.Action = Unmanage
		} else {
			p.quarantine(c)
		}
	}
	return c
}

// moved reports whether a user has another address than the one last applied, which is ours to say.
func (p *planner) moved(u *state.User) bool {
	return !p.emailUnmanaged && u.Key() != u.AppliedKey()
}

// left returns the managed users whom nobody declares, by id.
func (p *planner) left() []*state.User {
	var left []*state.User
	for id, u := range p.snap.Users {
		if u.Applied != nil && p.OwnerOf[id] == "" {
			left = append(left, u)
		}
	}
	slices.SortFunc(left, func(a, b *state.User) int { return cmp.Compare(a.ID, b.ID) })
	return left
}

// lastGood keeps the managed users that a broken tree does not show as they were last applied.
func (p *planner) lastGood() {
	for _, u := range p.left() {
		key := u.Declared.Key
		if key == "" || p.match.Declared[key] != nil || p.held[u.ID] {
			continue
		}
		p.Retained++
		if p.moved(u) {
			continue // the account may be somebody else's by now
		}
		c := newChange(&spec.User{Key: key, Fields: u.Applied}, u)
		c.Hash = (&spec.User{Key: key, Fields: u.Applied}).Hash()
		c.Desired = p.policy.Managed(u.Applied, u)
		p.Compare(c)
		p.lookInto(c)
		if c.Action != Update || len(c.Fields)+len(c.Drift)+len(c.Withheld) == 0 || p.changes[key] != nil || len(p.policy.Guard.Refuses(c)) > 0 {
			continue
		}
		if len(c.Fields)+len(c.Withheld) == 0 {
			c.Outcome, c.Note = Skipped, "drift is only reported"
		} else {
			p.quarantine(c)
		}
		p.changes[key] = c
	}
}

// HasLeavers reports whether a tree says of anybody for certain that the user is to be inactive, whatever else is wrong.
func HasLeavers(tree *spec.Tree) bool {
	return len(tree.Leavers) > 0 || slices.ContainsFunc(tree.Users, leaves)
}

func leaves(u *spec.User) bool {
	return u.Own(spec.State) && u.Fields[spec.State] == spec.Text("inactive")
}

// leaver ends the work of a user whose spec has problems, and says for certain that the user is to be inactive. All
// else stays as it was last applied.
func (p *planner) leaver(u *spec.User) {
	current := p.match.Accounts[u.Key]
	if p.match.Ambiguous[u.Key] || current == nil || current.Deleted() || slices.Contains(p.policy.Unmanaged, spec.State) ||
		current.Applied == nil && !p.policy.Adopt {
		return
	}
	if other := p.match.DeclaredAt(u); other != nil && other != current && u.Ordinal == 0 && u.Fields[spec.Name] == "" {
		return // the file was somebody else's until now, and no name says who is meant
	}
	c := newChange(u, current)
	c.Desired = spec.Fields{}
	maps.Copy(c.Desired, current.Applied)
	c.Desired[spec.State] = u.Fields[spec.State]
	c.Desired = p.policy.Managed(c.Desired, current)
	p.Compare(c)
	c.Fields = slices.DeleteFunc(c.Fields, func(fc FieldChange) bool { return fc.Field != spec.State })
	if c.classify(); !c.Deactivates() {
		return
	}
	c.Hash = u.Hash()
	p.quarantine(c)
	p.changes[c.Key] = c
}

// checkout holds all removals while the specs are of another checkout than the state file remembers: whom that one
// declared says nothing about whom this one leaves out. Only their release makes it the remembered one.
func (g *guards) checkout(now string) {
	switch known := g.snap.Checkout; {
	case now == "" || now == known:
		return
	case known == "":
		g.Record.Checkout = now
		return
	}
	removals := g.planned(func(c *Change) bool { return c.Action.Removes() })
	if len(removals) == 0 {
		return
	}
	g.hold(guardRemovals, fmt.Sprintf("the state file is that of the checkout %s, and the specs are of %s: use another state file for another checkout (--state)",
		text.Escape(g.snap.Checkout), text.Escape(now)), removals)
	if removals[0].Outcome == Planned {
		g.Record.Checkout = now
	}
}

// confirmRestores makes sure of deleted accounts that are about to be restored for their address alone: no listing shows
// them, so that the address which is known may be one of long ago. Who has another one by now is not found again.
func (g *guards) confirmRestores() {
	for _, c := range g.planned(func(c *Change) bool { return c.Action == Restore && g.snap.Users[c.Current.ID].Declared.Key != c.Key }) {
		g.reread(c, "restored")
	}
}

// reread reports whether the user of a change was read in this very pass, without which it is not made.
func (g *guards) reread(c *Change, done string) bool {
	unread, asked := g.answers.Fresh[c.Current.ID]
	switch {
	case !asked:
		g.Lookups.Fresh[c.Current.ID] = true
	case unread != nil:
		c.Outcome, c.Note = Skipped, fmt.Sprintf("nobody is %s without a reading of this pass, and the user cannot be read: %v", done, unread)
	}
	return asked && unread == nil
}

// confirmRemovals makes sure of those who are about to be deactivated or deleted: the act is on what the
// organization says in this very pass, and on nobody who got another address meanwhile.
func (g *guards) confirmRemovals() {
	var moved []*Change
	for _, c := range g.planned(func(c *Change) bool { return c.Action == Deactivate || c.Action == Delete }) {
		if g.reread(c, "removed") && g.moved(c.Current) && !g.released(c, guardRemovals) {
			moved = append(moved, c)
		}
	}
	if len(moved) == 0 {
		return
	}
	first := moved[0]
	reason := fmt.Sprintf("the address was changed in Genesys since it was last applied, from %s to %s, and the account may be somebody else's by now",
		text.Escape(first.Current.Applied[spec.Email].Text()), text.Escape(first.Key))
	if n := len(moved) - 1; n > 0 {
		reason += fmt.Sprintf(" (and %d more)", n)
	}
	g.hold(guardRemovals, reason, moved)
}

// What looks like a rename, and is not said to be one, is asked about: an address that was changed in the spec would
// otherwise be a second account for somebody who has one, and the end of the first.

const guardRenames = "renames"

// renames holds what looks like a rename, and what was matched to an account that seems to be somebody else's.
func (g *guards) renames() {
	if !g.policy.Guard.Renames {
		return
	}
	var reasons []string
	held := map[*Change]bool{}
	for _, r := range g.resemblances() {
		if g.changes[r.Spec.Key] == nil && g.removals[r.Old.ID] == nil {
			continue // neither is about to be done
		}
		if _, asked := g.answers.Fresh[r.Old.ID]; !asked {
			g.Lookups.Fresh[r.Old.ID] = true // it may have the new address already
			continue
		}
		created, removed := g.changes[r.Spec.Key], g.removals[r.Old.ID]
		if g.released(cmp.Or(created, removed), guardRenames) {
			continue
		}
		for _, c := range []*Change{created, removed} {
			if c != nil && (c == created || c.Outcome == Planned) {
				held[c] = true
			}
		}
		if known := g.match.Accounts[r.Spec.Key]; known != nil { // not who it is declared as
			g.redeclared = slices.DeleteFunc(g.redeclared, func(u *state.User) bool { return u.ID == known.ID })
		}
		reasons = append(reasons, fmt.Sprintf("%s: %s looks like %s under another address (%s): add previousEmail: %s if it is the same person",
			r.Spec.Pos, text.Escape(r.Spec.Key), text.Escape(r.Old.Declared.Key), r.Why, text.Escape(r.Old.Declared.Key)))
	}
	for key, why := range g.match.Doubts {
		if c := g.changes[key]; c.planned() && !g.released(c, guardRenames) {
			held[c] = true
			reasons = append(reasons, why)
		}
	}
	if len(reasons) == 0 {
		return
	}
	slices.Sort(reasons)
	reason := reasons[0]
	if n := len(reasons) - 1; n > 0 {
		reason += fmt.Sprintf("; and %d more like it", n)
	}
	g.hold(guardRenames, reason, slices.SortedFunc(maps.Keys(held), (*Change).before))
}

// resemblances pairs whom nobody is known for with whom nobody declares.
func (g *guards) resemblances() []identity.Resemblance {
	var fresh []*spec.User
	for key, u := range g.match.Declared { // also who will not be made, for whatever reason: the account that is left is theirs all the same
		known, c := g.match.Accounts[key], g.changes[key]
		stranger := known != nil && c != nil && known.Applied == nil && known.Removed == "" &&
			(c.Action == Restore || c.Action == Adopt && identity.DifferentName(u, known)) // whose address it is
		if u.ID == "" && !g.match.Ambiguous[key] && (known == nil || stranger || g.match.Doubts[key] != "") {
			fresh = append(fresh, u)
		}
	}
	var left []*state.User // those whom nobody declares, and those of whom it is not certain who does
	for id, u := range g.snap.Users {
		owner := g.OwnerOf[id]
		if u.Applied != nil && !u.Deleted() && !g.held[id] && (owner == "" || g.match.Ambiguous[owner] || g.match.Doubts[owner] != "") {
			left = append(left, u)
		}
	}
	return identity.Resemblances(fresh, left)
}
