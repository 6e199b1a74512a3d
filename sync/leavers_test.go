package sync_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"usersyncd/sync/genesys/sim"
)

// leaving declares so many users inactive, and gives as many others a title.
func leaving(w *world, leavers int) {
	for i, u := range w.sim.Users() {
		what := "title: Boss"
		if i < leavers {
			what = "state: inactive"
		}
		w.write(u.Email+".yaml", "email: %s\n%s\n", u.Email, what)
	}
}

// A leaver whose request is refused, slow or never answered holds up nobody: the others begin once it was sent.
func TestALeaverThatTakesLong(t *testing.T) {
	for _, fault := range []string{"PATCH user=%s 500", "PATCH user=%s slow=25s", "PATCH user=%s drop", "PATCH user=%s 409"} {
		for _, leavers := range []int{1, 15} {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, sim.Options{Users: 40, Latency: 20 * time.Millisecond})
				w.sim.SetLimit(100_000)
				leaving(w, leavers)
				users := w.sim.Users()
				for _, u := range users[:leavers] {
					w.fault(fmt.Sprintf(fault, u.Email))
				}
				began := time.Now()
				done := make(chan time.Duration, 1)
				go func() {
					for {
						left := 0
						for _, u := range w.sim.Users()[leavers:] {
							if u.Title != "Boss" {
								left++
							}
						}
						if left == 0 || time.Since(began) > 20*time.Minute {
							done <- time.Since(began)
							return
						}
						time.Sleep(100 * time.Millisecond)
					}
				}()
				res, err := w.once() // however it ends
				t.Logf("%s %d: %v %v", fault, leavers, res != nil && res.Held > 0, err)
				if took := <-done; took > 8*time.Second {
					t.Errorf("%s, %d leavers: the others wait for %s", fault, leavers, took)
				}
			})
		}
	}
}
