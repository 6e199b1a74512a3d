package memory

import (
	"bytes"
	"log/slog"
	"math"
	"runtime/debug"
	"strings"
	"testing"

	"github.com/KimMachineGun/automemlimit/memlimit"
)

// The settings of the garbage collector are of the process, so that these cases run one after the other.
func TestLimit(t *testing.T) {
	defer debug.SetGCPercent(debug.SetGCPercent(100))
	defer debug.SetMemoryLimit(debug.SetMemoryLimit(-1))
	none := func() (uint64, error) { return 0, memlimit.ErrNoLimit }
	for name, c := range map[string]struct {
		env     map[string]string
		cgroup  memlimit.Provider
		percent int
		limit   int64
	}{
		"in a cgroup":         {nil, memlimit.Limit(1000 << 20), 50, 820 << 20},
		"without a limit":     {nil, none, 50, math.MaxInt64},
		"GOGC is set":         {map[string]string{"GOGC": "200"}, memlimit.Limit(1000 << 20), 100, 820 << 20},
		"GOMEMLIMIT is set":   {map[string]string{"GOMEMLIMIT": "1GiB"}, memlimit.Limit(1000 << 20), 50, math.MaxInt64},
		"a limit without end": {nil, memlimit.Limit(math.MaxUint64), 50, math.MaxInt64},
	} {
		debug.SetGCPercent(100)
		debug.SetMemoryLimit(math.MaxInt64)
		limit(func(key string) (string, bool) { v, set := c.env[key]; return v, set }, c.cgroup)
		if got := debug.SetMemoryLimit(-1); got != c.limit {
			t.Errorf("%s: the limit is %d, want %d", name, got, c.limit)
		}
		if got := debug.SetGCPercent(100); got != c.percent {
			t.Errorf("%s: GOGC is %d, want %d", name, got, c.percent)
		}
	}
}

func TestAlarm(t *testing.T) {
	var log bytes.Buffer
	a := Alarm{Log: slog.New(slog.NewTextHandler(&log, nil))}
	a.Check() // of this process, without a limit
	a.check(340<<20, 420<<20)
	if log.Len() > 0 {
		t.Fatal("too early:", log.String())
	}
	a.check(360<<20, 420<<20)
	a.check(410<<20, 420<<20)
	if got := log.String(); strings.Count(got, "\n") != 1 || !strings.Contains(got, `"in use"="360 MiB" limit="420 MiB"`) || !strings.Contains(got, "MemoryMax=") {
		t.Error(got)
	}
}
