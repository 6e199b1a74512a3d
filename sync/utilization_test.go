package sync_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"usersyncd/spec"
	usersync "usersyncd/sync"
	"usersyncd/sync/genesys/sim"
)

// routed is an organization with three labels, of which Gold has a limit for everybody, and a user who has own settings of
// every kind: some that a spec can name, and some that no spec can.
func routed(t *testing.T) (w *world, email string, own *sim.Utilization) {
	w = newWorld(t, sim.Options{Users: 2, Seed: 1})
	w.Policy.DetailInterval = time.Minute
	vip, gold := w.sim.Define(sim.Label, "VIP"), w.sim.Define(sim.Label, "Gold")
	w.sim.Define(sim.Label, "A & B")
	w.sim.EditUtilization(func(u *sim.Utilization) {
		u.Labels[gold] = sim.LabelCapacity{MaximumCapacity: 3}
		u.Media["message"] = sim.Capacity{MaximumCapacity: 4, IncludeNonACD: true, InterruptableMediaTypes: []string{}}
	})
	settings := &sim.Utilization{
		Media: map[string]sim.Capacity{
			"call":     {MaximumCapacity: 1, InterruptableMediaTypes: []string{}, IncludeNonACD: true},
			"message":  {MaximumCapacity: 4, InterruptableMediaTypes: []string{}, IncludeNonACD: false},
			"workitem": {MaximumCapacity: 7, InterruptableMediaTypes: []string{"call"}, AddedLater: "x"},
		},
		Labels:          map[string]sim.LabelCapacity{vip: {MaximumCapacity: 2, InterruptingLabelIDs: []string{gold}, AddedLater: "y"}},
		MaxInboundCalls: new(2),
	}
	email = w.sim.Users()[0].Email
	w.sim.Edit(email, func(u *sim.User) { u.Utilization = settings })
	return w, email, w.user(email).Utilization
}

const labelList = "GET /api/v2/routing/utilization/labels"

// What a spec does not manage of a utilization survives every write, and labels are listed only where a spec names one.
func TestUtilizationIsKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, email, own := routed(t)
		want := own
		pass := func(declared, sent string, lists int) {
			t.Helper()
			w.write("u.yaml", "email: %s\nutilization: %s\n", email, declared)
			if got := w.sentByPass(); got != sent {
				t.Errorf("%s: sent %q", declared, got)
			}
			if n := w.sim.Ledger().Count(labelList); n != lists {
				t.Errorf("%s: labels were listed %d times", declared, n)
			}
			if diff := cmp.Diff(want, w.user(email).Utilization); diff != "" {
				t.Errorf("%s: %s", declared, diff)
			}
			if got := w.sentByPass(); got != "" {
				t.Errorf("%s: a further pass sent %q", declared, got)
			}
		}
		const put = "PUT /routing/users/{id}/utilization"
		limit := func(n int) sim.Capacity { return sim.Capacity{MaximumCapacity: n, InterruptableMediaTypes: []string{}} }
		label := func(n int) sim.LabelCapacity {
			return sim.LabelCapacity{MaximumCapacity: n, InterruptingLabelIDs: []string{}}
		}
		media := func(name string, c sim.Capacity) { want.Media[name] = c }
		id := func(name string) string { return w.sim.IDOf(sim.Label, name) }

		vip := id("VIP")
		pass("{call: {capacity: 1, includeNonAcd: true}}", "", 0)
		media("email", limit(3))
		pass("{email: {capacity: 3}}", put, 0)
		media("email", limit(5))
		media("message", sim.Capacity{MaximumCapacity: 4, InterruptableMediaTypes: []string{"call"}})
		pass("{email: {capacity: 5}, message: {capacity: 4, interruptedBy: [call]}}", put, 0)
		delete(want.Media, "email")
		media("call", limit(2))
		media("message", limit(4))
		pass("{call: {capacity: 2, includeNonAcd: false}}", put, 0)
		delete(want.Media, "call")
		want.Labels = map[string]sim.LabelCapacity{id("A & B"): label(1), id("VIP"): {MaximumCapacity: 9, InterruptingLabelIDs: []string{}, AddedLater: "y"}}
		pass("{labels: {A & B: {capacity: 1}, VIP: {capacity: 9}}}", put, 1)
		want.Labels = map[string]sim.LabelCapacity{id("Gold"): label(3)} // declared, so that it stays whatever the organization gets
		pass("{labels: {Gold: {capacity: 3}}}", put, 1)
		pass("{labels: {}}", "", 0) // what is as the organization has it is nothing of the user's own
		w.sim.Edit(email, func(u *sim.User) { u.Utilization.Labels[vip] = label(2) })
		want.Labels = map[string]sim.LabelCapacity{}
		pass("{labels: {}}", put, 0)

		labelled := &sim.Utilization{Labels: map[string]sim.LabelCapacity{id("VIP"): label(2)}}
		w.sim.Edit(email, func(u *sim.User) { u.Utilization = labelled })
		want = nil
		pass("{labels: {}}", "DELETE /routing/users/{id}/utilization", 0) // somebody set a label, and nothing else is the user's own
	})
}

