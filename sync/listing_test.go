package sync_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"usersyncd/state"
	usersync "usersyncd/sync"
	"usersyncd/sync/apply"
	"usersyncd/sync/genesys/sim"
	"usersyncd/sync/plan"
)

// shapes are the listings that cannot be, of an organization of 1,100 active users in three pages, and what is said.
var shapes = map[string]string{
	"empty-object": "page 1 has no list (no total)",
	"null":         "page 1 has no list (total 1100, pageCount 3)",
	"no-entities":  "page 1 has no list (total 1100, pageCount 3)",
	"empty":        "page 1 is empty (total 1100, pageCount 3)",
	"hole":         "page 2 is empty (total 1100, pageCount 3)",
	"repeat":       "shows the same 500 as page ",
	"short:56":     "1044 of 1100 were shown",
	"short:1100":   "page 1 is empty (total 1100, pageCount 3)",
}

// declareSome writes one file with the specs of some users of the organization.
func (w *world) declareSome(name string, users []sim.User) {
	w.Helper()
	text := "users:\n"
	for _, u := range users {
		text += fmt.Sprintf("- {email: %s, name: %q, state: active}\n", u.Email, u.Name)
	}
	w.write(name, "%s", text)
}

// On a first run nothing is known of anybody: a listing that shows nobody must not make everybody be created.
func TestFirstRunBelievesNoOddListing(t *testing.T) {
	for shape, says := range shapes {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, sim.Options{Users: 1100, Quota: sim.Quota{Limit: 1 << 20}})
			w.declareSome("all.yaml", w.sim.Users()[:40])

			w.fault("listing=" + shape)
			res, err := w.once()
			if !errors.Is(err, apply.ErrListing) || !strings.Contains(fmt.Sprint(err), says) || !strings.Contains(fmt.Sprint(err), "it was read twice") {
				t.Errorf("%s for ever: %+v, %v", shape, res, err)
			}
			if sent := w.writes(); len(sent) > 0 {
				t.Errorf("%s for ever: sent %v", shape, sent)
			}
			snap, err := w.Store.Snapshot()
			if err != nil || len(snap.Users) > 0 || !snap.Refresh.At.IsZero() {
				t.Errorf("%s for ever: %d users are remembered of a listing at %v, %v", shape, len(snap.Users), snap.Refresh.At, err)
			}

			w.sim.ClearFaults()
			w.fault("x1 listing=" + shape)
			if res := w.pass(); res.Users != 40 || res.Failed+res.Held > 0 || len(w.writes()) > 0 {
				t.Errorf("%s once: %+v, %v", shape, res, w.writes())
			}
			w.settled()
		})
	}
}

// Once users are managed, an odd listing changes nobody, and is forgotten with the next pass.
func TestManagedUsersOutlastAnOddListing(t *testing.T) {
	for shape := range shapes {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, sim.Options{Users: 1100, Inactive: 0, Quota: sim.Quota{Limit: 1 << 20}})
			w.Policy.OnRemoval = plan.Delete
			all := w.sim.Users()
			w.declareSome("all.yaml", all[:40])
			w.pass()
			w.write("new.yaml", "email: new@example.com\nname: New\n")
			gone := all[0].Email
			w.declareSome("all.yaml", all[1:40])
			w.sim.ResetLedger()

			w.fault("listing=" + shape)
			if res, err := w.once(); !errors.Is(err, apply.ErrListing) || len(w.writes()) > 0 {
				t.Errorf("%s: %+v, %v, %v", shape, res, err, w.writes())
			}
			w.sim.ClearFaults()
			if res := w.pass(); res.Applied != 2 || w.user(gone).State != "deleted" || w.user("new@example.com").State != "active" {
				t.Errorf("%s: the pass after it:\n%s", shape, show(res))
			}
			w.settled()
		})
	}
}

