package aimd_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"usersyncd/sync/aimd"
	"usersyncd/sync/aimd/internal/lab"
)

// opened is a dispatcher whose first probe has been accepted.
func opened(t *testing.T, cfg aimd.Config) *aimd.Dispatcher {
	t.Helper()
	d := aimd.NewDispatcher(aimd.NewPool(1, cfg))
	d.Release(acquire(t, d), 200, nil)
	return d
}

func acquire(t *testing.T, d *aimd.Dispatcher) uint64 {
	t.Helper()
	ticket, token, err := d.Acquire(t.Context(), "", "")
	if err != nil || token != 0 {
		t.Fatalf("token %d, %v", token, err)
	}
	return ticket
}

func TestDispatcherIsFirstComeFirstServed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := opened(t, aimd.Config{MaxRate: 5})
		var order []int
		var wg sync.WaitGroup
		for i := range 20 {
			wg.Go(func() {
				ticket := acquire(t, d)
				order = append(order, i) // only one is let through at a time
				time.Sleep(30 * time.Millisecond)
				d.Release(ticket, 200, nil)
			})
			synctest.Wait() // it is in the queue
		}
		if s := d.Stats(); s.Waiting != 20 {
			t.Errorf("%d waiting, want 20", s.Waiting)
		}
		start := time.Now()
		wg.Wait()
		if !slices.IsSorted(order) {
			t.Errorf("served in the order %v", order)
		}
		if took := time.Since(start); took < 3*time.Second || took > 5*time.Second {
			t.Errorf("20 calls took %v at 5/s", took)
		}
		if s := d.Stats(); s.Waiting != 0 || s.InFlight != 0 || s.Sent != 21 {
			t.Errorf("%+v", s)
		}
	})
}

// Whoever gives up leaves neither a ticket nor a place in the queue.
func TestDispatcherCancelledWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := aimd.NewDispatcher(aimd.NewPool(1, aimd.Config{}))
		probe := acquire(t, d)
		ctx, cancel := context.WithCancel(t.Context())
		errs := make([]error, 5)
		var wg sync.WaitGroup
		for i := range errs {
			wg.Go(func() { _, _, errs[i] = d.Acquire(ctx, "", "") })
		}
		served := false
		wg.Go(func() { // behind them, and patient
			ticket := acquire(t, d)
			served = true
			d.Release(ticket, 200, nil)
		})
		synctest.Wait()
		cancel()
		synctest.Wait()
		for _, err := range errs {
			if !errors.Is(err, context.Canceled) {
				t.Errorf("error %v, want a cancelled context", err)
			}
		}
		if s := d.Stats(); s.Waiting != 1 || s.InFlight != 1 || s.Sent != 1 || served {
			t.Errorf("after the cancellation: %+v", s)
		}
		d.Release(probe, 200, nil)
		wg.Wait()
		if s := d.Stats(); s.Waiting != 0 || s.InFlight != 0 || s.Sent != 2 {
			t.Errorf("at the end: %+v", s)
		}
		if _, _, err := d.Acquire(ctx, "", ""); !errors.Is(err, context.Canceled) {
			t.Errorf("error %v before waiting", err)
		}
	})
}

func TestDispatcherDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := opened(t, aimd.Config{})
		d.Release(acquire(t, d), 429, map[string][]string{"Retry-After": {"60"}})
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		defer cancel()
		start := time.Now()
		if _, _, err := d.Acquire(ctx, "", ""); !errors.Is(err, context.DeadlineExceeded) || time.Since(start) != 2*time.Second {
			t.Errorf("%v after %v", err, time.Since(start))
		}
	})
}

// A gate that grows while somebody waits for it is waited for to its new end.
func TestDispatcherLooksAgainAfterWaking(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := opened(t, aimd.Config{Jitter: -1})
		first, second := acquire(t, d), acquire(t, d)
		start := time.Now()
		d.Release(first, 429, map[string][]string{"Retry-After": {"10"}})
		time.AfterFunc(9*time.Second, func() {
			d.Release(second, 429, map[string][]string{"Retry-After": {"20"}})
		})
		d.Release(acquire(t, d), 200, nil)
		if waited := time.Since(start); waited != 29*time.Second {
			t.Errorf("waited %v, want 29 s", waited)
		}
	})
}

