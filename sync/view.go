package sync

import (
	"slices"
	"time"

	"usersyncd/spec"
	"usersyncd/state"
	"usersyncd/sync/plan"
	"usersyncd/sync/plan/reference"
)

// A View has the last plan and its input, for other goroutines. It is never changed.
type View struct {
	Plan    string
	Changes []plan.Change // in the order of application; with their outcomes if the pass has ended

	tree     *spec.Tree        // nil: none was read
	partial  bool              // the tree has only the files that mention one user
	owners   map[string]string // Genesys id -> key of the declared user matched to it
	byKey    map[string]int    // of Changes
	problems []plan.Problem    // of the plan
}

// View returns the view of the last plan; nil before the first one. It is safe to call at any time.
func (b *publisher) View() *View { return b.view.Load() }

// publishPlan publishes a plan for the tree that was read last, before it is carried out and after it. A pass that made no plan
// leaves the last one.
func (b *publisher) publishPlan(p *plan.Plan) {
	if p.OwnerOf != nil {
		b.view.Store(newView(b.loaded.Load(), p))
	}
}

// newView copies the changes: the pass changes its own, and replaces what they point to.
func newView(tree *spec.Tree, p *plan.Plan) *View {
	v := &View{Plan: p.ID, Changes: make([]plan.Change, len(p.Changes)),
		tree: tree, owners: p.OwnerOf, problems: p.Problems, byKey: make(map[string]int, len(p.Changes))}
	for i, c := range p.Changes {
		v.Changes[i], v.byKey[c.Key] = *c, i
	}
	return v
}

// planFor makes a plan for one user, from a tree of it, its manager and the users that had its address.
func (v *View) planFor(store *state.Store, policy plan.Policy, key string) (*View, error) {
	manager := key
	if u := v.user(key); u != nil && u.Fields.Get(spec.Manager) != "" {
		manager = spec.Key(u.Fields.Get(spec.Manager).Text())
	}
	keys, ids := []string{key, manager}, []string{}
	tree := *v.tree
	tree.Users = nil
	for _, u := range v.tree.Users {
		if u.Key == key || u.Key == manager || slices.Contains(u.PreviousEmails, key) {
			tree.Users = append(tree.Users, u)
			keys, ids = append(append(keys, u.Key), u.PreviousEmails...), append(ids, u.ID)
		}
	}
	slices.Sort(keys)
	keys = slices.Compact(keys)
	snap, err := store.SnapshotOf(keys, ids)
	if err != nil {
		return nil, err
	}
	policy.Select = plan.Selection{Only: keys}
	policy.Guard = policy.Guard.ForOne()
	p := plan.New(&tree, snap, policy, nil, time.Now())
	p.ID = "" // no pass carries it out
	planned := newView(&tree, p)
	planned.partial = v.partial
	return planned, nil
}

// complete reports whether the tree is certain about a user: one that is not in a tree with problems may be declared by a file
// that could not be read.
func (v *View) complete(key string) bool {
	return v.tree != nil && (len(v.tree.Problems) == 0 || v.user(key) != nil)
}

func (v *View) user(key string) *spec.User {
	if v.tree == nil {
		return nil
	}
	return v.tree.User(key)
}

func (v *View) change(key string) *plan.Change {
	if i, ok := v.byKey[key]; ok {
		return &v.Changes[i]
	}
	return nil
}

// known returns what is known of a declared user, or of the one that has the address.
func (v *View) known(store *state.Store, key string) (known *state.User, err error) {
	for id, owner := range v.owners {
		if owner == key {
			return store.User(id)
		}
	}
	if u := v.user(key); u != nil && u.ID != "" {
		return store.User(u.ID)
	}
	found, err := store.Lookup(key)
	for _, u := range found { // by id; one that is not deleted counts first, as in a plan
		if known == nil || known.Deleted() || !u.Deleted() {
			known = u
		}
	}
	return known, err
}

// problemsOf returns the problems of a user's spec, or of the tree if it does not declare the user.
func (v *View) problemsOf(key string) []string {
	texts := []string{}
	for _, p := range v.problems {
		if p.Key == key {
			texts = append(texts, p.String())
		}
	}
	if v.tree != nil && v.user(key) == nil {
		for _, p := range v.tree.Problems {
			texts = append(texts, p.String())
		}
	}
	return texts
}

// suggest suggests a similar address, to follow a sentence: one that the tree declares or, if the tree is partial, any that is
// known.
func (v *View) suggest(store *state.Store, key string) (text string, err error) {
	var keys []string
	if v.partial {
		keys, err = store.Addresses()
	}
	for _, u := range v.tree.Users {
		keys = append(keys, u.Key)
	}
	return reference.DidYouMean(key, keys), err
}
