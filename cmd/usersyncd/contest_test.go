package main

import (
	"strings"
	"testing"
	"time"

	"usersyncd/sync/genesys/sim"
)

// Another program sets a title every five minutes. The daemon says so once, counts its repairs, leaves the title alone
// for longer and longer, and sets it when the pause is over, without waiting for anything else.
func TestTheDaemonAndAnotherProgram(t *testing.T) {
	t.Parallel()
	inBubble(t, sim.Options{Users: 3}, "refresh-interval: 5m\n", nil, func(b *bubble) {
		time.Sleep(time.Minute)
		email := b.sim.Users()[0].Email
		ours, _ := b.sim.User(email)
		edit := func() { b.sim.Edit(email, func(u *sim.User) { u.Title = "Theirs" }) }
		said, repairs := 0, 0
		for range 48 { // four hours
			edit()
			time.Sleep(5 * time.Minute)
			if u, _ := b.sim.User(email); u.Title == ours.Title {
				repairs++
			}
			for _, line := range b.log.take(b.T) {
				if note, _ := line["note"].(string); strings.Contains(note, "title is contested for "+email) {
					said++
				}
			}
		}
		s := b.d.Status()
		if said != 1 || s.Contested != 1 || s.Contests[0].Email != email || repairs < 5 || repairs > 8 || s.Totals.Repairs != uint64(repairs) {
			t.Errorf("said %d times, %d repairs; %d contested, %v, repairs %d", said, repairs, s.Contested, s.Contests, s.Totals.Repairs)
		}
		edit()
		time.Sleep(6 * time.Minute) // it is seen
		until := b.d.Status().Contests[0].Until
		if left := time.Until(until); left < 0 || left > 6*time.Hour {
			t.Fatalf("contested for another %s", left)
		}
		time.Sleep(time.Until(until) - time.Second)
		if u, _ := b.sim.User(email); u.Title != "Theirs" {
			t.Error("it is set before the pause is over")
		}
		time.Sleep(3 * time.Second)
		if u, _ := b.sim.User(email); u.Title != ours.Title {
			t.Errorf("the pause is over, and the title is %q", u.Title)
		}
	})
}