// An answer, a cancelled ticket and new expectations each wake the head of the queue.
func TestDispatcherWakes(t *testing.T) {
	for _, tt := range []struct {
		name string
		wake func(d *aimd.Dispatcher, probe uint64)
	}{
		{"release", func(d *aimd.Dispatcher, probe uint64) { d.Release(probe, 200, nil) }},
		{"lost", func(d *aimd.Dispatcher, probe uint64) { d.Release(probe, 0, nil) }},
		{"cancel", func(d *aimd.Dispatcher, probe uint64) { d.Cancel(probe, 0) }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := aimd.NewDispatcher(aimd.NewPool(1, aimd.Config{}))
				probe := acquire(t, d)
				start := time.Now()
				time.AfterFunc(2*time.Second, func() { tt.wake(d, probe) })
				d.Release(acquire(t, d), 200, nil)
				if waited := time.Since(start); waited != 2*time.Second {
					t.Errorf("waited %v, want 2 s", waited)
				}
			})
		})
	}
	t.Run("expect", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			d := aimd.NewDispatcher(aimd.NewPool(1, aimd.Config{}))
			d.Release(acquire(t, d), 200, lab.Quota(295, 300, 60))
			d.Release(acquire(t, d), 200, nil) // paced: the next one is due in 2 s
			start := time.Now()
			time.AfterFunc(time.Second, func() { d.Expect(3) })
			d.Release(acquire(t, d), 200, nil)
			if waited := time.Since(start); waited > 1200*time.Millisecond {
				t.Errorf("waited %v although the rest fits into the window", waited)
			}
		})
	})
}

// A pause beyond the cap fails everybody who waits, at once, and says until when.
func TestDispatcherParks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := opened(t, aimd.Config{Jitter: -1})
		ticket := acquire(t, d)
		var wg sync.WaitGroup
		errs := make([]error, 4)
		start := time.Now()
		d.Release(acquire(t, d), 429, map[string][]string{"Retry-After": {"30"}})
		for i := range errs {
			wg.Go(func() { _, _, errs[i] = d.Acquire(t.Context(), "", "") })
		}
		synctest.Wait()
		d.Release(ticket, 429, map[string][]string{"Retry-After": {"3600"}})
		wg.Wait()
		for _, err := range errs {
			var parked *aimd.ParkedError
			if !errors.Is(err, aimd.ErrParked) || !errors.As(err, &parked) || parked.Until.Sub(start).Round(time.Second) != time.Hour {
				t.Errorf("error %v", err)
			}
		}
		if waited := time.Since(start); waited > time.Second {
			t.Errorf("told after %v", waited)
		}
		time.Sleep(time.Hour + time.Second)
		d.Release(acquire(t, d), 200, nil)
	})
}

// Many workers, a real quota, lost answers, impatient callers: nothing is lost and nothing is left.
func TestDispatcherUnderLoad(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const calls = 700
		d := aimd.NewDispatcher(aimd.NewPool(1, aimd.Config{Rand: lab.Seeded(1)}))
		d.Expect(calls)
		var mu sync.Mutex
		srv := &lab.Fixed{Allowed: 300, Window: time.Minute}
		jobs := make(chan int)
		done := make([]int, calls)
		throttled := 0
		attempt := func(rnd *rand.Rand) (finished bool) {
			ctx, cancel := context.WithTimeout(t.Context(), time.Duration(1+rnd.IntN(50))*time.Second)
			defer cancel()
			ticket, _, err := d.Acquire(ctx, "", "")
			if err != nil {
				return false
			}
			if rnd.IntN(20) == 0 {
				d.Cancel(ticket, 0)
				return false
			}
			time.Sleep(time.Duration(rnd.IntN(200)) * time.Millisecond)
			mu.Lock()
			status, h := srv.Serve(time.Now())
			mu.Unlock()
			time.Sleep(time.Duration(rnd.IntN(200)) * time.Millisecond)
			if rnd.IntN(50) == 0 {
				status, h = 0, nil
			}
			d.Release(ticket, status, h)
			mu.Lock()
			defer mu.Unlock()
			if status == 429 {
				throttled++
			}
			return status == 200
		}
		var wg sync.WaitGroup
		for i := range 16 {
			wg.Go(func() {
				rnd := lab.Seeded(uint64(i))
				for job := range jobs {
					for !attempt(rnd) {
					}
					done[job]++
				}
			})
		}
		start := time.Now()
		for i := range calls {
			jobs <- i
		}
		close(jobs)
		wg.Wait()
		for i, n := range done {
			if n != 1 {
				t.Errorf("job %d was done %d times", i, n)
			}
		}
		if throttled > 0 {
			t.Errorf("%d times 429 with truthful headers", throttled)
		}
		if s := d.Stats(); s.InFlight != 0 || s.Waiting != 0 {
			t.Errorf("left over: %+v", s)
		}
		t.Logf("%d calls took %v; %v", calls, time.Since(start), d.Stats())
	})
}
