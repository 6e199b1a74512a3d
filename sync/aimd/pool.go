package aimd

import (
	"cmp"
	"slices"
	"sort"
	"time"
)

// MaxTokens is the largest Pool. The vendor asks not to mint tokens to get around the limits.
const MaxTokens = 10

const (
	openAfter = 2 * time.Second        // work for so long takes another token into use
	lookEvery = 100 * time.Millisecond // how often it is asked whether there is so much
)

// Pool spreads requests over several tokens, each with a [Controller] of its own as each has a quota
// of its own. There is one queue: whichever token is allowed to send takes the next request, so a
// token that is throttled slows nobody else. Tokens are taken into use one at a time, when there is
// more work than those in use get done in two seconds, and the last one has answered. Like a
// Controller, a Pool is told the time, and is not safe for concurrent use.
type Pool struct {
	total  float64 // requests/s of all tokens, or 0
	tokens []*Controller
	used   int       // tokens[:used] are in use
	looked time.Time // when there was enough for one more was last asked, and denied
	told   bool
	expect int
}

// NewPool returns a pool of 1 to MaxTokens tokens that knows nothing yet.
func NewPool(tokens int, cfg Config) *Pool {
	cfg = cfg.withDefaults()
	p := &Pool{used: 1, total: cfg.TotalRate}
	for range min(max(tokens, 1), MaxTokens) {
		p.tokens = append(p.tokens, NewController(cfg))
	}
	p.divide()
	return p
}

// Acquire asks to send one request. If ok, the caller sends it at once, with that token, and hands
// the ticket back with OnResponse or Cancel. If not, it asks again after wait or the next answer, as
// with [Controller.Acquire].
func (p *Pool) Acquire(now time.Time) (ticket uint64, token int, wait time.Duration, ok bool) {
	p.share(now)
	for i, c := range p.tokens[:p.used] {
		w, ok := c.Acquire(now)
		if ok {
			return p.send(now, i), i, 0, true
		}
		if w > 0 && (wait == 0 || w < wait) {
			wait = w
		}
	}
	for p.grows(now) {
		p.used++
		p.divide()
		p.share(now)
		w, ok := p.tokens[p.used-1].Acquire(now)
		if ok {
			return p.send(now, p.used-1), p.used - 1, 0, true
		}
		if w > 0 && (wait == 0 || w < wait) {
			wait = w
		}
	}
	if wait > lookEvery && p.expect > 0 && p.used < len(p.tokens) {
		wait = lookEvery
	}
	return 0, 0, wait, false
}

func (p *Pool) send(now time.Time, token int) (ticket uint64) {
	p.expect = max(0, p.expect-1)
	return p.tokens[token].OnSend(now)*uint64(len(p.tokens)) + uint64(token)
}

// divide gives each token in use its part of the total rate.
func (p *Pool) divide() {
	if p.total > 0 {
		for _, c := range p.tokens[:p.used] {
			c.limit(p.total / float64(p.used))
		}
	}
}

// share tells each token in use its share of the work.
func (p *Pool) share(now time.Time) {
	if !p.told {
		return
	}
	n := p.shares(now)
	for i, c := range p.tokens[:p.used] {
		c.Expect(n[i])
	}
}

// shares is how much of the work would be left to each token in use if the others spent their budgets.
func (p *Pool) shares(now time.Time) (n [MaxTokens]int) {
	budget := 0
	for _, c := range p.tokens[:p.used] {
		budget += c.budget(now)
	}
	for i, c := range p.tokens[:p.used] {
		n[i] = max(min(1, p.expect), p.expect-(budget-c.budget(now)))
	}
	return n
}

// grows reports whether another token is to be taken into use: the last one has answered, or cannot for
// a while, and those in use neither get the work done soon nor are held back by the total rate alone. A
// token whose gate is shut counts for nothing.
func (p *Pool) grows(now time.Time) bool {
	if p.used == len(p.tokens) || now.Before(p.looked.Add(lookEvery)) {
		return false
	}
	if last := p.tokens[p.used-1]; last.unproven && !last.gate.shut(now) {
		return false
	}
	done, capped := 0, p.total > 0
	for _, c := range p.tokens[:p.used] {
		capped = capped && !c.gate.shut(now) && c.sustained(now) >= c.cfg.MaxRate
		done += c.within(now, openAfter, p.expect)
	}
	if done >= p.expect || capped {
		p.looked = now
		return false
	}
	return true
}

