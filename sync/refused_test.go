package sync_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"usersyncd/sync/genesys/sim"
	"usersyncd/sync/plan"
)

// Users whose call the API refuses, though nothing is wrong with it: somebody else was faster.

// Whom the API does not know at all any more, deleted users included, is gone: nothing is made again to be deleted.
func TestALeaverWhoNoLongerExists(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, sim.Options{Users: 5})
		w.Policy.OnRemoval = plan.Delete
		ana := w.sim.Users()[0]
		w.write("other.yaml", "email: other@example.com\nname: Other\n")
		w.adopted(ana)
		time.Sleep(time.Minute)
		w.fault("DELETE 404")
		w.fault("GET /api/v2/users/" + ana.ID + " 404")
		w.remove(ana.ID + ".yaml")
		res := w.pass()
		if res.Failed > 0 || res.Applied != 1 || w.sim.Ledger().Count("POST /api/v2/users", 200) > 1 {
			t.Errorf("%+v; %+v", res, w.sim.Ledger())
		}
		w.sim.ClearFaults()
		w.sim.ResetLedger()
		if res = w.pass(); res.Applied+res.Failed > 0 {
			t.Errorf("then %+v", res)
		}
	})
}

// Who was deleted by hand a moment ago is not brought back to be deactivated.
func TestALeaverWhomSomebodyDeletesMeanwhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, sim.Options{Users: 5, ReadLag: 10 * time.Second})
		w.Policy.OnRemoval = plan.Deactivate
		ana := w.sim.Users()[0]
		w.write("other.yaml", "email: other@example.com\nname: Other\n")
		w.adopted(ana)
		time.Sleep(time.Minute)
		w.sim.Edit(ana.Email, func(u *sim.User) { u.State = "deleted" })
		w.remove(ana.ID + ".yaml")
		w.pass()
		if got := w.byID(ana.ID); got.State != "deleted" {
			t.Errorf("the account is %s", got.State)
		}
	})
}

// Somebody who edits the same user again and again is waited for, as long as each reading shows another version.
func TestARaceForAVersion(t *testing.T) {
	for _, words := range []string{"PATCH x8 conflict409", "PATCH x8 conflict400"} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, sim.Options{Users: 3})
			ana := w.sim.Users()[0]
			w.adopted(ana)
			w.write(ana.ID+".yaml", "email: %s\ntitle: Chief\n", ana.Email)
			w.fault(words)
			began := time.Now()
			res := w.pass()
			if u := w.byID(ana.ID); res.Applied != 1 || u.Title != "Chief" {
				t.Errorf("%s: title %q; %v", words, u.Title, res.Failures)
			}
			if took := time.Since(began); took < 18*time.Second || took > 30*time.Second { // 0.5 + 1 + ... + 4 s
				t.Errorf("%s: took %s", words, took)
			}
		})
	}
}

// Who is refused at the very version that a reading shows is in no race: there is one more try, and no ten.
func TestNoRaceForAVersion(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, sim.Options{Users: 3})
		ana := w.sim.Users()[0]
		w.adopted(ana)
		w.write(ana.ID+".yaml", "email: %s\ntitle: Chief\n", ana.Email)
		w.fault("PATCH spurious")
		w.sim.ResetLedger()
		res := w.pass()
		if n := w.sim.Ledger().Count("PATCH /api/v2/users/{id}", 409); n != 2 || res.Failed != 1 {
			t.Errorf("sent %d times; %+v", n, res.Failures)
		}
		if len(res.Failures) != 1 || !strings.Contains(res.Failures[0].Message, "the user is as it was read") {
			t.Errorf("%+v", res.Failures)
		}
	})
}

// Each call of a user has its second try.
func TestTwoRacesForAVersion(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, sim.Options{Users: 3})
		ana := w.sim.Users()[0]
		w.adopted(ana)
		w.write(ana.ID+".yaml", "email: %s\nstate: inactive\ntitle: Chief\n", ana.Email)
		w.fault("PATCH x1 spurious")
		w.fault("PATCH after=1 x1 spurious")
		w.sim.ResetLedger()
		res := w.pass()
		if n := w.sim.Ledger().Count("PATCH /api/v2/users/{id}", 409); n != 2 || res.Failed > 0 || w.byID(ana.ID).Title != "Chief" {
			t.Errorf("refused %d times; %+v", n, res.Failures)
		}
	})
}

