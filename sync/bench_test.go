package sync_test

import (
	"context"
	"encoding/binary"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	usersync "usersyncd/sync"
	"usersyncd/sync/aimd"
	"usersyncd/sync/genesys/sim"
)

// BenchmarkPass measures a pass in which each of 1,000 users changes a skill, a call for each, or a queue, a call for
// 100. There is no rate limit and no socket: what is left is the program, and the disk that keeps the state file, and
// the time that a request takes where it is given.
// commits is how often the file was written to, writes how many calls there were.
func BenchmarkPass(b *testing.B) {
	const users = 1000
	skill := [2]string{"skills: {Billing: 1}", "skills: {Billing: 2}"}
	for _, row := range []struct {
		name    string
		values  [2]string
		latency time.Duration
	}{{"skill", skill, 0}, {"skill/latency=20ms", skill, 20 * time.Millisecond}, {"queue", [2]string{"queues: [Billing ES]", "queues: [Sales EN]"}, 0}} {
		b.Run(row.name, func(b *testing.B) {
			fast, values := 1e6, row.values
			w := newLimitedWorld(b, sim.Options{Users: users, Latency: row.latency, Quota: sim.Quota{Limit: 1e9}}, aimd.Config{StartRate: fast, MaxRate: fast})
			declare := func(value string) {
				var all strings.Builder
				for _, u := range w.sim.Users() {
					fmt.Fprintf(&all, "---\nemail: %s\n%s\n", u.Email, value)
				}
				w.write("all.yaml", "%s", strings.TrimPrefix(all.String(), "---\n"))
			}
			declare(values[0])
			w.pass()
			var commits uint64
			writes := 0
			for i := 1; b.Loop(); i++ {
				b.StopTimer()
				declare(values[i%2])
				w.sim.ResetLedger()
				before := transactions(b, w.state)
				b.StartTimer()
				res, err := w.Reconcile(context.Background(), usersync.Mode{NoRefresh: true})
				b.StopTimer()
				if err != nil || res.Applied != users {
					b.Fatalf("applied %d, %v", res.Applied, err)
				}
				commits += transactions(b, w.state) - before
				for _, n := range w.writes() {
					writes += n
				}
				b.StartTimer()
			}
			b.ReportMetric(float64(commits)/float64(b.N), "commits")
			b.ReportMetric(float64(writes)/float64(b.N), "writes")
		})
	}
}

// transactions is how many commits a state file has seen: bbolt's count, in the newer of its two meta pages.
func transactions(b *testing.B, path string) uint64 {
	b.Helper()
	f, err := os.Open(path)
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	var newest uint64
	for _, at := range []int64{64, int64(os.Getpagesize()) + 64} {
		var id [8]byte
		if _, err := f.ReadAt(id[:], at); err != nil {
			b.Fatal(err)
		}
		newest = max(newest, binary.NativeEndian.Uint64(id[:]))
	}
	return newest
}
