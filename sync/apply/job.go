package apply

import (
	"errors"
	"slices"
	"time"

	"usersyncd/spec"
	"usersyncd/sync/plan"
)

// jobState is what a job does next; see the diagram of the package.
type jobState int

const (
	toCall    jobState = iota // make its first remaining call
	toRead                    // read the user: the result of the call is not known, or its version was stale
	toReadAll                 // read all of a restored user, which may have lost anything
	toFind                    // look the address up: the user may exist already
	backoff                   // wait, and continue with job.then
	done
)

// uncertainty is why the result of a job's last call is not known.
type uncertainty int

const (
	certain      uncertainty = iota
	lostAnswer               // there was no usable answer: the call may have been carried out
	staleVersion             // its version was stale: an earlier call, of a process that was killed, may have been carried out
)

// A move says which state a job enters, and when; the zero time is at once.
type move struct {
	to jobState
	at time.Time
}

// A job carries out one user's change: its calls, one after another, and the readings that they need.
type job struct {
	change *plan.Change // what is left to do
	// planned is the change as it was planned.
	planned struct {
		action plan.Action
		cause  plan.Cause
		fields []plan.FieldChange
	}
	calls []*Call // that are left; the result of the first may be uncertain

	state    jobState
	then     jobState  // after backoff,
	at       time.Time // which ends then
	inFlight bool      // a request of the job is in flight,
	began    time.Time // since then

	created                 bool      // usersyncd has created the user, or may have, in this pass or an earlier one
	createSent              time.Time // when the creation was last sent
	misses                  int       // lookups that found no user
	refusedAtCurrentVersion bool      // the call was refused though the version was right
	conflicts               int       // calls with a stale version
	lostAnswers             int       // calls without a usable answer

	refused []spec.Field // that cannot be read or written: the calls of the others are made all the same,
	refusal error        // and then the job fails with this

	lastErr         error // of the last call
	throttled       error // why it waits, if that is an ErrRequestThrottled
	uncertain       uncertainty
	uncertainFields []spec.Field // of the last call, if its result is uncertain
	intents         []spec.Field // that are in the state file
	partial         []spec.Field // that are written, or may be, in part
	written         []spec.Field // in this pass
}

// newJob returns the job of a change. started is when an earlier process began to create the user; zero if none did.
func newJob(c *plan.Change, started time.Time) *job {
	j := &job{change: c}
	j.setPlanned(c)
	if !started.IsZero() {
		j.created, j.createSent = true, started
		if c.Action == plan.Create {
			j.state = toFind
		}
	}
	return j
}

func (j *job) setPlanned(c *plan.Change) {
	j.planned.action, j.planned.cause, j.planned.fields = c.Action, c.Cause, c.Fields
}

func (j *job) enter(m move) {
	if j.state = m.to; m.at.After(time.Now()) {
		j.state, j.then, j.at = backoff, m.to, m.at
	}
}

func (j *job) wake(now time.Time) {
	if j.state == backoff && !j.at.After(now) {
		j.state, j.throttled = j.then, nil
	}
}

// isIdle reports whether the job itself is ready for a request.
func (j *job) isIdle() bool {
	return !j.inFlight && j.state != backoff && j.state != done
}

// isThrottled reports whether the job waits because the API refuses its request alone.
func (j *job) isThrottled() bool { return j.state == backoff && j.throttled != nil }

func (j *job) isLeaver() bool { return j.change.Lane == plan.LaneLeavers }

// call is the next call, or the one whose result is uncertain; nil if there is none.
func (j *job) call() *Call {
	if len(j.calls) == 0 {
		return nil
	}
	return j.calls[0]
}

// requestedFields returns the fields that a reading in a state must show: all of a user that is found or may be restored,
// else those of the call that it is about.
func (j *job) requestedFields(in jobState) []spec.Field {
	if in == toFind || in == toReadAll || j.change.Current.Deleted() {
		return j.change.Desired.Names()
	}
	return j.calls[0].Fields
}

// completedFields returns the fields that are complete with a call: those of no later call.
func (j *job) completedFields(call *Call) []spec.Field { return without(call.Fields, j.hasField) }

