package spec

import (
	"maps"
	"slices"
)

// inactive is the state of a leaver.
const inactive Value = `"inactive"`

// leavers returns the users who have a problem and are certainly to be inactive all the same: their file is whole
// YAML, their own mapping says one email and one state, which is inactive, and no other spec leaves in doubt who
// they are. Of two specs with one address both must say so.
func (c *checker) leavers() []*User {
	leavers := map[string]*User{}
	owners := map[string]string{} // keys of leavers by what they are found by: id or former address
	for i := range c.all {
		d := &c.all[i]
		if d.ok || !d.inactive {
			continue
		}
		u := d.leaver()
		if first := leavers[u.Key]; first != nil {
			first.intersect(u)
		} else {
			leavers[u.Key] = u
		}
		owners[d.user.ID] = u.Key
		for _, f := range d.former {
			owners[f.key] = u.Key
		}
	}
	if len(leavers) == 0 {
		return nil
	}
	delete(owners, "")
	contested := map[string]bool{} // former addresses that another user says, too
	for i := range c.all {
		d := &c.all[i]
		if owner, ok := owners[d.user.ID]; ok && owner != d.user.Key {
			delete(leavers, owner)
			delete(leavers, d.user.Key)
		}
		if !d.inactive {
			delete(leavers, d.user.Key)
		}
		if owner, ok := owners[d.user.Key]; ok && owner != d.user.Key {
			contested[d.user.Key] = true
		}
		for _, f := range d.former {
			if owner, ok := owners[f.key]; ok && owner != d.user.Key {
				contested[f.key] = true
			}
			if !d.ok && !d.inactive { // the account with the address may be this user's
				delete(leavers, f.key)
			}
		}
	}
	for _, u := range leavers {
		u.PreviousEmails = slices.DeleteFunc(u.PreviousEmails, func(key string) bool { return contested[key] })
	}
	return slices.Collect(maps.Values(leavers))
}

// leaver is what is certain of a user who is certainly to be inactive.
func (d *declaration) leaver() *User {
	u := &User{Key: d.user.Key, Pos: d.user.Pos, Ordinal: d.user.Ordinal, Fields: Fields{}}
	for _, f := range []Field{Email, State} {
		at, _ := d.user.At.Of(f)
		u.Fields[f], u.At = d.user.Fields[f], u.At.Add(f, at)
	}
	if !slices.Contains(d.doubtful, KeyID) {
		u.ID = d.user.ID
	}
	if !slices.Contains(d.doubtful, KeyPreviousEmail) {
		u.PreviousEmails = slices.Clone(d.user.PreviousEmails)
	}
	return u
}

// intersect keeps what another spec with the same address says, too.
func (u *User) intersect(other *User) {
	if u.ID != other.ID {
		u.ID = ""
	}
	if !slices.Equal(u.PreviousEmails, other.PreviousEmails) {
		u.PreviousEmails = nil
	}
}
