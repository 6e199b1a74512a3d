package aimd

import (
	"cmp"
	"slices"
	"sort"
	"time"
)

// MaxTokens is the largest Pool. The vendor asks not to use tokens to get around the limits.
const MaxTokens = 10

const (
	addTokenAfter = 2 * time.Second        // if the tokens in use need longer for the work, another is used
	checkEvery    = 100 * time.Millisecond // how often that is checked
)

// Pool spreads requests over several tokens, each with its own quota and [Controller]. There is one queue: the next token
// that may send takes the next request, so a throttled token does not delay the others. Tokens are added one at a time,
// if the tokens in use need more than two seconds for the work, and the last one has got an answer. Like a Controller, a
// Pool is given the time, and is not safe for concurrent use.
type Pool struct {
	total       float64 // requests/s of all tokens, or 0
	tokens      []*Controller
	used        int       // tokens[:used] are in use
	checkedAt   time.Time // when another token was last found unnecessary
	expectKnown bool
	expect      int
	sent        map[uint64]sending // by ticket: requests in flight, without those of nobody
	refusals    refusals
}

// NewPool returns a pool of 1 to MaxTokens tokens.
func NewPool(tokens int, cfg Config) *Pool {
	cfg = cfg.withDefaults()
	p := &Pool{used: 1, total: cfg.TotalRate, sent: map[uint64]sending{}, refusals: refusals{known: map[string]*refusal{}}}
	for range min(max(tokens, 1), MaxTokens) {
		p.tokens = append(p.tokens, NewController(cfg))
	}
	p.splitRate()
	return p
}

// Acquire asks to send one request. If ok, the caller sends it at once, with that token, and returns the ticket with
// OnResponse or Cancel. If not, it asks again as with [Controller.Acquire]. [Pool.Refused]
// is asked before.
func (p *Pool) Acquire(now time.Time, r Request) (ticket uint64, token int, wait time.Duration, ok bool) {
	p.share(now)
	for i := 0; i < p.used || p.needsToken(now); i++ {
		if i == p.used {
			p.used++
			p.splitRate()
			p.share(now)
		}
		w, ok := p.tokens[i].Acquire(now)
		if ok {
			return p.send(now, i, r), i, 0, true
		}
		if w > 0 && (wait == 0 || w < wait) {
			wait = w
		}
	}
	if wait > checkEvery && p.expect > 0 && p.used < len(p.tokens) {
		wait = checkEvery
	}
	return 0, 0, wait, false
}

func (p *Pool) send(now time.Time, token int, r Request) (ticket uint64) {
	p.expect = max(0, p.expect-1)
	ticket = p.tokens[token].OnSend(now)*uint64(len(p.tokens)) + uint64(token)
	if r.ID != "" {
		p.sent[ticket] = sending{r, now, token}
	}
	return ticket
}

// Refused returns why a request is not to be sent now although others are; nil if it may be.
func (p *Pool) Refused(now time.Time, r Request) *RefusedError { return p.refusals.check(now, r.ID) }

// Suspect reports whether a request was refused, and no other one has been accepted since. It is to be sent after others,
// whose answers show whom the refusal concerned.
func (p *Pool) Suspect(r Request) bool { return p.refusals.suspect(r.ID) }

// splitRate gives each token in use its part of the total rate.
func (p *Pool) splitRate() {
	if p.total > 0 {
		for _, c := range p.tokens[:p.used] {
			c.limit(p.total / float64(p.used))
		}
	}
}

// share gives each token in use its share of the work.
func (p *Pool) share(now time.Time) {
	if !p.expectKnown {
		return
	}
	n := p.workShares(now)
	for i, c := range p.tokens[:p.used] {
		c.Expect(n[i])
	}
}

// workShares is how much work each token in use has left if the others spend their budgets.
func (p *Pool) workShares(now time.Time) (n [MaxTokens]int) {
	budget := 0
	for _, c := range p.tokens[:p.used] {
		budget += c.budget(now)
	}
	for i, c := range p.tokens[:p.used] {
		n[i] = max(min(1, p.expect), p.expect-(budget-c.budget(now)))
	}
	return n
}

