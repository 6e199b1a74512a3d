package identity

import (
	"cmp"
	"fmt"
	"slices"

	"usersyncd/spec"
	"usersyncd/spec/text"
	"usersyncd/state"
)

// matchFormer claims the user with a former address, unless the rename is done, and refuses to guess when a stranger
// has the new one, or nobody could look up who has the former one.
func (m *matcher) matchFormer(u *spec.User) {
	holder, known := m.Index.ByKey[u.Key], m.recorded[u.Key]
	if known != nil && m.OwnerOf[known.ID] != "" {
		known = nil
	}
	taken, unsearched := "", ""
	for _, former := range u.PreviousEmails {
		if known != nil && slices.Contains(known.FormerKeys, former) {
			return // done: the former address is whoever's it is by now
		}
		if slices.ContainsFunc(u.PreviousEmails, func(later string) bool {
			next := m.recorded[later]
			return later != former && next != nil && slices.Contains(next.FormerKeys, former)
		}) {
			continue // done, and renamed again
		}
		if m.recorded[former] == nil && m.formerly[former] {
			continue // done; who has the address by now was given it by hand
		}
		old := m.free(m.recorded[former])
		if old == nil {
			old = m.free(m.Index.ByKey[former])
		}
		next := m.Declared[former] // somebody else is declared by the former address
		successor, own := next != nil, (*state.User)(nil)
		if old != nil {
			own = m.ownAccount(u, old)
		}
		switch {
		case old == nil && m.Index.ByKey[former] == nil && holder == nil:
			switch err, asked := m.Searched[former]; { // it may be that of a deleted user, whom no listing shows
			case !asked:
				m.Emails[former] = true
			case err != nil:
				unsearched = cmp.Or(unsearched, fmt.Sprintf("it cannot be told whether a deleted user has the address %s: %v", text.Escape(former), err))
			}
		case old == nil:
		case DifferentName(u, old) && !alike(u, old) && (otherEmployee(u, old) || old.Applied != nil && old.Declared.Key != "" && old.Declared.Key != former):
			taken = cmp.Or(taken, fmt.Sprintf("%s is the address of %s (%s), who was declared as %s; correct it, or pin the user you mean with id",
				text.Escape(former), old.Fields[spec.Name].Display(), old.ID, text.Escape(cmp.Or(old.Declared.Key, former))))
		case own != nil:
			taken = cmp.Or(taken, fmt.Sprintf("%s is the address of %s (%s), and the spec was that of %s (%s) until now; correct it, or pin the user you mean with id",
				text.Escape(former), old.Fields[spec.Name].Display(), old.ID, text.Escape(own.Declared.Key), own.ID))
		case successor && DifferentName(u, old) && !alike(u, old) && (!DifferentName(next, old) || alike(next, old)): // that is the successor's account
			taken = cmp.Or(taken, fmt.Sprintf("%s is the address of %s (%s), who is declared at %s; correct it, or pin the user you mean with id",
				text.Escape(former), old.Fields[spec.Name].Display(), old.ID, next.Pos))
		case known != nil && known != old && !known.Deleted() && successor && (!old.Deleted() || DifferentName(u, old) || !DifferentName(u, known)):
			return // done, whatever the address is by now
		case known != nil && known != old && !known.Deleted():
			m.unclear(u, "previousEmail", fmt.Sprintf("both %s (id %s) and the user declared so until now (id %s, with the address %s) exist; pin the one you mean with id, or leave previousEmail out",
				spec.Text(former).Display(), old.ID, known.ID, text.Escape(known.Key())))
			return
		case holder == nil, holder == old, m.OwnerOf[holder.ID] != "": // nobody has the new address, or who has it gives it up
			m.claim(u, old)
			return
		case successor && (known == holder || DifferentName(u, old)) && !DifferentName(u, holder) && !alike(u, old):
			return // done before there was a record of it
		case holder.Applied == nil || old.Applied != nil:
			m.unclear(u, "previousEmail", fmt.Sprintf("both %s (id %s) and %s (id %s) exist; pin the one you mean with id, or leave previousEmail out",
				spec.Text(former).Display(), old.ID, spec.Text(u.Key).Display(), holder.ID))
			return
		}
	}
	if why := cmp.Or(taken, unsearched); why != "" && m.free(holder) == nil && known == nil {
		m.unclear(u, "previousEmail", why)
	}
}

// free returns a user whom nobody has claimed; nil for one who is.
func (m *matcher) free(u *state.User) *state.User {
	if u == nil || m.OwnerOf[u.ID] != "" {
		return nil
	}
	return u
}

// matchRecord claims the user who was last matched to a declaration by the address.
func (m *matcher) matchRecord(u *spec.User) {
	cur, live := m.free(m.recorded[u.Key]), m.free(m.Index.Live(u.Key))
	switch {
	case cur == nil:
	case cur.Deleted() && live != nil && m.Declared[live.Declared.Key] == nil: // else it has the address for now, and is another one's
		// Somebody deleted the account, and made another one for the address.
		if live.Declared.Key == "" && DifferentName(u, live) {
			m.unclear(u, spec.Email, fmt.Sprintf("the account that it was declared for (%s) is deleted, and the address is that of %s (%s) by now; pin the one you mean with id",
				cur.ID, live.Fields[spec.Name].Display(), live.ID))
		} else if live.Declared.Key == "" {
			m.claim(u, live)
		}
	case m.swapped(u, cur), m.passedOn(u, cur):
	case !DifferentName(u, cur) || alike(u, cur) || cur.Key() == u.Key && !otherEmployee(u, cur) && !m.replaced(u, cur):
		m.claim(u, cur)
	case live != nil && live.Declared.Key == "" && !DifferentName(u, live): // who was given the address there
		m.claim(u, live)
	default:
		m.claim(u, cur)
		m.Doubts[u.Key] = fmt.Sprintf("%s: the account %s was declared by this address until now, and is that of %s (%s): add id: %s if it is the same person",
			u.Pos, cur.ID, cur.Fields[spec.Name].Display(), text.Escape(cur.Key()), cur.ID)
	}
}

