package sync_test

import (
	"errors"
	"fmt"
	"maps"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"usersyncd/spec"
	usersync "usersyncd/sync"
	"usersyncd/sync/apply"
	"usersyncd/sync/genesys/sim"
)

// writes returns what changed something, by route, from the simulator's ledger.
func (w *world) writes() map[string]int {
	all := map[string]int{}
	l := w.sim.Ledger()
	for name := range l.Calls {
		if !strings.HasPrefix(name, "GET ") && name != "POST /oauth/token" && name != "POST /api/v2/users/search" {
			all[strings.ReplaceAll(name, "/api/v2", "")] = l.Count(name)
		}
	}
	return all
}

// perUser returns the reads that were about one user.
func (w *world) perUser() int {
	n := 0
	for name := range w.sim.Ledger().Calls {
		if strings.HasPrefix(name, "GET ") && strings.Contains(name, "{id}") || name == "POST /api/v2/users/search" {
			n += w.sim.Ledger().Count(name)
		}
	}
	return n
}

// The targets of the design: how many calls a change costs, beside the listing's pages.
func TestCallsOfAChange(t *testing.T) {
	t.Parallel() // it is one of the longest
	many := func(n int, line string) func(w *world) {
		return func(w *world) {
			for _, u := range w.sim.Users()[:n] {
				w.write(u.Email+".yaml", "email: %s\n%s\n", u.Email, line)
			}
		}
	}
	skills := func(n int) string {
		var parts []string
		for i := range n {
			parts = append(parts, fmt.Sprintf("S%03d: %d", i, i%6))
		}
		return "skills: {" + strings.Join(parts, ", ") + "}"
	}
	for _, tt := range []struct {
		name   string
		users  int
		before func(w *world) // applied, and not counted
		change func(w *world)
		want   map[string]int
		reads  int // of single users, and searches
	}{{
		name:   "a profile",
		change: many(1, "title: Boss\ndepartment: X\nmanager: luis.perez@example.com\nlocations: [{name: Madrid HQ}]\npreferredName: Bo"),
		want:   map[string]int{"PATCH /users/{id}": 1},
	}, {
		name: "create with division and skills",
		change: func(w *world) {
			w.write("new.yaml", "email: new@example.com\nname: New\ndivision: EMEA\nskills: {Billing: 4, Refunds: 2.5}\n")
		},
		want:  map[string]int{"POST /users": 1, "PUT /users/{id}/routingskills/bulk": 1},
		reads: 1, // was the address that of a deleted user?
	}, {
		name: "create with division, skills and manager",
		change: func(w *world) {
			w.write("new.yaml", "email: new@example.com\nname: New\ndivision: EMEA\nskills: {Billing: 4}\nmanager: luis.perez@example.com\n")
		},
		want:  map[string]int{"POST /users": 1, "PATCH /users/{id}": 1, "PUT /users/{id}/routingskills/bulk": 1},
		reads: 1,
	}, {
		name:   "skills, of which some are new, some gone and some differ",
		before: many(1, "skills: {Billing: 1, Sales: 2}"),
		change: many(1, "skills: {Billing: 4, Refunds: 2.5}"),
		want:   map[string]int{"PUT /users/{id}/routingskills/bulk": 1},
	}, {
		name: "70 skills, in chunks", before: func(w *world) {
			for i := range 70 {
				w.sim.Define(sim.Skill, fmt.Sprintf("S%03d", i))
			}
		},
		change: many(1, skills(70)),
		want:   map[string]int{"PUT /users/{id}/routingskills/bulk": 1, "PATCH /users/{id}/routingskills/bulk": 1},
	}, {
		name: "one more skill than 69", before: func(w *world) {
			for i := range 70 {
				w.sim.Define(sim.Skill, fmt.Sprintf("S%03d", i))
			}
			many(1, skills(69))(w)
		},
		change: many(1, skills(70)),
		want:   map[string]int{"PATCH /users/{id}/routingskills/bulk": 1},
	}, {
		name:   "languages: one call for what is new, one for each that is gone",
		before: many(1, "languages: {English: 1, Spanish: 2}"),
		change: many(1, "languages: {Spanish: 3, German: 4, French: 5}"),
		want:   map[string]int{"PATCH /users/{id}/routinglanguages/bulk": 1, "DELETE /users/{id}/routinglanguages/{language}": 1},
	}, {
		name: "200 users moved to a division", users: 200,
		change: many(200, "division: EMEA"),
		want:   map[string]int{"POST /authorization/divisions/{division}/objects/USER": 4},
	}, {
		name: "300 users into one queue", users: 300,
		before: many(300, "queues: []"),
		change: many(300, "queues: [Billing ES]"),
		want:   map[string]int{"POST /routing/queues/{queue}/members": 3},
	}, {
		name: "300 users from one queue into another", users: 300,
		before: many(300, "queues: [Billing ES]"),
		change: many(300, "queues: [Sales EN]"),
		want:   map[string]int{"POST /routing/queues/{queue}/members": 6},
	}, {
		name: "120 users into one group", users: 120,
		change: many(120, "groups: [Madrid]"),
		want:   map[string]int{"POST /groups/{group}/members": 3},
	}, {
		name: "500 acdAutoAnswer", users: 500,
		change: many(500, "acdAutoAnswer: true"),
		want:   map[string]int{"PATCH /users/bulk": 10},
	}, {
		name:   "roles in several divisions",
		before: many(1, "roles: [Employee]"),
		change: many(1, "roles: [Agent, {role: Supervisor, divisions: [EMEA, APAC, \"*\"]}]"),
		want:   map[string]int{"POST /authorization/subjects/{id}/bulkreplace": 1},
	}, {
		name: "100 new users who share a queue and a group",
		change: func(w *world) {
			for i := range 100 {
				w.write(fmt.Sprintf("n%d.yaml", i), "email: n%d@example.com\nname: N\nqueues: [Billing ES]\ngroups: [Madrid]\nacdAutoAnswer: true\n", i)
			}
		},
		want:  map[string]int{"POST /users": 100, "PATCH /users/bulk": 2, "POST /routing/queues/{queue}/members": 1, "POST /groups/{group}/members": 2},
		reads: 2,
	}} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, sim.Options{Users: max(tt.users, 40), GrantLag: -1, Latency: 20 * time.Millisecond})
				w.sim.SetLimit(100_000)
				if tt.before != nil {
					tt.before(w)
					if _, err := w.once(); err != nil && !errors.Is(err, spec.ErrNoSpecs) {
						t.Fatal(err)
					}
					time.Sleep(2 * time.Minute)
				}
				tt.change(w)
				w.sim.ResetLedger()
				res := w.pass()
				if got := w.writes(); !maps.Equal(got, tt.want) {
					t.Errorf("calls (-want +got):\n%s", cmp.Diff(tt.want, got))
				}
				if n := w.perUser(); n != tt.reads {
					t.Errorf("%d reads of single users, want %d", n, tt.reads)
				}
				if res.Failed+res.Skipped+res.Held > 0 {
					t.Errorf("not everybody was changed:\n%s", show(res))
				}
				time.Sleep(2 * time.Minute)
				w.settled()
			})
		})
	}
}

