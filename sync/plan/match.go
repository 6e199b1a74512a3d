package plan

import (
	"cmp"
	"fmt"
	"slices"

	"usersyncd/spec"
	"usersyncd/state"
)

// mostLooked is how many pinned ids of nobody known are looked up. More of them are a wrong organization.
const mostLooked = 50

// match finds the known user behind each declared one. In this order, and whom an earlier step has claimed is not
// there for a later one:
//
//  1. a pinned id;
//  2. a former address, unless that rename is done: whoever was declared by it, else whoever has it;
//  3. the record: whoever was last matched to a declaration by this address, whatever its address is by now;
//  4. the address.
func (p *planner) match(users []*spec.User) {
	p.recorded, p.doubles, p.places = recorded(p.snap.Users)
	for _, u := range p.snap.Users {
		for _, key := range u.Formerly {
			p.formerly[key] = true
		}
	}
	p.matchIDs(users)
	for _, u := range users {
		if p.unmatched(u) {
			p.matchFormer(u)
		}
	}
	for _, u := range users {
		if p.unmatched(u) {
			p.matchRecord(u)
		}
	}
	for _, u := range users {
		if p.unmatched(u) {
			p.matchAddress(u)
		}
	}
}

// recorded indexes users by the key and by the place that they were last declared at. Of several the one who is not
// deleted counts, then the one with the greater id, so that a plan does not depend on the order of a map. doubles are the
// others with a key, the best last: an address that was refused may have been declared for two.
func recorded(users map[string]*state.User) (byKey map[string]*state.User, doubles map[string][]*state.User, byPlace map[place]*state.User) {
	byKey, doubles, byPlace = make(map[string]*state.User, len(users)), map[string][]*state.User{}, make(map[place]*state.User, len(users))
	better := func(u, old *state.User) bool {
		return old == nil || old.Deleted() && !u.Deleted() || old.Deleted() == u.Deleted() && u.ID > old.ID
	}
	for _, u := range users {
		d := u.Declared
		if old := byKey[d.Key]; d.Key != "" {
			if better(u, old) {
				byKey[d.Key], u = u, old
			}
			if u != nil {
				doubles[d.Key] = append(doubles[d.Key], u)
			}
		}
	}
	for _, u := range users {
		if d := u.Declared; d.File != "" && better(u, byPlace[placeOf(d)]) {
			byPlace[placeOf(d)] = u
		}
	}
	for _, list := range doubles {
		slices.SortFunc(list, func(a, b *state.User) int {
			if better(a, b) {
				return 1
			}
			return -1
		})
	}
	return byKey, doubles, byPlace
}

func (p *planner) unmatched(u *spec.User) bool {
	return p.current[u.Key] == nil && u.ID == "" && !p.wrong[u.Key]
}

// unclear leaves a user out of whom it is not known which account is meant.
func (p *planner) unclear(u *spec.User, f spec.Field, message string) {
	p.wrong[u.Key] = true
	p.problem(u, f, message)
}

func (p *planner) claim(u *spec.User, cur *state.User) {
	if other, taken := p.OwnerOf[cur.ID]; taken {
		p.unclear(u, spec.Email, fmt.Sprintf("is the same Genesys user (%s) as %s, declared at %s; keep one of them", cur.ID, other, p.declared[other].Pos))
		return
	}
	p.OwnerOf[cur.ID], p.current[u.Key], p.Index.RenamedTo[u.Key] = u.Key, cur, cur.ID
	key := cur.Declared.Key
	if list := p.doubles[key]; len(list) > 0 && p.recorded[key] == cur { // then it is another one's, who was declared so, too
		p.recorded[key], p.doubles[key] = list[len(list)-1], list[:len(list)-1]
	}
}

