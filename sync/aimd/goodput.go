package aimd

import "time"

// goodputSpan is how many seconds of accepted requests are counted.
const goodputSpan = 60

// goodput counts the accepted requests of the last minute, second by second.
type goodput struct {
	start  time.Time
	second int64 // since start, of the newest count
	counts [goodputSpan]uint32
}

func (g *goodput) add(now time.Time) {
	if g.start.IsZero() {
		g.start = now
	}
	g.forward(now)
	g.counts[g.second%goodputSpan]++
}

// forward empties the counts of the seconds that have passed.
func (g *goodput) forward(now time.Time) {
	second := int64(now.Sub(g.start) / time.Second)
	for range min(second-g.second, goodputSpan) {
		g.second++
		g.counts[g.second%goodputSpan] = 0
	}
	g.second = second
}

// rate is how many requests/s the server accepted, up to the end of a gate that begins now.
func (g *goodput) rate(now, gate time.Time) float64 {
	if g.start.IsZero() {
		return 0
	}
	g.forward(now)
	oldest := max(0, g.second+int64(gate.Sub(now)/time.Second)-goodputSpan+1)
	n := uint32(0)
	for i := oldest; i <= g.second; i++ {
		n += g.counts[i%goodputSpan]
	}
	span := gate.Sub(g.start.Add(time.Duration(oldest) * time.Second))
	return float64(n) / max(span, time.Second).Seconds()
}
