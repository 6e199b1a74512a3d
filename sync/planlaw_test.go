package sync_test

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"usersyncd/state"
	usersync "usersyncd/sync"
	"usersyncd/sync/genesys/sim"
	"usersyncd/sync/plan"
	"usersyncd/sync/plan/digest"
	"usersyncd/sync/plan/saved"
)

// A planLaw is drawn whole before it runs, since a bubble may not draw.
type planLaw struct {
	org           sim.Options
	onRemoval     plan.Action
	managed       bool       // by a pass before
	withoutValues bool       // of the saved plan
	byDigest      bool       // all or nothing
	closes        bool       // a change window, in the pass
	first         []planEdit // until it is made
	later         []planEdit // from then on
	faults        []sim.Fault
}

// A planEdit is of a spec, or by hand.
type planEdit struct {
	kind, email string
	values      [4]string
}

func drawEdits(r *rapid.T, label string, people []string) (edits []planEdit) {
	for range rapid.IntRange(0, 6).Draw(r, label) {
		e := planEdit{kind: rapid.SampledFrom([]string{"declare", "declare", "new", "title", "name", "state", "remove"}).Draw(r, "kind"), email: rapid.SampledFrom(people).Draw(r, "whom")}
		if e.kind == "new" {
			e.email = rapid.SampledFrom([]string{"new1@example.com", "new2@example.com"}).Draw(r, "new")
		}
		edits = append(edits, e.draw(r))
	}
	return edits
}

func (e planEdit) draw(r *rapid.T) planEdit {
	e.values = [4]string{rapid.SampledFrom([]string{"A", "B", "C"}).Draw(r, "text"), rapid.SampledFrom([]string{"active", "active", "inactive", "deleted"}).Draw(r, "state"),
		rapid.SampledFrom([]string{"1", "2", "3"}).Draw(r, "skill"), rapid.SampledFrom([]string{"Employee", "Employee, Supervisor"}).Draw(r, "roles")}
	return e
}

func (e planEdit) make(w *world) {
	text, state := e.values[0], e.values[1]
	switch e.kind {
	case "declare", "new":
		if state == "deleted" {
			state = "inactive"
		}
		w.write(e.email+".yaml", "email: %s\nname: %s\ntitle: %s\nstate: %s\nskills: {Billing: %s}\nroles: [%s]\n", e.email, text, text, state, e.values[2], e.values[3])
	case "remove":
		_ = os.Remove(filepath.Join(w.dir, e.email+".yaml")) // it need not be there
	default:
		w.sim.Edit(e.email, func(u *sim.User) {
			switch e.kind {
			case "title":
				u.Title = text
			case "name":
				u.Name = text
			default:
				u.State = state
			}
		})
	}
}

// Whatever happens between a plan and its application, and meanwhile: what was written is in the plan, and the second time
// nothing is written, unless something had failed.
func TestThePlanLaw(t *testing.T) {
	t.Parallel() // it is one of the longest
	rapid.Check(t, func(r *rapid.T) {
		law := planLaw{org: sim.Options{Users: 6, Full: true, Latency: 20 * time.Millisecond, Seed: rapid.Uint64Range(1, 5).Draw(r, "seed")},
			onRemoval: rapid.SampledFrom([]plan.Action{plan.Unmanage, plan.Deactivate, plan.Delete}).Draw(r, "removal"),
			managed:   rapid.Bool().Draw(r, "managed"), withoutValues: rapid.Bool().Draw(r, "without values"),
			byDigest: rapid.Bool().Draw(r, "by digest"), closes: rapid.Bool().Draw(r, "window closes")}
		var people []string
		for _, u := range sim.New(law.org).Users() {
			people = append(people, u.Email)
			law.first = append(law.first, planEdit{kind: "declare", email: u.Email}.draw(r))
		}
		law.first = append(law.first, drawEdits(r, "before", people)...)
		law.later = drawEdits(r, "since", people)
		for _, words := range rapid.SliceOfN(rapid.SampledFrom([]string{"PATCH 30% lost", "PATCH 20% conflict409", "10% 503", "POST /api/v2/users 50% lost", "PATCH 40% edited", "PUT 20% 400"}), 0, 3).Draw(r, "faults") {
			f, err := sim.ParseFault(words)
			if err != nil {
				r.Fatal(err)
			}
			law.faults = append(law.faults, f)
		}
		var failure error
		synctest.Test(t, func(t *testing.T) { failure = law.run(t) })
		if failure != nil {
			r.Fatal(failure)
		}
	})
}

