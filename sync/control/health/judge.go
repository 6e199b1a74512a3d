package health

import (
	"fmt"
	"sync"
	"time"

	"usersyncd/spec/text"
	usersync "usersyncd/sync"
	"usersyncd/sync/aimd"
)

const (
	// loopTimeout is how long the loop may take no step while it applies or idles. It takes one every few seconds,
	// however long the rate limit makes it wait.
	loopTimeout = time.Minute
	// scanTimeout is the same for reading the specs and planning: 50,000 files on a slow network disk take a while.
	scanTimeout = 15 * time.Minute
	// workerTimeout is how long workers that have requests may begin and finish none. A request ends after half a
	// minute, answered or not; the wait before it is sent again, and that of a low rate, come on top.
	workerTimeout = 5 * time.Minute
)

// A Judge decides whether the loop and its workers make progress. There is one of them: the watchdog, /livez, /readyz and the
// metrics use [control.Status.Stuck], which has its decision.
type Judge struct {
	RetryMaxWait time.Duration // between two tries of a request

	mu     sync.Mutex
	seen   aimd.Stats // of the limiter, at the last call
	worked time.Time  // when the workers were last seen to work
}

// Stuck returns what has made no progress for too long; "" if all does. It has to be called every few seconds: that requests
// were sent or answered since the last call shows that the workers work.
func (j *Judge) Stuck(st usersync.Status, limiter aimd.Stats, now time.Time) string {
	step, work := now.Sub(st.Beat), now.Sub(j.lastWork(st, limiter, now))
	if st.Beat.IsZero() { // it is about to begin
		return ""
	}
	timeout := workerTimeout + j.RetryMaxWait
	if limiter.Effective > 0 {
		timeout += time.Duration(float64(time.Second) / limiter.Effective)
	}
	switch st.Phase {
	case usersync.PhaseIdle:
		if step >= loopTimeout {
			return fmt.Sprintf("the loop has taken no step for %s, between two passes", step.Round(time.Second))
		}
	case usersync.PhaseApply:
		if step >= loopTimeout {
			return fmt.Sprintf("the loop has taken no step for %s, while applying", step.Round(time.Second))
		}
		if st.Progress.Started > 0 && work >= timeout {
			return fmt.Sprintf("no request was sent or answered for %s, with %s in flight", work.Round(time.Second), text.Plural(st.Progress.Started, "request"))
		}
	case usersync.PhaseScan:
		if rest := min(step, work); rest >= scanTimeout {
			return fmt.Sprintf("reading the specs, and planning, has made no progress for %s", rest.Round(time.Second))
		}
	default: // the loop waits for its workers
		if rest := min(step, work); rest >= timeout {
			return fmt.Sprintf("no request was sent or answered for %s, in phase %q", rest.Round(time.Second), st.Phase)
		}
	}
	return ""
}

// lastWork returns when the workers were last seen to work: a request was sent, answered or given up. Without requests they
// need not, and while the API has asked for a pause they cannot.
func (j *Judge) lastWork(st usersync.Status, limiter aimd.Stats, now time.Time) time.Time {
	j.mu.Lock()
	defer j.mu.Unlock()
	worked := limiter.Sent != j.seen.Sent || limiter.Cancelled != j.seen.Cancelled || limiter.InFlight != j.seen.InFlight
	idle := st.Phase == usersync.PhaseIdle || st.Phase == usersync.PhaseApply && st.Progress.Started == 0
	held := limiter.Waiting > 0 && (limiter.Gate > 0 || limiter.Reason == aimd.Exhausted)
	if worked || idle || held || j.worked.IsZero() {
		j.worked = now
	}
	j.seen = limiter
	return j.worked
}
