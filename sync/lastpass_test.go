package sync_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"usersyncd/spec"
	"usersyncd/state"
	usersync "usersyncd/sync"
	"usersyncd/sync/apply"
	"usersyncd/sync/control"
	"usersyncd/sync/genesys/sim"
	"usersyncd/sync/plan"
)

// lastPass is what the state file says of the last pass.
func (w *world) lastPass() *usersync.LastPass {
	w.Helper()
	l, err := usersync.ReadLastPass(w.Store)
	if err != nil || l == nil {
		w.Fatalf("%v, %v", l, err)
	}
	return l
}

// What a pass has left is in the state file: what is held under which id, why a user fails, what waits.
func TestTheStateFileHasWhatAPassHasLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, sim.Options{Users: 40})
		w.Policy.Guard.Removals = &plan.Limit{Percent: 5, Floor: 10}
		users := w.sim.Users()
		w.declareAll("title: Agent")
		w.pass()
		if l := w.lastPass(); l.Users != 40 || l.InSync != 40 || l.At.IsZero() || l.Success != l.At || len(l.Left)+len(l.Holds) > 0 || l.Revision == "" {
			t.Errorf("after everybody was applied: %+v", l)
		}
		for _, u := range users[:15] {
			w.remove(u.Email + ".yaml")
		}
		refused, fine := users[20].Email, users[21].Email
		for _, u := range []string{refused, fine} {
			w.write(u+".yaml", "email: %s\ntitle: Boss\n", u)
		}
		w.fault("PATCH 400 user=" + refused)
		time.Sleep(time.Hour)
		res := w.pass()
		l, at := w.lastPass(), time.Now().UTC()
		if len(res.Holds) != 1 || len(l.Holds) != 1 {
			t.Fatalf("held %v, recorded %v", res.Holds, l.Holds)
		}
		if h := l.Holds[0]; h.ID != res.Holds[0].ID || h.Guard != "max-removals" || h.Reason != res.Holds[0].Reason || fmt.Sprint(h.Users) != fmt.Sprint(res.Holds[0].Users) {
			t.Errorf("%+v is recorded as %+v", res.Holds[0], h)
		}
		if l.Users != 25 || l.InSync != 24 || l.Held != 15 || l.Failed != 1 || l.Pending != 0 || len(l.Failures) != 1 || !l.At.Equal(at) || l.Revision != res.Revision {
			t.Errorf("at %v: %+v", at, l.PassSummary)
		}

		for email, want := range map[string]string{users[3].Email: "held removed p-", refused: "failed edit ", fine: "in sync  "} {
			e := w.told(email, true)
			if got := fmt.Sprint(e.Status, " ", e.Cause, " ", e.Release); !strings.HasPrefix(got, want) || e.AsOf.IsZero() != (e.Status == "in sync") {
				t.Errorf("%s is %q as of %v, not %q: %s", email, got, e.AsOf, want, e.Why)
			}
		}
		if e := w.told(users[3].Email, true); e.Release != res.Holds[0].ID || e.Why != res.Holds[0].Reason || !e.AsOf.Equal(at) {
			t.Errorf("who is held: %+v", e)
		}
		if e := w.told(refused, true); !strings.Contains(e.Why, "400") {
			t.Errorf("who was refused: %+v", e)
		}
		w.write(refused+".yaml", "email: %s\ntitle: Agent\n", refused) // as it is in Genesys
		if e := w.told(refused, true); e.Status != "in sync" || !e.AsOf.IsZero() {
			t.Errorf("whose spec was corrected: %+v", e)
		}
	})
}

// A field that a guard holds is told as one.
func TestTheStateFileHasFieldsThatAreHeld(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, sim.Options{Users: 4})
		w.Policy.Guard.Changes = &plan.Limit{Floor: 2}
		w.declareAll("title: Boss")
		res := w.pass()
		if e := w.told(w.sim.Users()[0].Email, true); len(res.Holds) != 1 || e.Status != "held" || e.Release != res.Holds[0].ID || !strings.Contains(verdicts(e), "title held") {
			t.Errorf("held %v; %+v, fields %s", res.Holds, e, verdicts(e))
		}
	})
}

