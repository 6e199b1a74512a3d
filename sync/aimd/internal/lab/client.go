package lab

import (
	"slices"
	"time"
)

// refusalLatency is how long a 429 takes: it is not worked on.
const refusalLatency = 30 * time.Millisecond

// Client is a program that has a number of requests to make. A [Policy] says when.
type Client struct {
	*Lab
	Servers []Server // one for each token
	Latency Latency

	Calls int // to be made in all
	// Spoiled, if it is not nil, answers a call in the server's place unless the status is 0.
	Spoiled func(call int) (status int, header Header)
	Near    bool // requests arrive at once, and all of the latency is the answer's
	// Each of them ends in one of two ways. Lost: the policy gave up.
	Done, Lost int

	Sent, Throttled int
	DoneAt          []time.Time // of the requests done
	ThrottledAt     []time.Time // of the 429s
	Began           time.Time

	fresh int   // calls never taken so far
	back  []int // calls taken and put back, first ones first
}

// NewClient returns a client with so many requests to make.
func NewClient(l *Lab, calls int, latency Latency, servers ...Server) *Client {
	return &Client{Lab: l, Servers: servers, Latency: latency, Calls: calls, DoneAt: make([]time.Time, 0, calls), Began: l.now}
}

// Take returns the number of a call that is to be made, if there is one.
func (c *Client) Take() (call int, ok bool) {
	if n := len(c.back); n > 0 {
		call, c.back = c.back[0], c.back[1:]
		return call, true
	}
	if c.fresh < c.Calls {
		c.fresh++
		return c.fresh - 1, true
	}
	return 0, false
}

// TakeFirst takes the first call of which ok holds, or else the first of which maybe holds.
func (c *Client) TakeFirst(ok, maybe func(call int) bool) (call int, found bool) {
	for _, suits := range []func(int) bool{ok, maybe} {
		if i := slices.IndexFunc(c.back, suits); i >= 0 {
			call = c.back[i]
			c.back = slices.Delete(slices.Clone(c.back), i, i+1)
			return call, true
		}
		if c.fresh < c.Calls {
			c.fresh++
			return c.fresh - 1, true
		}
	}
	return 0, false
}

// PutBack makes a call that was taken the next to be taken.
func (c *Client) PutBack(call int) { c.back = append([]int{call}, c.back...) }

// Waiting is how many calls could be taken now.
func (c *Client) Waiting() int { return c.Calls - c.fresh + len(c.back) }

// Finish ends a call well.
func (c *Client) Finish() {
	c.Done++
	c.DoneAt = append(c.DoneAt, c.now)
}

// Lose ends a call badly.
func (c *Client) Lose() { c.Lost++ }

// Over reports whether all calls have ended.
func (c *Client) Over() bool { return c.Done+c.Lost == c.Calls }

// Took is how long it took until the last call that was done.
func (c *Client) Took() time.Duration {
	if len(c.DoneAt) == 0 {
		return 0
	}
	return c.DoneAt[len(c.DoneAt)-1].Sub(c.Began)
}

// Send makes a call with a token. The way there and the way back are drawn apart, so that requests
// and answers overtake each other.
func (c *Client) Send(token, call int, answered func(status int, header Header)) {
	c.Sent++
	there, back := c.Latency()/2, c.Latency()/2
	if c.Near {
		there, back = 0, 2*back
	}
	c.After(there, func() {
		status, header := 0, Header(nil)
		if c.Spoiled != nil {
			status, header = c.Spoiled(call)
		}
		if status == 0 {
			status, header = c.Servers[token].Serve(c.now)
		}
		if status == 429 {
			c.Throttled++
			c.ThrottledAt = append(c.ThrottledAt, c.now)
			back = min(back, refusalLatency/2)
		}
		c.After(back, func() { answered(status, header) })
	})
}
