package sync

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"usersyncd/spec"
	"usersyncd/state"
	"usersyncd/sync/plan"
	"usersyncd/sync/plan/contest"
	"usersyncd/sync/plan/identity"
)

// Explanation is all there is to say about one user. Its JSON is a contract: schema usersyncd.explain/v1.
type Explanation struct {
	Schema  string      `json:"schema"`
	Email   string      `json:"email"`
	ID      string      `json:"id,omitempty"` // Genesys id
	Status  string      `json:"standing"`     // in sync, planned, failed, deferred, held, quarantined, skipped, wrong, not declared or unknown
	Why     string      `json:"why,omitempty"`
	Action  plan.Action `json:"action,omitempty"` // what is to be done
	Cause   plan.Cause  `json:"cause,omitempty"`
	Release string      `json:"release,omitempty"` // what usersyncd release takes, if a guard holds it
	// Next is when it is tried again without anybody doing anything; zero: with the next pass.
	Next           time.Time     `json:"next,omitzero"`
	WaitsForWindow bool          `json:"opens,omitempty"` // it is when the change window opens
	Paused         *state.Pause  `json:"paused,omitempty"`
	Plan           string        `json:"plan,omitempty"`
	Revision       string        `json:"revision,omitempty"` // of the checkout that was read
	File           string        `json:"file,omitempty"`
	Line           int           `json:"line,omitempty"`
	Defaults       []string      `json:"defaults"` // the _defaults.yaml files that set something for the user
	Managed        bool          `json:"managed"`
	Version        int           `json:"version,omitempty"`
	Listed         time.Time     `json:"listed,omitzero"` // how old the live values are
	Read           time.Time     `json:"read,omitzero"`   // the same of those that no listing shows
	Fields         []FieldStatus `json:"fields"`
	Problems       []string      `json:"problems"` // of the files that declare the user, or seem to
	History        []state.Event `json:"history"`  // the last writes, newest first
}

// maxEvents is how many of the last writes an explanation has.
const maxEvents = 5

// Explain says what there is to say about the user with an address, as the last plan saw it. Before there is a plan it
// goes by the tree that was read or, while the very first is being read, by the state file alone, and says so. It takes
// part in no pass, and is safe to call at any time.
func (r *Reconciler) Explain(ctx context.Context, email string) (*Explanation, error) {
	v, key := r.View(), spec.Key(email)
	if v == nil {
		v = &View{tree: r.loaded.Load()}
	}
	policy := *cmp.Or(r.lastPolicy.Load(), &plan.Policy{})
	reading := v.tree == nil && r.Status().Phase == PhaseScan // to read all files a second time, meanwhile, takes long
	if !reading && !v.complete(key) {
		return Explain(ctx, r.Specs, r.Store, policy, email)
	}
	return v.explain(r.Store, policy, key)
}

// Explain says the same from the files that mention the user, and the state file. What only the organization, or a look
// at everybody, could show to be wrong is missing from it.
func Explain(ctx context.Context, specs *spec.Loader, store *state.Store, policy plan.Policy, email string) (*Explanation, error) {
	key := spec.Key(email)
	tree, err := specs.Find(ctx, key)
	if err != nil {
		return nil, err
	}
	return (&View{tree: tree, partial: true}).explain(store, policy, key)
}