// Who is an administrator cannot be told from an inconsistent list: what could take the last ones away is held, and
// everything else goes on.
func TestInconsistentListOfHolders(t *testing.T) {
	for _, shape := range []string{"null", "empty", "short:1"} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, sim.Options{Users: 12, Full: true})
			w.Policy.Guard.AdminRoles, w.Policy.Guard.MinAdmins = []string{"Agent"}, 1
			us := w.sim.Users()
			w.write("a.yaml", "email: %s\nstate: active\n", us[0].Email)
			w.write("b.yaml", "email: %s\ntitle: One\n", us[1].Email)
			w.pass()
			w.write("a.yaml", "email: %s\nstate: inactive\n", us[0].Email)
			w.write("b.yaml", "email: %s\ntitle: Two\n", us[1].Email)
			w.fault("/api/v2/authorization/roles/* listing=" + shape)
			res := w.pass()
			if res.Applied != 1 || w.user(us[1].Email).Title != "Two" || w.user(us[0].Email).State != "active" {
				t.Errorf("%s: applied %d, title %s, state %s", shape, res.Applied, w.user(us[1].Email).Title, w.user(us[0].Email).State)
			}
			if len(res.Holds) != 1 || res.Holds[0].Guard != "min-admins" || !strings.Contains(res.Holds[0].Reason, apply.ErrListing.Error()) {
				t.Errorf("%s: %+v", shape, res.Holds)
			}
			w.sim.ClearFaults()
			w.fault("/api/v2/authorization/roles/* x1 listing=" + shape)
			if res := w.pass(); res.Held > 0 || w.user(us[0].Email).State != "inactive" {
				t.Errorf("%s once: %+v", shape, res.Holds)
			}
			w.settled()
		})
	}
}

// A searchless is a directory whose search fails.
type searchless struct {
	usersync.Directory
	err error
}

func (d searchless) Deleted(context.Context, []string) ([]state.Observed, error) { return nil, d.err }

// A search that failed does not tell that no deleted user has an address: nobody is created in that one's place, and
// everything else goes on.
func TestSearchThatFails(t *testing.T) {
	for _, kind := range []error{apply.ErrListing, apply.ErrRefused, apply.ErrForbidden} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, sim.Options{Users: 3})
			us := w.sim.Users()
			w.sim.Edit(us[0].Email, func(u *sim.User) { u.State = "deleted" })
			time.Sleep(time.Hour)
			w.write("a.yaml", "email: new@example.com\npreviousEmail: %s\nname: %q\n", us[0].Email, us[0].Name)
			w.write("b.yaml", "email: %s\ntitle: Two\n", us[1].Email)
			directory := w.Directory
			w.Directory = searchless{directory, &apply.CallError{Kind: kind, Op: "POST /api/v2/users/search"}}
			res := w.pass()
			if res.Applied != 1 || w.user(us[1].Email).Title != "Two" || w.user(us[0].Email).State != "deleted" {
				t.Errorf("%v: %s", kind, show(res))
			}
			if _, created := w.sim.User("new@example.com"); created || len(res.Failures) != 1 || !strings.Contains(res.Failures[0].Message, "it is not known whether a deleted user has the address "+us[0].Email) {
				t.Errorf("%v: created %t, %+v", kind, created, res.Failures)
			}
			w.Directory = directory
			if res := w.pass(); res.Applied != 1 || w.byID(us[0].ID).State != "active" || w.byID(us[0].ID).Email != "new@example.com" {
				t.Errorf("%v, and it works again: %s", kind, show(res))
			}
			w.settled()

			// Nobody is created while that is not known, and plan says so.
			w.write("c.yaml", "email: other@example.com\nname: Other\n")
			w.Directory = searchless{directory, &apply.CallError{Kind: kind, Op: "POST /api/v2/users/search"}}
			res, err := w.Reconcile(t.Context(), usersync.Mode{Strict: true, ForceRefresh: true, DryRun: true})
			if err != nil || res.Skipped != 1 || !strings.Contains(show(res), "it is not known whether a deleted user has the address") {
				t.Errorf("%v: %v, %s", kind, err, show(res))
			}
		})
	}
}

// A list of names that cannot be is no news that the names are gone: nothing is said to be wrong with a spec, and
// nothing is taken from anybody.
func TestOddListsOfNames(t *testing.T) {
	for _, path := range []string{"routing/skills", "routing/queues", "authorization/roles", "authorization/divisions", "groups"} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, sim.Options{Users: 3, GrantLag: -1})
			u := w.sim.Users()[0].Email
			w.write("u.yaml", "email: %s\nskills: {Billing: 3}\nqueues: [Billing ES]\ngroups: [Madrid]\nroles: [Agent]\ndivision: EMEA\n", u)
			w.fault("/api/v2/" + path + " listing=null")
			if res, err := w.once(); !errors.Is(err, apply.ErrListing) || len(w.writes()) > 0 {
				t.Errorf("%s for ever: %+v, %v, %v", path, res, err, w.writes())
			}
			w.sim.ClearFaults()
			w.fault("/api/v2/" + path + " x1 listing=null")
			if res := w.pass(); res.Applied != 1 || res.Failed > 0 {
				t.Errorf("%s once:\n%s%+v", path, show(res), res.Failures)
			}
			w.settled()
		})
	}
}
