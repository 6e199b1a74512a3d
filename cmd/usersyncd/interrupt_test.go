package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"usersyncd/sync/genesys/sim"
)

// everybody writes the title of everybody.
func (b *bubble) everybody(title string) {
	b.Helper()
	for _, u := range b.sim.Users() {
		write(b.T, filepath.Join(b.specs, u.Email+".yaml"), fmt.Sprintf("email: %s\ntitle: %s\n", u.Email, title))
	}
}

// hint tells of a change of the checkout, as the watcher does.
func (b *bubble) hint() { b.hints.changes <- struct{}{} }

// titled counts those with a title.
func (b *bubble) titled(title string) (n int) {
	for _, u := range b.sim.Users() {
		if u.Title == title {
			n++
		}
	}
	return n
}

// inLongPass runs a test three seconds after the beginning of a pass that takes two minutes.
func inLongPass(t *testing.T, test func(b *bubble)) {
	t.Helper()
	t.Parallel()
	inBubble(t, sim.Options{Users: 600, Latency: 100 * time.Millisecond}, "resync-interval: 1h\n", func(b *bubble) {
		if err := os.RemoveAll(b.specs); err != nil {
			t.Fatal(err)
		}
		b.everybody("Before")
	}, func(b *bubble) {
		time.Sleep(10 * time.Minute)
		b.log.take(b.T)
		b.everybody("After")
		b.hint()
		time.Sleep(3 * time.Second)
		if n := b.titled("After"); n == 0 || n > 100 {
			b.Fatalf("%d were changed in three seconds", n)
		}
		test(b)
		time.Sleep(10 * time.Minute)
		st := b.d.Status()
		if st.Totals.FailedPasses > 0 {
			b.Errorf("%d passes count as having ended early", st.Totals.FailedPasses)
		}
	})
}

// A leaver who is committed in the middle of a long pass does not wait for its end, nor does a revert.
func TestTheCheckoutChangesInAPass(t *testing.T) {
	t.Run("a leaver", func(t *testing.T) {
		inLongPass(t, func(b *bubble) {
			u := b.sim.Users()[500]
			write(b.T, filepath.Join(b.specs, u.Email+".yaml"), fmt.Sprintf("email: %s\ntitle: After\nstate: inactive\n", u.Email))
			b.hint()
			time.Sleep(2 * time.Second)
			if u, _ := b.sim.User(u.Email); u.State != "inactive" {
				b.Errorf("the leaver is %s after two seconds", u.State)
			}
			if n := b.titled("After"); n > 150 {
				b.Errorf("%d others came first", n)
			}
			time.Sleep(10 * time.Minute)
			if n := b.titled("After"); n != 600 {
				b.Errorf("%d of 600 were changed in the end", n)
			}
			if line := said(b.log.take(b.T), "pass interrupted; the next one continues"); line == nil || line["reason"] != "interrupted: the checkout has changed" {
				b.Errorf("%v", line)
			}
		})
	})
	t.Run("a revert", func(t *testing.T) {
		inLongPass(t, func(b *bubble) {
			b.everybody("Before")
			b.hint()
			time.Sleep(time.Second)
			n := b.titled("After")
			time.Sleep(10 * time.Second)
			if now := b.titled("After"); now > n {
				b.Errorf("%d were changed after the revert", now-n)
			}
			time.Sleep(10 * time.Minute)
			if n := b.titled("After"); n != 0 {
				b.Errorf("%d were not changed back", n)
			}
		})
	})
}

// A pause and a reload wait for no more than what is in flight.
func TestAPersonInterruptsAPass(t *testing.T) {
	t.Run("pause", func(t *testing.T) {
		inLongPass(t, func(b *bubble) {
			if err := b.d.Pause("Ana", "incident"); err != nil {
				b.Fatal(err)
			}
			time.Sleep(time.Second)
			n := b.titled("After")
			time.Sleep(10 * time.Minute)
			if now := b.titled("After"); now > n || n > 120 {
				b.Errorf("%d were changed by the pause, and %d after it", n, now-n)
			}
			if _, err := b.d.Resume("Ana"); err != nil {
				b.Fatal(err)
			}
			time.Sleep(10 * time.Minute)
			if n := b.titled("After"); n != 600 {
				b.Errorf("%d of 600 after the resume", n)
			}
		})
	})
	t.Run("reload", func(t *testing.T) {
		inLongPass(t, func(b *bubble) {
			log := b.reload("resync-interval: 1h\nmax-rate: 1\n")
			line := said(log, "configuration changed")
			if line == nil || !strings.Contains(fmt.Sprint(line["settings"]), "max-rate") {
				b.Fatalf("it was not read again within two seconds: %v", line)
			}
			n := b.titled("After")
			time.Sleep(time.Minute)
			if more := b.titled("After") - n; more < 30 || more > 90 {
				b.Errorf("%d in a minute at one a second", more)
			}
			b.reload("resync-interval: 1h\n")
			time.Sleep(10 * time.Minute)
			if n := b.titled("After"); n != 600 {
				b.Errorf("%d of 600 in the end", n)
			}
		})
	})
	t.Run("sync", func(t *testing.T) {
		inLongPass(t, func(b *bubble) {
			began := time.Now()
			res, err := b.d.Sync(b.Context(), true)
			if err != nil || res.Pending > 0 || res.Failed > 0 || res.Users != 600 {
				b.Errorf("%+v, %v", res, err)
			}
			if n := b.titled("After"); n != 600 || time.Since(began) < time.Minute {
				b.Errorf("it was answered after %s, when %d were changed", time.Since(began), n)
			}
			synctest.Wait()
		})
	})
}

// What a person releases in the middle of a long pass does not wait for its end.
func TestAReleaseInterruptsAPass(t *testing.T) {
	inBubble(t, sim.Options{Users: 600, Latency: 100 * time.Millisecond}, "resync-interval: 1h\non-removal: deactivate\nmax-removals: 0%,1\n", func(b *bubble) {
		if err := os.RemoveAll(b.specs); err != nil {
			t.Fatal(err)
		}
		b.everybody("Before")
	}, func(b *bubble) {
		time.Sleep(10 * time.Minute)
		gone := b.sim.Users()[500:505]
		b.everybody("After")
		for _, u := range gone {
			if err := os.Remove(filepath.Join(b.specs, u.Email+".yaml")); err != nil {
				b.Fatal(err)
			}
		}
		b.hint()
		time.Sleep(3 * time.Second)
		s := b.d
		holds := s.Status().Holds
		if len(holds) != 1 || len(holds[0].Users) != len(gone) {
			b.Fatalf("held: %+v", holds)
		}
		if _, err := s.Release("Ana", holds[0].ID); err != nil {
			b.Fatal(err)
		}
		time.Sleep(5 * time.Second)
		for _, u := range gone {
			if now, _ := b.sim.User(u.Email); now.State != "inactive" {
				b.Errorf("%s is %s five seconds after the release", u.Email, now.State)
			}
		}
		if n := b.titled("After"); n > 150 {
			b.Errorf("%d others came first", n)
		}
	})
}
