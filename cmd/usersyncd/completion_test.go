package main

import (
	"strings"
	"testing"

	"usersyncd/sync/genesys/sim"
)

// Without a directory of specs, the daemon's are those that the shell offers; and it knows what is held.
func TestCompletionAsksTheDaemon(t *testing.T) {
	r := newRunning(t, sim.Options{Users: 3})
	for _, u := range r.sim.Users() {
		write(t, specPath(r.specs, u), "email: "+u.Email+"\nstate: inactive\n")
	}
	r.start("--log-format=json", "--max-deactivations=0%,0")
	r.waitFor("a hold", func() bool { s, _ := r.status(); return len(s.Holds) == 1 })
	s, _ := r.status()
	hold := s.Holds[0].ID + "\t3 users, held by max-deactivations\n"
	for _, args := range [][]string{{"release", ""}, {"--once", "--release", ""}, {"plan", "--release", "p-"}} {
		if a := r.told(0, append([]string{"__complete"}, args...)...); !strings.HasPrefix(a.out, hold) {
			t.Errorf("%q: %q, want %q", args, a.out, hold)
		}
	}
	for _, args := range [][]string{{"explain", "ana"}, {"history", "ana"}, {"export", "--only", "ana"}} {
		if a := r.told(0, append([]string{"__complete"}, args...)...); !strings.HasPrefix(a.out, ana+"\n:") {
			t.Errorf("%q: %q", args, a.out)
		}
	}
}
