package apply

import (
	"maps"
	"slices"
	"time"

	"usersyncd/spec"
	"usersyncd/sync/plan"
)

// jobState is what a job does next; see the drawing of the package.
type jobState int

const (
	toCall    jobState = iota // make its first remaining call
	toRead                    // read the user: what the call did is not known, or it was refused as stale
	toReadAll                 // read all of a user who was restored, and may have lost anything
	toFind                    // look the address up: the user may exist already
	backoff                   // wait, and go on as job.then says
	done                      // nothing more
)

// doubt is why it is not known what came of a job's last call.
type doubt int

const (
	noDoubt    doubt = iota
	unanswered       // there was no usable answer: it may have been carried out
	stale            // it was refused as stale: one before it, of a process that was killed, may have been
)

// A move says which state a job enters, and when; the zero time is at once.
type move struct {
	to jobState
	at time.Time
}

// A job is one user's way through a pass: its calls, made one after another, and what went wrong on the way.
type job struct {
	change *plan.Change
	// planned has the action, the cause and the fields that the change was planned with, while the change itself says what
	// is left to do.
	planned plan.Change
	calls   []*Call // what is left to do; of the first of them nobody may know what it did

	state    jobState
	then     jobState  // after backoff,
	at       time.Time // which ends then
	inFlight bool      // a request of the job is under way

	created    bool      // it was we who made the user, or may have: in this pass or an earlier one
	createSent time.Time // when the creation was last sent
	misses     int       // look-ups that found nobody
	conflicts  int       // calls refused as stale
	unanswered int       // calls without a usable answer

	last       error // of the last call, if it has failed
	doubt      doubt
	doubtful   []spec.Field // of the last call, while there is a doubt
	unresolved []spec.Field // whose intents are in the state file
	partial    []spec.Field // of which some is written, or may be, and some is not
	written    []spec.Field // by this pass
}

// newJob begins with a change. begun is when an earlier process has begun to create the user; zero: none has.
func newJob(c *plan.Change, begun time.Time) *job {
	j := &job{change: c, planned: *c}
	if !begun.IsZero() {
		j.created, j.createSent = true, begun
		if c.Action == plan.Create {
			j.state = toFind
		}
	}
	return j
}

// enter makes a move.
func (j *job) enter(m move) {
	if j.state = m.to; m.at.After(time.Now()) {
		j.state, j.then, j.at = backoff, m.to, m.at
	}
}

// wake ends the backoff if its time has come.
func (j *job) wake(now time.Time) {
	if j.state == backoff && !j.at.After(now) {
		j.state = j.then
	}
}

// free reports whether the job can make a request, as far as it is its own affair.
func (j *job) free() bool {
	return !j.inFlight && j.state != backoff && j.state != done
}

// leaving reports whether a leaver's request is under way.
func (j *job) leaving() bool { return j.inFlight && j.change.Lane == 1 }

// call is the one that is to be made, or of which is not known what it did; nil if there is none.
func (j *job) call() *Call {
	if len(j.calls) == 0 {
		return nil
	}
	return j.calls[0]
}

// asked returns the fields that a reading in a state must show: all of a user who is found, or may be restored, else
// those of the call that it is about.
func (j *job) asked(in jobState) []spec.Field {
	if in == toFind || in == toReadAll || j.change.Current.Deleted() {
		return slices.Sorted(maps.Keys(j.change.Desired))
	}
	return j.calls[0].Fields
}

// completed returns which fields of a call are done for the job with it: no later call has them, too.
func (j *job) completed(call *Call) []spec.Field {
	return slices.DeleteFunc(slices.Clone(call.Fields), j.has)
}

// has reports whether a field is in one of the calls that are left.
func (j *job) has(f spec.Field) bool {
	return slices.ContainsFunc(j.calls, func(call *Call) bool { return slices.Contains(call.Fields, f) })
}

// began notes of which of a call's fields some is written now, or may be, and some is not.
func (j *job) began(fields, written []spec.Field) {
	j.partial = slices.DeleteFunc(append(slices.Clone(j.partial), fields...), func(f spec.Field) bool { return slices.Contains(written, f) })
}

// drop takes fields out of what was planned.
func (j *job) drop(dropped func(spec.Field) bool) {
	j.planned.Fields = slices.DeleteFunc(slices.Clone(j.planned.Fields), func(fc plan.FieldChange) bool { return dropped(fc.Field) })
}

// finish leaves nothing to do, and the change as it was planned.
func (j *job) finish() {
	j.detach()
	j.state, j.calls = done, nil
	j.change.Action, j.change.Cause, j.change.Fields = j.planned.Action, j.planned.Cause, j.planned.Fields
}

// cutShort notes what was done of a change that is not at its end when the pass is, and returns of which fields the rest
// should not wait for a change window: half of a change may be worse than either.
func (j *job) cutShort() (partial []spec.Field) {
	c := j.change
	for _, fc := range j.planned.Fields {
		if slices.Contains(j.written, fc.Field) || j.doubt == unanswered && slices.Contains(j.doubtful, fc.Field) {
			c.Written = append(c.Written, fc)
		}
	}
	if (j.planned.Action == plan.Create || j.planned.Action == plan.Restore) && c.Current != nil && !c.Current.Deleted() {
		return slices.Collect(maps.Keys(c.Desired))
	}
	return slices.Clone(j.partial)
}
