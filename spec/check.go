package spec

import (
	"cmp"
	"slices"
)

// check finds what is wrong between users, and fills in Users and Problems.
func (t *Tree) check(all []declaration) {
	byEmail := places(all, func(d *declaration) (string, Pos) { return d.user.Key, d.emailAt })
	byID := places(all, func(d *declaration) (string, Pos) { return d.user.ID, d.idAt })
	byPrevious := places(all, func(d *declaration) (string, Pos) { return d.user.PreviousEmail, d.previousAt })

	for i := range all {
		d := &all[i]
		ok := d.ok
		refuse := func(at Pos, field, message string) {
			if d.path != "" {
				field = d.path + "." + field
			}
			t.Problems = append(t.Problems, Problem{Pos: at, Field: field, Message: message})
			ok = false
		}
		if p, other := byEmail[d.user.Key].besides(d.emailAt); other {
			refuse(d.emailAt, string(Email), quote(d.user.Key)+" is also declared at "+p.String()+"; keep one of the two")
		}
		if p, other := byID[d.user.ID].besides(d.idAt); other {
			refuse(d.idAt, keyID, quote(d.user.ID)+" is also the id at "+p.String()+"; correct one of the two")
		}
		if previous := d.user.PreviousEmail; previous != "" && previous != d.user.Key {
			if p, other := byPrevious[previous].besides(d.previousAt); other {
				refuse(d.previousAt, keyPreviousEmail, quote(previous)+" is also renamed at "+p.String()+"; correct one of the two")
			}
			if p, declared := byEmail[previous].besides(Pos{}); declared {
				refuse(d.previousAt, keyPreviousEmail, quote(previous)+" is still declared at "+p.String()+"; remove one of the two")
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

// twoPlaces are the first two places where something is said.
type twoPlaces [2]Pos

func places(all []declaration, what func(*declaration) (string, Pos)) map[string]twoPlaces {
	out := make(map[string]twoPlaces, len(all))
	for i := range all {
		name, at := what(&all[i])
		if name == "" {
			continue
		}
		p := out[name]
		switch (Pos{}) {
		case p[0]:
			p[0] = at
		case p[1]:
			p[1] = at
		}
		out[name] = p
	}
	return out
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
