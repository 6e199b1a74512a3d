package sync

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"usersyncd/spec"
	"usersyncd/state"
	"usersyncd/sync/plan"
	"usersyncd/sync/plan/reference"
)

// Explanation is all there is to say about one user. Its JSON is a contract: schema usersyncd.explain/v1.
type Explanation struct {
	Schema   string      `json:"schema"`
	Email    string      `json:"email"`
	ID       string      `json:"id,omitempty"` // Genesys id
	Standing string      `json:"standing"`     // in sync, planned, failed, deferred, held, quarantined, skipped, wrong, not declared or unknown
	Why      string      `json:"why,omitempty"`
	Action   plan.Action `json:"action,omitempty"` // what is to be done
	Cause    plan.Cause  `json:"cause,omitempty"`
	Release  string      `json:"release,omitempty"` // what usersyncd release takes, if a guard holds it
	// Next is when it is tried again without anybody doing anything; zero: with the next pass.
	Next     time.Time     `json:"next,omitzero"`
	Opens    bool          `json:"opens,omitempty"` // it is when the change window opens
	Paused   *state.Pause  `json:"paused,omitempty"`
	Plan     string        `json:"plan,omitempty"`
	Revision string        `json:"revision,omitempty"` // of the checkout that was read
	File     string        `json:"file,omitempty"`
	Line     int           `json:"line,omitempty"`
	Defaults []string      `json:"defaults"` // the _defaults.yaml files that set something for the user
	Managed  bool          `json:"managed"`
	Version  int           `json:"version,omitempty"`
	Listed   time.Time     `json:"listed,omitzero"` // how old the live values are
	Read     time.Time     `json:"read,omitzero"`   // the same of those that no listing shows
	Fields   []FieldStory  `json:"fields"`
	Problems []string      `json:"problems"` // of the files that declare the user, or seem to
	History  []state.Event `json:"history"`  // the last writes, newest first
}

// storyEvents is how many of the last writes an explanation has.
const storyEvents = 5

// Explain says what there is to say about the user with an address. It is safe to call at any time, and takes
// part in no pass: it looks at what the last plan saw. Before there was one it looks at the tree that was read or,
// while the very first is being read, at the state file alone, and says so.
func (r *Reconciler) Explain(ctx context.Context, email string) (*Explanation, error) {
	key := spec.Key(email)
	v, tree := r.View(), r.loaded.Load()
	if v != nil {
		tree = v.tree
	}
	// Who is not in a tree with problems may be declared by a file that could not be read.
	whole := tree != nil && (findUser(tree, key) != nil || len(tree.Problems) == 0)
	switch {
	case v != nil && whole:
		return v.explain(r.Store, key)
	case whole:
		one := &spec.Tree{Revision: tree.Revision, Problems: tree.Problems}
		if u := findUser(tree, key); u != nil {
			one.Users = []*spec.User{u}
		}
		return explainOne(one, r.Store, r.inForce(), key, false)
	case tree == nil && r.Status().Phase == "scan": // to read all files a second time, meanwhile, takes long
		v := &View{tree: &spec.Tree{}}
		e, err := v.explain(r.Store, key)
		if err != nil {
			return nil, err
		}
		e.Standing, e.Why = "unknown", "the specs are being read just now, and this is what was known before; ask again when they are"
		for i := range e.Fields {
			e.Fields[i].Verdict = "unknown"
		}
		return e, nil
	}
	return Explain(ctx, r.Specs, r.Store, r.inForce(), email)
}

// inForce is the policy of the pass that has begun last.
func (r *Reconciler) inForce() plan.Policy {
	if policy := r.policy.Load(); policy != nil {
		return *policy
	}
	return plan.Policy{}
}

