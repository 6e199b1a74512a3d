package sync

import (
	"encoding/json"
	"slices"
	"strings"
	"time"

	"usersyncd/spec"
	"usersyncd/state"
	"usersyncd/sync/plan"
	"usersyncd/sync/plan/contest"
	"usersyncd/sync/plan/identity"
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

	desired, applied, live spec.Value
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

// fields compares the fields that are declared, applied or known.
func (e *Explanation) fields(declared *spec.User, known *state.User, change *plan.Change, names *addresses) error {
	var desired, applied, live spec.Fields
	if declared != nil {
		desired = declared.Fields
	}
	if known != nil {
		applied, live = known.Applied, known.Fields
	}
	for _, info := range spec.All() {
		f := info.Field
		s := FieldStory{Field: f, desired: desired[f], applied: applied[f], live: spec.Declarable(f, live[f])}
		if s.desired == "" && s.applied == "" && s.live == "" {
			continue
		}
		if declared != nil {
			if at, ok := declared.At.Of(f); ok {
				s.File, s.Line = at.File, at.Line
				s.Inherited = !declared.Own(f)
			}
		}
		var err error
		if s.live, err = names.named(s.live); err != nil {
			return err
		}
		s.Verdict, s.Until = verdict(&s, known, change)
		s.Desired, s.Applied, s.Live = plan.Raw(s.desired), plan.Raw(s.applied), plan.Raw(s.live)
		e.Fields = append(e.Fields, s)
		if s.Inherited && !slices.Contains(e.Defaults, s.File) {
			e.Defaults = append(e.Defaults, s.File)
		}
	}
	slices.Sort(e.Defaults)
	return nil
}

// verdict says in a word how a field stands and, if that has an end, until when.
func verdict(s *FieldStory, known *state.User, change *plan.Change) (word string, until time.Time) {
	if change != nil {
		if i := slices.IndexFunc(change.Withheld, func(w plan.Withheld) bool { return w.Field == s.Field }); i >= 0 {
			return string(change.Withheld[i].Reason), change.Withheld[i].Until
		}
	}
	if known != nil {
		if until, contested := contest.Of(known, s.Field, time.Now()); contested {
			return string(plan.ByContest), until
		}
	}
	return difference(s, change), time.Time{}
}

// difference says why a field differs, if it does.
func difference(s *FieldStory, change *plan.Change) string {
	if change != nil {
		if change.Defers(s.Field) {
			return string(plan.Deferred)
		}
		for _, w := range change.Withheld {
			if w.Field == s.Field {
				return string(w.Reason)
			}
		}
		waiting := slices.Concat(change.Fields, change.Drift)
		if change.Outcome == plan.Applied {
			waiting = change.Drift
		}
		for _, fc := range waiting {
			if fc.Field == s.Field {
				return string(fc.Cause)
			}
		}
	}
	switch {
	case s.desired == "" && s.applied != "":
		return "not declared" // and applied when it was
	case s.desired == "":
		return "not managed"
	case s.live == "" && s.applied != s.desired:
		return "unknown"
	case s.live != "" && s.live != s.desired && !spec.Equal(s.Field, s.desired, s.live) && s.applied != s.desired:
		return string(plan.Edit)
	}
	return "in sync"
}

// addresses turns references by id into addresses, reading each user once.
type addresses struct {
	store *state.Store
	known map[string]string
}

func (a *addresses) named(v spec.Value) (spec.Value, error) {
	id, ok := strings.CutPrefix(v.Text(), identity.IDPrefix)
	if !ok {
		return v, nil
	}
	if _, asked := a.known[id]; !asked {
		u, err := a.store.User(id)
		if err != nil {
			return v, err
		}
		if u != nil {
			a.known[id] = u.Key()
		}
	}
	if key := a.known[id]; key != "" {
		return spec.Text(key), nil
	}
	return v, nil
}
