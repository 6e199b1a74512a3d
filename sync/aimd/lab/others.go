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

// Script is the recipe of countless scripts: a few workers, each of which sends until it is turned away,
// and then waits 2, 4, 8 ... 60 s, whatever the server asks for. After five attempts the call is lost.
func Script(workers int) Policy {
	const most, first, longest = 5, 2 * time.Second, time.Minute
	return func(c *Client, _ *rand.Rand) {
		var work func()
		var try func(call, attempt int)
		work = func() {
			if call, ok := c.Take(); ok {
				try(call, 1)
			}
		}
		try = func(call, attempt int) {
			c.Send(0, func(status int, _ Header) {
				switch {
				case status == 200:
					c.Finish()
					work()
				case attempt == most:
					c.Lose()
					work()
				default:
					c.After(min(first<<(attempt-1), longest), func() { try(call, attempt+1) })
				}
			})
		}
		for range workers {
			work()
		}
	}
}

// Sequential makes one request after the other, and waits as long as it is asked to.
func Sequential() Policy {
	return func(c *Client, _ *rand.Rand) {
		var try func(call int, refusals int)
		next := func() {
			if call, ok := c.Take(); ok {
				try(call, 0)
			}
		}
		try = func(call, refusals int) {
			c.Send(0, func(status int, header Header) {
				if status == 200 {
					c.Finish()
					next()
					return
				}
				wait, asked := retryAfter(header)
				if !asked {
					wait = min(time.Second<<min(refusals, 6), time.Minute)
				}
				c.After(wait, func() { try(call, refusals+1) })
			})
		}
		next()
	}
}

// Naive is AIMD without the rest: half of the rate for every 429, a tenth of a request a second more for
// every second, and workers that reserve their turn and sleep until then. It loses nothing.
func Naive(workers int) Policy {
	const start, least, step = 5.0, 0.5, 0.1
	return func(c *Client, _ *rand.Rand) {
		rate, grown, turn := start, c.now, c.now
		var work func()
		var try func(call int)
		work = func() {
			if call, ok := c.Take(); ok {
				try(call)
			}
		}
		try = func(call int) {
			if turn.Before(c.now) {
				turn = c.now
			}
			wait := turn.Sub(c.now)
			turn = turn.Add(time.Duration(float64(time.Second) / rate))
			c.After(wait, func() {
				c.Send(0, func(status int, _ Header) {
					if status == 429 {
						rate = max(rate/2, least)
						try(call)
						return
					}
					rate += step * c.now.Sub(grown).Seconds()
					grown = c.now
					if status == 200 {
						c.Finish()
						work()
					} else {
						c.After(time.Second, func() { try(call) })
					}
				})
			})
		}
		for range workers {
			work()
		}
	}
}

// Cubic is the adaptive mode of the AWS SDKs (aws-sdk-go-v2, aws/retry): a token bucket whose rate
// follows a cubic curve after each throttle, and five attempts with up to 20 s between them.
func Cubic(workers int) Policy {
	const most, longest = 5, 20 * time.Second
	return func(c *Client, rnd *rand.Rand) {
		b := &cubic{began: c.now}
		var work func()
		var try func(call, attempt int)
		work = func() {
			if call, ok := c.Take(); ok {
				try(call, 1)
			}
		}
		try = func(call, attempt int) {
			if wait := b.acquire(c.now); wait > 0 {
				c.After(wait, func() { try(call, attempt) })
				return
			}
			c.Send(0, func(status int, _ Header) {
				b.update(c.now, status == 429)
				switch {
				case status == 200:
					c.Finish()
					work()
				case attempt == most:
					c.Lose()
					work()
				default:
					wait := min(time.Second<<attempt, longest)
					c.After(time.Duration(rnd.Float64()*float64(wait)), func() { try(call, attempt+1) })
				}
			})
		}
		for range workers {
			work()
		}
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
