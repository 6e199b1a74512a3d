// Package growth tells whether work grows in proportion to its input. Only tests import it.
//
// It compares the processor time of two sizes, so it depends neither on the speed of a machine nor on what else runs there.
package growth

import (
	"runtime"
	"runtime/debug"
	"syscall"
	"testing"
	"time"
)

const (
	factor = 8                    // between the two sizes: linear work takes 8 times as long, quadratic work 64 times
	most   = 18                   // times as long, at most
	tries  = 5                    // the quickest of each size counts
	short  = 2 * time.Millisecond // work that is over sooner is not compared: its time is that of the clock
)

// Check fails if work on 8 times as much takes more than 18 times as long. setup prepares work on n things.
func Check(t *testing.T, n int, setup func(n int) (work func())) {
	t.Helper()
	defer debug.SetGCPercent(debug.SetGCPercent(-1)) // only large work would have garbage collected
	small, large := time.Duration(1<<62), time.Duration(1<<62)
	for range tries {
		small, large = min(small, measure(setup(n))), min(large, measure(setup(factor*n)))
		if large <= most*max(small, short) {
			t.Logf("%d: %v, %d: %v", n, small, factor*n, large)
			return
		}
	}
	t.Errorf("%d take %v, and %d take %v", n, small, factor*n, large)
}

// measure returns the processor time of all threads, without the garbage of the setup.
func measure(work func()) time.Duration {
	runtime.GC()
	before := cpu()
	work()
	return cpu() - before
}

func cpu() time.Duration {
	var used syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &used)
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}
