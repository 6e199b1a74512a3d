package sdkcontract

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"usersyncd/spec"
	"usersyncd/state"
	usersync "usersyncd/sync"
	"usersyncd/sync/apply"
	"usersyncd/sync/genesys"
	"usersyncd/sync/genesys/api"
	"usersyncd/sync/genesys/sim"
	"usersyncd/sync/plan"
)

// A world is an organization, a checkout, and the program between them, without a socket and in virtual time.
type world struct {
	*testing.T
	*usersync.Reconciler
	sim  *sim.Server
	sent *recorder
	dir  string
}

func newWorld(t *testing.T, o sim.Options) *world {
	t.Helper()
	w := &world{T: t, sim: sim.New(o), dir: t.TempDir()}
	w.sent = &recorder{next: w.sim.Transport()}
	directory, err := genesys.New(api.Options{
		API: "https://api.example.com", ClientID: "demo", ClientSecret: "demo", Transport: w.sent,
		Limiter: free{}, Rand: rand.New(rand.NewPCG(3, 4)),
	})
	if err != nil {
		t.Fatal(err)
	}
	store, err := state.Open(filepath.Join(t.TempDir(), "state.db"), state.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	w.Reconciler = &usersync.Reconciler{
		Specs: spec.NewLoader(w.dir), Store: store, Directory: directory, API: directory.API(),
		Policy: plan.Policy{Create: true, Adopt: true, IgnoreQuarantine: true, DetailInterval: time.Hour,
			Guard: plan.Guard{AdminRoles: []string{"Master Admin"}, MinAdmins: 1, Roles: []string{"*"}, Divisions: []string{"*"}, Queues: []string{"*"}, Groups: []string{"*"}}},
		Retry:     apply.Retry{Max: 5, MinWait: time.Second, MaxWait: 30 * time.Second},
		SearchLag: time.Minute, Workers: 10, Refresh: 15 * time.Minute,
		Log: slog.New(slog.DiscardHandler), Rand: rand.New(rand.NewPCG(5, 6)),
	}
	return w
}

// free grants every request at once: how fast they go is not the question here.
type free struct{}

func (free) Acquire(ctx context.Context, _, _ string) (ticket uint64, token int, err error) {
	return 0, 0, ctx.Err()
}
func (free) Release(uint64, int, map[string][]string) {}
func (free) Cancel(uint64, time.Duration)             {}
func (free) Expect(int)                               {}

// pass declares users, makes them so, and checks that a second pass finds nothing.
func (w *world) pass(what string, declared map[string]string) {
	w.Helper()
	w.declare(declared)
	for _, again := range []bool{false, true} {
		time.Sleep(2 * time.Minute) // the search and the lists catch up
		w.reconcile(what, again)
	}
}

// declare writes users, each into a file of its own, and no others.
func (w *world) declare(declared map[string]string) {
	w.Helper()
	old, err := filepath.Glob(filepath.Join(w.dir, "*.yaml"))
	if err != nil {
		w.Fatal(err)
	}
	for _, path := range old {
		if err := os.Remove(path); err != nil {
			w.Fatal(err)
		}
	}
	for email, text := range declared {
		if err := os.WriteFile(filepath.Join(w.dir, email+".yaml"), []byte("email: "+email+"\n"+text), 0o600); err != nil {
			w.Fatal(err)
		}
	}
}

// reconcile makes one pass, in which everybody must be as declared, and nothing left to do if it is made again.
func (w *world) reconcile(what string, again bool) {
	w.Helper()
	res, err := w.Reconcile(w.Context(), usersync.Mode{Strict: true, ForceRefresh: true})
	if err != nil {
		w.Fatalf("%s: %v", what, err)
	}
	if res.Failed+res.Held+res.Skipped+res.Quarantined > 0 || again && res.Changed > 0 || !again && res.Changed == 0 {
		w.Errorf("%s, again %t: %d changed, %d applied, %d failed, %d held, %d skipped", what, again, res.Changed, res.Applied, res.Failed, res.Held, res.Skipped)
		for _, c := range res.Changes {
			w.T.Log(c)
		}
		for _, f := range res.Failures {
			w.Logf("%+v", f)
		}
	}
}

// everything has every field of the format; the variant decides the values.
func everything(name string, variant int) string {
	pick := func(values ...string) string { return values[variant] }
	return fmt.Sprintf(`name: %q
state: active
title: %s
department: %s
manager: %s
division: %s
preferredName: %s
acdAutoAnswer: %s
certifications: %s
profileSkills: %s
employer: %s
phones: %s
emails: %s
locations: %s
skills: %s
languages: %s
roles: %s
queues: %s
groups: %s
utilization: %s
voicemail: %s
externalIds: %s
`, name+pick(" One", " Two", " None"),
		pick("Agent", "Lead", `""`), pick("Sales", `"R&D <Zoë>"`, `""`), pick("boss@example.com", "new.boss@example.com", `""`),
		pick("EMEA", "APAC", "Home"), pick("Nick", "Nicky", `""`), pick("true", "false", "true"),
		pick("[PCI]", "[PCI, GDPR]", "[]"), pick("[Chess]", "[Go, Chess]", "[]"),
		pick(`{officialName: A B, employeeId: "007", employeeType: Full-time, dateHire: 2024-03-01}`, `{employeeId: "008", employeeType: Contractor}`, "{}"),
		pick(`[{type: work, number: "+34600000001", extension: "4021"}, {type: mobile, media: sms, number: "+34600000002"}]`, `[{type: home, extension: "9021"}]`, "[]"),
		pick("[{type: home, address: me@home.example}]", "[{type: work, address: me@work.example}]", "[]"),
		pick("[{name: Berlin, notes: 3rd floor}]", "[{name: Berlin}, {name: Austin, notes: none}]", "[]"),
		pick("{Billing: 4, Refunds: 2.5}", "{Billing: 5, Sales: 0}", "{}"), pick("{English: 5, Spanish: 3}", "{English: 4, German: 1}", "{}"),
		pick("[Agent, {role: Supervisor, divisions: [EMEA, APAC]}]", `[Employee, {role: Supervisor, divisions: ["*"]}]`, "[]"),
		pick("[Billing ES, Retention]", "[Billing EN]", "[]"), pick("[Madrid, Coaches]", "[Berlin]", "[]"),
		pick("{call: {capacity: 2, includeNonAcd: true}, message: {capacity: 3, interruptedBy: [call]}, labels: {VIP: {capacity: 2, interruptedBy: [VIP]}}}",
			"{chat: {capacity: 9, interruptedBy: [call, email]}}", "{call: {capacity: 1, includeNonAcd: false}, labels: {}}"),
		pick("{alertTimeoutSeconds: 30, sendEmailNotifications: true}", "{alertTimeoutSeconds: 45, sendEmailNotifications: false}", "{alertTimeoutSeconds: 20}"),
		pick(fmt.Sprintf(`{"hr / %[1]s": %[1]s-1, crm: %[1]s}`, name), fmt.Sprintf(`{crm: "%s/2 ?"}`, name), "{}"))
}

// rated is a field with n skills or languages, of which the first has another proficiency.
func rated(field string, from, to, first int) string {
	parts := []string{}
	for i := from; i < to; i++ {
		p := 3
		if i == from {
			p = first
		}
		parts = append(parts, fmt.Sprintf("%s %02d: %d", field, i, p))
	}
	return field + "s: {" + strings.Join(parts, ", ") + "}\n"
}

// Whatever the program sends, the SDK's models have it: every field of the format in creations, changes and
// removals; renames, departures and returns; what takes several requests, and what many users share.
func TestEverythingSent(t *testing.T) {
	d := describe(t) // outside of the bubble, since it runs a process
	for _, info := range spec.AllFields() {
		if !strings.Contains("\nemail: \n"+everything("x", 0), "\n"+string(info.Field)+":") {
			t.Errorf("%s is not declared", info.Field)
		}
	}
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, sim.Options{Users: 130, Inactive: 5, Deleted: 2, Full: true, Seed: 1, Quota: sim.Quota{Limit: 1 << 20}})
		for i := range 60 {
			w.sim.Define(sim.Skill, fmt.Sprintf("skill %02d", i))
			w.sim.Define(sim.Language, fmt.Sprintf("language %02d", i))
		}
		var there, gone []string
		for _, u := range w.sim.Users() {
			if u.State == "deleted" {
				gone = append(gone, u.Email)
			} else {
				there = append(there, u.Email)
			}
		}
		all := map[string]string{"boss@example.com": "name: Boss\nroles: [Master Admin]\n", "new.boss@example.com": "name: New Boss\n"}
		variant := func(n int) {
			for i := range 3 { // new ones, and some who were there with other values
				all[fmt.Sprintf("new%d@example.com", i)] = everything(fmt.Sprint("N", i), n)
				all[there[i]] = everything(fmt.Sprint("T", i), n)
			}
		}
		variant(0)
		all["big@example.com"] = "name: Big\n" + rated("skill", 0, 60, 3) + rated("language", 0, 60, 3)
		w.pass("create and adopt", all)
		variant(1)
		all["big@example.com"] = "name: Big\n" + rated("skill", 0, 60, 5) + rated("language", 0, 60, 5)
		w.pass("change", all)
		all["big@example.com"] = "name: Big\n" + rated("skill", 1, 60, 3) + rated("language", 1, 60, 3)
		w.pass("take one of many away", all)
		variant(2)
		w.pass("clear", all)

		for i, email := range gone {
			all[email] = everything(fmt.Sprint("G", i), i)
		}
		guard := w.Policy.Guard
		w.Policy.Guard.MinAdmins = 0 // else a person has to release them: what roles they had is not known
		w.pass("restore", all)
		w.Policy.Guard = guard
		all["renamed@example.com"] = "previousEmail: new0@example.com\n" + all["new0@example.com"]
		delete(all, "new0@example.com")
		w.pass("rename", all)
		all["renamed@example.com"] = everything("N0", 2)
		all["new1@example.com"] = strings.ReplaceAll(everything("N1", 2), "state: active", "state: inactive")
		w.pass("deactivate", all)
		w.Policy.OnRemoval = plan.Delete
		delete(all, "new1@example.com")
		delete(all, "new2@example.com")
		w.pass("delete", all)
		w.Policy.OnRemoval = plan.Deactivate
		delete(all, there[2])
		w.pass("leave", all)
		w.Policy.OnRemoval = plan.Unmanage

		for _, email := range there[3:] {
			all[email] = "acdAutoAnswer: true\n"
		}
		w.pass("answer automatically", all)
		conflict, err := sim.ParseFault("POST /api/v2/groups/* x1 conflict409") // the group's version is read again
		if err != nil {
			t.Fatal(err)
		}
		w.sim.AddFault(conflict)
		for _, email := range there[3:] {
			all[email] = "division: Americas\nqueues: [Support DE]\ngroups: [Night shift]\nroles: [Employee]\n"
		}
		w.pass("move and join", all)
		for _, email := range there[3:] {
			all[email] = "queues: []\ngroups: []\nutilization: {}\n"
		}
		w.pass("leave queues and groups, and have the organization's utilization", all)

		w.sent.check(t)
		for name, most := range map[string]int{
			"PATCH /api/v2/users/bulk": 50, "POST /api/v2/routing/queues/{queueId}/members": 100, "POST /api/v2/groups/{groupId}/members": 50,
			"POST /api/v2/authorization/divisions/{divisionId}/objects/{objectType}": 50,
			"PUT /api/v2/users/{userId}/routingskills/bulk":                          50, "PATCH /api/v2/users/{userId}/routinglanguages/bulk": 50,
		} {
			if n := w.sent.largest(d, name); n != most {
				t.Errorf("%s: %d at once at most, and not %d", name, n, most)
			}
		}
		if unreal := w.sim.Ledger().Unreal; len(unreal) > 0 {
			t.Errorf("the simulator knows nothing of %v", unreal)
		}
	})
}
