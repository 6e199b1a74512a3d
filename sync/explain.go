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

// Explanation is what is known about one user. Its JSON is schema usersyncd.explain/v1.
type Explanation struct {
	Schema  string      `json:"schema"`
	Email   string      `json:"email"`
	ID      string      `json:"id,omitempty"` // Genesys id
	Status  string      `json:"standing"`     // in sync, planned, failed, deferred, held, quarantined, skipped, wrong, not declared or unknown
	Why     string      `json:"why,omitempty"`
	Action  plan.Action `json:"action,omitempty"` // what is to be done
	Cause   plan.Cause  `json:"cause,omitempty"`
	Release string      `json:"release,omitempty"` // id for usersyncd release, if a guard holds it
	// Next is when it is tried again without anybody's action; zero: with the next pass.
	Next           time.Time     `json:"next,omitzero"`
	WaitsForWindow bool          `json:"opens,omitempty"` // Next is when the change window opens
	Paused         *state.Pause  `json:"paused,omitempty"`
	Plan           string        `json:"plan,omitempty"`
	Revision       string        `json:"revision,omitempty"`   // of the checkout that was read
	AsOf           time.Time     `json:"asOf,omitzero"`        // when no daemon runs: when the pass ended that has left the user so
	DeclaredAs     string        `json:"declaredAs,omitempty"` // the address in the specs, if it is another one; all else is of that one
	File           string        `json:"file,omitempty"`
	Line           int           `json:"line,omitempty"`
	Defaults       []string      `json:"defaults"` // the _defaults.yaml files that set fields of the user
	Managed        bool          `json:"managed"`
	Version        int           `json:"version,omitempty"`
	Listed         time.Time     `json:"listed,omitzero"` // when the live values were read
	Read           time.Time     `json:"read,omitzero"`   // the same of detail fields
	Fields         []FieldStatus `json:"fields"`
	Problems       []string      `json:"problems"` // of the files that declare the user, or may do so
	History        []state.Event `json:"history"`  // the last writes, newest first
}

// IsNobody reports whether no file declares the address, and no user is known who has it or has had it.
func (e *Explanation) IsNobody() bool {
	return e.File == "" && e.ID == "" && len(e.Problems)+len(e.History) == 0
}

// statusWrong is the Status of a user whose spec has problems.
const statusWrong = "wrong"

// maxEvents is how many writes an explanation has at most.
const maxEvents = 5

// Explain explains the user with an address, with the last plan. Before there is a plan it uses the tree that was read or,
// while the first one is being read, only the state file, and says so. It is safe to call at any time.
func (r *Reconciler) Explain(ctx context.Context, email string) (*Explanation, error) {
	v, key := r.View(), spec.Key(email)
	if v == nil {
		v = &View{tree: r.loaded.Load()}
	}
	policy := *cmp.Or(r.lastPolicy.Load(), &plan.Policy{})
	reading := v.tree == nil && r.Status().Phase == PhaseScan // do not read all files at the same time
	if !reading && !v.complete(key) {
		return Explain(ctx, r.Specs, r.Store, policy, email)
	}
	return v.explain(r.Specs, r.Store, policy, key)
}

// Explain explains the user from the files that mention it, and the state file. It does not have what depends on other users or
// on the organization.
func Explain(ctx context.Context, specs *spec.Loader, store *state.Store, policy plan.Policy, email string) (*Explanation, error) {
	key := spec.Key(email)
	accounts, err := store.Lookup(key)
	if err != nil {
		return nil, err
	}
	var further []string
	for _, u := range accounts {
		further = append(further, u.Declared.File) // it may have another address there now
	}
	tree, err := specs.Find(ctx, key, further...)
	if err != nil {
		return nil, err
	}
	return (&View{tree: tree, partial: true}).explain(specs, store, policy, key)
}