// explain answers from the tree, the plan and what the state file has of the user. Where there is a tree and no plan, it
// makes one for the user.
func (v *View) explain(store *state.Store, policy plan.Policy, key string) (e *Explanation, err error) {
	if v.tree != nil && v.Plan == "" {
		if v, err = v.planFor(store, policy, key); err != nil {
			return nil, err
		}
	}
	known, err := v.known(store, key)
	if err != nil {
		return nil, err
	}
	meta, err := store.Meta()
	if err != nil {
		return nil, err
	}
	e = &Explanation{Schema: "usersyncd.explain/v1", Email: key, Plan: v.Plan, Listed: meta.Refresh.At, Paused: meta.Pause,
		Defaults: []string{}, Fields: []FieldStatus{}, Problems: v.problemsOf(key), History: []state.Event{}}
	if v.tree != nil {
		e.Revision = v.tree.Revision
	}
	if u := v.user(key); u != nil {
		e.File, e.Line = u.Pos.File, u.Pos.Line
	}
	written := state.Query{Email: key, Limit: maxEvents}
	if known != nil {
		e.ID, e.Version, e.Managed = known.ID, known.Version, known.Applied != nil
		if !known.Stale { // else it is to be read again
			e.Read = known.Times.Oldest()
		}
		written = state.Query{ID: known.ID, Limit: maxEvents}
	}
	events, err := store.History(written)
	if err != nil {
		return nil, err
	}
	e.History = append(e.History, events...)
	if err := e.addFields(v, store, known); err != nil {
		return nil, err
	}
	return e, e.sumUp(v, store, known)
}

// neverRead is why nothing can be said of whom the state file does not know.
const neverRead = "the organization was never read: whether the user exists is not known yet"

// sumUp sets the standing, and why it is so.
func (e *Explanation) sumUp(v *View, store *state.Store, known *state.User) error {
	change := v.change(e.Email)
	e.Status = "not declared"
	switch declared := v.user(e.Email) != nil; {
	case v.tree == nil:
		e.Status, e.Why = "unknown", "the specs are being read just now, and this is what was known before; ask again when they are"
	case declared && known == nil && e.Listed.IsZero(): // and so the plan makes up a new user
		e.Status, e.Why, e.Problems = "unknown", neverRead, []string{}
	case change != nil:
		e.addChange(change)
		if v.Plan == "" && change.Outcome == plan.Planned {
			e.Why = cmp.Or(e.Why, "unless a guard holds it: most of them count other users, too, and usersyncd plan shows what they hold")
		}
	case len(e.Problems) > 0:
		e.Status, e.Why = "wrong", "the spec has problems; until they are solved nothing of the user is changed"
	case declared:
		e.Status = "in sync"
	case known == nil:
		why := "nobody in the organization has it, as far as is known"
		if e.Listed.IsZero() {
			why = neverRead
		}
		meant, err := v.suggest(store, e.Email)
		e.Status, e.Why = "unknown", "no file declares the address, and "+why+meant
		return err
	case known.Applied != nil:
		e.Why = "it is managed, and no file declares it any more"
	case known.Deleted():
		e.Why = "it is deleted in the organization, and no file declares it"
	default:
		e.Why = "it exists in the organization and no file declares it, so it is left alone"
	}
	return nil
}

// addChange says what is to be done and what that waits for, or how it has ended.
func (e *Explanation) addChange(c *plan.Change) {
	e.Status, e.Why, e.Action, e.Cause = string(c.UserOutcome()), c.Note, c.Action, c.Cause
	switch {
	case c.Outcome == plan.Applied && c.Action.Removes():
		e.Status, e.Why = "not declared", fmt.Sprintf("no file declares it any more; the last pass was told what becomes of it (%s)", c.Action)
	case c.UserOutcome() == plan.Applied:
		e.Status, e.Why = "in sync", "applied with the last pass"
	}
	e.Release, e.Next = c.Hold, c.Retry
	for _, w := range c.Withheld {
		e.Release, e.Why, e.Next = cmp.Or(e.Release, w.Hold), cmp.Or(e.Why, w.Note), plan.Earliest(e.Next, w.Until)
	}
	if len(c.Deferred) > 0 {
		e.Next, e.WaitsForWindow, e.Why = c.Until, true, cmp.Or(e.Why, "what touches routing waits for the change window")
	}
	switch {
	case c.Err != nil:
		e.Why = c.Err.Error()
	case c.WaitsFor != "":
		e.Why = "waits for " + c.WaitsFor
	}
}

