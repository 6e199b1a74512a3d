package plan

import (
	"fmt"

	"usersyncd/spec"
	"usersyncd/state"
)

// mostLooked is how many pinned ids of nobody known are looked up. More of them are a wrong organization.
const mostLooked = 50

// match finds the known user behind each declared one. In this order:
//
//  1. a pinned id, and a former address: an address that somebody gives up must not be taken for that
//     somebody when another user takes it;
//  2. the address;
//  3. the address that was last applied: somebody changed it in Genesys, and it is to be changed back.
func (p *planner) match(users []*spec.User) {
	for _, u := range users {
		if u.ID == "" {
			continue
		}
		if cur := p.Index.ByID[u.ID]; cur != nil {
			p.claim(u, cur)
		} else if !p.answers.Looked[u.ID] && len(p.Lookups.IDs) < mostLooked {
			p.Lookups.IDs = append(p.Lookups.IDs, u.ID) // no listing shows who was deleted
			p.wrong[u.Key] = true
		} else {
			p.problem(u, "id", fmt.Sprintf("no user of this organization has the id %s; correct it, or leave it out to find the user by address", spec.Text(u.ID).Display()))
		}
	}
	for _, u := range users {
		for _, former := range u.PreviousEmails {
			if p.unmatched(u) {
				p.renamed(u, former)
			}
		}
	}
	for _, u := range users {
		if cur := p.Index.ByKey[u.Key]; cur != nil && p.unmatched(u) && p.OwnerOf[cur.ID] == "" {
			p.claim(u, cur)
		}
	}
	applied := map[string]*state.User{}
	for id, cur := range p.Index.ByID {
		key := cur.Applied[spec.Email].Text()
		if other := applied[key]; key != "" && p.OwnerOf[id] == "" && !cur.Deleted() && (other == nil || other.ID < id) {
			applied[key] = cur
		}
	}
	for _, u := range users {
		if cur := applied[u.Key]; cur != nil && p.unmatched(u) && p.Index.ByKey[u.Key] == nil {
			p.claim(u, cur)
		}
	}
}

func (p *planner) unmatched(u *spec.User) bool {
	return p.current[u.Key] == nil && u.ID == "" && !p.wrong[u.Key]
}

// renamed claims the user with the former address, unless the rename is done, and refuses to guess
// when a stranger has the new one.
func (p *planner) renamed(u *spec.User, former string) {
	old, holder := p.Index.Live(former), p.Index.ByKey[u.Key]
	switch {
	case old == nil, holder != nil && p.OwnerOf[old.ID] != "": // done; the former address is somebody else's by now
	case holder == nil, p.OwnerOf[holder.ID] != "": // nobody has the new one, or gives it up
		p.claim(u, old)
	case holder.Applied == nil || old.Applied != nil:
		p.problem(u, "previousEmail", fmt.Sprintf("both %s (id %s) and %s (id %s) exist; pin the one you mean with id, or leave previousEmail out",
			spec.Text(former).Display(), old.ID, spec.Text(u.Key).Display(), holder.ID))
	}
}

func (p *planner) claim(u *spec.User, cur *state.User) {
	if other, taken := p.OwnerOf[cur.ID]; taken {
		p.problem(u, spec.Email, fmt.Sprintf("is the same Genesys user (%s) as %s, declared at %s; keep one of them", cur.ID, other, p.declared[other].Pos))
		return
	}
	p.OwnerOf[cur.ID], p.current[u.Key], p.Index.RenamedTo[u.Key] = u.Key, cur, cur.ID
}
