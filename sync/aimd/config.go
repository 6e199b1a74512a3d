package aimd

import (
	"math"
	"math/rand/v2"
	"time"
)

// The defaults of a Config.
const (
	// DefaultStartRate is the vendor's documented default, 300 requests a minute and token
	// (client.credentials.token.rate.per.minute). It only matters until the first headers.
	DefaultStartRate = 5.0
	// DefaultMinRate keeps the limiter alive: x/time/rate never recovers a waiter from SetLimit(0).
	DefaultMinRate = 0.5
	// DefaultMaxRate bounds a rush; the cap on requests in flight usually binds first.
	DefaultMaxRate = 100.0
	// DefaultBeta is the multiplicative decrease of Chiu and Jain (1989) and of TCP Reno.
	DefaultBeta = 0.5
	// DefaultAddStep is the additive increase in requests per second, per second.
	DefaultAddStep = 0.02
	// DefaultMaxInFlight is Little's law at the worst latency: 5 requests/s x 2 s.
	DefaultMaxInFlight = 10
	// DefaultTailMargin is how long before its end a window's budget is spent.
	DefaultTailMargin = 2 * time.Second
	// DefaultRetryAfterCap is the longest gate that is waited for.
	DefaultRetryAfterCap = 10 * time.Minute
	// DefaultJitter is added to every gate, so that processes do not return as one.
	DefaultJitter = 100 * time.Millisecond

	// The headers on every counted response, as seen in the vendor's SDK documentation.
	DefaultCountHeader   = "inin-ratelimit-count"   // requests in this window, this one included
	DefaultAllowedHeader = "inin-ratelimit-allowed" // requests the window allows
	DefaultResetHeader   = "inin-ratelimit-reset"   // seconds until the window ends
)

// What nobody needs to set.
const (
	burst         = 1                // a longer pause must not save up for a burst
	slowStartStep = 2.0              // req/s per vouched answer: grows e-fold in half a second, and stops when answers stop
	rushStart     = 20.0             // req/s with which slow start begins if all that is left fits
	growthPeriod  = 30.0             // seconds of calm after which the additive step has doubled
	shrinkMin     = 0.9              // a decrease takes at least a tenth
	goodputShare  = 0.8              // of what was accepted in the last minute, below which a decrease does not go
	shortestGate  = time.Second / 4  // Retry-After: 0 is no licence to hammer
	bareGateMax   = time.Minute      // end of the series 1, 2, 4 ... s used without a Retry-After
	distrustSpan  = 10 * time.Minute // after a 429 in a window they describe, the headers have not told all: no slow start, no rush
	maxStrikes    = 8                // failed probes in a row, over at least the cap, that park the limiter
	failureSpan   = 20               // answers over which failures are counted; more than half of them is one decrease
	longestPause  = 24 * time.Hour   // longest time believed of a header
	minWait       = 50 * time.Microsecond
)

// Config tunes a Controller. A field that is zero, negative or not a number takes its default.
type Config struct {
	StartRate     float64 // requests/s before anything is known
	MinRate       float64 // requests/s, floor of every pace
	MaxRate       float64 // requests/s, ceiling of every pace; may be below MinRate, which then follows
	TotalRate     float64 // requests/s of all tokens of a Pool together; 0: no ceiling of its own
	Beta          float64 // factor of a decrease; at most 0.9
	AddStep       float64 // requests/s gained per second while the rate is what binds
	MaxInFlight   int     // requests sent and not answered
	TailMargin    time.Duration
	RetryAfterCap time.Duration // a longer gate parks the limiter instead of being waited for
	Jitter        time.Duration // upper bound of the jitter after a gate; negative means none
	Reserve       float64       // share of each window left to others, 0 to below 1; zero reserves nothing

	CountHeader, AllowedHeader, ResetHeader string // compared without case

	Rand *rand.Rand // source of the jitter; nil means one seeded at random
}

func (cfg Config) withDefaults() Config {
	positive(&cfg.StartRate, DefaultStartRate)
	positive(&cfg.MinRate, DefaultMinRate)
	positive(&cfg.MaxRate, DefaultMaxRate)
	positive(&cfg.Beta, DefaultBeta)
	positive(&cfg.AddStep, DefaultAddStep)
	positive(&cfg.MaxInFlight, DefaultMaxInFlight)
	positive(&cfg.TailMargin, DefaultTailMargin)
	positive(&cfg.RetryAfterCap, DefaultRetryAfterCap)
	if cfg.Jitter == 0 {
		cfg.Jitter = DefaultJitter
	}
	if cfg.CountHeader == "" {
		cfg.CountHeader = DefaultCountHeader
	}
	if cfg.AllowedHeader == "" {
		cfg.AllowedHeader = DefaultAllowedHeader
	}
	if cfg.ResetHeader == "" {
		cfg.ResetHeader = DefaultResetHeader
	}
	if math.IsNaN(cfg.Reserve) || cfg.Reserve < 0 || cfg.Reserve >= 1 {
		cfg.Reserve = 0
	}
	cfg.Beta = min(cfg.Beta, shrinkMin)
	cfg.MinRate = min(cfg.MinRate, cfg.MaxRate)
	cfg.StartRate = min(max(cfg.StartRate, cfg.MinRate), cfg.MaxRate)
	if cfg.Rand == nil {
		cfg.Rand = rand.New(rand.NewPCG(rand.Uint64(), rand.Uint64()))
	}
	return cfg
}

// positive sets *v to def unless it is a positive, finite number.
func positive[T int | float64 | time.Duration](v *T, def T) {
	if math.IsNaN(float64(*v)) || *v <= 0 || math.IsInf(float64(*v), 0) {
		*v = def
	}
}