func (j *job) hasField(f spec.Field) bool {
	return slices.ContainsFunc(j.calls, func(call *Call) bool { return slices.Contains(call.Fields, f) })
}

// markPartial records that fields of a call are written in part, or may be, except those that are complete.
func (j *job) markPartial(fields, complete []spec.Field) {
	j.partial = without(append(slices.Clone(j.partial), fields...), func(f spec.Field) bool { return slices.Contains(complete, f) })
}

func (j *job) dropPlanned(dropped func(spec.Field) bool) {
	j.planned.fields = slices.DeleteFunc(slices.Clone(j.planned.fields), func(fc plan.FieldChange) bool { return dropped(fc.Field) })
}

// plannedBefore reports whether a field was planned, and what it was before is known.
func (j *job) plannedBefore(f spec.Field) bool {
	return slices.ContainsFunc(j.planned.fields, func(fc plan.FieldChange) bool { return fc.Field == f && fc.Before != "" })
}

// interrupt records in the change what was written of it when a pass ends early, and returns the fields of which the rest is
// to be written outside of change windows, too: half of a change may be worse than none.
func (j *job) interrupt() (partial []spec.Field) {
	c := j.change
	for _, fc := range j.planned.fields {
		if slices.Contains(j.written, fc.Field) || j.uncertain == lostAnswer && slices.Contains(j.uncertainFields, fc.Field) {
			c.Written = append(c.Written, fc)
		}
	}
	if (j.planned.action == plan.Create || j.planned.action == plan.Restore) && c.Current != nil && !c.Current.Deleted() {
		return c.Desired.Names()
	}
	return slices.Clone(j.partial)
}

// without returns the fields that do not meet a condition.
func without(fields []spec.Field, is func(spec.Field) bool) []spec.Field {
	return slices.DeleteFunc(slices.Clone(fields), is)
}

// A call may serve several users, and so be in several jobs.

// jobIndex finds the jobs of a plan by their changes.
type jobIndex map[*plan.Change]*job

// of returns the jobs that an answer is for. A reading is for one job, even if its call serves several.
func (all jobIndex) of(ans answer) []*job {
	if ans.state != toCall {
		return []*job{ans.job}
	}
	served := make([]*job, len(ans.call.Changes))
	for i, c := range ans.call.Changes {
		served[i] = all[c]
	}
	return served
}

// split replaces a call by two, for half of the users each.
func (all jobIndex) split(call *Call) {
	half := len(call.Changes) / 2
	for _, part := range [][]*plan.Change{call.Changes[:half], call.Changes[half:]} {
		own := *call
		own.Changes, own.lostAnswers = slices.Clone(part), 0
		for _, c := range part {
			all[c].calls[0] = &own
		}
	}
}

// detach removes a job from the calls that it shares with others.
func (j *job) detach() {
	for _, call := range j.calls {
		if len(call.Changes) > 1 {
			call.Changes = slices.DeleteFunc(slices.Clone(call.Changes), func(c *plan.Change) bool { return c == j.change })
		}
	}
}

// unbatch gives a job calls of its own instead of those that it shares, so that others do not wait for it.
func (j *job) unbatch() {
	j.detach()
	for i, call := range j.calls {
		own := *call
		own.Changes = []*plan.Change{j.change}
		j.calls[i] = &own
	}
}

// leaveOut drops the calls of fields that were refused.
func (j *job) leaveOut(fields []spec.Field, err error) {
	j.refused, j.refusal = append(j.refused, fields...), errors.Join(j.refusal, err)
	var rest []*Call
	for _, call := range j.calls {
		if !slices.ContainsFunc(call.Fields, j.isRefused) {
			rest = append(rest, call)
		} else if len(call.Changes) > 1 {
			call.Changes = slices.DeleteFunc(slices.Clone(call.Changes), func(c *plan.Change) bool { return c == j.change })
		}
	}
	j.calls = rest
}

func (j *job) isRefused(f spec.Field) bool { return slices.Contains(j.refused, f) }

func (j *job) shares() bool {
	return slices.ContainsFunc(j.calls, func(call *Call) bool { return len(call.Changes) > 1 })
}
