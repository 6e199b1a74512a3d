package sync_test

import (
	"testing"
	"testing/synctest"

	"usersyncd/sync/genesys/sim"
	"usersyncd/sync/plan"
)

// Who gets back a manager whom the same commit has renamed waits for the old address, and is not left as it is.
func TestRollbackOfARenamedManager(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, sim.Options{Users: 3})
		us := w.sim.Users()
		boss, agent, other := us[0], us[1], us[2]
		w.write("boss.yaml", "id: %s\nemail: %s\n", boss.ID, boss.Email)
		w.write("agent.yaml", "email: %s\nmanager: %s\ntitle: One\n", agent.Email, boss.Email)
		w.write("other.yaml", "email: %s\n", other.Email)
		w.pass()
		w.write("boss.yaml", "id: %s\nemail: renamed@example.com\n", boss.ID)
		w.write("agent.yaml", "email: %s\nmanager: %s\ntitle: Two\n", agent.Email, other.Email)
		bad := w.pass()
		if bad.Applied != 2 {
			t.Fatal(show(bad))
		}
		if res := w.rollback(plan.Rollback{Revision: bad.Revision}); res.Applied != 2 || res.Skipped != 0 {
			t.Error(show(res))
		}
		if u := w.user(agent.Email); u.Title != "One" || u.Manager != boss.ID || w.user(boss.Email).ID != boss.ID {
			t.Errorf("the agent is %+v", u)
		}
	})
}

// The manager who comes back is who it was, and not whom the commit gave the address to.
func TestRollbackOfASuccessor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, sim.Options{Users: 4})
		us := w.sim.Users()
		boss, successor, agent, other := us[0], us[1], us[2], us[3]
		declare := func(bossIs, successorIs, manager string) {
			w.write("boss.yaml", "id: %s\nemail: %s\n", boss.ID, bossIs)
			w.write("successor.yaml", "id: %s\nemail: %s\n", successor.ID, successorIs)
			w.write("agent.yaml", "email: %s\nmanager: %s\n", agent.Email, manager)
		}
		w.write("other.yaml", "email: %s\n", other.Email)
		declare(boss.Email, successor.Email, boss.Email)
		w.pass()
		declare("aaa@example.com", boss.Email, other.Email)
		bad := w.pass()
		if bad.Applied != 3 {
			t.Fatal(show(bad))
		}
		if res := w.rollback(plan.Rollback{Revision: bad.Revision}); res.Applied != 3 {
			t.Error(show(res))
		}
		if u := w.user(agent.Email); u.Manager != boss.ID || w.user(boss.Email).ID != boss.ID || w.user(successor.Email).ID != successor.ID {
			t.Errorf("the agent's manager is %s, not %s", u.Manager, boss.ID)
		}
	})
}