// What status says without a daemon is what the daemon said of the same pass, whatever that has left: held as a whole and in part,
// failed, in quarantine, wrong, waiting for a window, contested.
func TestTheStateFileHasTheNumbersOfTheDaemon(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, sim.Options{Users: 30})
		users := w.sim.Users()
		w.Policy.IgnoreQuarantine = false
		w.declareAll("title: Agent")
		daemon := func() *usersync.Result {
			t.Helper()
			res, err := w.Reconcile(context.Background(), usersync.Mode{ForceRefresh: true})
			if err != nil {
				t.Fatal(err)
			}
			return res
		}
		declare := func(i int, more string) { w.write(users[i].Email+".yaml", "email: %s\n%s\n", users[i].Email, more) }
		declare(5, "title: Agent\nstate: active")
		daemon()
		for range 5 {
			w.sim.Edit(users[0].Email, func(u *sim.User) { u.Title = "Theirs" })
			daemon()
			time.Sleep(5 * time.Minute)
		}
		w.fault("PATCH 400 user=" + users[1].Email)
		declare(1, "title: Boss")
		daemon()
		w.fault("PATCH 400 user=" + users[2].Email)
		declare(2, "title: Boss")
		declare(3, "title: Boss\nskills: {No such skill: 3}")
		declare(4, "title: Boss\nqueues: [No such queue]")
		w.sim.Edit(users[5].Email, func(u *sim.User) { u.State, u.Title = "inactive", "Theirs" })
		w.sim.Edit(users[0].Email, func(u *sim.User) { u.Title = "Theirs" })
		w.write("broken.yaml", "email: broken@example.com\ntitle: [1]\n")
		w.Policy.Schedule = plan.Schedule{Windows: hours(t, "Sun 00:00-01:00 UTC").Windows, Fields: []spec.Field{spec.Department}}
		declare(6, "title: Agent\ndepartment: New")
		declare(7, "title: Boss\ndepartment: New")
		w.Policy.Guard.Reactivations = true
		w.Policy.Guard.Deactivations = &plan.Limit{Percent: 1, Floor: 1}
		for i := 8; i < 13; i++ {
			declare(i, "title: Boss\nstate: inactive")
		}
		res := daemon()
		if o := res.UserOutcomes; o[plan.Held] < 5 || res.HeldInPart == 0 || o[plan.Deferred] == 0 || res.Failed-res.Wrong == 0 || res.Wrong == 0 || res.Quarantined == 0 || res.Skipped == 0 ||
			len(res.Contested) != 1 || len(res.Holds) != 2 || len(res.Problems) == 0 || len(res.Notes) == 0 {
			t.Fatalf("%+v\n%s", res, show(res))
		}
		said := func(st usersync.Status) string {
			st.Phase, st.Began, st.Beat, st.Moved, st.Refresh, st.Applied, st.Totals, st.Progress = "", time.Time{}, time.Time{}, time.Time{}, time.Time{}, nil, usersync.Totals{}, apply.Progress{}
			data, err := json.MarshalIndent(control.New(st), "", "  ")
			if err != nil {
				t.Fatal(err)
			}
			return string(data)
		}
		if published, recorded := said(w.Status()), said(w.lastPass().Status()); published != recorded {
			t.Errorf("the daemon says\n%s\nthe state file says\n%s", published, recorded)
		}
	})
}

// A dry run writes nothing; a pass without a plan leaves what the one before has left, and says why it had none.
func TestAPassThatFailsIsRecorded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, sim.Options{Users: 3})
		w.declareAll("title: Agent")
		if _, err := w.Reconcile(context.Background(), usersync.Mode{Strict: true, DryRun: true}); err != nil {
			t.Fatal(err)
		}
		if record, err := w.Store.LastPass(); record != nil || err != nil {
			t.Errorf("a dry run has recorded %s, %v", record, err)
		}
		w.pass()
		ended := w.lastPass().At
		time.Sleep(time.Hour)
		w.fault("GET /api/v2/users 403")
		if _, err := w.once(); err == nil {
			t.Fatal("no error")
		}
		if l := w.lastPass(); !strings.Contains(l.Error, "403") || !l.ErrorAt.Equal(time.Now()) || !l.At.Equal(ended) || !l.Success.Equal(ended) || l.InSync != 3 {
			t.Errorf("after one that failed: %+v", l)
		}
		w.sim.ClearFaults()
		w.write("broken.yaml", "email: [\n")
		if _, err := w.once(); err == nil {
			t.Fatal("no error")
		}
		if l := w.lastPass(); !strings.Contains(l.Error, "the specs have problems") || !l.At.Equal(ended) {
			t.Errorf("with specs that cannot be read: %+v", l)
		}
		w.remove("broken.yaml")
		w.pass()
		if l := w.lastPass(); l.Error != "" || !l.ErrorAt.IsZero() || !l.At.Equal(time.Now()) {
			t.Errorf("after one that succeeded: %+v", l)
		}
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		if _, err := w.Reconcile(ctx, usersync.Mode{Strict: true, ForceRefresh: true}); err == nil {
			t.Fatal("no error")
		}
		if l := w.lastPass(); l.Error != "it was interrupted" {
			t.Errorf("after one that was interrupted: %+v", l)
		}
		ctx, timeOut := context.WithCancelCause(context.Background())
		timeOut(timeoutError{})
		if _, err := w.Reconcile(ctx, usersync.Mode{Strict: true, ForceRefresh: true}); err == nil {
			t.Fatal("no error")
		}
		if l := w.lastPass(); l.Error != "timed out after 10m" {
			t.Errorf("after one that timed out: %+v", l)
		}
	})
}