// A new user has what the organization has: a spec that says so sends nothing.
func TestUtilizationOfNewUsers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, _, _ := routed(t)
		w.write("u.yaml", "email: new@example.com\nname: New\nutilization: {labels: {}}\n")
		if got, want := w.sentByPass(), "POST /users"; got != want {
			t.Errorf("sent %q, not %q", got, want)
		}
		if got := w.sentByPass(); got != "" {
			t.Errorf("a further pass sent %q", got)
		}
	})
}

// A plan shows of a utilization what the spec manages, and a label that does not exist is a problem of the spec.
func TestUtilizationInPlans(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, email, _ := routed(t)
		for declared, want := range map[string]string{
			"{email: {capacity: 3}}": `{} -> {email: {capacity: 3}}`,
			"{labels: {}}":           `{labels: {VIP: {capacity: 2, interruptedBy: ["Gold"]}}} -> {labels: {}}`,
			"{call: {capacity: 2, includeNonAcd: false}, labels: {VIP: {capacity: 2, interruptedBy: [Gold]}}}": `{call: {capacity: 1, includeNonAcd: true}, ` +
				`labels: {VIP: {capacity: 2, interruptedBy: ["Gold"]}}} -> {call: {capacity: 2, includeNonAcd: false}, labels: {VIP: {capacity: 2, interruptedBy: ["Gold"]}}}`,
			"{labels: {Vip: {capacity: 1}}}":                          `no label is called "Vip"; did you mean "VIP"?`,
			"{labels: {VIP: {capacity: 1, interruptedBy: [Silver]}}}": `no label is called "Silver"`,
		} {
			w.write("u.yaml", "email: %s\nutilization: %s\n", email, declared)
			time.Sleep(2 * time.Minute)
			res, err := w.Reconcile(t.Context(), usersync.Mode{DryRun: true, ForceRefresh: true})
			if err != nil {
				t.Fatal(err)
			}
			text := show(res) + fmt.Sprint(res.Problems)
			if !strings.Contains(text, want) {
				t.Errorf("%s:\n%s, want\n%s", declared, text, want)
			}
		}
	})
}

// What is exported is declared as it is: a pass with it changes nothing, and with a new state file neither.
func TestUtilizationIsExported(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, email, own := routed(t)
		w.export(spec.Utilization)
		exported := w.specOf(email).Fields.Get(spec.Utilization)
		want := spec.Value(`{"call":{"capacity":1,"includeNonAcd":true},"labels":{"VIP":{"capacity":2,"interruptedBy":["Gold"]}},"message":{"capacity":4,"includeNonAcd":false}}`)
		if exported != want {
			t.Errorf("exported %s, want %s", exported, want)
		}
		if other := w.specOf(w.sim.Users()[1].Email).Fields; other.Get(spec.Utilization) != "" && other.Get(spec.Utilization) != "{}" {
			t.Errorf("exported %s of who has nothing of its own", other.Get(spec.Utilization))
		}
		for range 2 {
			if got := w.sentByPass(); got != "" {
				t.Errorf("sent %q", got)
			}
			w.forget()
		}
		if diff := cmp.Diff(own, w.user(email).Utilization); diff != "" {
			t.Error(diff)
		}

		// Somebody takes it away, and it comes back whole but for what no spec can name.
		w.sim.Edit(email, func(u *sim.User) { u.Utilization = nil })
		if got := w.sentByPass(); got != "PUT /routing/users/{id}/utilization" {
			t.Errorf("sent %q", got)
		}
		now := w.user(email).Utilization
		if vip := w.sim.IDOf(sim.Label, "VIP"); !now.Media["call"].IncludeNonACD || now.Labels[vip].MaximumCapacity != 2 || slices.Contains(slices.Collect(maps.Keys(now.Media)), "workitem") {
			t.Errorf("%+v", now)
		}
	})
}
