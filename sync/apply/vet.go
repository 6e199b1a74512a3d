package apply

import (
	"errors"
	"fmt"
	"slices"

	"usersyncd/spec"
	"usersyncd/sync/plan"
)

// vet refuses what the guards of the plan have not seen, as it came up only now: a user that was found may be protected, and
// a value that the user has lost since may not be allowed. What needs a guard that counts is left to the next pass.
func vet(policy *plan.Policy, j *job, next *plan.Change) error {
	if policy.Approved != nil && !j.isAsPlanned(next) {
		return errors.New("it is not as it was when it was planned; plan again")
	}
	if next.Current == nil {
		return nil
	}
	if len(next.Fields) > 0 && policy.Guard.Protects(next) {
		return errors.New("a protected user, who is never changed")
	}
	if next.OneOff && next.ChangedSince(j.planned.fields) {
		return errors.New("somebody else is changing the user; that is not rolled back")
	}
	if refused := policy.Guard.Refuses(next); len(refused) > 0 {
		return fmt.Errorf("%s: %s", refused[0].Field, refused[0])
	}
	if next.Action.Removes() && len(next.Fields) > 0 && next.Current.Key() != next.Key && !slices.Contains(policy.Unmanaged, spec.Email) {
		return errors.New("somebody else has changed the address; the next pass decides whether the account is still that of the leaver")
	}
	restore := j.planned.action == plan.Restore
	if policy.Guard.RestoresAdmin(next) && !restore {
		return errors.New("the address is that of a deleted user who is, or may be, an administrator; the next pass decides whether to restore it")
	}
	if next.Deactivates() && !next.Action.Removes() && !j.plannedBefore(spec.State) {
		return errors.New("the user exists and is active; the next pass decides whether to deactivate it")
	}
	created := j.created || next.Current.Deleted() && next.Current.LastApplied == nil // or restored instead
	if policy.Guard.Reactivations && next.Activates() && !j.plannedBefore(spec.State) && !created && !restore {
		return errors.New("the user exists and is not active; the next pass decides whether to activate it")
	}
	if (policy.Guard.Addresses != nil || policy.Guard.MinAdmins > 0) && next.ChangesAddress() && !j.plannedBefore(spec.Email) && !restore {
		return errors.New("somebody else has changed the address; the next pass decides whether to change it back")
	}
	return nil
}

// isAsPlanned reports whether what is left of a change is the change that was planned, whatever its fields.
func (j *job) isAsPlanned(next *plan.Change) bool {
	was, now := j.planned.action, next.Action
	existed := func(a plan.Action) bool { return a == plan.Update || a == plan.Adopt }
	return was == now || existed(now) && (existed(was) || j.hasMade())
}

// hasMade reports whether the job has created or restored its user.
func (j *job) hasMade() bool {
	return j.planned.action == plan.Create && j.created || j.planned.action == plan.Restore && slices.Contains(j.written, spec.State)
}

// unplanned returns the fields of what is left of a change that were not planned, or not so. What was not known of a field when it
// was planned, as of all fields of a new user, may have been anything.
func (j *job) unplanned(next *plan.Change) (fields []spec.Field) {
	for _, fc := range next.Fields {
		if !slices.ContainsFunc(j.planned.fields, func(was plan.FieldChange) bool {
			return was.Field == fc.Field && was.After == fc.After && (was.Before == fc.Before || was.Before == "")
		}) {
			fields = append(fields, fc.Field)
		}
	}
	return fields
}
