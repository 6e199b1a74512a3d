package sync

import (
	"slices"
	"sync/atomic"
	"time"

	"usersyncd/spec"
	"usersyncd/state"
	"usersyncd/sync/apply"
	"usersyncd/sync/plan"
	"usersyncd/sync/plan/reference"
)

// A Phase is what the loop is doing.
type Phase string

// The phases.
const (
	PhaseScan    Phase = "scan"    // a pass reads the checkout
	PhaseWait    Phase = "wait"    // it waits until the API shows what was written a moment ago
	PhaseRefresh Phase = "refresh" // it reads the organization
	PhaseRead    Phase = "read"    // it reads fields that only single users show
	PhaseApply   Phase = "apply"   // it changes users
	PhaseIdle    Phase = "idle"    // no pass is under way
)

// Words say for people what a pass is doing.
func (p Phase) Words() string {
	switch p {
	case PhaseScan:
		return "reading the specs"
	case PhaseWait:
		return "waiting until the API shows the last writes"
	case PhaseRefresh:
		return "reading the organization"
	case PhaseRead:
		return "reading single users"
	case PhaseApply:
		return "changing users"
	}
	return string(p)
}

// Phases returns all of them.
func Phases() []Phase {
	return []Phase{PhaseScan, PhaseWait, PhaseRefresh, PhaseRead, PhaseApply, PhaseIdle}
}

// Status is what the loop publishes of itself: a value, replaced as a whole. Its JSON is a part of usersyncd.status/v1,
// see package control. Times are UTC.
type Status struct {
	Phase      Phase              `json:"phase"`
	Began      time.Time          `json:"began,omitzero"`   // of the pass under way, or else of the last one
	Beat       time.Time          `json:"beat,omitzero"`    // of the last step; in apply there is one every few seconds
	Moved      time.Time          `json:"moved,omitzero"`   // when the phase last changed, or a user was applied or read
	Success    time.Time          `json:"success,omitzero"` // when a pass last ended without an error, or was interrupted after it had applied something
	Refresh    time.Time          `json:"refresh,omitzero"` // when the organization was last read
	Revision   string             `json:"head"`             // of the checkout, as it was last read
	Applied    *state.AppliedTree `json:"applied,omitempty"`
	Plan       string             `json:"plan,omitempty"`   // id of the plan that is, or was last, carried out
	RollbackOf string             `json:"undoes,omitempty"` // what the rollback under way takes back: a revision, or since when
	Paused     *state.Pause       `json:"paused,omitempty"` // passes plan, and change nothing
	Users      int                `json:"users"`            // declared
	InSync     int                `json:"inSync"`           // of these, those who are as declared
	Reading    int                `json:"reading"`          // users whose detail fields this pass reads
	Read       int                `json:"read"`             // of these, so far
	Totals     Totals             `json:"totals"`

	Progress  apply.Progress `json:"-"` // of the plan that is, or was last, carried out
	Result    *Result        `json:"-"` // of the plan under way, without its changes, or else of the last pass that had one
	LastError error          `json:"-"` // of the last pass that ended with one; nil once a pass ends without, or the API accepts the credentials again
}

// Totals count since the process began.
type Totals struct {
	Passes       uint64                  `json:"passes"`      // that have ended
	FailedPasses uint64                  `json:"passErrors"`  // of them, with an error
	PassSeconds  float64                 `json:"passSeconds"` // that they took
	Changes      map[plan.Outcome]uint64 `json:"changes"`     // applied and failed, of passes and rollbacks; not written to
	Calls        Calls                   `json:"calls"`       // filled in by the daemon
	Damaged      uint64                  `json:"damaged"`     // records of the state file that were lost
	Repairs      uint64                  `json:"repairs"`     // fields that somebody else had changed, and that were changed back
}

// plus returns Changes with more of them.
func (t Totals) plus(applied, failed int) map[plan.Outcome]uint64 {
	return map[plan.Outcome]uint64{
		plan.Applied: t.Changes[plan.Applied] + uint64(applied), //nolint:gosec // it is not negative
		plan.Failed:  t.Changes[plan.Failed] + uint64(failed),   //nolint:gosec // it is not negative
	}
}

// A publisher shows others what the loop does. Only the loop writes to it.
type publisher struct {
	status atomic.Pointer[Status]
	view   atomic.Pointer[View]
	loaded atomic.Pointer[spec.Tree] // that was read last
}

// Tree returns the specs that were read last; nil before. It is safe to call at any time.
func (p *publisher) Tree() *spec.Tree { return p.loaded.Load() }

// Status returns the current status. It is safe to call at any time.
func (p *publisher) Status() Status {
	if s := p.status.Load(); s != nil {
		return *s
	}
	return Status{Phase: PhaseIdle, Totals: Totals{Changes: Totals{}.plus(0, 0)}}
}

// Beat publishes that the loop is alive between two passes.
func (p *publisher) Beat() { p.update(func(*Status) {}) }

// update publishes a changed status.
func (p *publisher) update(change func(*Status)) {
	before := p.Status()
	s := before
	change(&s)
	s.Beat = time.Now().UTC()
	if s.Phase != before.Phase || s.Progress.Applied != before.Progress.Applied || s.Read != before.Read || s.Began != before.Began {
		s.Moved = s.Beat
	}
	p.status.Store(&s)
}

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
func (p *publisher) View() *View { return p.view.Load() }

// publishPlan publishes a plan for the tree that was read last, before it is carried out and after it. A pass that made no plan
// leaves the last one.
func (p *publisher) publishPlan(next *plan.Plan) {
	if next.OwnerOf != nil {
		p.view.Store(newView(p.loaded.Load(), next))
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
func (v *View) planFor(specs *spec.Loader, store *state.Store, policy plan.Policy, key string) (*View, error) {
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
	placeProblems(p.Problems, specs)
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

// inPlaceOf returns the user who is declared where another one was; nil if there is none.
func (v *View) inPlaceOf(was *state.User) *spec.User {
	i := slices.IndexFunc(v.tree.Users, func(u *spec.User) bool {
		return was.Declared.File != "" && u.Pos.File == was.Declared.File && u.Ordinal == was.Declared.Ordinal && u.Key != was.Declared.Key
	})
	if i < 0 {
		return nil
	}
	return v.tree.Users[i]
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
