package lab

import (
	"cmp"
	"math/rand/v2"
	"strconv"
	"time"

	"usersyncd/sync/aimd"
)

const (
	mostTries = 8 // without a usable answer, before a call is given up
	firstTry  = time.Second
	lastTry   = 30 * time.Second
)

// Ours makes requests as a program with the limiter of package aimd does: whenever the pool allows. What
// was answered 429 comes back at once; what had no usable answer after 1, 2, 4 ... 30 s, half of it
// random.
type Ours struct {
	Pool    *aimd.Pool
	Rand    *rand.Rand
	Patient bool // a park is waited for; else the client stops there
	Tries   int  // of a call without a usable answer; 0 is 8

	Parked bool // it has stopped

	// What the limiter's clock says at a time; nil: the truth.
	Skew func(time.Time) time.Time
	// Observers; each may be nil.
	Asked    func(now time.Time, s aimd.Stats) // before every Acquire
	Sending  func(now time.Time, ticket uint64, before aimd.Stats)
	Answered func(now time.Time, ticket uint64, status int, before, after aimd.Stats)

	c       *Client
	tries   map[int]int
	resting int    // calls that come back later
	asked   uint64 // how often: a timer that was overtaken does nothing
}

// Start begins the client's work.
func (o *Ours) Start(c *Client) {
	o.c, o.tries, o.Tries = c, map[int]int{}, cmp.Or(o.Tries, mostTries)
	o.Pool.Expect(c.Calls)
	o.pump()
}

// now is what the limiter takes for the time.
func (o *Ours) now() time.Time {
	if o.Skew != nil {
		return o.Skew(o.c.now)
	}
	return o.c.now
}

func (o *Ours) pump() {
	for o.asked++; o.c.Waiting() > 0; {
		if until, parked := o.Pool.Parked(o.now()); parked {
			if !o.Patient {
				o.Parked = true
				return
			}
			o.again(until.Sub(o.now()))
			return
		}
		if o.Asked != nil {
			o.Asked(o.c.now, o.Pool.Stats(o.now()))
		}
		var before aimd.Stats
		if o.Sending != nil {
			before = o.Pool.Stats(o.now())
		}
		call, found := o.take()
		if !found {
			return
		}
		ticket, token, wait, ok := o.Pool.Acquire(o.now(), request(call))
		if !ok {
			o.c.PutBack(call)
			if wait > 0 {
				o.again(wait)
			}
			return
		}
		if o.Sending != nil {
			o.Sending(o.c.now, ticket, before)
		}
		o.c.Send(token, call, func(status int, header Header) { o.answer(call, ticket, status, header) })
	}
}

// request is the identity of a call. All are of one operation.
func request(call int) aimd.Request { return aimd.Request{Operation: "call", ID: strconv.Itoa(call)} }

// take takes the next call that may be sent. Those that alone were refused come back later, or are lost.
func (o *Ours) take() (call int, found bool) {
	for {
		call, found = o.c.TakeFirst(func(call int) bool { return !o.Pool.Suspect(request(call)) }, func(int) bool { return true })
		refused := (*aimd.RefusedError)(nil)
		if found {
			refused = o.Pool.Refused(o.now(), request(call))
		}
		switch {
		case refused == nil:
			return call, found
		case refused.Final, refused.After > aimd.RetryAfterCap && !o.Patient:
			o.c.Lose()
		default:
			o.later(call, refused.After)
		}
	}
}

// later puts a call back after a while.
func (o *Ours) later(call int, wait time.Duration) {
	o.resting++
	o.c.After(wait, func() {
		o.resting--
		o.c.PutBack(call)
		o.pump()
	})
}

// again asks once more after a while, unless something else leads to it before.
func (o *Ours) again(wait time.Duration) {
	asked := o.asked
	o.c.After(wait, func() {
		if o.asked == asked {
			o.pump()
		}
	})
}

func (o *Ours) answer(call int, ticket uint64, status int, header Header) {
	var before aimd.Stats
	if o.Answered != nil {
		before = o.Pool.Stats(o.now())
	}
	o.Pool.OnResponse(o.now(), ticket, status, header)
	if o.Answered != nil {
		o.Answered(o.c.now, ticket, status, before, o.Pool.Stats(o.now()))
	}
	switch {
	case status == 429:
		o.c.PutBack(call)
	case status == 0 || status >= 500:
		o.rest(call)
	default:
		o.c.Finish()
	}
	o.pump()
}

// rest lets a call without a usable answer come back later.
func (o *Ours) rest(call int) {
	o.tries[call]++
	if o.tries[call] >= o.Tries {
		o.c.Lose()
		return
	}
	wait := min(firstTry<<min(o.tries[call]-1, 10), lastTry)
	o.later(call, wait/2+time.Duration(o.Rand.Int64N(int64(wait/2))))
	o.Pool.Expect(o.c.Waiting() + o.resting)
}