// explain uses the tree, the plan and the state file. If there is no plan, it makes one for the user.
func (v *View) explain(specs *spec.Loader, store *state.Store, policy plan.Policy, key string) (e *Explanation, err error) {
	all := v
	if v.tree != nil && v.Plan == "" {
		if v, err = v.planFor(specs, store, policy, key); err != nil {
			return nil, err
		}
	}
	known, err := v.known(store, key)
	if err != nil {
		return nil, err
	}
	if known != nil && v.user(key) == nil && v.user(v.owners[known.ID]) != nil { // under another address
		e, err = all.explain(specs, store, policy, v.owners[known.ID])
		if e != nil {
			e.Email, e.DeclaredAs = key, e.Email
		}
		return e, err
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
		e.ID, e.Version, e.Managed = known.ID, known.Version, known.LastApplied != nil
		if !known.Stale {
			e.Read = known.Times.Oldest()
		}
		written = state.Query{ID: known.ID, Limit: maxEvents}
	}
	events, err := store.History(written)
	if err != nil {
		return nil, err
	}
	e.History = append(e.History, events...)
	if err := e.addFields(v, store, policy, known); err != nil {
		return nil, err
	}
	if err := e.sumUp(all, v, store, known); err != nil || !v.partial {
		return e, err
	}
	return e, e.addLastPass(store, v.change(key))
}

// addLastPass adds how the last pass has left a user who is not as declared now: it has counted all users, as most guards do, and
// has the answers of the API.
func (e *Explanation) addLastPass(store *state.Store, now *plan.Change) error {
	last, err := ReadLastPass(store)
	if err != nil || last == nil {
		return err
	}
	removed := now == nil && e.Managed && e.File == ""
	if !removed && (now == nil || now.Outcome != plan.Planned) { // what holds now tells more
		return nil
	}
	was, at := last.of(e.Email)
	if was == nil {
		return nil
	}
	e.AsOf, e.Status, e.Why, e.Action, e.Cause, e.Next, e.WaitsForWindow = at, was.Status, was.Why, was.Action, was.Cause, was.Next, was.Window
	for _, h := range last.AllHolds() {
		if !slices.Contains(was.Holds, h.ID) {
			continue
		}
		if h.Releasable() {
			e.Release = cmp.Or(e.Release, h.ID)
		}
		for i := range e.Fields {
			if f := &e.Fields[i]; slices.Contains(h.Fields, f.Field) && slices.Contains([]string{string(plan.Edit), string(plan.Drift), string(plan.Missing)}, f.Verdict) {
				f.Verdict = string(plan.Held)
			}
		}
	}
	return nil
}

const neverRead = "the organization was never read: whether the user exists is not known yet"

// sumUp sets the status and the reason. v has the user's plan, and all its whole tree.
func (e *Explanation) sumUp(all, v *View, store *state.Store, known *state.User) error {
	change := v.change(e.Email)
	e.Status = "not declared"
	switch declared := v.user(e.Email) != nil; {
	case v.tree == nil:
		e.Status, e.Why = "unknown", "the specs are being read; this is what was known before. Try again later"
	case declared && known == nil && e.Listed.IsZero(): // the plan would create it
		e.Status, e.Why, e.Problems = "unknown", neverRead, []string{}
	case change != nil:
		e.addChange(change)
		if v.Plan == "" && change.Outcome == plan.Planned {
			e.Why = cmp.Or(e.Why, "unless a guard holds it: most guards count all users, and usersyncd plan shows what they hold")
		}
	case len(e.Problems) > 0:
		e.Status, e.Why = statusWrong, "the spec has problems; the user is not changed until they are solved"
	case declared:
		e.Status = "in sync"
	case known == nil:
		why := "no known user of the organization has it"
		if e.Listed.IsZero() {
			why = neverRead
		}
		had, err := store.Former(e.Email)
		if err != nil {
			return err
		}
		if len(had) > 0 {
			e.Status, e.Why = "unknown", "no file declares the address; it was an address of "+had[0].Declared.Key
			return nil
		}
		suggestion, err := v.suggest(store, e.Email)
		e.Status, e.Why = "unknown", "no file declares the address, and "+why+suggestion
		return err
	case known.LastApplied != nil:
		e.Why = "it is managed, and no longer declared"
		if u := all.inPlaceOf(known); u != nil {
			e.Why += fmt.Sprintf("; %s, where it was, declares %s now", u.Pos, u.Key)
		}
	case known.Deleted():
		e.Why = "it is deleted in the organization, and no file declares it"
	default:
		e.Why = "it exists in the organization, and no file declares it, so it is not changed"
	}
	return nil
}

