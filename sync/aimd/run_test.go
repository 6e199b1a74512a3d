package aimd_test

import (
	"time"

	"usersyncd/sync/aimd"
	"usersyncd/sync/aimd/internal/lab"
)

// epoch is when every test begins.
var epoch = lab.Epoch()

type header = lab.Header

// run is one client's work in package lab, watched.
type run struct {
	p       *aimd.Pool
	srv     lab.Server
	latency lab.Latency
	calls   int // how many must be answered with anything but 429, 5xx or nothing
	limit   time.Duration
	patient bool                      // come back when a park is over
	skew    func(time.Time) time.Time // the clock that the limiter sees; nil is the true one
	onTime  map[time.Duration]func()

	// observers; each may be nil
	asked    func(now time.Time, s aimd.Stats) // before every Acquire
	sent     func(now time.Time, seq uint64, before aimd.Stats)
	answered func(now time.Time, seq uint64, status int, before, after aimd.Stats)
}

type result struct {
	*lab.Client
	took   time.Duration
	parked bool
}

func (r *run) play() result {
	l := lab.New()
	for d, f := range r.onTime {
		l.After(d, f)
	}
	limit := r.limit
	if limit == 0 {
		limit = 100 * time.Hour
	}
	c := lab.NewClient(l, r.calls, r.latency, r.srv)
	o := &lab.Ours{
		Pool: r.p, Rand: lab.Seeded(1), Patient: r.patient, Tries: 1_000_000, Skew: r.skew,
		Asked: r.asked, Sending: r.sent, Answered: r.answered,
	}
	o.Start(c)
	took := l.Run(limit, func() bool { return c.Over() || o.Parked && l.Now().Sub(epoch) > time.Minute })
	return result{c, took, o.Parked}
}

// pool is a limiter for one token, whose chance is the seed's.
func pool(seed uint64) *aimd.Pool { return aimd.NewPool(1, aimd.Config{Rand: lab.Seeded(seed)}) }
