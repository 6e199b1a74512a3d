package spec

import (
	"cmp"
	"maps"
	"slices"

	"usersyncd/spec/strictyaml"
	"usersyncd/spec/text"
)

// checker finds problems between users.
type checker struct {
	tree                    *Tree
	all                     []declaration // ok is cleared of those with a problem
	byEmail, byID, byFormer index
}

// check sets Users, Leavers and Problems. It changes all.
func (t *Tree) check(all []declaration) {
	c := checker{t, all, make(index, len(all)), make(index), make(index)}
	for i := range all {
		d := &all[i]
		c.byEmail.add(d.user.Key, d)
		c.byID.add(d.user.ID, d)
		for _, f := range d.former {
			c.byFormer.add(f.key, d)
		}
	}
	for i := range all {
		c.duplicates(&all[i])
		c.renames(&all[i])
	}
	c.successors()
	for i := range all {
		if all[i].ok {
			t.Users = append(t.Users, all[i].user)
		}
	}
	t.Leavers = c.leavers()
	byKey := func(a, b *User) int { return cmp.Compare(a.Key, b.Key) }
	slices.SortFunc(t.Users, byKey)
	slices.SortFunc(t.Leavers, byKey)
	strictyaml.SortProblems(t.Problems)
	t.Problems = slices.Compact(t.Problems) // every user below a bad default reports it
	t.limit(MaxProblems)
}

func (c *checker) refuse(d *declaration, at Pos, field, message string) {
	c.tree.Problems = append(c.tree.Problems, Problem{Pos: at, Field: field, Message: message})
	d.ok = false
}

// duplicates refuses a user who is declared twice. One problem says so: what else a copied file repeats is not told.
func (c *checker) duplicates(d *declaration) {
	if other := c.byEmail.besides(d.user.Key, d); other != nil {
		c.refuse(d, d.emailAt, d.pathOf(string(Email)), text.Quote(d.user.Key)+" is also declared at "+other.emailAt.String()+"; keep one of the two")
		return
	}
	if other := c.byID.besides(d.user.ID, d); other != nil {
		c.refuse(d, d.idAt, d.pathOf(KeyID), text.Quote(d.user.ID)+" is also the id at "+other.idAt.String()+"; correct one of the two")
	}
}

// renames refuses a former address that another user names too, or at which the same person is still declared.
func (c *checker) renames(d *declaration) {
	for _, f := range d.former {
		if f.key == d.user.Key {
			continue // a problem already
		}
		if other := c.byFormer.besides(f.key, d); other != nil && other.user.Key != d.user.Key {
			c.refuse(d, f.at, f.field, text.Quote(f.key)+" is also a previousEmail at "+other.formerAt(f.key).String()+"; correct one of the two")
		}
		if holder := c.byEmail.besides(f.key, nil); holder != nil && !holder.succeeds(d) {
			c.refuse(d, f.at, f.field, text.Quote(f.key)+" is still declared at "+holder.emailAt.String()+"; remove one of the two")
		}
	}
}

// succeeds reports whether a user who is declared at a former address of another is another person, such as a new
// hire: they have another name. Without one, it may be the spec from before the rename.
func (d *declaration) succeeds(renamed *declaration) bool {
	name := d.user.Fields.Get(Name)
	return name != "" && name != renamed.user.Fields.Get(Name)
}

// successors refuses users that are declared at a former address of a user with a problem: until that user can be
// renamed, the account with the address is theirs.
func (c *checker) successors() {
	var refused []*declaration
	for i := range c.all {
		if !c.all[i].ok {
			refused = append(refused, &c.all[i])
		}
	}
	for len(refused) > 0 {
		d := refused[len(refused)-1]
		refused = refused[:len(refused)-1]
		for _, f := range d.former {
			if holder := c.byEmail.besides(f.key, nil); holder != nil && holder != d && holder.ok && holder.succeeds(d) {
				c.refuse(holder, holder.emailAt, holder.pathOf(string(Email)), text.Quote(f.key)+" is also a former address of the user at "+d.user.Pos.String()+", whose spec has a problem; correct that first")
				refused = append(refused, holder)
			}
		}
	}
}

// pathOf is the path of a key of the user within its document.
func (d *declaration) pathOf(key string) string {
	if d.path == "" {
		return key
	}
	return d.path + "." + key
}

// formerAt is the position of a former address.
func (d *declaration) formerAt(key string) Pos {
	i := slices.IndexFunc(d.former, func(f former) bool { return f.key == key })
	return d.former[i].at
}

// index finds users by a name: an address, an id or a former address.
type index map[string][]*declaration

func (x index) add(name string, d *declaration) {
	if name != "" {
		x[name] = append(x[name], d)
	}
}

// besides returns the first user other than d with the name; nil if there is none.
func (x index) besides(name string, d *declaration) *declaration {
	for _, other := range x[name] {
		if other != d {
			return other
		}
	}
	return nil
}

// inactive is the state of a leaver.
const inactive Value = `"inactive"`

// leavers returns the users who have a problem and are certainly to be inactive all the same: their file is valid YAML,
// their own mapping has one email and one state, which is inactive, and no other spec leaves in doubt who they are. If
// two specs have the same address, both must be inactive.
func (c *checker) leavers() []*User {
	leavers := map[string]*User{}
	owners := map[string]string{} // keys of leavers, by id and former address
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
	contested := map[string]bool{} // former addresses that another user has, too
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

// leaver is the part of a leaver that is certain.
func (d *declaration) leaver() *User {
	u := &User{Key: d.user.Key, Pos: d.user.Pos, Ordinal: d.user.Ordinal, Fields: Fields{}}
	for _, f := range []Field{Email, State} {
		at, _ := d.user.At.Of(f)
		u.Fields.Set(f, d.user.Fields.Get(f))
		u.At.Set(f, at)
	}
	if !slices.Contains(d.doubtful, KeyID) {
		u.ID = d.user.ID
	}
	if !slices.Contains(d.doubtful, KeyPreviousEmail) {
		u.PreviousEmails = slices.Clone(d.user.PreviousEmails)
	}
	return u
}

// intersect keeps the id and former addresses if another spec with the same address has the same.
func (u *User) intersect(other *User) {
	if u.ID != other.ID {
		u.ID = ""
	}
	if !slices.Equal(u.PreviousEmails, other.PreviousEmails) {
		u.PreviousEmails = nil
	}
}