// timeoutError is the error of --timeout, which counts as a cancellation.
type timeoutError struct{}

func (timeoutError) Error() string        { return "timed out after 10m" }
func (timeoutError) Is(target error) bool { return target == context.Canceled }

// The daemon makes a pass every minute: what is as it was is recorded again once in a while only.
func TestQuietPassesRecordNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, sim.Options{Users: 4})
		w.Policy.Guard.Changes = &plan.Limit{Floor: 2}
		w.declareAll("title: Boss") // is held, so that no pass has nothing to do
		recorded := w.recordsOfAnHour(func() {
			if _, err := w.Reconcile(context.Background(), usersync.Mode{}); err != nil {
				t.Fatal(err)
			}
		})
		if recorded < 3 || recorded > 6 {
			t.Errorf("an hour of passes that change nothing was recorded %d times", recorded)
		}
	})
}

// A pass for some of the users leaves what is known of all.
func TestAPassForSomeUsersIsRecordedBeside(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, sim.Options{Users: 6})
		users := w.sim.Users()
		w.Policy.Select.Only = []string{users[0].Email}
		w.declareAll("title: Agent")
		w.pass()
		if l := w.lastPass(); l.Shown() != l.Selected || l.Shown().Users != 1 {
			t.Errorf("of one user: %+v", l)
		}
		w.Policy.Select.Only = nil
		w.Policy.Guard.Changes = &plan.Limit{Floor: 2}
		held := w.pass().Holds
		w.Policy.Guard.Changes = nil
		w.Policy.Select.Only = []string{users[1].Email}
		time.Sleep(time.Minute)
		w.pass()
		l := w.lastPass()
		if l.Shown() != &l.PassSummary || l.Users != 6 || l.Selected.Users != 1 || l.Selected.InSync != 1 || len(l.AllHolds()) != 1 || l.AllHolds()[0].ID != held[0].ID {
			t.Errorf("%+v, later %+v", l.PassSummary, l.Selected)
		}
		if e := w.told(users[1].Email, true); e.Status != "in sync" {
			t.Errorf("who was applied since: %+v", e)
		}
		if e := w.told(users[2].Email, true); e.Status != "held" || e.Release != held[0].ID {
			t.Errorf("who was not: %+v", e)
		}
	})
}

// A record of another version, or none, is none.
func TestARecordThatCannotBeReadIsNone(t *testing.T) {
	w := newWorld(t, sim.Options{Users: 1})
	for _, record := range []string{"", "{}", `{"users":"many"}`, `[]`, `null`} {
		if err := w.Store.Commit(state.Commit{Pass: []byte(record)}); err != nil && record != "" {
			t.Fatal(err)
		}
		if l, err := usersync.ReadLastPass(w.Store); l != nil || err != nil {
			t.Errorf("%q: %+v, %v", record, l, err)
		}
	}
}

// 50,000 users who are all held take little room, and one for whom there is nothing to say takes none.
func TestTheRecordIsSmall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := 500
		w := newWorld(t, sim.Options{Users: n})
		w.sim.SetLimit(10_000)
		w.declareAll("title: Boss")
		w.pass()
		if record, _ := w.Store.LastPass(); len(record) > 400 {
			t.Errorf("%d bytes for %d users in sync: %s", len(record), n, record)
		}
		w.Policy.Guard.Changes = &plan.Limit{Floor: 2}
		w.declareAll("title: Chief")
		w.pass()
		if record, _ := w.Store.LastPass(); len(record) > 1000+n*45 {
			t.Errorf("%d bytes for %d users who are held: %s", len(record), n, record)
		}
		if l := w.lastPass(); l.Held != n || len(l.Holds[0].Users) != n {
			t.Errorf("%d held, %d named", l.Held, len(l.Holds[0].Users))
		}
	})
}

// recordsOfAnHour makes a pass every minute, and counts how often it was recorded otherwise than before.
func (w *world) recordsOfAnHour(pass func()) (recorded int) {
	w.Helper()
	var before []byte
	for range 60 {
		time.Sleep(time.Minute)
		pass()
		now, err := w.Store.LastPass()
		if err != nil {
			w.Fatal(err)
		}
		if !bytes.Equal(now, before) {
			recorded++
		}
		before = now
	}
	return recorded
}