// A leaver and 12,000 new titles in one commit: the leaver is done within the first five calls of the pass.
func TestALeaverGoesFirst(t *testing.T) {
	t.Parallel() // it is one of the longest
	synctest.Test(t, func(t *testing.T) {
		const users = 12_001
		w := newWorld(t, sim.Options{Users: users, Latency: 20 * time.Millisecond})
		w.sim.SetLimit(1_000_000)
		w.Policy.Guard.MinAdmins, w.Policy.Guard.AdminRoles = 2, []string{"Master Admin"}
		leaver := w.sim.Users()[7000]
		declare := func(title func(sim.User) string, state string) {
			var b strings.Builder
			for i, u := range w.sim.Users() {
				now := "active"
				if u.ID == leaver.ID {
					now = state
				}
				fmt.Fprintf(&b, "---\nemail: %s\ntitle: %s\nstate: %s\n", u.Email, title(u), now)
				if i%500 == 499 || i == users-1 {
					w.write(fmt.Sprintf("u%02d.yaml", i/500), "%s", b.String())
					b.Reset()
				}
			}
		}
		declare(func(u sim.User) string { return u.Title }, "active")
		w.pass()
		declare(func(sim.User) string { return "New" }, "inactive")
		w.sim.ResetLedger()
		w.fault("after=5 403") // what is later than that is refused, until the pass gives up
		if _, err := w.Reconcile(t.Context(), usersync.Mode{NoRefresh: true}); !errors.Is(err, apply.ErrForbidden) {
			t.Fatal(err)
		}
		if state := w.user(leaver.Email).State; state != "inactive" {
			t.Errorf("after five calls the leaver is %s:\n%s", state, strings.Join(w.sim.Ledger().Log, "\n"))
		}
	})
}