// matchIDs claims the users who are pinned by id. Two specs that name one account are both wrong: which of them is
// meant nobody can tell.
func (p *planner) matchIDs(users []*spec.User) {
	pinned := map[string][]*spec.User{}
	for _, u := range users {
		if u.ID != "" {
			pinned[u.ID] = append(pinned[u.ID], u)
		}
	}
	for _, u := range users {
		if u.ID == "" {
			continue
		}
		cur := p.Index.ByID[u.ID]
		switch {
		case cur == nil && !p.answers.Looked[u.ID] && len(p.Lookups.IDs) < mostLooked:
			p.Lookups.IDs = append(p.Lookups.IDs, u.ID) // no listing shows who was deleted
			p.wrong[u.Key] = true
			continue
		case cur == nil:
			p.unclear(u, "id", fmt.Sprintf("no user of this organization has the id %s; correct it, or leave it out to find the user by address", spec.Text(u.ID).Display()))
			continue
		case len(pinned[u.ID]) > 1:
			other := pinned[u.ID][0]
			if other == u {
				other = pinned[u.ID][1]
			}
			p.sameAccount(u, other, cur)
			continue
		}
		if other := p.rival(u, cur); other != nil {
			p.sameAccount(u, other, cur)
			p.sameAccount(other, u, cur)
			continue
		}
		p.claim(u, cur)
		if p.copied(u, cur) {
			p.doubted[u.Key] = fmt.Sprintf("%s: id %s is that of %s (%s), whose name and address are others: "+
				"leave the id out if the spec was copied, or add previousEmail: %s if it is the same person",
				u.Pos, cur.ID, Printable(cur.Key()), cur.Fields[spec.Name].Display(), Printable(cur.Key()))
		}
	}
}

// rival returns another spec that declares a pinned account, by record or address. A hire at the address of a user who
// is renamed is none: the name, or a former address of its own, tells. An employee id that is not the account's tells that
// the spec with the id is a copy.
func (p *planner) rival(u *spec.User, cur *state.User) *spec.User {
	for _, key := range []string{cur.Declared.Key, cur.Key()} {
		other := p.declared[key]
		if other != nil && other != u && other.ID == "" && len(other.PreviousEmails) == 0 && (p.copied(u, cur) || otherEmployee(u, cur) || other.Fields[spec.Name] == "" || other.Fields[spec.Name] == cur.Fields[spec.Name]) {
			return other
		}
	}
	return nil
}

// sameAccount says that two specs declare one account. It is claimed for neither, and removed for none.
func (p *planner) sameAccount(u, other *spec.User, cur *state.User) {
	p.OwnerOf[cur.ID] = u.Key
	if !p.wrong[u.Key] {
		p.unclear(u, "id", fmt.Sprintf("is the same Genesys user (%s) as %s, declared at %s; keep the id in one of them", cur.ID, Printable(other.Key), other.Pos))
	}
}

// copied reports whether a spec seems to be a copy of another user's, with the id left in: everything that would tell
// that the account is meant is different.
func (p *planner) copied(u *spec.User, cur *state.User) bool {
	return cur.Key() != u.Key && cur.Declared.Key != u.Key && otherName(u, cur) &&
		!slices.Contains(u.PreviousEmails, cur.Key()) && !slices.Contains(u.PreviousEmails, cur.Declared.Key)
}

// otherName reports whether a spec names somebody else than the account does. A spec without a name says nothing.
func otherName(u *spec.User, cur *state.User) bool {
	want, have := u.Fields[spec.Name], cur.Fields[spec.Name]
	return want != "" && have != "" && want != have
}