// A 404 of a DELETE may be about the address of the request, such as a gateway's, and not about what is to be deleted.
func TestADeletionThatIsNotFound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, sim.Options{Users: 3, Full: true})
		ana := w.sim.Users()[0]
		w.sim.Edit(ana.Email, func(u *sim.User) { u.ExternalIDs = map[string]string{"badge": "a/b"} })
		w.write(ana.ID+".yaml", "email: %s\nexternalIds: {}\n", ana.Email)
		w.fault("DELETE x1 404")
		res := w.pass()
		if u := w.byID(ana.ID); res.Applied != 1 || len(u.ExternalIDs) > 0 {
			t.Errorf("external ids %v; %+v", u.ExternalIDs, res.Failures)
		}
	})
}

// The address of a deleted user whom no search shows yet is taken, whichever status says so: the user is looked up and restored.
func TestADeletedAddressIsTaken(t *testing.T) {
	for _, status := range []int{400, 409} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, sim.Options{Users: 3, TakenStatus: status})
			ana := w.sim.Users()[0]
			w.sim.Edit(ana.Email, func(u *sim.User) { u.State = "deleted" })
			time.Sleep(time.Minute)
			directory := w.Directory
			w.Directory = searchless{directory, nil}
			w.write("ana.yaml", "email: %s\nname: Ana\ntitle: Back\n", ana.Email)
			res := w.pass()
			if u := w.byID(ana.ID); res.Applied != 1 || u.State != "active" || u.Title != "Back" || len(w.sim.Users()) != 3 {
				t.Errorf("%d: %s, %q, %d users; %+v", status, u.State, u.Title, len(w.sim.Users()), res.Failures)
			}
			if n := w.sim.Ledger().Count("POST /api/v2/users", status); n != 1 {
				t.Errorf("%d: told %d times", status, n)
			}
		})
	}
}

// Where the API would create a second user with the address of a deleted one, the deleted one is restored all the same.
func TestADeletedAddressIsFree(t *testing.T) {
	for _, deleted := range []int{1, 120} { // found by a search, or by a listing of all deleted users
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, sim.Options{Users: deleted + 2, DeletedFree: true})
			for _, u := range w.sim.Users()[:deleted] {
				w.sim.Edit(u.Email, func(u *sim.User) { u.State = "deleted" })
				w.write(u.Email+".yaml", "email: %s\nname: %q\n", u.Email, u.Name)
			}
			time.Sleep(time.Minute)
			res := w.pass()
			ledger := w.sim.Ledger()
			if len(w.sim.Users()) != deleted+2 || res.Applied != deleted || ledger.Count("POST /api/v2/users") > 0 {
				t.Errorf("%d: %d users, %d applied: %v", deleted, len(w.sim.Users()), res.Applied, res.Failures)
			}
			if searches := ledger.Count("POST /api/v2/users/search"); searches != (deleted+49)/50%3 { // three searches are more than two pages
				t.Errorf("%d: %d searches", deleted, searches)
			}
		})
	}
}

const noVoicemail = "404 code=voicemailservice.user.usernotfound"

// A field that is refused costs that field: the others of the user are written, and the next passes say what is left.
func TestAUserWithoutVoicemail(t *testing.T) {
	for _, method := range []string{"", "PATCH "} { // it cannot even be read, or cannot be written
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, sim.Options{Users: 3})
			ana := w.sim.Users()[0]
			w.adopted(ana)
			w.fault(method + "/api/v2/voicemail/userpolicies/" + ana.ID + " " + noVoicemail)
			w.write(ana.ID+".yaml", "email: %s\ntitle: Chief\nvoicemail: {alertTimeoutSeconds: 33}\nexternalIds: {hr: '4711'}\nqueues: [Retention]\ngroups: [Madrid]\n", ana.Email)
			res := w.pass()
			if res.Failed != 1 || len(res.Failures) != 1 || !strings.Contains(res.Failures[0].Message, "voicemail") {
				t.Errorf("%s%+v", method, res)
			}
			now := w.byID(ana.ID)
			if u := w.under(now); now.Title != "Chief" || u["queues"] != `["Retention"]` || u["groups"] != `["Madrid"]` || u["externalIds"] != `{"hr":"4711"}` {
				t.Errorf("%s%s: %v", method, now.Title, u)
			}
			w.sim.ResetLedger()
			time.Sleep(time.Minute)
			if w.pass(); w.sim.Ledger().Count("PATCH /api/v2/voicemail/userpolicies/{id}") != len(method)/len("PATCH ") { // --once tries it again
				t.Errorf("%swritten: %+v", method, w.sim.Ledger())
			}
			w.sim.ClearFaults()
			time.Sleep(25 * time.Hour)
			if res = w.pass(); res.Failed > 0 || w.byID(ana.ID).Voicemail.AlertTimeoutSeconds != 33 {
				t.Errorf("%sthen %+v", method, res)
			}
		})
	}
}

