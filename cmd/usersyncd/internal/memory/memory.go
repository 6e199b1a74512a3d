// Package memory keeps the process within the memory that it may use.
package memory

import (
	"fmt"
	"log/slog"
	"math"
	"runtime/debug"
	"runtime/metrics"

	"github.com/KimMachineGun/automemlimit/memlimit"
)

const (
	// percent is GOGC unless it is set: how much garbage there may be, in percent of what is in use. Go's default is 100. With 50
	// the process takes a quarter less memory, and a tenth more processor time.
	percent = 50
	// share is how much of the limit of the cgroup Go may use. The rest is for what Go does not know of: the pages of the state
	// file and of the specs, of which the kernel can drop most.
	share = 0.82
	// full is how much of Go's limit may be in use. Above it the garbage collector takes much of the processor time.
	full = 0.85
)

// Limit makes the garbage collector respect the memory limit of the process's cgroup, such as MemoryMax= of its unit or the
// limit of its container: a process that exceeds it is killed. The environment variables GOGC and GOMEMLIMIT, which Go reads
// itself, have priority.
func Limit(lookupEnv func(string) (string, bool)) { limit(lookupEnv, memlimit.FromCgroup) }

func limit(lookupEnv func(string) (string, bool), cgroup memlimit.Provider) {
	if _, set := lookupEnv("GOGC"); !set {
		debug.SetGCPercent(percent)
	}
	if _, set := lookupEnv("GOMEMLIMIT"); set {
		return
	}
	if most, err := memlimit.ApplyRatio(cgroup, share)(); err == nil && most < math.MaxInt64 {
		debug.SetMemoryLimit(int64(most))
	}
}

// An Alarm warns once when the memory is nearly used up.
type Alarm struct {
	Log    *slog.Logger
	warned bool
}

// Check reads how much is in use.
func (a *Alarm) Check() {
	live := []metrics.Sample{{Name: "/gc/heap/live:bytes"}} // after the last garbage collection
	metrics.Read(live)
	a.check(live[0].Value.Uint64(), uint64(debug.SetMemoryLimit(-1))) //nolint:gosec // it is not negative
}

func (a *Alarm) check(live, limit uint64) {
	if a.warned || float64(live) < full*float64(limit) {
		return
	}
	a.warned = true
	a.Log.Warn("memory is nearly used up, which makes usersyncd slow, and then have it killed; raise the limit: MemoryMax= of the unit, the container's memory limit, or GOMEMLIMIT",
		"in use", mib(live), "limit", mib(limit))
}

func mib(bytes uint64) string { return fmt.Sprintf("%d MiB", bytes>>20) }