// matchFormer claims the user with a former address, unless the rename is done, and refuses to guess when a stranger
// has the new one, or nobody could look up who has the former one.
func (p *planner) matchFormer(u *spec.User) {
	holder, known := p.Index.ByKey[u.Key], p.recorded[u.Key]
	if known != nil && p.OwnerOf[known.ID] != "" {
		known = nil
	}
	taken, unsearched := "", ""
	for _, former := range u.PreviousEmails {
		if known != nil && slices.Contains(known.Formerly, former) {
			return // done: the former address is whoever's it is by now
		}
		if slices.ContainsFunc(u.PreviousEmails, func(later string) bool {
			next := p.recorded[later]
			return later != former && next != nil && slices.Contains(next.Formerly, former)
		}) {
			continue // done, and renamed again
		}
		if p.recorded[former] == nil && p.formerly[former] {
			continue // done; who has the address by now was given it by hand
		}
		old := p.free(p.recorded[former])
		if old == nil {
			old = p.free(p.Index.ByKey[former])
		}
		next := p.declared[former] // somebody else is declared by the former address
		successor, own := next != nil, (*state.User)(nil)
		if old != nil {
			own = p.ownAccount(u, old)
		}
		switch {
		case old == nil && p.Index.ByKey[former] == nil && holder == nil:
			switch err, asked := p.answers.Searched[former]; { // it may be that of a deleted user, whom no listing shows
			case !asked:
				p.Lookups.Emails[former] = true
			case err != nil:
				unsearched = cmp.Or(unsearched, fmt.Sprintf("it cannot be told whether a deleted user has the address %s: %v", Printable(former), err))
			}
		case old == nil:
		case otherName(u, old) && !p.alike(u, old) && (otherEmployee(u, old) || old.Applied != nil && old.Declared.Key != "" && old.Declared.Key != former):
			taken = cmp.Or(taken, fmt.Sprintf("%s is the address of %s (%s), who was declared as %s; correct it, or pin the user you mean with id",
				Printable(former), old.Fields[spec.Name].Display(), old.ID, Printable(cmp.Or(old.Declared.Key, former))))
		case own != nil:
			taken = cmp.Or(taken, fmt.Sprintf("%s is the address of %s (%s), and the spec was that of %s (%s) until now; correct it, or pin the user you mean with id",
				Printable(former), old.Fields[spec.Name].Display(), old.ID, Printable(own.Declared.Key), own.ID))
		case successor && otherName(u, old) && !p.alike(u, old) && (!otherName(next, old) || p.alike(next, old)): // that is the successor's account
			taken = cmp.Or(taken, fmt.Sprintf("%s is the address of %s (%s), who is declared at %s; correct it, or pin the user you mean with id",
				Printable(former), old.Fields[spec.Name].Display(), old.ID, next.Pos))
		case known != nil && known != old && !known.Deleted() && successor && (!old.Deleted() || otherName(u, old) || !otherName(u, known)):
			return // done, whatever the address is by now
		case known != nil && known != old && !known.Deleted():
			p.unclear(u, "previousEmail", fmt.Sprintf("both %s (id %s) and the user declared so until now (id %s, with the address %s) exist; pin the one you mean with id, or leave previousEmail out",
				spec.Text(former).Display(), old.ID, known.ID, Printable(known.Key())))
			return
		case holder == nil, holder == old, p.OwnerOf[holder.ID] != "": // nobody has the new address, or who has it gives it up
			p.claim(u, old)
			return
		case successor && (known == holder || otherName(u, old)) && !otherName(u, holder) && !p.alike(u, old):
			return // done before there was a record of it
		case holder.Applied == nil || old.Applied != nil:
			p.unclear(u, "previousEmail", fmt.Sprintf("both %s (id %s) and %s (id %s) exist; pin the one you mean with id, or leave previousEmail out",
				spec.Text(former).Display(), old.ID, spec.Text(u.Key).Display(), holder.ID))
			return
		}
	}
	if why := cmp.Or(taken, unsearched); why != "" && p.free(holder) == nil && known == nil {
		p.unclear(u, "previousEmail", why)
	}
}

// free returns a user whom nobody has claimed; nil for one who is.
func (p *planner) free(u *state.User) *state.User {
	if u == nil || p.OwnerOf[u.ID] != "" {
		return nil
	}
	return u
}

// matchRecord claims the user who was last matched to a declaration by the address.
func (p *planner) matchRecord(u *spec.User) {
	cur, live := p.free(p.recorded[u.Key]), p.free(p.Index.Live(u.Key))
	switch {
	case cur == nil:
	case cur.Deleted() && live != nil && p.declared[live.Declared.Key] == nil: // else it has the address for now, and is another one's
		// Somebody deleted the account, and made another one for the address.
		if live.Declared.Key == "" && otherName(u, live) {
			p.unclear(u, spec.Email, fmt.Sprintf("the account that it was declared for (%s) is deleted, and the address is that of %s (%s) by now; pin the one you mean with id",
				cur.ID, live.Fields[spec.Name].Display(), live.ID))
		} else if live.Declared.Key == "" {
			p.claim(u, live)
		}
	case p.swapped(u, cur), p.passedOn(u, cur):
	case !otherName(u, cur) || p.alike(u, cur) || cur.Key() == u.Key && !otherEmployee(u, cur) && !p.replaced(u, cur):
		p.claim(u, cur)
	case live != nil && live.Declared.Key == "" && !otherName(u, live): // who was given the address there
		p.claim(u, live)
	default:
		p.claim(u, cur)
		p.doubted[u.Key] = fmt.Sprintf("%s: the account %s was declared by this address until now, and is that of %s (%s): add id: %s if it is the same person",
			u.Pos, cur.ID, cur.Fields[spec.Name].Display(), Printable(cur.Key()), cur.ID)
	}
}

// replaced reports whether a spec with another name may be a hire at the address of an account, and the account that of
// somebody else by now: the spec is in another file, and some declaration has no account.
func (p *planner) replaced(u *spec.User, cur *state.User) bool {
	if p.unknown == nil {
		p.unknown = []*spec.User{}
		for _, other := range p.declared {
			if other.ID == "" && p.recorded[other.Key] == nil && p.Index.ByKey[other.Key] == nil {
				p.unknown = append(p.unknown, other)
			}
		}
	}
	return cur.Declared.File != "" && cur.Declared.File != u.Pos.File &&
		slices.ContainsFunc(p.unknown, func(other *spec.User) bool { return p.current[other.Key] == nil })
}

