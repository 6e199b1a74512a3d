package plan

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"usersyncd/spec"
	"usersyncd/state"
	"usersyncd/sync/plan/identity"
)

// What looks like a rename, and is not said to be one, is asked about: an address that was changed in the spec would
// otherwise be a second account for somebody who has one, and the end of the first.

const guardRenames = "renames"

// renames holds what looks like a rename, and what was matched to an account that seems to be somebody else's.
func (p *planner) renames() {
	if !p.policy.Guard.Renames {
		return
	}
	var reasons []string
	held := map[*Change]bool{}
	for _, r := range p.resemblances() {
		if p.changes[r.Spec.Key] == nil && p.removals[r.Old.ID] == nil {
			continue // neither is about to be done
		}
		if _, asked := p.answers.Fresh[r.Old.ID]; !asked {
			p.Lookups.Fresh[r.Old.ID] = true // it may have the new address already
			continue
		}
		created, removed := p.changes[r.Spec.Key], p.removals[r.Old.ID]
		if p.released(guardRenames, cmp.Or(created, removed)) {
			continue
		}
		for _, c := range []*Change{created, removed} {
			if c != nil && (c == created || c.Outcome == Planned) {
				held[c] = true
			}
		}
		if known := p.match.Accounts[r.Spec.Key]; known != nil { // not who it is declared as
			p.redeclared = slices.DeleteFunc(p.redeclared, func(u *state.User) bool { return u.ID == known.ID })
		}
		reasons = append(reasons, fmt.Sprintf("%s: %s looks like %s under another address (%s): add previousEmail: %s if it is the same person",
			r.Spec.Pos, spec.Escape(r.Spec.Key), spec.Escape(r.Old.Declared.Key), r.Why, spec.Escape(r.Old.Declared.Key)))
	}
	for key, why := range p.match.Doubts {
		if c := p.changes[key]; c != nil && c.Outcome == Planned && !p.released(guardRenames, c) {
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
	p.hold(guardRenames, reason, slices.SortedFunc(maps.Keys(held), (*Change).before))
}

// resemblances pairs whom nobody is known for with whom nobody declares.
func (p *planner) resemblances() []identity.Resemblance {
	var fresh []*spec.User
	for key, u := range p.match.Declared { // also who will not be made, for whatever reason: the account that is left is theirs all the same
		known, c := p.match.Accounts[key], p.changes[key]
		stranger := known != nil && c != nil && known.Applied == nil && known.Removed == "" &&
			(c.Action == Restore || c.Action == Adopt && identity.OtherName(u, known)) // whose address it is
		if u.ID == "" && !p.match.Unclear[key] && (known == nil || stranger || p.match.Doubts[key] != "") {
			fresh = append(fresh, u)
		}
	}
	var left []*state.User // those whom nobody declares, and those of whom it is not certain who does
	for id, u := range p.snap.Users {
		owner := p.OwnerOf[id]
		if u.Applied != nil && !u.Deleted() && !p.held[id] && (owner == "" || p.match.Unclear[owner] || p.match.Doubts[owner] != "") {
			left = append(left, u)
		}
	}
	return identity.Resemblances(fresh, left)
}