// A new user gets a voicemail policy a little later.
func TestANewUserWithoutVoicemailYet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, sim.Options{Users: 3})
		w.fault("PATCH /api/v2/voicemail/userpolicies/* x3 " + noVoicemail)
		w.write("ana.yaml", "email: ana@example.com\nname: Ana\nvoicemail: {alertTimeoutSeconds: 33}\nqueues: [Retention]\n")
		if res := w.pass(); res.Failed > 0 || res.Applied != 1 {
			t.Errorf("%+v", res)
		}
	})
}

// What was written before a field is refused is recorded, and what the field itself had is not.
func TestAnExternalIDThatSomebodyElseHas(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, sim.Options{Users: 3})
		users := w.sim.Users()
		ana, other := users[0], users[1]
		w.sim.Edit(other.Email, func(u *sim.User) { u.ExternalIDs = map[string]string{"hr": "4711"} })
		w.adopted(ana)
		w.write(ana.ID+".yaml", "email: %s\nexternalIds: {hr: '4711', zeta: '1'}\nqueues: [Retention]\n", ana.Email)
		res := w.pass()
		if res.Failed != 1 || w.sim.Ledger().Count("POST /api/v2/users/{id}/externalid") != 1 || w.under(w.byID(ana.ID))["queues"] != `["Retention"]` {
			t.Errorf("%+v; %+v", res, w.sim.Ledger())
		}
		if text := res.Failures[0].Message; !strings.Contains(text, other.Email) {
			t.Errorf("who has it is not said: %s", text)
		}
	})
}

// A list of names that cannot be had costs the fields that need it. Nobody counts as gone because of it.
func TestACatalogueThatCannotBeRead(t *testing.T) {
	for field, path := range map[string]string{
		"skills: {Billing: 3}": "/routing/skills", "languages: {German: 3}": "/routing/languages", "queues: [Retention]": "/routing/queues",
		"groups: [Madrid]": "/groups", "locations: [{name: Madrid HQ}]": "/locations", "roles: [Agent]": "/authorization/roles", "division: Spain": "/authorization/divisions",
	} {
		for _, status := range []string{"404", "403"} {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, sim.Options{Users: 5})
				ana := w.sim.Users()[0]
				w.adopted(ana)
				w.fault("GET /api/v2" + path + " " + status)
				w.write(ana.ID+".yaml", "email: %s\ntitle: Chief\nexternalIds: {hr: '1'}\n%s\n", ana.Email, field)
				res := w.pass()
				if res.Failed != 1 || res.Applied != 1 || res.Partial != 1 {
					t.Errorf("%s %s: %d failed, %d applied, %d partial: %v", path, status, res.Failed, res.Applied, res.Partial, res.Failures)
				}
				if now := w.byID(ana.ID); now.Title != "Chief" || now.ExternalIDs["hr"] != "1" || w.sim.Ledger().Count("POST /api/v2/users") > 0 {
					t.Errorf("%s %s: %s %v", path, status, now.Title, now.ExternalIDs)
				}
			})
		}
	}
}

// So does one that is needed for many users at once.
func TestACatalogueForMany(t *testing.T) {
	for field, path := range map[string]string{"queues: [Retention]": "/routing/queues", "roles: [Agent]": "/authorization/roles", "roles: [Supervisor]": "/authorization/divisions"} {
		for _, status := range []string{"404", "403"} {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, sim.Options{Users: 15})
				w.fault("GET /api/v2" + path + " " + status)
				w.declareAll("title: Chief\nprofileSkills: [Wine]\nutilization: {call: {capacity: 2}}\n" + field)
				res := w.pass()
				for _, u := range w.sim.Users() {
					if u.Title != "Chief" || len(u.ProfileSkills) != 1 || u.Utilization == nil {
						t.Errorf("%s %s: %s: %q, %v, %v", path, status, u.Email, u.Title, u.ProfileSkills, u.Utilization)
					}
				}
				if n := w.sim.Ledger().Count("GET /api/v2" + path); res.Failed != 15 || n > 2 {
					t.Errorf("%s %s: %d failed, read %d times", path, status, res.Failed, n)
				}
			})
		}
	}
}