// OnResponse records the answer to a ticket's request, as [Controller.OnResponse] does.
func (p *Pool) OnResponse(now time.Time, ticket uint64, status int, header map[string][]string) {
	c, seq := p.find(ticket)
	before := c.stats.Throttled
	c.OnResponse(now, seq, status, header)
	if p.told && c.stats.Throttled > before {
		p.expect++ // it will come again
	}
}

// Cancel takes back a request that was never sent. If its token cannot be had for a while, as the
// login service is limited too, pause says so.
func (p *Pool) Cancel(now time.Time, ticket uint64, pause time.Duration) {
	c, seq := p.find(ticket)
	before := c.stats.Cancelled
	c.Cancel(now, seq, pause)
	if p.told && c.stats.Cancelled > before {
		p.expect++
	}
}

func (p *Pool) find(ticket uint64) (c *Controller, seq uint64) {
	n := uint64(len(p.tokens))
	return p.tokens[ticket%n], ticket / n
}

// Expect tells how many requests are still to be sent; see [Controller.Expect].
func (p *Pool) Expect(n int) { p.told, p.expect = true, max(0, n) }

// Parked reports whether no token can be waited for, and when the first of them can.
func (p *Pool) Parked(now time.Time) (until time.Time, parked bool) {
	tokens := p.tokens[:p.used]
	if p.expect > 0 { // the others may be taken into use
		tokens = p.tokens
	}
	for _, c := range tokens {
		t, parked := c.Parked(now)
		if !parked {
			return time.Time{}, false
		}
		if until.IsZero() || t.Before(until) {
			until = t
		}
	}
	return until, true
}

// Stats returns the view of all tokens in use at now: rates, budgets and counts are added up; the
// gate, the reason and the reset are those of the token that may send first.
func (p *Pool) Stats(now time.Time) Stats {
	all := make([]Stats, p.used)
	n := p.shares(now)
	for i, c := range p.tokens[:p.used] {
		seen := *c
		if p.told {
			seen.Expect(n[i]) // as the next Acquire will
		}
		all[i] = seen.Stats(now)
	}
	slices.SortStableFunc(all, func(a, b Stats) int { return cmp.Compare(a.shut(), b.shut()) })
	sum := all[0]
	for _, s := range all[1:] {
		sum.Rate += s.Rate
		sum.Effective += s.Effective
		if s.Windowed {
			sum.Windowed = true
			sum.Allowed, sum.Used, sum.Left, sum.Others = sum.Allowed+s.Allowed, sum.Used+s.Used, sum.Left+s.Left, sum.Others+s.Others
		}
		sum.InFlight += s.InFlight
		sum.Sent += s.Sent
		sum.Cancelled += s.Cancelled
		sum.Throttled += s.Throttled
		sum.Decreases += s.Decreases
	}
	sum.Tokens, sum.Expected = p.used, p.expect
	return sum
}

// Estimate says how long n more requests will take, over all tokens; see [Controller.Estimate].
func (p *Pool) Estimate(now time.Time, n int) time.Duration {
	tokens := p.tokens
	if p.tokens[p.used-1].gate.shut(now) { // so may those be that are to come
		tokens = p.tokens[:p.used]
	}
	d := p.estimate(now, n, tokens)
	if p.total > 0 { // which the tokens share
		d = max(d, toDuration(float64(max(n, 0))/p.total))
	}
	return d
}

func (p *Pool) estimate(now time.Time, n int, tokens []*Controller) time.Duration {
	if len(tokens) == 1 || n <= 0 {
		return tokens[0].Estimate(now, n)
	}
	alone := tokens[0].Estimate(now, n)
	return time.Duration(sort.Search(int(alone/time.Millisecond), func(ms int) bool {
		done := 0
		for i, c := range tokens {
			if i >= p.used { // not in use yet: as the first, with a window of its own
				fresh := *p.tokens[0]
				fresh.win.hi, fresh.gate, fresh.learned.opened = now, gate{}, time.Time{}
				c = &fresh
			}
			done += c.within(now, time.Duration(ms)*time.Millisecond, n)
		}
		return done >= n
	})) * time.Millisecond
}