// needsToken reports whether another token is to be used: the last one has got an answer or is gated, and the tokens in
// use neither finish the work soon nor are limited only by the total rate.
func (p *Pool) needsToken(now time.Time) bool {
	if p.used == len(p.tokens) || now.Before(p.checkedAt.Add(checkEvery)) {
		return false
	}
	if last := p.tokens[p.used-1]; last.state == start || last.state == probing {
		return false
	}
	done, capped := 0, p.total > 0
	for _, c := range p.tokens[:p.used] {
		capped = capped && !c.isShut() && c.sustained(now) >= c.cfg.MaxRate
		done += c.within(now, addTokenAfter, p.expect)
	}
	if done >= p.expect || capped {
		p.checkedAt = now
		return false
	}
	return true
}

// OnResponse records the answer to a ticket's request, as [Controller.OnResponse] does.
func (p *Pool) OnResponse(now time.Time, ticket uint64, status int, header map[string][]string) {
	c, seq := p.find(ticket)
	before := c.stats.Throttled
	if s, known := p.sent[ticket]; known && p.concernsOne(now, s, status, header) {
		c.OnRefusal(now, seq, status, header)
	} else {
		c.OnResponse(now, seq, status, header)
	}
	delete(p.sent, ticket)
	if p.expectKnown && c.stats.Throttled > before {
		p.expect++ // it will be sent again
	}
}

// concernsOne records the answer to a request, and reports whether it is a refusal that concerns nobody else.
func (p *Pool) concernsOne(now time.Time, s sending, status int, header map[string][]string) bool {
	if accepts(status) {
		if p.refusals.accept(s) {
			p.tokens[s.token].Pardon()
		}
		return false
	}
	if status == 429 {
		asked, ok := retryAfter(header, now)
		return p.refusals.throttled(now, s, asked, ok)
	}
	asked, ok := unavailableFor(status, header, now)
	return ok && p.refusals.unavailable(now, s, asked)
}

// Cancel takes back a request that was not sent; see [Controller.Cancel].
func (p *Pool) Cancel(now time.Time, ticket uint64, pause time.Duration) {
	c, seq := p.find(ticket)
	delete(p.sent, ticket)
	before := c.stats.Cancelled
	c.Cancel(now, seq, pause)
	if p.expectKnown && c.stats.Cancelled > before {
		p.expect++
	}
}

func (p *Pool) find(ticket uint64) (c *Controller, seq uint64) {
	n := uint64(len(p.tokens))
	return p.tokens[ticket%n], ticket / n
}

// Expect tells how many requests are still to be sent; see [Controller.Expect].
func (p *Pool) Expect(n int) { p.expectKnown, p.expect = true, max(0, n) }

// Parked reports whether all tokens are parked, and when the first opens.
func (p *Pool) Parked(now time.Time) (until time.Time, parked bool) {
	tokens := p.tokens[:p.used]
	if p.expect > 0 { // the others may be used, too
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

// Stats returns the state of all tokens in use: rates, budgets and counts are sums; the gate, the reason and the reset
// are those of the token that may send first.
func (p *Pool) Stats(now time.Time) Stats {
	all := make([]Stats, p.used)
	n := p.workShares(now)
	for i, c := range p.tokens[:p.used] {
		seen := *c
		if p.expectKnown {
			seen.Expect(n[i]) // as the next Acquire does
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

// Estimate returns how long n more requests will take with all tokens; see [Controller.Estimate].
func (p *Pool) Estimate(now time.Time, n int) time.Duration {
	tokens := p.tokens
	if p.tokens[p.used-1].isShut() { // others may be gated, too
		tokens = p.tokens[:p.used]
	}
	d := p.estimate(now, n, tokens)
	if p.total > 0 { // of all tokens
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
			if i >= p.used { // not in use yet: like the first, with its own window
				fresh := *p.tokens[0]
				fresh.win.hi, fresh.state, fresh.gate, fresh.learned.opened = now, start, time.Time{}, time.Time{}
				c = &fresh
			}
			done += c.within(now, time.Duration(ms)*time.Millisecond, n)
		}
		return done >= n
	})) * time.Millisecond
}
