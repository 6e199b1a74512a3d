package sync_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"usersyncd/spec"
	usersync "usersyncd/sync"
	"usersyncd/sync/genesys/sim"
)

const individuals = "GET /api/v2/groups/{group}/individuals"

// ruled is an organization where the first two users are in Madrid by a rule, and the first one also in Berlin, directly.
func ruled(t *testing.T) (w *world, people []sim.User) {
	w = newWorld(t, sim.Options{Users: 3, Seed: 1})
	people = w.sim.Users()
	w.sim.SetGiven(w.sim.IDOf(sim.Group, "Madrid"), people[0].ID, people[1].ID)
	w.sim.SetMembers(sim.Group, w.sim.IDOf(sim.Group, "Berlin"), people[0].ID)
	return w, people
}

// declareGroups writes a spec of each of the first users.
func (w *world) declareGroups(people []sim.User, groups ...string) {
	for i, list := range groups {
		w.write(people[i].Email+".yaml", "email: %s\ngroups: %s\n", people[i].Email, list)
	}
}

// Whom a group has by a rule is not removed, and that is told. It costs one request for each group and pass, and none where
// nothing would be removed.
func TestWhatARuleGivesStays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, people := ruled(t)
		pass := func(sent string, reads int, note bool) {
			t.Helper()
			time.Sleep(2 * time.Minute)
			w.sim.ResetLedger()
			res := w.pass()
			writes := w.writes()
			if got := fmt.Sprint(writes); got != sent || res.Failed > 0 {
				t.Errorf("sent %s, want %s:\n%s%v", got, sent, show(res), res.Problems)
			}
			if n := w.sim.Ledger().Count(individuals); n != reads {
				t.Errorf("individuals were read %d times, want %d", n, reads)
			}
			want := fmt.Sprintf(`the group "Madrid" has %s, %s by a rule, or as owners; they stay`, people[0].Email, people[1].Email)
			if got := strings.Contains(strings.Join(res.Notes, "\n"), want); got != note {
				t.Errorf("notes %q", res.Notes)
			}
		}
		w.declareGroups(people, "[Berlin, Madrid]", "[Madrid]", "[]")
		pass("map[]", 0, false)
		w.declareGroups(people, "[Berlin]", "[]", "[]")
		pass("map[]", 1, true)
		pass("map[]", 1, true) // the listing shows them again
		if res, err := w.Reconcile(t.Context(), usersync.Mode{NoRefresh: true}); err != nil || res.Changed > 0 || w.sim.Ledger().Count(individuals) != 1 {
			t.Errorf("%+v, %v", res, err)
		}
		w.declareGroups(people, "[Dublin]", "[Berlin]", "[]") // what is the user's own is still changed
		pass("map[DELETE /groups/{group}/members:1 POST /groups/{group}/members:2]", 2, true)
		madrid := w.sim.IDOf(sim.Group, "Madrid")
		w.sim.SetMembers(sim.Group, madrid, people[0].ID) // by hand, besides the rule: that is removed
		pass("map[DELETE /groups/{group}/members:1]", 1, false)
		if got := w.sim.Members(sim.Group, madrid); len(got) > 0 {
			t.Errorf("still there: %v", got)
		}
		pass("map[]", 1, true)
		w.sim.SetGiven(madrid)
		pass("map[]", 0, false)
	})
}

// Where it cannot be read who is in a group by a rule, nobody is removed from it.
func TestNobodyIsRemovedBlindly(t *testing.T) {
	for _, words := range []string{"403", "404", "503"} {
		synctest.Test(t, func(t *testing.T) {
			w, people := ruled(t)
			w.declareGroups(people, "[Madrid]", "[Madrid, Dublin]")
			w.fault("GET /api/v2/groups/* " + words)
			res, err := w.Reconcile(t.Context(), usersync.Mode{ForceRefresh: true})
			if err != nil {
				t.Fatal(err)
			}
			if got := w.sim.Members(sim.Group, w.sim.IDOf(sim.Group, "Berlin")); !slices.Contains(got, people[0].ID) {
				t.Errorf("%s: removed", words)
			}
			if len(res.Problems) != 1 || !strings.Contains(res.Problems[0].Message, `it is not known who is in the group "Berlin" by a rule, so nobody is removed from it`) {
				t.Errorf("%s: %v", words, res.Problems)
			}
			if got := w.sim.Members(sim.Group, w.sim.IDOf(sim.Group, "Dublin")); !slices.Contains(got, people[1].ID) {
				t.Errorf("%s: another user waits for that", words)
			}
		})
	}
}

// What a rule gives is not exported, and what is exported changes nothing.
func TestWhatARuleGivesIsNotExported(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, people := ruled(t)
		w.export(spec.Groups)
		for i, want := range []spec.Value{`["Berlin"]`, "", ""} {
			if got := w.specOf(people[i].Email).Fields.Get(spec.Groups); got != want && (want != "" || got != "[]") {
				t.Errorf("%s: exported %s", people[i].Email, got)
			}
		}
		if n := w.sim.Ledger().Count(individuals); n != 2 {
			t.Errorf("individuals were read %d times", n)
		}
		for range 2 {
			if got := w.sentByPass(); got != "" {
				t.Errorf("sent %q", got)
			}
			w.forget()
		}
		w.fault("GET /api/v2/groups/* 403")
		if u := w.export(spec.Groups).Users; slices.ContainsFunc(u, func(u *spec.User) bool { return u.Key == people[0].Email && u.Fields.Get(spec.Groups) != "" }) {
			t.Error("exported what is not known")
		}
	})
}
