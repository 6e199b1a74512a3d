package aimd_test

import (
	"math"
	"slices"
	"time"

	"pgregory.net/rapid"

	"usersyncd/sync/aimd"
)

// laws checks a run as it goes. Each law has its number from the design of the limiter.
type laws struct {
	t      *rapid.T
	cfg    aimd.Config
	skewed bool // the limiter's clock is not ours

	probes    []uint64  // in flight: one, and a second one if it has had no answer for 3 s
	probedAt  time.Time // the first of them
	lastSent  time.Time
	effSince  float64            // highest effective rate seen since the last send
	effAt     map[uint64]float64 // of each request
	episodeAt uint64             // requests sent at the last decrease
	sends     uint64
	floor     float64 // the rate after the last decrease
	cold      bool    // the first decrease ends the slow start, and gives back what that had borrowed
	lent      bool    // a rush without headers has borrowed since the last decrease
}

func (l *laws) watch(r *run) {
	l.cold, l.floor = true, aimd.DefaultStartRate
	r.asked = func(_ time.Time, s aimd.Stats) { l.rates(s) }
	r.sent = l.sent
	r.answered = l.answered
}

// 4: rates are numbers, and within bounds.
func (l *laws) rates(s aimd.Stats) {
	for _, v := range []float64{s.Rate, s.Effective} {
		if math.IsNaN(v) || v < aimd.DefaultMinRate || v > aimd.DefaultMaxRate {
			l.t.Fatalf("rate out of bounds: %v", s)
		}
	}
	l.effSince = max(l.effSince, s.Effective)
}

func (l *laws) sent(now time.Time, seq uint64, s aimd.Stats) {
	l.rates(s)
	if s.Gate > 0 { // 1
		l.t.Fatalf("sent while the gate is shut: %v", s)
	}
	if s.InFlight >= l.cfg.MaxInFlight { // 3
		l.t.Fatalf("sent beyond the cap of %d in flight: %v", l.cfg.MaxInFlight, s)
	}
	if hangs := l.skewed || now.Sub(l.probedAt) >= 3*time.Second; len(l.probes) > 1 || len(l.probes) == 1 && (!hangs || s.Reason != aimd.Probe) { // 2
		l.t.Fatalf("sent with %d probes in flight, the first since %v: %v", len(l.probes), now.Sub(l.probedAt), s)
	}
	if s.Windowed && s.Left < 1 {
		l.t.Fatalf("sent without budget: %v", s)
	}
	if s.Reason == aimd.Probe {
		if len(l.probes) == 0 {
			l.probedAt = now
		}
		l.probes = append(l.probes, seq)
	}
	l.lent = l.lent || s.Reason == aimd.Rush && !s.Windowed
	// 7: a bucket of one token is empty after every send, so the gap must have filled it.
	if filled := now.Sub(l.lastSent).Seconds() * l.effSince; !l.skewed && !l.lastSent.IsZero() && filled < 0.999 {
		l.t.Fatalf("burst: %.4f tokens since the last send: %v", filled, s)
	}
	l.lastSent, l.effSince, l.effAt[seq] = now, 0, s.Effective
	l.rates(s)
	l.sends++
}

func (l *laws) answered(_ time.Time, seq uint64, status int, before, after aimd.Stats) {
	accepted := status != 0 && status < 500 && status != 429
	switch i := slices.Index(l.probes, seq); {
	case i >= 0 && accepted, after.Gate > 0: // it opens the limiter; what was in flight when the gate closes is no probe
		l.probes = nil
	case i >= 0:
		l.probes = slices.Delete(l.probes, i, i+1)
	}
	l.rates(before)
	l.rates(after)
	if after.Gate < before.Gate { // 9
		l.t.Fatalf("the gate shortened:\n%v\n%v", before, after)
	}
	if after.InFlight != before.InFlight-1 {
		l.t.Fatalf("an answer did not free its slot:\n%v\n%v", before, after)
	}
	if status != 200 && after.Rate > before.Rate && after.Expected == before.Expected { // 6; what comes back may be rushed
		l.t.Fatalf("a %d raised the rate:\n%v\n%v", status, before, after)
	}
	sameWindow := before.Windowed && after.Windowed && after.Reset <= before.Reset+time.Second && !after.Rolling
	if sameWindow && after.Used < before.Used { // 10
		l.t.Fatalf("what was used became less within a window:\n%v\n%v", before, after)
	}
	if after.Windowed && after.Left > max(0, after.Allowed-after.Used) {
		l.t.Fatalf("more is left than there is: %v", after)
	}
	l.decrease(seq, before, after)
}

// 5: at most one decrease an episode, between a tenth and a half. More where slow start had lent it: by the
// headers, which are gone, or by nobody knowing better.
func (l *laws) decrease(seq uint64, before, after aimd.Stats) {
	switch after.Decreases - before.Decreases {
	case 0:
	case 1:
		low, high := min(before.Rate, l.effAt[seq])/2, before.Rate*0.9
		if after.Rate > high { // the same answer has taken back an earlier decrease, which was for one request alone
			high = l.effAt[seq] * 0.9
		}
		if before.Windowed { // trusting the headers
			low = min(low, l.floor/2)
		}
		if before.Windowed && !after.Windowed || l.lent {
			low, l.lent = 0, false
		}
		if l.cold {
			low, l.cold = min(low, aimd.DefaultStartRate/2), false
		}
		if after.Rate < max(low, aimd.DefaultMinRate)-1e-9 || after.Rate > max(high, aimd.DefaultMinRate)+1e-9 {
			l.t.Fatalf("decrease from %v (sent at %v) to %v:\n%v\n%v", before.Rate, l.effAt[seq], after.Rate, before, after)
		}
		if seq <= l.episodeAt {
			l.t.Fatalf("request %d was sent before the last decrease, at %d, and decreased again", seq, l.episodeAt)
		}
		l.episodeAt, l.floor = l.sends, after.Rate
	default:
		l.t.Fatalf("more than one decrease:\n%v\n%v", before, after)
	}
}
