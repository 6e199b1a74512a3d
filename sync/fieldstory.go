package sync

import (
	"cmp"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"usersyncd/spec"
	"usersyncd/state"
	"usersyncd/sync/plan"
)

// FieldStory is what is known of one field. A value is null where there is none, or nothing is known.
type FieldStory struct {
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
func (f *FieldStory) Values() (desired, applied, live string) {
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
		live, err := named(store, spec.Declarable(f, known.Fields[f]))
		if err != nil {
			return err
		}
		if desired == "" && applied == "" && live == "" {
			continue
		}
		s := FieldStory{Field: f, Desired: plan.Raw(desired), Applied: plan.Raw(applied), Live: plan.Raw(live), Verdict: "unknown"}
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
	if until, contested := plan.Contested(known, f, time.Now()); contested {
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

// named turns a reference by id into one by address, where that is known.
func named(store *state.Store, v spec.Value) (spec.Value, error) {
	id, ok := strings.CutPrefix(v.Text(), plan.IDPrefix)
	if !ok {
		return v, nil
	}
	u, err := store.User(id)
	if err != nil || u == nil || u.Key() == "" {
		return v, err
	}
	return spec.Text(u.Key()), nil
}