// replaced reports whether a spec with another name may be a hire at the address of an account, and the account that of
// somebody else by now: the spec is in another file, and some declaration has no account.
func (m *matcher) replaced(u *spec.User, cur *state.User) bool {
	if m.unknown == nil {
		m.unknown = []*spec.User{}
		for _, other := range m.Declared {
			if other.ID == "" && m.recorded[other.Key] == nil && m.Index.ByKey[other.Key] == nil {
				m.unknown = append(m.unknown, other)
			}
		}
	}
	return cur.Declared.File != "" && cur.Declared.File != u.Pos.File &&
		slices.ContainsFunc(m.unknown, func(other *spec.User) bool { return m.Accounts[other.Key] == nil })
}

// ownAccount returns the account of which a spec says by its name and its place that it is the one, where it says the address
// of another one; nil if there is none.
func (m *matcher) ownAccount(u *spec.User, cur *state.User) *state.User {
	if !DifferentName(u, cur) || cur.Declared.File == "" || alike(u, cur) {
		return nil
	}
	meant := m.places[at(u)]
	if meant == nil || meant == cur || otherEmployee(u, meant) || DifferentName(u, meant) && u.Ordinal+meant.Declared.Ordinal > 0 {
		meant = m.recognized(u) // in a list of users a place says nothing by itself: they are sorted at times
	}
	if meant == nil || meant == cur || otherEmployee(u, meant) {
		return nil
	}
	return meant
}

// swapped refuses a spec that says the address of one account and means another one, unless that one has the address by
// now.
func (m *matcher) swapped(u *spec.User, cur *state.User) bool {
	meant := m.ownAccount(u, cur)
	if meant == nil {
		return false
	}
	if meant.Key() == u.Key && m.free(meant) != nil { // somebody has exchanged the addresses there already
		m.claim(u, meant)
		return true
	}
	m.unclear(u, spec.Email, fmt.Sprintf("is the address of %s (%s), and the spec was that of %s (%s) until now; pin the one you mean with id, "+
		"and give %s another address first if it is to be passed on",
		cur.Fields[spec.Name].Display(), cur.ID, text.Escape(meant.Declared.Key), meant.ID, cur.Fields[spec.Name].Display()))
	return true
}

// passedOn refuses a spec that says the address of an account and, by its name and its place, means somebody else, while
// another spec looks like that account under a new address: a rename that is not said, and a hire at the former address.
// Where the other spec has the account's place, that the name is the account's proves nothing if it was never written, or if
// the other spec has the account's address, too.
func (m *matcher) passedOn(u *spec.User, cur *state.User) bool {
	if alike(u, cur) {
		return false
	}
	renamed := m.lookalike(cur)
	inPlace := renamed != nil && renamed.Ordinal+cur.Declared.Ordinal == 0 && placeOf(cur.Declared) == at(renamed)
	if !DifferentName(u, cur) && (!inPlace || renamed.Key != cur.Key() && !m.NameUnmanaged) {
		return false
	}
	switch {
	case renamed == nil && m.Incomplete: // it may be that of a spec that was left out
		m.unclear(u, spec.Email, fmt.Sprintf("is the address of %s (%s), and a spec with problems may be theirs: correct those first, or pin the user you mean with id",
			cur.Fields[spec.Name].Display(), cur.ID))
		return true
	case renamed == nil:
		return false
	case renamed.Key == cur.Key() && m.unmatched(renamed) && !DifferentName(renamed, cur): // by hand, and the spec follows
		m.claim(renamed, cur)
		return true
	}
	m.unclear(u, spec.Email, fmt.Sprintf("is the address of %s (%s), who seems to be declared at %s now: add previousEmail: %s there, or id: %s here if the account is this person's",
		cur.Fields[spec.Name].Display(), cur.ID, renamed.Pos, text.Escape(u.Key), cur.ID))
	if m.Ambiguous[renamed.Key] {
		return true
	}
	m.unclear(renamed, spec.Email, fmt.Sprintf("looks like a new address of %s (%s): add previousEmail: %s if it is the same person, or id: %s to the spec at %s if not",
		cur.Fields[spec.Name].Display(), cur.ID, text.Escape(u.Key), cur.ID, u.Pos))
	return true
}

// matchAddress claims the user who has the address. One who was declared by another address until now is asked about,
// unless something else says that it is the same person.
func (m *matcher) matchAddress(u *spec.User) {
	cur := m.free(m.Index.ByKey[u.Key])
	if cur == nil || cur.Applied != nil && m.swapped(u, cur) {
		return
	}
	m.claim(u, cur)
	if cur.Applied != nil && cur.Declared.Key != u.Key && DifferentName(u, cur) && !alike(u, cur) {
		m.Doubts[u.Key] = fmt.Sprintf("%s: the address is that of %s, who was declared as %s: add previousEmail: %s or the id %s if it is the same person",
			u.Pos, cur.Fields[spec.Name].Display(), text.Escape(cur.Declared.Key), text.Escape(cur.Declared.Key), cur.ID)
	}
}
