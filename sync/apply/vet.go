package apply

import (
	"errors"
	"fmt"
	"slices"

	"usersyncd/spec"
	"usersyncd/sync/plan"
)

// vet refuses what came up only now, past the guards of the plan: whoever was found may be protected, and what
// a user has lost since may not be given any more. What takes a user out of service is planned again.
func vet(policy *plan.Policy, j *job, next *plan.Change) error {
	if next.Current == nil {
		return nil
	}
	if len(next.Fields) > 0 && policy.Guard.Protects(next) {
		return errors.New("a protected user, who is never changed")
	}
	if next.OneOff && next.ChangedSince(j.planned.Fields) {
		return errors.New("somebody changes the user at this moment; nothing of theirs is undone")
	}
	if refused := policy.Guard.Refuses(next); len(refused) > 0 {
		return fmt.Errorf("%s: %s", refused[0].Field, refused[0])
	}
	if next.Action.Removes() && len(next.Fields) > 0 && next.Current.Key() != next.Key && !slices.Contains(policy.Unmanaged, spec.Email) {
		return errors.New("somebody has changed the address; the next pass decides whether the account is still that of the leaver")
	}
	if policy.Guard.RestoresAdmin(next) && j.planned.Action != plan.Restore {
		return errors.New("the address is that of a deleted user who is, or may be, an administrator; the next pass decides whether to restore it")
	}
	was := func(f spec.Field) bool {
		return slices.ContainsFunc(j.planned.Fields, func(fc plan.FieldChange) bool { return fc.Field == f && fc.Before != "" })
	}
	if next.Deactivates() && !next.Action.Removes() && !was(spec.State) {
		return errors.New("the user exists and is active; its deactivation is decided in the next pass")
	}
	created := j.created || next.Current.Deleted() && next.Current.Applied == nil // or restored in place of that
	if policy.Guard.Reactivations && next.Activates() && !was(spec.State) && !created && j.planned.Action != plan.Restore {
		return errors.New("the user exists and is not active; its activation is decided in the next pass")
	}
	if (policy.Guard.Addresses != nil || policy.Guard.MinAdmins > 0) && next.ChangesAddress() && !was(spec.Email) && j.planned.Action != plan.Restore {
		return errors.New("somebody has changed the address; the next pass decides whether to change it back")
	}
	return nil
}