// FieldStatus is what is known of one field. A value is null where there is none, or nothing is known.
type FieldStatus struct {
	Field     spec.Field      `json:"field"`
	File      string          `json:"file,omitempty"` // where it is declared: the user's own file, or a _defaults.yaml
	Line      int             `json:"line,omitempty"`
	Inherited bool            `json:"inherited,omitempty"`
	Desired   json.RawMessage `json:"desired"`
	Applied   json.RawMessage `json:"applied"`
	Live      json.RawMessage `json:"live"`
	Verdict   string          `json:"verdict"`        // in sync, edit, drift, missing, deferred, held, problem, contested, uncertain, not declared, not managed, unknown
	Until     time.Time       `json:"until,omitzero"` // of one that is contested or uncertain: it is not changed before
}

// Values are the field's values for people.
func (f *FieldStatus) Values() (desired, applied, live string) {
	return shown(f.Desired), shown(f.Applied), shown(f.Live)
}

func shown(v json.RawMessage) string {
	if len(v) == 0 || string(v) == "null" {
		return "-"
	}
	return spec.Value(v).Display()
}

// addFields compares the fields that are declared, applied or known.
func (e *Explanation) addFields(v *View, store *state.Store, known *state.User) error {
	declared, change := cmp.Or(v.user(e.Email), &spec.User{}), cmp.Or(v.change(e.Email), &plan.Change{})
	known = cmp.Or(known, &state.User{})
	for _, info := range spec.All() {
		f := info.Field
		desired, applied := declared.Fields[f], known.Applied[f]
		live, err := asDeclared(store, spec.Declarable(f, known.Fields[f]))
		if err != nil {
			return err
		}
		if desired == "" && applied == "" && live == "" {
			continue
		}
		s := FieldStatus{Field: f, Desired: plan.RawJSON(desired), Applied: plan.RawJSON(applied), Live: plan.RawJSON(live), Verdict: "unknown"}
		if v.tree != nil {
			s.Verdict, s.Until = verdict(f, desired, applied, live, known, change)
		}
		if at, ok := declared.At.Of(f); ok {
			s.File, s.Line, s.Inherited = at.File, at.Line, !declared.Own(f)
		}
		if s.Inherited && !slices.Contains(e.Defaults, s.File) {
			e.Defaults = append(e.Defaults, s.File)
		}
		e.Fields = append(e.Fields, s)
	}
	slices.Sort(e.Defaults)
	return nil
}

// verdict says in a word how a field stands and, if that has an end, until when.
func verdict(f spec.Field, desired, applied, live spec.Value, known *state.User, change *plan.Change) (word string, until time.Time) {
	for _, w := range change.Withheld {
		if w.Field == f {
			return string(w.Reason), w.Until
		}
	}
	if until, contested := contest.Until(known, f, time.Now()); contested {
		return string(plan.ByContest), until
	}
	differs := change.Drift
	if change.Outcome != plan.Applied {
		differs = slices.Concat(change.Fields, differs)
	}
	i := slices.IndexFunc(differs, func(fc plan.FieldChange) bool { return fc.Field == f })
	switch {
	case change.Defers(f):
		word = string(plan.Deferred)
	case i >= 0:
		word = string(differs[i].Cause)
	case desired == "" && applied != "":
		word = "not declared" // and applied when it was
	case desired == "":
		word = "not managed"
	case live == "" && applied != desired:
		word = "unknown"
	case live != "" && live != desired && !spec.Equal(f, desired, live) && applied != desired:
		word = string(plan.Edit)
	default:
		word = "in sync"
	}
	return word, time.Time{}
}

// asDeclared turns a reference by id into one by address, where that is known.
func asDeclared(store *state.Store, v spec.Value) (spec.Value, error) {
	id, ok := strings.CutPrefix(v.Text(), identity.IDPrefix)
	if !ok {
		return v, nil
	}
	u, err := store.User(id)
	if err != nil || u == nil || u.Key() == "" {
		return v, err
	}
	return spec.Text(u.Key()), nil
}
