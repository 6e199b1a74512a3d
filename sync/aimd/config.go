package aimd

import (
	"cmp"
	"math"
	"math/rand/v2"
	"time"
)

// The defaults of a Config.
const (
	// DefaultStartRate is the vendor's documented limit, 300 requests a minute and token
	// (client.credentials.token.rate.per.minute). It applies until the first headers.
	DefaultStartRate = 5.0
	// DefaultMinRate is above 0, as x/time/rate never recovers from SetLimit(0).
	DefaultMinRate = 0.5
	// DefaultMaxRate limits a rush; usually MaxInFlight does so first.
	DefaultMaxRate = 100.0
	// DefaultMaxInFlight is Little's law at the worst latency: 5 requests/s x 2 s.
	DefaultMaxInFlight = 10
	// DefaultJitter is added to every gate, so that several processes do not resume at once.
	DefaultJitter = 100 * time.Millisecond
)

// RetryAfterCap is the longest gate that callers wait for: a longer one parks the limiter.
const RetryAfterCap = 10 * time.Minute

// The headers of every counted response, according to the vendor's SDK documentation. They are compared without case.
const (
	countHeader   = "inin-ratelimit-count"   // requests in this window, this one included
	allowedHeader = "inin-ratelimit-allowed" // requests the window allows
	resetHeader   = "inin-ratelimit-reset"   // seconds until the window ends
)

const (
	beta          = 0.5             // factor of a decrease, as in Chiu and Jain (1989) and TCP Reno
	addStep       = 0.02            // additive increase of a rate of DefaultStartRate, in requests/s per second; in proportion above
	tailMargin    = 2 * time.Second // how long before its end the budget of a window is used up
	burst         = 1               // a pause must not accumulate a burst
	slowStartStep = 3.0             // req/s per answer of slow start: the rate grows e-fold in a third of a second, and stops with the answers
	growthPeriod  = 30.0            // seconds of calm after which the additive step has doubled
	shrinkMin     = 0.9             // a decrease is at least a tenth
	goodputShare  = 0.8             // of the requests accepted in the last minute: a decrease does not go below
	shortestGate  = time.Second / 4 // also after Retry-After: 0
	bareGateMax   = time.Minute     // end of the series 1, 2, 4 ... s without Retry-After
	max429s       = 8               // consecutive failed probes, over at least RetryAfterCap, that park the limiter
	maxRefusals   = 8               // of one request, while others are accepted
	longestPause  = 24 * time.Hour  // longest time taken from a header
	probeHangs    = 3 * time.Second // without an answer to a probe, before a second one is sent
	parkedProbe   = time.Hour       // between the probes of a parked limiter
	minWait       = 50 * time.Microsecond
)

// Config tunes a Controller. A field that is zero, negative or not a number takes its default.
type Config struct {
	StartRate   float64       // requests/s before anything is known
	MinRate     float64       // requests/s, at least
	MaxRate     float64       // requests/s, at most; if it is below MinRate, it applies to both
	TotalRate   float64       // requests/s of all tokens of a Pool together, at most; 0: no limit
	MaxInFlight int           // requests without an answer, at most
	Jitter      time.Duration // upper bound of the jitter after a gate; negative means none
	Reserve     float64       // share of each window that is left to other clients, 0 to below 1

	Rand *rand.Rand // source of the jitter; nil means one seeded at random
}

func (cfg Config) withDefaults() Config {
	positive(&cfg.StartRate, DefaultStartRate)
	positive(&cfg.MinRate, DefaultMinRate)
	positive(&cfg.MaxRate, DefaultMaxRate)
	positive(&cfg.MaxInFlight, DefaultMaxInFlight)
	cfg.Jitter = cmp.Or(cfg.Jitter, DefaultJitter)
	if math.IsNaN(cfg.Reserve) || cfg.Reserve < 0 || cfg.Reserve >= 1 {
		cfg.Reserve = 0
	}
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