// addChange adds what is to be done and what it waits for, or its outcome.
func (e *Explanation) addChange(c *plan.Change) {
	e.Status, e.Why, e.Action, e.Cause = string(c.UserOutcome()), c.Note, c.Action, c.Cause
	switch {
	case c.Outcome == plan.Applied && c.Action.Removes():
		e.Status, e.Why = "not declared", fmt.Sprintf("no longer declared; applied by the last pass (%s)", c.Action)
	case c.UserOutcome() == plan.Applied:
		e.Status, e.Why = "in sync", "applied with the last pass"
	case c.UserOutcome() == plan.Skipped && slices.ContainsFunc(c.Withheld, func(w plan.Withheld) bool { return w.Reason == plan.ByProblem }):
		e.Status = statusWrong // in part
	}
	e.Release, e.Next = c.Hold, c.Retry
	for _, w := range c.Withheld {
		e.Release, e.Why, e.Next = cmp.Or(e.Release, w.Hold), cmp.Or(e.Why, w.Note), plan.Earliest(e.Next, w.Until)
	}
	if len(c.Deferred) > 0 {
		e.Next, e.WaitsForWindow, e.Why = c.Until, true, cmp.Or(e.Why, "what affects routing waits for the change window")
	}
	switch {
	case c.Err != nil:
		e.Why = c.Err.Error()
	case c.WaitsFor != "":
		e.Why = "waits for " + c.WaitsFor
	}
}

// FieldStatus is what is known of one field. A value is null if there is none, or none is known.
type FieldStatus struct {
	Field     spec.Field      `json:"field"`
	File      string          `json:"file,omitempty"` // that declares it: the user's own, or a _defaults.yaml
	Line      int             `json:"line,omitempty"`
	Inherited bool            `json:"inherited,omitempty"`
	Desired   json.RawMessage `json:"desired"`
	Applied   json.RawMessage `json:"applied"`
	Live      json.RawMessage `json:"live"`
	Verdict   string          `json:"verdict"`        // in sync, edit, drift, missing, deferred, held, problem, contested, uncertain, not declared, not managed, not compared while inactive, unknown
	Until     time.Time       `json:"until,omitzero"` // of a contested or uncertain field: it is not changed before
}

// Values returns the values for people.
func (f *FieldStatus) Values() (desired, applied, live string) {
	return shown(f.Desired), shown(f.Applied), shown(f.Live)
}

func shown(v json.RawMessage) string {
	if len(v) == 0 || string(v) == "null" {
		return "-"
	}
	return spec.Value(v).Display()
}

func (e *Explanation) addFields(v *View, store *state.Store, policy plan.Policy, known *state.User) error {
	declared, change := cmp.Or(v.user(e.Email), &spec.User{}), cmp.Or(v.change(e.Email), &plan.Change{})
	compared := policy.ManagedFields(declared.Fields, known)
	known = cmp.Or(known, &state.User{})
	for _, info := range spec.AllFields() {
		f := info.Field
		desired, applied := declared.Fields.Get(f), known.LastApplied.Get(f)
		live, err := asDeclared(store, spec.Declarable(f, known.Fields.Get(f)))
		if err != nil {
			return err
		}
		if desired == "" && applied == "" && live == "" {
			continue
		}
		s := FieldStatus{Field: f, Desired: desired.RawJSON(), Applied: applied.RawJSON(), Live: live.RawJSON(), Verdict: "unknown"}
		if v.tree != nil {
			s.Verdict, s.Until = verdict(f, desired, applied, live, known, change)
		}
		switch exists := known.ID != ""; {
		case exists && slices.Contains(policy.Unmanaged, f):
			s.Verdict = "not managed"
		case desired != "" && compared.Get(f) == "":
			s.Verdict = "not compared while inactive"
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

// verdict returns the verdict on a field and, for some, until when it holds.
func verdict(f spec.Field, desired, applied, live spec.Value, known *state.User, change *plan.Change) (verdict string, until time.Time) {
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
		verdict = string(plan.Deferred)
	case i >= 0:
		verdict = string(differs[i].Cause)
	case desired == "" && applied != "":
		verdict = "not declared" // any more
	case desired == "":
		verdict = "not managed"
	case live == "" && applied != desired:
		verdict = "unknown"
	case live != "" && live != desired && !spec.Equal(f, desired, live) && applied != desired:
		verdict = string(plan.Edit)
	default:
		verdict = "in sync"
	}
	return verdict, time.Time{}
}

// asDeclared converts a reference by id to one by address, if that is known.
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
