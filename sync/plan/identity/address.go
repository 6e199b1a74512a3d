package identity

import (
	"cmp"
	"fmt"
	"slices"

	"usersyncd/spec"
	"usersyncd/spec/text"
	"usersyncd/state"
)

// matchFormer matches a spec by its former addresses, unless the rename is done. It rejects the spec if another user has the
// new address, or if the user with the former one could not be looked up.
func (m *matcher) matchFormer(u *spec.User) {
	holder, known := m.Index.ByKey[u.Key], m.recorded[u.Key]
	if known != nil && m.OwnerOf[known.ID] != "" {
		known = nil
	}
	taken, unsearched := "", ""
	for _, former := range u.PreviousEmails {
		if known != nil && slices.Contains(known.FormerKeys, former) {
			return // the rename is done: the former address may be another user's now
		}
		if slices.ContainsFunc(u.PreviousEmails, func(later string) bool {
			next := m.recorded[later]
			return later != former && next != nil && slices.Contains(next.FormerKeys, former)
		}) {
			continue // the rename is done, and another one after it
		}
		if m.recorded[former] == nil && m.formerKeys[former] {
			continue // the rename is done; the address was given to another user in Genesys
		}
		old := m.unclaimed(m.recorded[former])
		if old == nil {
			old = m.unclaimed(m.Index.ByKey[former])
		}
		next := m.Declared[former] // another user with the former address
		successor, own := next != nil, (*state.User)(nil)
		if old != nil {
			own = m.ownAccount(u, old)
		}
		switch {
		case old == nil && m.Index.ByKey[former] == nil && holder == nil:
			switch err, searched := m.Searched[former]; { // it may be that of a deleted user, which no listing shows
			case !searched:
				m.Emails[former] = true
			case err != nil:
				unsearched = cmp.Or(unsearched, fmt.Sprintf("it is not known whether a deleted user has the address %s: %v", text.Escape(former), err))
			}
		case old == nil:
		case DifferentName(u, old) && !sameIdentity(u, old) && (differentEmployee(u, old) || old.LastApplied != nil && old.Declared.Key != "" && old.Declared.Key != former):
			taken = cmp.Or(taken, fmt.Sprintf("%s is the address of %s (%s), who was declared as %s; correct it, or pin the user that is meant with id",
				text.Escape(former), old.Fields.Get(spec.Name).Display(), old.ID, text.Escape(cmp.Or(old.Declared.Key, former))))
		case own != nil:
			taken = cmp.Or(taken, fmt.Sprintf("%s is the address of %s (%s), and the spec was that of %s (%s) before; correct it, or pin the user that is meant with id",
				text.Escape(former), old.Fields.Get(spec.Name).Display(), old.ID, text.Escape(own.Declared.Key), own.ID))
		case successor && DifferentName(u, old) && !sameIdentity(u, old) && (!DifferentName(next, old) || sameIdentity(next, old)): // that is the successor's account
			taken = cmp.Or(taken, fmt.Sprintf("%s is the address of %s (%s), who is declared at %s; correct it, or pin the user that is meant with id",
				text.Escape(former), old.Fields.Get(spec.Name).Display(), old.ID, next.Pos))
		case known != nil && known != old && !known.Deleted() && successor && (!old.Deleted() || DifferentName(u, old) || !DifferentName(u, known)):
			return // the rename is done, whatever the address is now
		case known != nil && known != old && !known.Deleted():
			m.reject(u, "previousEmail", fmt.Sprintf("both %s (id %s) and the user that was declared so before (id %s, with the address %s) exist; pin the one that is meant with id, or remove previousEmail",
				spec.Text(former).Display(), old.ID, known.ID, text.Escape(known.Key())))
			return
		case holder == nil, holder == old, m.OwnerOf[holder.ID] != "": // no user has the new address, or the one that has it gives it up
			m.claim(u, old)
			return
		case successor && (known == holder || DifferentName(u, old)) && !DifferentName(u, holder) && !sameIdentity(u, old):
			return // the rename was done before declarations were recorded
		case holder.LastApplied == nil || old.LastApplied != nil:
			m.reject(u, "previousEmail", fmt.Sprintf("both %s (id %s) and %s (id %s) exist; pin the one that is meant with id, or remove previousEmail",
				spec.Text(former).Display(), old.ID, spec.Text(u.Key).Display(), holder.ID))
			return
		}
	}
	if why := cmp.Or(taken, unsearched); why != "" && m.unclaimed(holder) == nil && known == nil {
		m.reject(u, "previousEmail", why)
	}
}