// ownAccount returns the account of which a spec says by its name and its place that it is the one, where it says the address
// of another one; nil if there is none.
func (p *planner) ownAccount(u *spec.User, cur *state.User) *state.User {
	if !otherName(u, cur) || cur.Declared.File == "" || p.alike(u, cur) {
		return nil
	}
	meant := p.places[at(u)]
	if meant == nil || meant == cur || otherEmployee(u, meant) || otherName(u, meant) && u.Ordinal+meant.Declared.Ordinal > 0 {
		meant = p.recognized(u) // in a list of users a place says nothing by itself: they are sorted at times
	}
	if meant == nil || meant == cur || otherEmployee(u, meant) {
		return nil
	}
	return meant
}

// swapped refuses a spec that says the address of one account and means another one, unless that one has the address by
// now.
func (p *planner) swapped(u *spec.User, cur *state.User) bool {
	meant := p.ownAccount(u, cur)
	if meant == nil {
		return false
	}
	if meant.Key() == u.Key && p.free(meant) != nil { // somebody has exchanged the addresses there already
		p.claim(u, meant)
		return true
	}
	p.unclear(u, spec.Email, fmt.Sprintf("is the address of %s (%s), and the spec was that of %s (%s) until now; pin the one you mean with id, "+
		"and give %s another address first if it is to be passed on",
		cur.Fields[spec.Name].Display(), cur.ID, Printable(meant.Declared.Key), meant.ID, cur.Fields[spec.Name].Display()))
	return true
}

// passedOn refuses a spec that says the address of an account and, by its name and its place, means somebody else, while
// another spec looks like that account under a new address: a rename that is not said, and a hire at the former address.
// Where the other spec has the account's place, that the name is the account's proves nothing if it was never written, or if
// the other spec has the account's address, too.
func (p *planner) passedOn(u *spec.User, cur *state.User) bool {
	if p.alike(u, cur) {
		return false
	}
	renamed := p.lookalike(cur)
	inPlace := renamed != nil && renamed.Ordinal+cur.Declared.Ordinal == 0 && placeOf(cur.Declared) == at(renamed)
	if !otherName(u, cur) && (!inPlace || renamed.Key != cur.Key() && !slices.Contains(p.policy.Unmanaged, spec.Name)) {
		return false
	}
	switch {
	case renamed == nil && p.broken: // it may be that of a spec that was left out
		p.unclear(u, spec.Email, fmt.Sprintf("is the address of %s (%s), and a spec with problems may be theirs: correct those first, or pin the user you mean with id",
			cur.Fields[spec.Name].Display(), cur.ID))
		return true
	case renamed == nil:
		return false
	case renamed.Key == cur.Key() && p.unmatched(renamed) && !otherName(renamed, cur): // by hand, and the spec follows
		p.claim(renamed, cur)
		return true
	}
	p.unclear(u, spec.Email, fmt.Sprintf("is the address of %s (%s), who seems to be declared at %s now: add previousEmail: %s there, or id: %s here if the account is this person's",
		cur.Fields[spec.Name].Display(), cur.ID, renamed.Pos, Printable(u.Key), cur.ID))
	if p.wrong[renamed.Key] {
		return true
	}
	p.unclear(renamed, spec.Email, fmt.Sprintf("looks like a new address of %s (%s): add previousEmail: %s if it is the same person, or id: %s to the spec at %s if not",
		cur.Fields[spec.Name].Display(), cur.ID, Printable(u.Key), cur.ID, u.Pos))
	return true
}

// matchAddress claims the user who has the address. One who was declared by another address until now is asked about,
// unless something else says that it is the same person.
func (p *planner) matchAddress(u *spec.User) {
	cur := p.free(p.Index.ByKey[u.Key])
	if cur == nil || cur.Applied != nil && p.swapped(u, cur) {
		return
	}
	p.claim(u, cur)
	if cur.Applied != nil && cur.Declared.Key != u.Key && otherName(u, cur) && !p.alike(u, cur) {
		p.doubted[u.Key] = fmt.Sprintf("%s: the address is that of %s, who was declared as %s: add previousEmail: %s or the id %s if it is the same person",
			u.Pos, cur.Fields[spec.Name].Display(), Printable(cur.Declared.Key), Printable(cur.Declared.Key), cur.ID)
	}
}