func (law *planLaw) run(t *testing.T) error {
	w := newWorld(t, law.org)
	w.Policy.OnRemoval = law.onRemoval
	for i, e := range law.first {
		if i == law.org.Users && law.managed {
			w.pass()
			time.Sleep(time.Hour)
		}
		e.make(w)
	}
	time.Sleep(time.Hour)
	first := w.planned()
	approved := approvedPlan(first)
	if law.withoutValues {
		approved.Org = saved.Org{ID: "org", API: "api"}
		approved.Plan = approved.WithoutValues()
	}
	for _, e := range law.later {
		e.make(w)
	}
	time.Sleep(time.Hour)
	for _, f := range law.faults {
		w.sim.AddFault(f)
	}
	written := func(approved *plan.Approved, digest string) ([]state.Event, *usersync.Result, error) {
		since := time.Now()
		res, err := w.carryOut(approved, digest)
		events, broken := w.Store.History(state.Query{Since: since})
		return events, res, cmp.Or(err, broken)
	}
	if law.closes {
		now := time.Now().UTC()
		w.Policy.Schedule = hours(t, fmt.Sprintf("%s-%s UTC", now.Format("Mon 15:04"), now.Add(time.Minute).Format("15:04")))
	}
	var events []state.Event
	var res *usersync.Result
	var err error
	if law.byDigest {
		events, res, err = written(nil, first.Digest)
	} else {
		events, res, err = written(approved, "")
	}
	if changed := (*usersync.PlanChangedError)(nil); errors.As(err, &changed) && len(events) > 0 {
		return fmt.Errorf("%w: %+v", err, events)
	} else if changed != nil || err != nil && len(law.faults) > 0 {
		return nil //nolint:nilerr // nothing was carried out, or a fault has ended it
	}
	if err != nil {
		return err
	}
	for _, e := range events {
		if err := isInPlan(approved, e); err != nil {
			return err
		}
	}
	if w.sim.ClearFaults(); res.Failed+res.Pending > 0 {
		return nil
	}
	time.Sleep(time.Hour)
	w.Policy.Schedule = plan.Schedule{}
	if law.closes { // what has waited is done now
		if _, _, err := written(approved, ""); err != nil {
			return err
		}
		time.Sleep(time.Hour)
	}
	if again, _, err := written(approved, ""); err != nil || len(again) > 0 {
		return fmt.Errorf("the second time: %w %+v\n%s", err, again, show(res))
	}
	return nil
}

// isInPlan requires that what was written is in the plan.
func isInPlan(approved *plan.Approved, e state.Event) error {
	var actions [][2]string // of whom; the rest of a creation or a restoration is an update
	for _, action := range []plan.Action{plan.Action(e.Action), plan.Update, plan.Restore} {
		if action == plan.Adopt {
			action = plan.Update
		}
		actions = append(actions, [2]string{e.ID, string(action)})
	}
	actions = append(actions, [2]string{e.Email, string(plan.Create)})
	for _, f := range e.Fields {
		if f.Before != f.After && !slices.ContainsFunc(actions, func(a [2]string) bool {
			return approved.PermitsField(a[0], a[1], digest.Field{Name: f.Field, Before: f.Before, After: f.After}, nil)
		}) {
			return fmt.Errorf("not in the plan: %s %s %s: %s -> %s\n%+v", e.Action, e.Email, f.Field, f.Before, f.After, approved.Changes)
		}
	}
	return nil
}
