package lab

import (
	"math"
	"runtime"
	"slices"
	"sync"
	"time"
)

// longest is the longest run that is played.
const longest = 100 * time.Hour

// Figures are what came of a scenario: medians over all seeds but for Lost, which is their sum,
// and the worst.
type Figures struct {
	Took      time.Duration
	Ratio     float64 // of the time taken to the lower bound, where that is not zero
	Throttled float64 // 429s among the requests, percent
	Lost      int     // calls that were given up
	Denied    float64 // the rival's requests that were denied, percent
	Recovery  float64 // seconds from the restoring of a quota until a minute delivers nine tenths of it
	Jain      float64 // fairness between two clients: 1 is equal speed, 0.5 is all for one

	WorstRatio, WorstThrottled, WorstDenied float64 // of any seed
}

// Measure plays a scenario with seeds 1 to seeds, each client with so many calls.
func Measure(s Scenario, p Policy, calls, seeds int) Figures {
	runs := make([]Figures, seeds)
	var wg sync.WaitGroup
	slots := make(chan struct{}, runtime.GOMAXPROCS(0))
	for i := range runs {
		wg.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			_, runs[i] = Play(s, p, calls, uint64(i+1))
		})
	}
	wg.Wait()
	f := Figures{
		Took:      time.Duration(median64(runs, func(r Figures) float64 { return float64(r.Took) })),
		Ratio:     median64(runs, func(r Figures) float64 { return r.Ratio }),
		Throttled: median64(runs, func(r Figures) float64 { return r.Throttled }),
		Denied:    median64(runs, func(r Figures) float64 { return r.Denied }),
		Recovery:  median64(runs, func(r Figures) float64 { return r.Recovery }),
		Jain:      median64(runs, func(r Figures) float64 { return r.Jain }),
	}
	for _, r := range runs {
		f.Lost += r.Lost
		f.WorstRatio, f.WorstThrottled, f.WorstDenied = max(f.WorstRatio, r.Ratio), max(f.WorstThrottled, r.Throttled), max(f.WorstDenied, r.Denied)
	}
	return f
}

func median64(runs []Figures, of func(Figures) float64) float64 {
	v := make([]float64, len(runs))
	for i, r := range runs {
		v[i] = of(r)
	}
	slices.Sort(v)
	return (v[(len(v)-1)/2] + v[len(v)/2]) / 2
}

// Play makes one run, and returns its clients too.
func Play(s Scenario, p Policy, calls int, seed uint64) ([]*Client, Figures) {
	b := &setup{Lab: New(), rnd: Seeded(seed), bound: s.bound}
	s.build(b)
	if b.bound == nil {
		b.bound = perMinute(limit)
	}
	if b.rival != nil {
		b.rival.Use(b.Lab, b.servers[0])
	}
	broken := make([]*Broken, len(b.servers))
	servers := make([]Server, len(b.servers))
	for i, server := range b.servers {
		broken[i] = &Broken{Server: server, Share: breakage, Rand: b.rnd}
		if s.Calls > 0 {
			broken[i].Share = 0 // a few calls in a case of their own
		}
		servers[i] = broken[i]
	}
	latency := LogNormal(b.rnd, median)
	if s.Latency > 0 {
		latency = Constant(s.Latency)
	}
	clients := []*Client{NewClient(b.Lab, calls, latency, servers...)}
	clients[0].Near, clients[0].Spoiled = s.Near, s.Spoiled
	if s.Pair {
		clients = append(clients, NewClient(b.Lab, calls, latency, servers...))
		b.After(secondStart, func() {
			clients[1].Began = b.now
			p(clients[1], b.rnd)
		})
	}
	p(clients[0], b.rnd)
	b.Run(longest, func() bool { return !slices.ContainsFunc(clients, func(c *Client) bool { return !c.Over() }) })
	spent := 0
	for _, s := range broken {
		spent += s.Count
	}
	return clients, b.figures(clients, spent)
}

func (b *setup) figures(clients []*Client, broken int) (f Figures) {
	sent, throttled, done := 0, 0, 0
	var speeds []float64
	for _, c := range clients {
		sent, throttled, done = sent+c.Sent, throttled+c.Throttled, done+c.Done
		f.Lost += c.Calls - c.Done
		f.Took = max(f.Took, c.Began.Add(c.Took()).Sub(Epoch()))
		speeds = append(speeds, float64(c.Done)/max(c.Took().Seconds(), 1))
	}
	f.Throttled = 100 * float64(throttled) / float64(sent)
	if bound := b.bound(done + broken); bound > 0 {
		f.Ratio = f.Took.Seconds() / bound.Seconds()
	}
	if r := b.rival; r != nil {
		f.Denied = 100 * float64(r.Denied) / float64(max(1, r.Denied+r.Served))
	}
	f.Jain, f.Recovery = Jain(speeds...), recovery(clients[0])
	return f
}

// recovery is how long after the restoring a minute begins in which nine tenths of the quota are used.
func recovery(c *Client) float64 {
	const enough = limit * 9 / 10
	for i := range c.DoneAt {
		if wait := c.DoneAt[i].Sub(Epoch()) - restoredAt; wait >= 0 && i+enough <= len(c.DoneAt) &&
			c.DoneAt[i+enough-1].Sub(c.DoneAt[i]) <= time.Minute {
			return wait.Seconds()
		}
	}
	return math.Inf(1)
}

// Jain is Jain's fairness index of some speeds (Jain, Chiu and Hawe, 1984): 1 if they are equal, 1/n if
// one has it all.
func Jain(speeds ...float64) float64 {
	sum, squares := 0.0, 0.0
	for _, v := range speeds {
		sum += v
		squares += v * v
	}
	if squares == 0 {
		return 1
	}
	return sum * sum / (float64(len(speeds)) * squares)
}
