package spec

import (
	"cmp"
	"slices"
)

// check finds what is wrong between users, and fills in Users and Problems.
func (t *Tree) check(all []declaration) {
	byEmail, byID, byFormer := make(index, len(all)), make(index), make(index)
	for i := range all {
		d := &all[i]
		byEmail.add(d.user.Key, d.emailAt)
		byID.add(d.user.ID, d.idAt)
		for _, f := range d.former {
			byFormer.add(f.key, f.at)
		}
	}
	for i := range all {
		d := &all[i]
		ok := d.ok
		refuse := func(at Pos, field, message string) {
			t.Problems = append(t.Problems, Problem{Pos: at, Field: field, Message: message})
			ok = false
		}
		if p, other := byEmail[d.user.Key].besides(d.emailAt); other {
			refuse(d.emailAt, d.pathOf(string(Email)), quote(d.user.Key)+" is also declared at "+p.String()+"; keep one of the two")
		}
		if p, other := byID[d.user.ID].besides(d.idAt); other {
			refuse(d.idAt, d.pathOf(keyID), quote(d.user.ID)+" is also the id at "+p.String()+"; correct one of the two")
		}
		for _, f := range d.former {
			if f.key == d.user.Key {
				continue // a problem already
			}
			if p, other := byFormer[f.key].besides(f.at); other {
				refuse(f.at, f.field, quote(f.key)+" is also renamed at "+p.String()+"; correct one of the two")
			}
			if p, declared := byEmail[f.key].besides(Pos{}); declared {
				refuse(f.at, f.field, quote(f.key)+" is still declared at "+p.String()+"; remove one of the two")
			}
		}
		if ok {
			t.Users = append(t.Users, d.user)
		}
	}
	slices.SortFunc(t.Users, func(a, b *User) int { return cmp.Compare(a.Key, b.Key) })
	sortProblems(t.Problems)
	t.Problems = slices.Compact(t.Problems) // a bad default is found again by every user below it
}

// pathOf is the path of a key of the user within its document.
func (d *declaration) pathOf(key string) string {
	if d.path == "" {
		return key
	}
	return d.path + "." + key
}

// index finds the first two places where a name stands.
type index map[string]twoPlaces

type twoPlaces [2]Pos

func (x index) add(name string, at Pos) {
	if name == "" {
		return
	}
	p := x[name]
	switch (Pos{}) {
	case p[0]:
		p[0] = at
	case p[1]:
		p[1] = at
	}
	x[name] = p
}

// besides gives a place other than at.
func (p twoPlaces) besides(at Pos) (Pos, bool) {
	for _, other := range p {
		if other != at && other != (Pos{}) {
			return other, true
		}
	}
	return Pos{}, false
}

func sortProblems(problems []Problem) {
	slices.SortFunc(problems, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column),
			cmp.Compare(a.Field, b.Field), cmp.Compare(a.Message, b.Message))
	})
}
