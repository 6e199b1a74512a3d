package aimd_test

import (
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"usersyncd/sync/aimd"
)

// A lower ceiling holds from the next call on, for all tokens together, and a higher one lifts it.
func TestRetuneRate(t *testing.T) {
	for _, tokens := range []int{1, 3} {
		synctest.Test(t, func(t *testing.T) {
			d := aimd.NewDispatcher(aimd.NewPool(tokens, aimd.Config{MaxRate: 40, TotalRate: 40, StartRate: 40}))
			took := func(calls int) time.Duration {
				d.Expect(calls)
				start := time.Now()
				var wg sync.WaitGroup
				for range calls {
					wg.Go(func() {
						ticket, _, err := d.Acquire(t.Context(), "", "")
						if err != nil {
							t.Error(err)
							return
						}
						time.Sleep(10 * time.Millisecond)
						d.Release(ticket, 200, nil)
					})
				}
				wg.Wait()
				return time.Since(start)
			}
			took(30)
			d.Retune(2, 0)
			if slow := took(30); slow < 13*time.Second || slow > 18*time.Second {
				t.Errorf("%d tokens: 30 calls at 2/s took %v", tokens, slow)
			}
			d.Retune(0, 0)
			took(300) // the rate is earned again
			if fast := took(30); fast > 6*time.Second {
				t.Errorf("%d tokens: 30 calls took %v with the ceiling lifted", tokens, fast)
			}
		})
	}
}

// Who waits for his turn at an old pace is let through at the new one.
func TestRetuneWakes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := opened(t, aimd.Config{MaxRate: 0.001})
		d.Release(acquire(t, d), 200, nil)
		start := time.Now()
		time.AfterFunc(5*time.Second, func() { d.Retune(0, 0) })
		d.Release(acquire(t, d), 200, nil)
		if took := time.Since(start); took > time.Minute {
			t.Errorf("it waited %v", took)
		}
	})
}

// The share of others is set aside in the window that has begun.
func TestRetuneReserve(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := aimd.NewDispatcher(aimd.NewPool(1, aimd.Config{}))
		d.Release(acquire(t, d), 200, map[string][]string{
			"Inin-Ratelimit-Count": {"1"}, "Inin-Ratelimit-Allowed": {"300"}, "Inin-Ratelimit-Reset": {"60"},
		})
		for _, test := range []struct {
			reserve float64
			left    int
		}{{0, 299}, {0.5, 149}, {0.2, 239}, {0, 299}} {
			d.Retune(0, test.reserve)
			if s := d.Stats(); s.Left != test.left {
				t.Errorf("a reserve of %v leaves %d, not %d", test.reserve, s.Left, test.left)
			}
		}
	})
}
