package sync

import (
	"slices"
	"time"

	"usersyncd/spec"
	"usersyncd/sync/plan"
)

// repaired notes which of the fields that were written had been changed by somebody else.
func (a *applier) repaired(c *plan.Change, written []spec.Field) {
	a.standing.Repairs += uint64(a.plan.CountRepairs(c, c.Current, written, time.Now())) //nolint:gosec // it is not negative
}

// leaveContested takes out of what a change has become, since the pass began, the contested fields that somebody has
// changed back meanwhile.
func (j *job) leaveContested(next *plan.Change, now time.Time) {
	if !next.WithholdContested(now) {
		return
	}
	j.change.Withheld = next.Withheld
	j.fields = slices.DeleteFunc(slices.Clone(j.fields), func(fc plan.FieldChange) bool { return next.Withholds(fc.Field) })
}
