package sync

import (
	"cmp"
	"slices"

	"usersyncd/spec"
	"usersyncd/sync/plan"
)

// A View is what the last plan saw, for whoever wants to know more than Status while the pass goes on. It is
// never written to.
type View struct {
	Revision string
	Plan     string
	Holds    []plan.Hold
	Notes    []string
	Contests []plan.Contest
	Changes  []plan.Change // in the order of application; as planned, or as they ended if the pass has ended

	tree     *spec.Tree
	claimed  map[string]string // Genesys id -> key of the declared user behind it
	byKey    map[string]int    // of Changes
	problems []plan.Problem    // of the plan
	partial  bool              // the tree is that of the files that mention one user
}

// View returns what the last plan saw; nil before the first one. It is safe to call at any time.
func (p *publisher) View() *View { return p.view.Load() }

// see publishes a plan before it is carried out.
func (p *publisher) see(tree *spec.Tree, next *plan.Plan) {
	v := &View{Revision: tree.Revision, Plan: next.ID, tree: tree, claimed: next.OwnerOf}
	v.take(next)
	p.view.Store(v)
}

// change finds what is planned for a user; nil if nothing is.
func (v *View) change(key string) *plan.Change {
	if i, ok := v.byKey[key]; ok {
		return &v.Changes[i]
	}
	return nil
}

// saw publishes how the changes have ended. A pass that had nothing to look at leaves what was seen before.
func (p *publisher) saw(last *plan.Plan) {
	old := p.view.Load()
	if old == nil || last.OwnerOf == nil {
		return
	}
	v := &View{Revision: old.Revision, Plan: last.ID, tree: old.tree, claimed: old.claimed}
	v.take(last)
	p.view.Store(v)
}

// take copies the changes: the pass goes on with its own, and replaces what they point to instead of
// writing to it.
func (v *View) take(p *plan.Plan) {
	v.Holds, v.Notes, v.Contests, v.problems = p.Holds, p.AllNotes(), slices.Clone(p.Contested), p.Problems
	v.Changes = make([]plan.Change, len(p.Changes))
	v.byKey = make(map[string]int, len(p.Changes))
	for i, c := range p.Changes {
		v.Changes[i] = *c
		v.byKey[c.Key] = i
	}
}

// Problems are those of the specs, and those that the organization has shown.
func (v *View) Problems() []spec.Problem {
	all := slices.Clone(v.tree.Problems)
	for _, p := range v.problems {
		all = append(all, p.Problem)
	}
	return all
}

// user finds a declared user.
func (v *View) user(key string) *spec.User { return findUser(v.tree, key) }

func findUser(tree *spec.Tree, key string) *spec.User {
	i, ok := slices.BinarySearchFunc(tree.Users, key, func(u *spec.User, key string) int { return cmp.Compare(u.Key, key) })
	if !ok {
		return nil
	}
	return tree.Users[i]
}

// id finds the Genesys id of a declared user; "" if nobody was known.
func (v *View) id(key string) string {
	for id, k := range v.claimed {
		if k == key {
			return id
		}
	}
	return ""
}
