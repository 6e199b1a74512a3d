package sync_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"usersyncd/spec"
	"usersyncd/state"
	usersync "usersyncd/sync"
	"usersyncd/sync/genesys/sim"
	"usersyncd/sync/plan"
)

// A tree that is less than its commit removes nobody, whatever git says of it.
func TestLessThanTheCommitRemovesNobody(t *testing.T) {
	w := newWorld(t, sim.Options{Users: 5, IndexLag: -1, GrantLag: -1})
	w.Policy.OnRemoval = plan.Delete
	w.git("init", "-q")
	us := w.sim.Users()
	for _, u := range us {
		w.write("team-"+u.ID[:1]+"/"+u.Email+".yaml", "email: %s\n", u.Email)
	}
	w.commit()
	w.pass()
	before := w.accounts()
	w.git("sparse-checkout", "set", "team-"+us[0].ID[:1])
	for range 2 {
		res := w.pass()
		if res.Retained == 0 || len(res.Notes) == 0 {
			w.Errorf("kept %d, notes %v", res.Retained, res.Notes)
		}
	}
	w.sameAccounts(before)
	w.git("sparse-checkout", "disable")
	w.remove("team-" + us[1].ID[:1] + "/" + us[1].Email + ".yaml")
	w.commit()
	w.pass()
	if got := w.byID(us[1].ID).State; got != "deleted" {
		w.Errorf("who is not declared in a whole tree is %s", got)
	}
}

// A state file is that of one checkout: another one removes nobody until a person says so, and only that makes it the
// remembered one.
func TestAStateFileIsOfOneCheckout(t *testing.T) {
	w := newWorld(t, sim.Options{Users: 5, IndexLag: -1, GrantLag: -1})
	w.Policy.OnRemoval = plan.Delete
	us := w.sim.Users()
	w.write("a.yaml", "email: %s\n", us[0].Email)
	w.write("b.yaml", "email: %s\n", us[1].Email)
	w.pass()
	before := w.accounts()
	first := w.dir
	w.dir = w.TempDir()
	w.Specs = spec.NewLoader(w.dir)
	w.write("c.yaml", "email: %s\ntitle: New\n", us[2].Email)
	var res *usersync.Result
	for i := range 3 {
		res = w.pass()
		if res.Held != 2 || len(res.Holds) != 1 || !strings.Contains(res.Holds[0].Reason, filepath.Base(first)) || i == 0 && res.Applied != 1 {
			w.Fatalf("held %d: %v\n%s", res.Held, res.Holds, show(res))
		}
	}
	w.sameAccounts(before)
	if err := w.Store.Commit(state.Commit{AddReleases: []string{res.Holds[0].ID}}); err != nil {
		w.Fatal(err)
	}
	w.pass()
	if a, b := w.byID(us[0].ID).State, w.byID(us[1].ID).State; a != "deleted" || b != "deleted" {
		w.Errorf("after the release they are %s and %s", a, b)
	}
	w.remove("c.yaml")
	w.write("d.yaml", "email: %s\n", us[3].Email)
	if res := w.pass(); res.Held > 0 {
		w.Errorf("the released checkout is not remembered: %v", res.Holds)
	}
}

// The same organization behind another URL is the same; another one behind the same URL is not.
func TestAStateFileIsOfOneOrganization(t *testing.T) {
	w := newWorld(t, sim.Options{Users: 5, IndexLag: -1, GrantLag: -1})
	w.declareAll("title: T")
	w.pass()
	w.API = "https://gateway.example.com"
	w.write("new.yaml", "email: new@example.com\nname: New\n")
	w.pass()
	meta, err := w.Store.Meta()
	if err != nil || meta.Org == nil || meta.Org.API != "https://gateway.example.com" {
		t.Errorf("%v %+v", err, meta.Org)
	}
	if err := w.Store.Bind(state.Org{API: "https://gateway.example.com", ID: "another"}); !errors.Is(err, state.ErrOtherOrg) {
		t.Errorf("another organization: %v", err)
	}
}

// A listing of which something is missing removes and makes nobody.
func TestAnIncompleteListing(t *testing.T) {
	w := newWorld(t, sim.Options{Users: 60, IndexLag: -1, GrantLag: -1})
	w.Policy.OnRemoval = plan.Delete
	w.declareAll("title: T")
	w.pass()
	us := w.sim.Users()
	w.remove(us[0].Email + ".yaml")
	w.write("new.yaml", "email: new@example.com\nname: New\n")
	before := w.accounts()
	w.fault("x1 listing=short:3")
	if res := w.pass(); res.Skipped != 1 || res.Retained != 1 || !strings.Contains(res.Changes[0].Note, "the listing is incomplete") {
		t.Errorf("kept %d, skipped %d:\n%s", res.Retained, res.Skipped, show(res))
	}
	w.sameAccounts(before)
	if res := w.pass(); res.Applied != 2 {
		t.Errorf("a whole listing: applied %d\n%s", res.Applied, show(res))
	}
	if _, err := os.Stat(w.dir); err != nil {
		t.Error(err)
	}
}