// unclaimed returns a user that was not matched yet; nil otherwise.
func (m *matcher) unclaimed(u *state.User) *state.User {
	if u == nil || m.OwnerOf[u.ID] != "" {
		return nil
	}
	return u
}

// matchRecord matches a spec to the user that was last matched to a declaration by its address.
func (m *matcher) matchRecord(u *spec.User) {
	cur, live := m.unclaimed(m.recorded[u.Key]), m.unclaimed(m.Index.Live(u.Key))
	switch {
	case cur == nil:
	case cur.Deleted() && live != nil && m.Declared[live.Declared.Key] == nil:
		// Somebody has deleted the account, and created another one with the address.
		if live.Declared.Key == "" && DifferentName(u, live) {
			m.reject(u, spec.Email, fmt.Sprintf("the account that it was declared for (%s) is deleted, and the address is now that of %s (%s); pin the one that is meant with id",
				cur.ID, live.Fields.Get(spec.Name).Display(), live.ID))
		} else if live.Declared.Key == "" {
			m.claim(u, live)
		}
	case m.matchSwapped(u, cur), m.matchPassedOn(u, cur):
	case !DifferentName(u, cur) || sameIdentity(u, cur) || cur.Key() == u.Key && !differentEmployee(u, cur) && !m.mayBeReplaced(u, cur):
		m.claim(u, cur)
	case live != nil && live.Declared.Key == "" && !DifferentName(u, live): // it was given the address in Genesys
		m.claim(u, live)
	default:
		m.claim(u, cur)
		m.Doubts[u.Key] = fmt.Sprintf("%s: the account %s was declared by this address before, and is that of %s (%s): add id: %s if it is the same person",
			u.Pos, cur.ID, cur.Fields.Get(spec.Name).Display(), text.Escape(cur.Key()), cur.ID)
	}
}

// mayBeReplaced reports whether a spec with another name than its account may be of a new user, while the account belongs to
// another spec: the spec is in another file than before, and there is a spec without an account.
func (m *matcher) mayBeReplaced(u *spec.User, cur *state.User) bool {
	if m.withoutAccount == nil {
		m.withoutAccount = []*spec.User{}
		for _, other := range m.Declared {
			if other.ID == "" && m.recorded[other.Key] == nil && m.Index.ByKey[other.Key] == nil {
				m.withoutAccount = append(m.withoutAccount, other)
			}
		}
	}
	for len(m.withoutAccount) > 0 && m.Accounts[m.withoutAccount[0].Key] != nil {
		m.withoutAccount = m.withoutAccount[1:] // a match is final
	}
	return cur.Declared.File != "" && cur.Declared.File != u.Pos.File && len(m.withoutAccount) > 0
}

// ownAccount returns the account that a spec means by its name and place, if cur, which it means by address, is another one;
// nil if there is none.
func (m *matcher) ownAccount(u *spec.User, cur *state.User) *state.User {
	if !DifferentName(u, cur) || cur.Declared.File == "" || sameIdentity(u, cur) {
		return nil
	}
	meant := m.places[placeOfSpec(u)]
	if meant == nil || meant == cur || differentEmployee(u, meant) || DifferentName(u, meant) && u.Ordinal+meant.Declared.Ordinal > 0 {
		meant = m.recognize(u) // in a list of users the place alone proves nothing: lists get sorted
	}
	if meant == nil || meant == cur || differentEmployee(u, meant) {
		return nil
	}
	return meant
}

