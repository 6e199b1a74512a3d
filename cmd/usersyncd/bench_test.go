package main

import (
	"crypto/sha256"
	"io/fs"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"usersyncd/sync/genesys/sim"
)

// BenchmarkTree measures the whole program, as a process, over 50,000 specs:
//
//	quiet  --once --no-refresh, nothing changed: to be compared with reading and hashing the files
//	edit   the same after one file was edited: one call
//	full   --once: the organization is read first
//
// x-read-and-hash is the time as a multiple of reading and hashing every file, measured beside it;
// MB is the process's largest resident size.
func BenchmarkTree(b *testing.B) {
	const users = 50_000
	program := buildProgram(b)
	server := sim.New(sim.Options{Users: users, Quota: sim.Quota{Limit: 1_000_000}})
	loopback := httptest.NewServer(server)
	defer loopback.Close()
	dir := b.TempDir()
	specs := filepath.Join(dir, "users")
	for _, u := range server.Users() {
		declare(b, specPath(specs, u), u)
	}
	run := func(flags ...string) (took time.Duration, mb float64) {
		b.Helper()
		cmd := exec.Command(program, append(flags, "--once", "--log-level", "warn", specs)...)
		cmd.Env = append(os.Environ(), "USERSYNCD_API_URL="+loopback.URL, "USERSYNCD_STATE="+filepath.Join(dir, "state.db"),
			"GENESYSCLOUD_OAUTHCLIENT_ID=demo", "GENESYSCLOUD_OAUTHCLIENT_SECRET=demo")
		began := time.Now()
		if out, err := cmd.CombinedOutput(); err != nil {
			b.Fatalf("%v\n%s", err, out)
		}
		usage, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage)
		if !ok {
			b.Fatal("this system does not tell a process's size")
		}
		return time.Since(began), float64(usage.Maxrss) / 1024
	}
	run() // everybody is adopted, nobody differs

	measure := func(name string, before func(), flags []string, calls int) {
		b.Run(name, func(b *testing.B) {
			var ratio, most float64
			for b.Loop() {
				b.StopTimer()
				before()
				plain := readAndHash(b, specs)
				server.ResetLedger()
				b.StartTimer()
				took, mb := run(flags...)
				ratio += float64(took) / float64(plain)
				most = max(most, mb)
				if got := server.Ledger().Count("PATCH /api/v2/users/{id}"); got != calls {
					b.Fatalf("%d calls, not %d", got, calls)
				}
			}
			b.ReportMetric(ratio/float64(b.N), "x-read-and-hash")
			b.ReportMetric(most, "MB")
		})
	}
	who, version := server.Users()[users/2], 0
	edit := func() {
		version++
		who.Title = []string{"Agent of the month", "Agent"}[version%2]
		declare(b, specPath(specs, who), who)
	}
	measure("quiet", func() {}, []string{"--no-refresh"}, 0)
	measure("edit", edit, []string{"--no-refresh"}, 1)
	measure("full", func() {}, nil, 0)
}

// readAndHash is the least that noticing a change can take without trusting the clock of a file system.
func readAndHash(b *testing.B, dir string) time.Duration {
	began := time.Now()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		sha256.Sum256(data)
		return err
	})
	if err != nil {
		b.Fatal(err)
	}
	return time.Since(began)
}
