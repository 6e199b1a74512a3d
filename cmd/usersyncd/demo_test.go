package main

import (
	"io"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"usersyncd/cmd/usersyncd/internal/progress"
	"usersyncd/sync/genesys/sim"
)

// No guard stops the demo, with every limit at its default; nor a run that has no state file.
func TestNoGuardStopsTheDemo(t *testing.T) {
	for _, stateless := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			dir := t.TempDir()
			d := &demo{dir: dir, level: "warn", specs: filepath.Join(dir, "users"),
				process: process{stdout: io.Discard, stderr: io.Discard, lookupEnv: func(string) (string, bool) { return "", false }}}
			if err := d.checkout(t.Context()); err != nil {
				t.Fatal(err)
			}
			d.sim.SetLimit(100_000)
			start := func() {
				d.transport = d.sim.Transport()
				c, err := d.settings("https://api.example.com")
				if err != nil {
					t.Fatal(err)
				}
				if stateless {
					c.State = filepath.Join(t.TempDir(), "state.db")
				}
				if d.app, err = newApp(c, false, &progress.Screen{W: io.Discard}, nil); err != nil {
					t.Fatal(err)
				}
			}
			start()
			pass := func(applied int) {
				t.Helper()
				res, err := d.pass(t.Context())
				if err != nil || len(res.Holds) > 0 || res.Applied != applied {
					t.Errorf("applied %d, want %d; held %v, %v", res.Applied, applied, res.Holds, err)
				}
				if stateless {
					if err := d.close(nil); err != nil {
						t.Error(err)
					}
					start()
				}
				time.Sleep(time.Minute)
			}
			pass(demoUsers)
			d.sim.Edit(d.people[len(d.people)/2], func(u *sim.User) { u.Title = "Chief of everything" })
			pass(1)
			if err := d.rename(t.Context(), 100, "Customer happiness"); err != nil {
				t.Fatal(err)
			}
			pass(100)
			if err := d.close(nil); err != nil {
				t.Error(err)
			}
		})
	}
}