// Explain says the same where no pass is made: from the specs and what the state file remembers. What only the
// organization, or a look at everybody, could show to be wrong is missing from it.
func Explain(ctx context.Context, specs *spec.Loader, store *state.Store, policy plan.Policy, email string) (*Explanation, error) {
	key := spec.Key(email)
	tree, err := specs.Find(ctx, key)
	if err != nil {
		return nil, err
	}
	return explainOne(tree, store, policy, key, true)
}

// explainOne plans for one user, from a tree that need hold nobody else. partial says that its problems are only
// those of files that mention the user.
func explainOne(tree *spec.Tree, store *state.Store, policy plan.Policy, key string, partial bool) (*Explanation, error) {
	keys, ids := []string{key}, []string{}
	if u := findUser(tree, key); u != nil {
		keys = append(keys, u.PreviousEmails...)
		if u.ID != "" {
			ids = append(ids, u.ID)
		}
		if manager := u.Fields[spec.Manager].Text(); manager != "" {
			keys = append(keys, spec.Key(manager))
		}
	}
	snap, err := store.Part(keys, ids)
	if err != nil {
		return nil, err
	}
	policy.Select = plan.Selection{Only: []string{key}}
	policy.Guard = policy.Guard.ForOne()
	p := plan.New(tree, snap, policy, nil, time.Now())
	v := &View{Revision: tree.Revision, tree: tree, claimed: p.OwnerOf, partial: partial}
	v.take(p)
	e, err := v.explain(store, key)
	if err == nil && e.Standing == string(plan.Planned) {
		e.Why = cmp.Or(e.Why, "unless a guard holds it: most of them count other users, too, and usersyncd plan shows what they hold")
	}
	return e, err
}

func (v *View) explain(store *state.Store, key string) (*Explanation, error) {
	e := &Explanation{Schema: "usersyncd.explain/v1", Email: key, Plan: v.Plan, Revision: v.Revision,
		Defaults: []string{}, Fields: []FieldStory{}, Problems: []string{}}
	declared, change := v.user(key), v.change(key)
	known, err := v.known(store, key, declared)
	if err != nil {
		return nil, err
	}
	meta, err := store.Meta()
	if err != nil {
		return nil, err
	}
	if known != nil {
		e.ID, e.Version, e.Managed = known.ID, known.Version, known.Applied != nil
		if !known.Stale { // else it is to be read again
			e.Read = known.Times.Oldest()
		}
	}
	e.Listed = meta.Refresh.At
	e.Paused = meta.Pause
	query := state.Query{ID: e.ID, Limit: storyEvents}
	if e.ID == "" {
		query.Email = key
	}
	if e.History, err = store.History(query); err != nil {
		return nil, err
	}
	if e.History == nil {
		e.History = []state.Event{}
	}
	names := addresses{store, map[string]string{}}
	if err := e.fields(declared, known, change, &names); err != nil {
		return nil, err
	}
	e.place(v, declared, key)
	e.stand(declared, known, change)
	if declared == nil && e.Standing == "unknown" {
		err = e.suggest(store, v)
	}
	return e, err
}

// suggest adds the address that may be meant by one that nobody has: a declared one, or where the tree is not at
// hand any that is known, which takes longer to find.
func (e *Explanation) suggest(store *state.Store, v *View) error {
	var keys []string
	for _, u := range v.tree.Users {
		keys = append(keys, u.Key)
	}
	if v.partial {
		known, err := store.Addresses()
		if err != nil {
			return err
		}
		keys = append(keys, known...)
	}
	e.Why += reference.DidYouMean(e.Email, keys)
	return nil
}

// known finds what is known of the user behind a declared one, or of whoever has the address.
func (v *View) known(store *state.Store, key string, declared *spec.User) (*state.User, error) {
	if id := v.id(key); id != "" {
		return store.User(id)
	}
	if declared != nil && declared.ID != "" {
		return store.User(declared.ID)
	}
	found, err := store.Lookup(key)
	if err != nil || len(found) == 0 {
		return nil, err
	}
	return slices.MinFunc(found, func(a, b *state.User) int { // a live one before a deleted one, as a plan would
		if a.Deleted() != b.Deleted() {
			return map[bool]int{true: 1, false: -1}[a.Deleted()]
		}
		return cmp.Compare(b.ID, a.ID)
	}), nil
}

