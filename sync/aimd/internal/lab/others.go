package lab

import (
	"math"
	"math/rand/v2"
	"strconv"
	"time"
)

// retryAfter reads whole seconds.
func retryAfter(h Header) (time.Duration, bool) {
	for _, v := range h["Retry-After"] {
		if n, err := strconv.Atoi(v); err == nil {
			return time.Duration(n) * time.Second, true
		}
	}
	return 0, false
}

// each lets so many workers begin a call at a time: the next one when they say so.
func (c *Client) each(workers int, begin func(call int, next func())) {
	var next func()
	next = func() {
		if call, ok := c.Take(); ok {
			begin(call, next)
		}
	}
	for range workers {
		next()
	}
}

// Script is the recipe of countless scripts: a few workers, each of which sends until it is turned away,
// and then waits 2, 4, 8 ... 60 s, whatever the server asks for. After five attempts the call is lost.
func Script(workers int) Policy {
	const most, first, longest = 5, 2 * time.Second, time.Minute
	return func(c *Client, _ *rand.Rand) {
		c.each(workers, func(call int, next func()) {
			var try func(attempt int)
			try = func(attempt int) {
				c.Send(0, call, func(status int, _ Header) {
					if c.ended(status, attempt == most, next) {
						return
					}
					c.After(min(first<<(attempt-1), longest), func() { try(attempt + 1) })
				})
			}
			try(1)
		})
	}
}

// ended ends a call that was answered well, or tried for the last time.
func (c *Client) ended(status int, last bool, next func()) bool {
	switch {
	case status == 200:
		c.Finish()
	case last:
		c.Lose()
	default:
		return false
	}
	next()
	return true
}

// Sequential makes one request after the other, and waits as long as it is asked to.
func Sequential() Policy {
	return func(c *Client, _ *rand.Rand) {
		c.each(1, func(call int, next func()) {
			var try func(refusals int)
			try = func(refusals int) {
				c.Send(0, call, func(status int, header Header) {
					if c.ended(status, false, next) {
						return
					}
					wait, asked := retryAfter(header)
					if !asked {
						wait = min(time.Second<<min(refusals, 6), time.Minute)
					}
					c.After(wait, func() { try(refusals + 1) })
				})
			}
			try(0)
		})
	}
}

// Shared is the strongest simple program: a few workers that share what they learn. When the headers say that the quota is
// spent, all wait for the reset, and after a 429 for its Retry-After. What is left to others does not concern it.
func Shared(workers int) Policy {
	return func(c *Client, _ *rand.Rand) {
		resume, refusals := c.now, 0
		c.each(workers, func(call int, next func()) {
			var try func()
			try = func() {
				if wait := resume.Sub(c.now); wait > 0 {
					c.After(wait, try)
					return
				}
				c.Send(0, call, func(status int, header Header) {
					wait, asked := retryAfter(header)
					switch {
					case status == 429 && !asked:
						wait = min(time.Second<<min(refusals, 6), time.Minute)
						refusals++
					case status == 503 && wait == 0:
						wait = time.Second
					case status == 200:
						refusals = 0
						if count, allowed, reset := number(header, "Count"), number(header, "Allowed"), number(header, "Reset"); allowed > 0 && count >= allowed {
							wait = time.Duration(reset) * time.Second
						}
					}
					if until := c.now.Add(wait); until.After(resume) && (status != 503 || asked) {
						resume = until
					}
					if !c.ended(status, false, next) {
						c.After(wait, try)
					}
				})
			}
			try()
		})
	}
}

// number reads a header of the quota; 0 if it has none.
func number(h Header, name string) int {
	for _, v := range h["Inin-Ratelimit-"+name] {
		if n, err := strconv.Atoi(v); err == nil {
			return n
		}
	}
	return 0
}

// Naive is AIMD without the rest: half of the rate for every 429, a tenth of a request a second more for
// every second, and workers that reserve their turn and sleep until then. It loses nothing.
func Naive(workers int) Policy {
	const start, least, step = 5.0, 0.5, 0.1
	return func(c *Client, _ *rand.Rand) {
		rate, grown, turn := start, c.now, c.now
		c.each(workers, func(call int, next func()) {
			var try func()
			answered := func(status int, _ Header) {
				if status == 429 {
					rate = max(rate/2, least)
					try()
					return
				}
				rate += step * c.now.Sub(grown).Seconds()
				grown = c.now
				if !c.ended(status, false, next) {
					c.After(time.Second, try)
				}
			}
			try = func() {
				if turn.Before(c.now) {
					turn = c.now
				}
				wait := turn.Sub(c.now)
				turn = turn.Add(time.Duration(float64(time.Second) / rate))
				c.After(wait, func() { c.Send(0, call, answered) })
			}
			try()
		})
	}
}

// Cubic is the adaptive mode of the AWS SDKs (aws-sdk-go-v2, aws/retry): a token bucket whose rate
// follows a cubic curve after each throttle, and five attempts with up to 20 s between them.
func Cubic(workers int) Policy {
	const most, longest = 5, 20 * time.Second
	return func(c *Client, rnd *rand.Rand) {
		b := &cubic{began: c.now}
		c.each(workers, func(call int, next func()) {
			var try func(attempt int)
			try = func(attempt int) {
				if wait := b.acquire(c.now); wait > 0 {
					c.After(wait, func() { try(attempt) })
					return
				}
				c.Send(0, call, func(status int, _ Header) {
					b.update(c.now, status == 429)
					if !c.ended(status, attempt == most, next) {
						wait := min(time.Second<<attempt, longest)
						c.After(time.Duration(rnd.Float64()*float64(wait)), func() { try(attempt + 1) })
					}
				})
			}
			try(1)
		})
	}
}

// cubic is the SDK's bucket, in its own terms; times are seconds since the beginning.
type cubic struct {
	began   time.Time
	enabled bool

	fill, capacity, level, refilled float64
	measured, bucket, requests      float64
	lastMax, lastThrottle           float64
}

const (
	cubicBeta, cubicScale, cubicSmooth, cubicMinFill = 0.7, 0.4, 0.8, 0.5
)

func (b *cubic) refill(t float64) {
	b.level = min(b.capacity, b.level+(t-b.refilled)*b.fill)
	b.refilled = t
}

func (b *cubic) acquire(now time.Time) time.Duration {
	if !b.enabled {
		return 0
	}
	b.refill(now.Sub(b.began).Seconds())
	if b.level >= 1 {
		b.level--
		return 0
	}
	return time.Duration((1-b.level)/b.fill*float64(time.Second)) + time.Millisecond
}

func (b *cubic) update(now time.Time, throttled bool) {
	t := now.Sub(b.began).Seconds()
	b.requests++
	if half := math.Floor(t*2) / 2; half > b.bucket {
		b.measured = b.requests/(half-b.bucket)*cubicSmooth + b.measured*(1-cubicSmooth)
		b.requests, b.bucket = 0, half
	}
	var rate float64
	if throttled {
		rate = b.measured
		if b.enabled {
			rate = min(rate, b.fill)
		}
		b.lastMax, b.lastThrottle, b.enabled = rate, t, true
		rate *= cubicBeta
	} else {
		window := math.Cbrt(b.lastMax * (1 - cubicBeta) / cubicScale)
		since := t - b.lastThrottle - window
		rate = cubicScale*since*since*since + b.lastMax
	}
	rate = min(rate, 2*b.measured)
	b.refill(t)
	b.fill, b.capacity = max(rate, cubicMinFill), max(rate, 1)
	b.level = min(b.level, b.capacity)
}
