package identity

import (
	"cmp"
	"fmt"
	"slices"

	"usersyncd/spec"
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
		if known != nil && slices.Contains(known.Formerly, former) {
			return // done: the former address is whoever's it is by now
		}
		if slices.ContainsFunc(u.PreviousEmails, func(later string) bool {
			next := m.recorded[later]
			return later != former && next != nil && slices.Contains(next.Formerly, former)
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
				unsearched = cmp.Or(unsearched, fmt.Sprintf("it cannot be told whether a deleted user has the address %s: %v", spec.Escape(former), err))
			}
		case old == nil:
		case OtherName(u, old) && !alike(u, old) && (otherEmployee(u, old) || old.Applied != nil && old.Declared.Key != "" && old.Declared.Key != former):
			taken = cmp.Or(taken, fmt.Sprintf("%s is the address of %s (%s), who was declared as %s; correct it, or pin the user you mean with id",
				spec.Escape(former), old.Fields[spec.Name].Display(), old.ID, spec.Escape(cmp.Or(old.Declared.Key, former))))
		case own != nil:
			taken = cmp.Or(taken, fmt.Sprintf("%s is the address of %s (%s), and the spec was that of %s (%s) until now; correct it, or pin the user you mean with id",
				spec.Escape(former), old.Fields[spec.Name].Display(), old.ID, spec.Escape(own.Declared.Key), own.ID))
		case successor && OtherName(u, old) && !alike(u, old) && (!OtherName(next, old) || alike(next, old)): // that is the successor's account
			taken = cmp.Or(taken, fmt.Sprintf("%s is the address of %s (%s), who is declared at %s; correct it, or pin the user you mean with id",
				spec.Escape(former), old.Fields[spec.Name].Display(), old.ID, next.Pos))
		case known != nil && known != old && !known.Deleted() && successor && (!old.Deleted() || OtherName(u, old) || !OtherName(u, known)):
			return // done, whatever the address is by now
		case known != nil && known != old && !known.Deleted():
			m.unclear(u, "previousEmail", fmt.Sprintf("both %s (id %s) and the user declared so until now (id %s, with the address %s) exist; pin the one you mean with id, or leave previousEmail out",
				spec.Text(former).Display(), old.ID, known.ID, spec.Escape(known.Key())))
			return
		case holder == nil, holder == old, m.OwnerOf[holder.ID] != "": // nobody has the new address, or who has it gives it up
			m.claim(u, old)
			return
		case successor && (known == holder || OtherName(u, old)) && !OtherName(u, holder) && !alike(u, old):
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
