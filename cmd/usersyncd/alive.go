package main

import (
	"fmt"
	"time"

	"usersyncd/spec/text"
	usersync "usersyncd/sync"
)

const (
	// A loop without a step for so long is stuck. Applying and idling take one every few seconds, however
	// long the rate limit keeps them waiting.
	stuckAfter = time.Minute
	// A look at the tree, and the plan, may take a while: 50,000 files on a slow network disk.
	stuckReadAfter = 15 * time.Minute
	// Workers of whom none has begun a request or had an answer for so long are stuck, if they have requests
	// and nothing makes them wait: a request ends after half a minute, answered or not.
	silentAfter = 5 * time.Minute
)

// A pulse is when those who do the work last showed that they do.
type pulse struct {
	loop     time.Time     // between two passes
	workers  time.Time     // began a request, had an answer, or were held back by the limiter
	patience time.Duration // how long workers may rest: between two tries, and between two calls at a low rate
}

// alive reports whether whoever has to take the next step took one lately, and else who did not.
func alive(st usersync.Status, p pulse, now time.Time) (ok bool, why string) {
	loop, workers := now.Sub(st.Beat), now.Sub(p.workers)
	switch st.Phase {
	case "idle":
		if loop = min(loop, now.Sub(p.loop)); loop >= stuckAfter {
			return false, fmt.Sprintf("the loop has taken no step for %s, between two passes", loop.Round(time.Second))
		}
	case "apply":
		if loop >= stuckAfter {
			return false, fmt.Sprintf("the loop has taken no step for %s, while applying", loop.Round(time.Second))
		}
		if st.InFlight > 0 && workers >= p.patience {
			return false, fmt.Sprintf("no call was begun or answered for %s, with %s under way", workers.Round(time.Second), text.Plural(st.InFlight, "call"))
		}
	case "scan":
		if rest := min(loop, workers); rest >= stuckReadAfter {
			return false, fmt.Sprintf("reading the specs, and planning, have come no further for %s", rest.Round(time.Second))
		}
	default: // refresh and read: the loop waits for its workers
		if rest := min(loop, workers); rest >= p.patience {
			return false, fmt.Sprintf("no call was begun or answered for %s, in the phase %q", rest.Round(time.Second), st.Phase)
		}
	}
	return true, ""
}