// place says where the user is declared, and what is wrong there.
func (e *Explanation) place(v *View, declared *spec.User, key string) {
	if declared != nil {
		e.File, e.Line = declared.Pos.File, declared.Pos.Line
	}
	for _, p := range v.problems {
		if p.Key == key {
			e.Problems = append(e.Problems, p.String())
		}
	}
	if declared != nil {
		return // and sound: what is wrong with the tree is about others
	}
	for _, p := range v.tree.Problems {
		if v.partial || mentions(p.Message, key) {
			e.Problems = append(e.Problems, p.String())
		}
	}
}

// mentions reports whether a text has an address in it, and not only one that contains it.
func mentions(text, key string) bool {
	words := strings.FieldsFunc(strings.ToLower(text), func(r rune) bool {
		return r <= ' ' || strings.ContainsRune(`"(),:;<>`, r)
	})
	return slices.ContainsFunc(words, func(w string) bool { return strings.Trim(w, "'.") == key })
}

// neverRead is why nothing can be said of whom the state file does not know.
const neverRead = "the organization was never read: whether the user exists is not known yet"

// stand sums up.
func (e *Explanation) stand(declared *spec.User, known *state.User, change *plan.Change) {
	switch {
	case declared != nil && known == nil && e.Listed.IsZero(): // and so the plan makes up a new user
		e.Standing, e.Why, e.Problems = "unknown", neverRead, []string{}
	case change != nil:
		e.Standing, e.Why, e.Action, e.Cause = string(change.Outcome), change.Note, change.Action, change.Cause
		switch {
		case change.Outcome == plan.Applied && change.Action.Removes():
			e.Standing, e.Why = "not declared", fmt.Sprintf("no file declares it any more; the last pass was told what becomes of it (%s)", change.Action)
		case change.UserOutcome() == plan.Deferred:
			e.Standing = string(plan.Deferred)
		case change.Outcome == plan.Applied && len(change.Withheld) > 0:
			e.Standing = string(change.UserOutcome())
		case change.Outcome == plan.Applied:
			e.Standing, e.Why = "in sync", "applied with the last pass"
		}
		e.Release, e.Next = change.Hold, change.Retry
		for _, w := range change.Withheld {
			e.Release, e.Why = cmp.Or(e.Release, w.Hold), cmp.Or(e.Why, w.Note)
			if !w.Until.IsZero() && (e.Next.IsZero() || w.Until.Before(e.Next)) {
				e.Next = w.Until
			}
		}
		if len(change.Deferred) > 0 {
			e.Next, e.Opens, e.Why = change.Until, true, cmp.Or(e.Why, "what touches routing waits for the change window")
		}
		if change.Waits != "" {
			e.Why = "waits for " + change.Waits
		}
		if change.Err != nil {
			e.Why = change.Err.Error()
		}
	case len(e.Problems) > 0:
		e.Standing, e.Why = "wrong", "the spec has problems; until they are solved nothing of the user is changed"
	case declared != nil:
		e.Standing = "in sync"
	case known != nil && known.Applied != nil:
		e.Standing, e.Why = "not declared", "it is managed, and no file declares it any more"
	case known != nil && known.Deleted():
		e.Standing, e.Why = "not declared", "it is deleted in the organization, and no file declares it"
	case known != nil:
		e.Standing, e.Why = "not declared", "it exists in the organization and no file declares it, so it is left alone"
	case e.Listed.IsZero():
		e.Standing, e.Why = "unknown", "no file declares the address, and "+neverRead
	default:
		e.Standing, e.Why = "unknown", "no file declares the address, and nobody in the organization has it, as far as is known"
	}
}
