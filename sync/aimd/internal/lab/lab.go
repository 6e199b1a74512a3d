package lab

import (
	"container/heap"
	"math"
	"math/rand/v2"
	"time"
)

// Epoch is when every run begins.
func Epoch() time.Time { return time.Date(2026, 3, 1, 9, 0, 17, 0, time.UTC) }

// Lab is virtual time: events in their order.
type Lab struct {
	now    time.Time
	events timeline
	last   uint64 // events so far
}

// New returns a lab at the Epoch.
func New() *Lab { return &Lab{now: Epoch()} }

// Now is the current time.
func (l *Lab) Now() time.Time { return l.now }

// After does something when d has passed. What is due at the same time is done in the order of asking.
func (l *Lab) After(d time.Duration, do func()) {
	l.last++
	heap.Push(&l.events, event{l.now.Add(max(d, 0)), l.last, do})
}

// Run goes from event to event until done, until nothing is left to happen, or until limit has passed
// since the Epoch. It returns the time that has passed.
func (l *Lab) Run(limit time.Duration, done func() bool) time.Duration {
	end := Epoch().Add(limit)
	for !done() && len(l.events) > 0 && l.events[0].at.Before(end) {
		e := heap.Pop(&l.events).(event)
		l.now = e.at
		e.do()
	}
	return l.now.Sub(Epoch())
}

type event struct {
	at    time.Time
	order uint64
	do    func()
}

// timeline is a heap of events.
type timeline []event

func (t timeline) Len() int { return len(t) }
func (t timeline) Less(i, j int) bool {
	if t[i].at.Equal(t[j].at) {
		return t[i].order < t[j].order
	}
	return t[i].at.Before(t[j].at)
}
func (t timeline) Swap(i, j int) { t[i], t[j] = t[j], t[i] }
func (t *timeline) Push(x any)   { *t = append(*t, x.(event)) }
func (t *timeline) Pop() any {
	old := *t
	e := old[len(old)-1]
	old[len(old)-1] = event{}
	*t = old[:len(old)-1]
	return e
}

// Latency draws the time of one request and its answer.
type Latency func() time.Duration

// Constant is a latency that never changes.
func Constant(d time.Duration) Latency { return func() time.Duration { return d } }

// LogNormal is a long-tailed latency around a median, 30 ms to 2 s.
func LogNormal(rnd *rand.Rand, median time.Duration) Latency {
	return func() time.Duration {
		f := math.Exp(rnd.NormFloat64() * 0.6)
		return min(max(time.Duration(float64(median)*f), 30*time.Millisecond), 2*time.Second)
	}
}

// Seeded is a source of chance that always says the same.
func Seeded(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, seed)) }