// A field that may be read of nobody is not read of everybody, and the others of every user are.
func TestAFieldThatMayNotBeRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, sim.Options{Users: 40})
		w.declareAll("voicemail: {alertTimeoutSeconds: 33}\nutilization: {call: {capacity: 3}}\nexternalIds: {}")
		w.fault("GET /api/v2/voicemail/* 403")
		res := w.pass()
		for _, u := range w.sim.Users() {
			if u.Utilization == nil {
				t.Errorf("%s has no utilization", u.Email)
			}
		}
		if n := w.sim.Ledger().Count("GET /api/v2/voicemail/userpolicies/{id}"); res.Failed != 40 || len(res.Problems) != 40 || n > 20 {
			t.Errorf("%d failed, %d problems, read %d times", res.Failed, len(res.Problems), n)
		}
	})
}

// A permission that is missing for one field costs that field.
func TestAFieldThatMayNotBeWritten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, sim.Options{Users: 3})
		ana := w.sim.Users()[0]
		w.adopted(ana)
		w.write(ana.ID+".yaml", "email: %s\nroles: [Supervisor]\nqueues: [Retention]\nexternalIds: {hr: '1'}\n", ana.Email)
		w.fault("POST /api/v2/authorization/* 403")
		res := w.pass()
		if u := w.under(w.byID(ana.ID)); res.Failed != 1 || u["queues"] != `["Retention"]` || u["externalIds"] != `{"hr":"1"}` || u["roles"] != "[]" {
			t.Errorf("%v; %+v", u, res.Failures)
		}
	})
}

// A group or a queue that is deleted at that moment costs its field.
func TestAGroupThatIsGone(t *testing.T) {
	for field, path := range map[string]string{
		"groups: [Madrid]": "/groups/*", "queues: [Retention]": "/routing/queues/*", "skills: {Billing: 3}": "/api/v2/users/{id}/routingskills/bulk",
	} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, sim.Options{Users: 5})
			ana := w.sim.Users()[0]
			w.adopted(ana)
			path = "/api/v2" + strings.Replace(strings.TrimPrefix(path, "/api/v2"), "{id}", ana.ID, 1)
			w.fault("PUT " + path + " 404")
			w.fault("POST " + path + " 404")
			w.write(ana.ID+".yaml", "email: %s\nprofileSkills: [Wine]\nexternalIds: {hr: '1'}\nutilization: {call: {capacity: 2}}\n%s\n", ana.Email, field)
			res := w.pass()
			if now := w.byID(ana.ID); res.Failed != 1 || now.ExternalIDs["hr"] != "1" || w.sim.Ledger().Count("POST /api/v2/users") > 0 {
				t.Errorf("%s: %+v", path, res)
			}
		})
	}
}

// A conflict of what carries no version is a race: the call is made again, whichever status says so.
func TestAConflictWithoutAVersion(t *testing.T) {
	for path, line := range map[string]string{
		"DELETE /api/v2/users/*": "", "PUT /api/v2/users/*": "skills: {Billing: 3}", "POST /api/v2/groups/*": "groups: [Madrid]",
		"PUT /api/v2/routing/users/*": "utilization: {call: {capacity: 2}}",
	} {
		for _, status := range []string{"400", "409"} {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, sim.Options{Users: 8})
				w.Policy.OnRemoval = plan.Delete
				ana := w.sim.Users()[0]
				w.write("other.yaml", "email: other@example.com\nname: Other\n")
				w.adopted(ana)
				time.Sleep(time.Hour)
				w.fault(path + " x2 " + status + " code=general.conflict")
				if w.write(ana.ID+".yaml", "email: %s\n%s\n", ana.Email, line); line == "" {
					w.remove(ana.ID + ".yaml")
				}
				if res := w.pass(); res.Applied != 1 || res.Failed > 0 {
					t.Errorf("%s %s: %+v", path, status, res)
				}
				time.Sleep(time.Minute)
				w.settled()
			})
		}
	}
}
