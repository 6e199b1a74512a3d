package sync_test

import (
	"bytes"
	"os"
	"testing"
	"testing/synctest"
	"time"

	usersync "usersyncd/sync"
	"usersyncd/sync/genesys/sim"
	"usersyncd/sync/plan"
)

// After the state file was damaged it is still known who is managed, and all of them are read again. Removals, creations
// and changes of addresses wait for a day, over restarts, too; everything else goes on.
func TestAfterDamage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, sim.Options{Users: 40})
		most := &plan.Limit{Percent: 100, Floor: 1000}
		guards := func() {
			w.Policy.OnRemoval = plan.Deactivate
			w.Policy.Guard.Removals, w.Policy.Guard.Creations, w.Policy.Guard.Addresses = most, most, most
		}
		guards()
		w.declareAll("title: T\nroles: [Employee]")
		w.pass()
		users := w.sim.Users()
		leaver, renamed, edited, drifted, lost := users[0], users[1], users[2], users[3], users[4]

		w.close()
		content, err := os.ReadFile(w.state)
		if err != nil {
			t.Fatal(err)
		}
		content = bytes.ReplaceAll(content, []byte(lost.Email), bytes.Repeat([]byte("x"), len(lost.Email)))
		if err := os.WriteFile(w.state, content, 0o600); err != nil {
			t.Fatal(err)
		}
		w.open()
		guards()
		if w.Store.SetAside() == "" {
			t.Fatal("the file was not set aside")
		}

		w.remove(leaver.Email + ".yaml")
		w.write("new.yaml", "email: new@example.com\nname: New\n")
		w.write(renamed.Email+".yaml", "email: renamed@example.com\nid: %s\ntitle: T\nroles: [Employee]\n", renamed.ID)
		w.write(edited.Email+".yaml", "email: %s\ntitle: New\nroles: [Employee]\n", edited.Email)
		w.sim.Edit(drifted.Email, func(u *sim.User) { u.Title, u.Grants = "Drifted", nil })
		time.Sleep(time.Minute)
		for pass := range 3 {
			res, err := w.Reconcile(t.Context(), usersync.Mode{Strict: true, ForceRefresh: true})
			if err != nil || res.Held != 3 {
				t.Fatalf("pass %d: %d held, error %v:\n%s", pass, res.Held, err, show(res))
			}
			if u := w.user(leaver.Email); u.State != "active" {
				t.Errorf("pass %d: the leaver is %s", pass, u.State)
			}
			if _, made := w.sim.User("new@example.com"); made || w.user(renamed.Email).ID != renamed.ID {
				t.Errorf("pass %d: somebody was created or renamed", pass)
			}
			if w.user(edited.Email).Title != "New" || w.user(drifted.Email).Title != "T" || w.access(drifted.Email) != "Employee" {
				t.Errorf("pass %d: %+v, %+v", pass, w.user(edited.Email), w.user(drifted.Email))
			}
			time.Sleep(7*time.Hour + 50*time.Minute)
			w.close()
			w.open()
			guards()
		}
		time.Sleep(30 * time.Minute)
		w.pass()
		if u := w.user(leaver.Email); u.State != "inactive" {
			t.Errorf("a day later the leaver is %s", u.State)
		}
		if w.user("new@example.com").Name != "New" || w.user("renamed@example.com").ID != renamed.ID {
			t.Error("a day later somebody was not created or renamed")
		}
		w.settled()
	})
}
