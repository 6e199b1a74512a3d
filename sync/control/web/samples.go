package web

import (
	"encoding/json"
	"math"
	"net/http"
	"slices"
	"sync"
	"time"

	"usersyncd/sync/control"
)

const (
	sampleEvery = time.Second
	samplesKept = 15 * 60 // of the last 15 minutes
)

// A Sample is the limiter at one moment, and what happened since the sample before. Rates are requests per second.
type Sample struct {
	Seq       uint64  `json:"seq"`  // counts samples; one more than that of the sample before
	At        float64 `json:"at"`   // Unix time, seconds
	Rate      float64 `json:"rate"` // used
	AIMD      float64 `json:"aimd"` // allowed by AIMD and slow start
	Sent      float64 `json:"sent"` // sent since the sample before
	Left      *int    `json:"left"` // of the quota; null if unknown
	Allowed   int     `json:"allowed"`
	Throttled uint64  `json:"throttled"` // 429 responses since the sample before
}

// samples are the last ones. They are safe for concurrent use.
type samples struct {
	mu      sync.Mutex
	size    int
	list    []Sample        // at most size of them
	at      time.Time       // of the last one
	limiter control.Limiter // then
}

// add takes a sample. Counters of the first one began before, and are left out.
func (s *samples) add(now time.Time, l *control.Limiter) Sample {
	s.mu.Lock()
	defer s.mu.Unlock()
	one := Sample{Seq: 1, At: float64(now.UnixMilli()) / 1000, Rate: finite(l.Rate), AIMD: finite(l.AIMD)}
	if l.Windowed {
		left := l.Left
		one.Left, one.Allowed = &left, l.Allowed
	}
	if n := len(s.list); n > 0 {
		one.Seq = s.list[n-1].Seq + 1
		if elapsed := now.Sub(s.at).Seconds(); elapsed > 0 {
			one.Sent, one.Throttled = float64(since(l.Sent, s.limiter.Sent))/elapsed, since(l.Throttled, s.limiter.Throttled)
		}
	}
	s.at, s.limiter = now, *l
	if len(s.list) == s.size {
		s.list = slices.Delete(s.list, 0, 1)
	}
	s.list = append(s.list, one)
	return one
}

// all returns a copy, the oldest first.
func (s *samples) all() []Sample {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Sample{}, s.list...)
}

func (l *Listener) serveSamples(w http.ResponseWriter, _ *http.Request) {
	l.reply(w, struct {
		Every   float64  `json:"every"` // seconds between samples
		Samples []Sample `json:"samples"`
	}{l.every.Seconds(), l.samples.all()}, json.Marshal)
}

// since is the increase of a counter, also if it began again at 0.
func since(now, earlier uint64) uint64 {
	if now < earlier {
		return now
	}
	return now - earlier
}

// finite makes a number fit for JSON.
func finite(f float64) float64 {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return 0
	}
	return f
}
