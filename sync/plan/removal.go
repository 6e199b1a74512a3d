package plan

import (
	"cmp"
	"slices"

	"usersyncd/spec"
	"usersyncd/state"
)

// removed plans what is managed and no longer declared, as the policy says. Whatever that is, the user is
// no longer managed after it.
func (p *planner) removed() {
	for key := range p.snap.Intents {
		if p.declared[key] == nil {
			p.Record.Settled = append(p.Record.Settled, key)
		}
	}
	for _, u := range p.left() {
		c := p.removal(u)
		if p.changes[c.Key] != nil {
			continue // the address went to another declared user: next time
		}
		p.changes[c.Key] = c
	}
	for key := range p.snap.Failures {
		if c := p.changes[key]; p.declared[key] == nil && (c == nil || c.Action == Unmanage) {
			p.Record.Cleared = append(p.Record.Cleared, key)
		}
	}
}

// removal makes the change of a user who is no longer declared.
func (p *planner) removal(u *state.User) *Change {
	c := &Change{Key: u.Key(), Current: u, Outcome: Planned, Action: cmp.Or(p.policy.OnRemoval, Unmanage)}
	c.Desired = spec.Fields{spec.State: spec.Text(map[Action]string{Deactivate: "inactive", Delete: state.Deleted}[c.Action])}
	if u.Deleted() {
		c.Action = Unmanage // by hand, already
	}
	p.Index.Compare(c)
	c.Hash = string(c.Action)
	if c.Action != Unmanage {
		if len(c.Fields) == 0 {
			c.Action = Unmanage
		} else {
			p.quarantine(c)
		}
	}
	return c
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
		key := u.Applied[spec.Email].Text()
		if key == "" || p.declared[key] != nil || p.held[u.ID] {
			continue
		}
		p.Retained++
		c := newChange(&spec.User{Key: key, Fields: u.Applied}, u)
		c.Hash = (&spec.User{Key: key, Fields: u.Applied}).Hash()
		c.Desired = p.policy.Managed(u.Applied, u)
		p.Index.Compare(c)
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
