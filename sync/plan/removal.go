package plan

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"usersyncd/spec"
	"usersyncd/state"
)

// removed plans what is managed and no longer declared, as the policy says. Whatever that is, the user is
// no longer managed after it.
func (p *planner) removed() {
	for key := range p.snap.Intents {
		if p.match.Declared[key] == nil {
			p.Record.Settled = append(p.Record.Settled, key)
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
			p.Record.Cleared = append(p.Record.Cleared, key)
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

// checkout holds all removals while the specs are of another checkout than the state file remembers: whom that one
// declared says nothing about whom this one leaves out. Only their release makes it the remembered one.
func (p *planner) checkout(now string) {
	switch known := p.snap.Checkout; {
	case now == "" || now == known:
		return
	case known == "":
		p.Record.Checkout = now
		return
	}
	removals := p.planned(func(c *Change) bool { return c.Action.Removes() })
	if len(removals) == 0 {
		return
	}
	p.hold(guardRemovals, fmt.Sprintf("the state file is that of the checkout %s, and the specs are of %s: use another state file for another checkout (--state)",
		spec.Escape(p.snap.Checkout), spec.Escape(now)), removals)
	if removals[0].Outcome == Planned {
		p.Record.Checkout = now
	}
}

// confirmRestores makes sure of deleted accounts that are about to be restored for their address alone: no listing shows
// them, so that the address which is known may be one of long ago. Who has another one by now is not found again.
func (p *planner) confirmRestores() {
	for _, c := range p.planned(func(c *Change) bool { return c.Action == Restore && p.snap.Users[c.Current.ID].Declared.Key != c.Key }) {
		unread, asked := p.answers.Fresh[c.Current.ID]
		switch {
		case !asked:
			p.Lookups.Fresh[c.Current.ID] = true
		case unread != nil:
			c.Outcome, c.Note = Skipped, fmt.Sprintf("nobody is restored without a reading of this pass, and the user cannot be read: %v", unread)
		}
	}
}

// confirmRemovals makes sure of those who are about to be deactivated or deleted: the act is on what the
// organization says in this very pass, and on nobody who got another address meanwhile.
func (p *planner) confirmRemovals() {
	var moved []*Change
	for _, c := range p.planned(func(c *Change) bool { return c.Action == Deactivate || c.Action == Delete }) {
		unread, asked := p.answers.Fresh[c.Current.ID]
		if !asked {
			p.Lookups.Fresh[c.Current.ID] = true
			continue
		}
		if unread != nil {
			c.Outcome, c.Note = Skipped, fmt.Sprintf("nobody is removed without a reading of this pass, and the user cannot be read: %v", unread)
			continue
		}
		if p.moved(c.Current) && !p.released(guardRemovals, c) {
			moved = append(moved, c)
		}
	}
	if len(moved) == 0 {
		return
	}
	first := moved[0]
	reason := fmt.Sprintf("the address was changed in Genesys since it was last applied, from %s to %s, and the account may be somebody else's by now",
		spec.Escape(first.Current.Applied[spec.Email].Text()), spec.Escape(first.Key))
	if n := len(moved) - 1; n > 0 {
		reason += fmt.Sprintf(" (and %d more)", n)
	}
	p.hold(guardRemovals, reason, moved)
}

// Leavers reports whether a tree says of anybody for certain that the user is to be inactive, whatever else is wrong.
func Leavers(tree *spec.Tree) bool {
	return len(tree.Leavers) > 0 || slices.ContainsFunc(tree.Users, leaves)
}

func leaves(u *spec.User) bool {
	return u.Own(spec.State) && u.Fields[spec.State] == spec.Text("inactive")
}

// leaver ends the work of a user whose spec has problems, and says for certain that the user is to be inactive. All
// else stays as it was last applied.
func (p *planner) leaver(u *spec.User) {
	current := p.match.Accounts[u.Key]
	if p.match.Unclear[u.Key] || current == nil || current.Deleted() || slices.Contains(p.policy.Unmanaged, spec.State) ||
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
