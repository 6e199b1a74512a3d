package plan

import (
	"fmt"
	"slices"
	"strings"

	"usersyncd/spec"
	"usersyncd/spec/text"
	"usersyncd/sync/plan/digest"
	"usersyncd/sync/plan/saved"
)

// Approved is a plan that a person has approved: a pass does what it has, and holds everything else.
type Approved struct {
	*saved.Plan
	Name     string   // of its file, or its id
	Released []string // ids of holds that a person has released for this pass
}

// guardPlan holds what an approved plan does not have. Only another plan releases it.
const guardPlan = "plan"

// mostDifferences is of how many users a hold says what is not as approved.
const mostDifferences = 50

// holdUnapproved holds what the approved plan does not have, or not so. It comes after all other guards, in every plan of the
// pass. Of an update it holds only those fields; a creation, a restoration and a removal it holds as a whole.
func (g *guards) holdUnapproved() {
	approved := g.policy.Approved
	if approved == nil {
		return
	}
	h := Hold{Guard: guardPlan}
	begun := g.begun()
	var portions []portion
	var tokens []string
	writes := func(c *Change) bool { // other guards may hold all fields of an update
		return c.effectAction() != string(Update) || len(c.Fields) > 0
	}
	for _, c := range g.plannedChanges(writes) {
		others, known := approved.unapproved(c, begun[c.Key])
		if known && len(others) == 0 {
			continue
		}
		w := portion{Change: c}
		if known && c.effectAction() == string(Update) && len(others) < len(c.Fields) {
			for _, fc := range others {
				w.fields = append(w.fields, fc.Field)
			}
		}
		if portions = append(portions, w); len(portions) <= mostDifferences {
			h.Differences = append(h.Differences, approved.difference(c, others))
		}
		tokens, h.Users = append(tokens, w.tokens(guardPlan)...), append(h.Users, c.Key)
	}
	if len(portions) == 0 {
		return
	}
	if n := len(portions) - len(h.Differences); n > 0 {
		h.Differences = append(h.Differences, fmt.Sprintf("and %d more", n))
	}
	h.ID = holdID(tokens)
	h.Reason = fmt.Sprintf("%s not as planned in %s", text.Count(len(portions), "user is", "users are"), text.Escape(approved.Name))
	g.holdAll(h, portions)
}

// begun returns, by address, the creations and restorations that usersyncd has just made, or begun: what is left of them is
// planned as an update.
func (g *guards) begun() map[string]Action {
	begun := map[string]Action{}
	if g.policy.Previous != nil {
		for _, c := range g.policy.Previous.Changes {
			if (c.Action == Create || c.Action == Restore) && (c.Outcome == Applied || c.Outcome == Failed || len(c.Written) > 0) {
				begun[c.Key] = c.Action
			}
		}
	}
	for key, c := range g.changes {
		if c.Current != nil && c.effectAction() == string(Update) && (c.creationStarted || c.Current.CreatedAt != 0) {
			begun[key] = Create
		}
	}
	return begun
}

// unapproved returns the fields of a change that are not as approved, and whether anything is approved for the user. begun is
// Create or Restore if usersyncd has just made the user exist.
func (a *Approved) unapproved(c *Change, begun Action) (others []FieldChange, known bool) {
	user, action := c.effectUser(), c.effectAction()
	switch {
	case a.Permits(user, action, a.Released):
	case action == string(Update) && begun == Create && a.Permits(c.Key, string(Create), a.Released):
		user, action = c.Key, string(Create)
	case action == string(Update) && begun == Restore && a.Permits(user, string(Restore), a.Released):
		action = string(Restore)
	case c.Action == Unmanage && (a.Permits(user, string(Deactivate), a.Released) || a.Permits(user, string(Delete), a.Released)):
		return nil, true // somebody else has done it
	default:
		return c.Fields, false
	}
	return slices.DeleteFunc(slices.Clone(c.Fields), func(fc FieldChange) bool {
		return a.PermitsField(user, action, digest.Field{Name: fc.Field, Before: fc.Before, After: fc.After}, a.Released)
	}), true
}

// difference says what fields of a change are now, and in the approved plan.
func (a *Approved) difference(c *Change, others []FieldChange) string {
	var fields []string
	for _, fc := range others {
		fields = append(fields, fmt.Sprintf("%s (%s)", fc, a.was(c, fc)))
	}
	if len(fields) == 0 {
		fields = []string{"not planned"}
	}
	return fmt.Sprintf("%s %s: %s", c.Action.Verb(), text.Escape(c.Key), strings.Join(fields, "; "))
}

// was says what a field is in the approved plan.
func (a *Approved) was(c *Change, now FieldChange) string {
	change, field := a.Saved(c.effectUser(), now.Field)
	if !a.HasValues() {
		return "not so planned"
	}
	if field == nil {
		return "not planned"
	}
	then := FieldChange{Field: now.Field, Before: field.Effect().Before, After: field.Effect().After}
	switch held := change.Held + field.Held; {
	case then.Before != now.Before || then.After != now.After:
		return "planned: " + then.String()
	case held != "":
		return fmt.Sprintf("held when it was planned, by %s", spec.Text(held).Display())
	}
	return "planned: " + change.Action
}
