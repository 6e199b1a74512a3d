package main

import (
	"os"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"usersyncd/sync/genesys/sim"
)

// An hour in which nothing changes costs four readings of the organization, no write, and next to no line of log.
func TestIdleHour(t *testing.T) {
	inBubble(t, sim.Options{Users: 50}, "", nil, func(b *bubble) {
		time.Sleep(time.Hour)
		if b.sim.Ledger().Count("GET /api/v2/users", 200) == 0 || said(b.log.take(b.T), "pass done") == nil {
			b.Fatal("there was no pass: the test says nothing")
		}
		b.sim.ResetLedger()
		time.Sleep(time.Hour)
		for name, n := range b.sim.Ledger().Calls {
			if !strings.HasPrefix(name, "GET ") {
				b.Errorf("%s: %v", name, n)
			}
		}
		if n := b.sim.Ledger().Count("GET /api/v2/users", 200); n < 2*3 || n > 2*4 { // active and inactive users
			b.Errorf("the organization was read in %d calls", n)
		}
		if log := b.log.take(b.T); len(log) > 6 {
			b.Errorf("%d lines: %v", len(log), log)
		}
	})
}

// Half a day (a week, with LONG=1) leaves no more behind than the first part of it. (The tree is read every quarter of
// an hour, and not every minute, which would take the test half a minute.)
func TestIdleWeek(t *testing.T) {
	parts, hours := 2, 6
	if long() {
		parts, hours = 7, 24
	}
	part := time.Duration(hours) * time.Hour
	inBubble(t, sim.Options{Users: 50}, "resync-interval: 15m", nil, func(b *bubble) {
		time.Sleep(part)
		b.log.take(b.T)
		b.sim.ResetLedger()
		before := weigh(b.T)
		time.Sleep(time.Duration(parts-1) * part)
		if n := b.sim.Ledger().Count("GET /api/v2/users", 200); n < 2*4*hours*(parts-1)*9/10 {
			b.Errorf("the organization was read in %d calls; the test says little", n)
		}
		if n := len(b.log.take(b.T)); n > 6*hours*(parts-1) {
			b.Errorf("%d lines of log", n)
		}
		b.sim.ResetLedger()
		after := weigh(b.T)
		b.Logf("after the first part %+v, at the end %+v", before, after)
		if after.goroutines > before.goroutines || after.descriptors > before.descriptors {
			b.Errorf("after the first part %+v, at the end %+v", before, after)
		}
		if after.heap > before.heap+256<<10 { // half a kilobyte for each of the passes
			b.Errorf("the heap has grown from %d to %d bytes in %v", before.heap, after.heap, time.Duration(parts-1)*part)
		}
	})
}

// A weight is what the process holds on to.
type weight struct {
	goroutines, descriptors int
	heap                    uint64
}

// weigh measures when nothing is under way.
func weigh(t *testing.T) weight {
	t.Helper()
	synctest.Wait()
	descriptors, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Log("descriptors are not counted: ", err) // not everywhere is a /proc
	}
	runtime.GC()
	runtime.GC() // what the first one's finalizers have let go
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return weight{runtime.NumGoroutine(), len(descriptors), m.HeapAlloc}
}