// matchSwapped handles a spec with the address of one account that means another one: it matches that one if it has the
// address now, and rejects the spec otherwise. It returns false for other specs.
func (m *matcher) matchSwapped(u *spec.User, cur *state.User) bool {
	meant := m.ownAccount(u, cur)
	if meant == nil {
		return false
	}
	if meant.Key() == u.Key && m.unclaimed(meant) != nil { // somebody has exchanged the addresses in Genesys
		m.claim(u, meant)
		return true
	}
	m.reject(u, spec.Email, fmt.Sprintf("is the address of %s (%s), and the spec was that of %s (%s) before; pin the one that is meant with id, "+
		"and give %s another address first if this user is to get it",
		cur.Fields.Get(spec.Name).Display(), cur.ID, text.Escape(meant.Declared.Key), meant.ID, cur.Fields.Get(spec.Name).Display()))
	return true
}

// matchPassedOn rejects a spec with the address of an account that means another person by name and place, if another spec
// looks like that account under a new address: a rename that is not declared, and a new user at the former address. If the
// other spec has the account's place, an equal name proves nothing if names are not managed, or if the other spec has the
// account's address, too. It returns false for other specs.
func (m *matcher) matchPassedOn(u *spec.User, cur *state.User) bool {
	if sameIdentity(u, cur) {
		return false
	}
	renamed := m.renamedSpec(cur)
	inPlace := renamed != nil && renamed.Ordinal+cur.Declared.Ordinal == 0 && placeOf(cur.Declared) == placeOfSpec(renamed)
	if !DifferentName(u, cur) && (!inPlace || renamed.Key != cur.Key() && !m.NameUnmanaged) {
		return false
	}
	switch {
	case renamed == nil && m.Incomplete: // the account may be that of a spec with problems
		m.reject(u, spec.Email, fmt.Sprintf("is the address of %s (%s), and a spec with problems may be theirs: correct those first, or pin the user that is meant with id",
			cur.Fields.Get(spec.Name).Display(), cur.ID))
		return true
	case renamed == nil:
		return false
	case renamed.Key == cur.Key() && m.unmatched(renamed) && !DifferentName(renamed, cur): // renamed in Genesys, then in the spec
		m.claim(renamed, cur)
		return true
	}
	m.reject(u, spec.Email, fmt.Sprintf("is the address of %s (%s), who seems to be declared at %s now: add previousEmail: %s there, or id: %s here if the account is this person's",
		cur.Fields.Get(spec.Name).Display(), cur.ID, renamed.Pos, text.Escape(u.Key), cur.ID))
	if m.Ambiguous[renamed.Key] {
		return true
	}
	m.reject(renamed, spec.Email, fmt.Sprintf("looks like a new address of %s (%s): add previousEmail: %s if it is the same person, or id: %s to the spec at %s if not",
		cur.Fields.Get(spec.Name).Display(), cur.ID, text.Escape(u.Key), cur.ID, u.Pos))
	return true
}

// matchAddress matches a spec to the user that has its address. The match is doubtful if the user was declared by another
// address, and nothing else shows that it is the same person.
func (m *matcher) matchAddress(u *spec.User) {
	cur := m.unclaimed(m.Index.ByKey[u.Key])
	if cur == nil || cur.LastApplied != nil && m.matchSwapped(u, cur) {
		return
	}
	m.claim(u, cur)
	if cur.LastApplied != nil && cur.Declared.Key != u.Key && DifferentName(u, cur) && !sameIdentity(u, cur) {
		m.Doubts[u.Key] = fmt.Sprintf("%s: the address is that of %s, who was declared as %s: add previousEmail: %s or id: %s if it is the same person",
			u.Pos, cur.Fields.Get(spec.Name).Display(), text.Escape(cur.Declared.Key), text.Escape(cur.Declared.Key), cur.ID)
	}
}
