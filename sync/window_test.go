package sync_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	usersync "usersyncd/sync"
	"usersyncd/sync/genesys/sim"
	"usersyncd/sync/plan"
)

// writes returns the writes of routing since a time, and how many other writes there were.
func writes(tap *sim.Tap, since time.Time) (routing []string, others int) {
	for _, r := range tap.Sent() {
		switch {
		case r.At.Before(since), strings.HasPrefix(r.Line, "GET "), strings.HasSuffix(r.Line, "/oauth/token"):
		case strings.Contains(r.Line, "/routing"), strings.Contains(r.Line, `"state"`):
			routing = append(routing, r.Line)
		default:
			others++
		}
	}
	return routing, others
}

// tapped is a world whose requests are seen. Its time begins on Saturday, 2000-01-01 00:00 UTC.
func tapped(t *testing.T, o sim.Options) *world {
	t.Helper()
	w := newWorld(t, o)
	w.tap = w.sim.Tap()
	w.close()
	w.open()
	return w
}

// Users change, 1,000 at that, and after some minutes the window closes: from then on nothing is sent that touches
// routing, everything else is, and the rest goes when the window opens again. With a pause that the API asks
// for just before, too: what waits for its turn then is not sent after it.
func TestTheWindowClosesInAPass(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		users, minutes int
		fault          string
	}{{400, 2, ""}, {400, 2, "PUT after=100 x3 429 retry-after=100"}} {
		synctest.Test(t, func(t *testing.T) {
			w := tapped(t, sim.Options{Users: tt.users, Full: true, Latency: 50 * time.Millisecond})
			w.declareAll("title: Moved\nskills: {Billing: 3}\nlanguages: {Spanish: 2}")
			w.Policy.Schedule = hours(t, fmt.Sprintf("Sat 00:00-00:%02d UTC", tt.minutes))
			closes := w.Policy.Schedule.Closes(time.Now())
			if tt.fault != "" {
				w.fault(tt.fault)
			}
			res := w.pass()
			before, _ := writes(w.tap, time.Time{})
			late, others := writes(w.tap, closes)
			begun := slices.DeleteFunc(slices.Clone(late), func(what string) bool { return !strings.HasPrefix(what, "DELETE") })
			if len(late) > len(begun) || len(begun) > w.Workers || // the new language is there, the old one is to go
				len(before) < tt.users/4 || others < tt.users/4 {
				t.Errorf("%d of %d writes of routing after the end, %d of them of what was begun; %d others", len(late), len(before), len(begun), others)
			} else {
				t.Logf("%d writes of routing, %d after the end; %d others after it", len(before), len(late), others)
			}
			waits, opens := res.WaitingForWindow, res.WindowOpens
			if res.Applied+res.Deferred != tt.users || res.Pending+res.Failed > 0 || waits < tt.users/4 || !opens.Equal(closes.Add(7*24*time.Hour-time.Duration(tt.minutes)*time.Minute)) || !res.Retry.Equal(opens) {
				t.Errorf("applied %d, deferred %d, pending %d, failed %d; %d wait until %s, next %s", res.Applied, res.Deferred, res.Pending, res.Failed, waits, opens, res.Retry)
			}
			for _, u := range w.sim.Users() {
				if u.Title != "Moved" {
					t.Fatalf("%s has title %q", u.Email, u.Title)
				}
			}
			if left := w.limiter.Stats().Expected; left != 0 {
				t.Errorf("%d calls are still expected", left)
			}

			time.Sleep(time.Until(opens) - time.Second)
			if res := w.pass(); res.Changed != waits || res.Deferred != waits {
				t.Errorf("before it opens: changed %d, deferred %d of %d", res.Changed, res.Deferred, waits)
			}
			w.Policy.Schedule = hours(t, "Sat 00:00-02:00 UTC")
			time.Sleep(time.Second)
			if res := w.pass(); res.Applied != waits || res.Changed != waits {
				t.Errorf("when it opens: %d applied of %d", res.Applied, waits)
			}
			w.settled()
		})
	}
}

// What the window closes on in the middle: each user's changes, and what is sent of them before and after.
func TestInTheMiddleWhenTheWindowCloses(t *testing.T) {
	const leave, skills = "members?delete=true", "routingskills/bulk"
	for _, tt := range []struct {
		name   string
		spec   string
		first  string // what was in order before; "": the user is not declared before
		fault  string
		slow   string   // the window closes while such a request is under way
		late   []string // writes of routing after that
		result string
	}{
		{name: "a field that has been begun is finished", first: "queues: [Billing ES]", spec: "queues: [Sales EN]", slow: leave,
			late: []string{"POST members"}, result: "applied"},
		{name: "of a field that was not, nothing is sent", first: "skills: {Billing: 1}\nlanguages: {Spanish: 1}", spec: "skills: {Billing: 2}\nlanguages: {Spanish: 2}\nvoicemail: {alertTimeoutSeconds: 44}", slow: skills,
			result: "applied, languages"},
		{name: "one that was sent and not answered is read", first: "skills: {Billing: 1}", spec: "skills: {Billing: 2}", slow: skills, fault: "PUT x1 lost",
			result: "applied"},
		{name: "and sent again if it was not carried out", first: "skills: {Billing: 1}", spec: "skills: {Billing: 2}", slow: skills, fault: "PUT x1 500",
			late: []string{"PUT bulk"}, result: "applied"},
		{name: "an activation that was refused as stale waits", first: "state: inactive\ntitle: A", spec: "state: active\ntitle: B", slow: `"state"`, fault: "PATCH x1 conflict409",
			result: "applied, state"},
		{name: "all of it, if there is nothing else", first: "state: inactive", spec: "state: active", slow: `"state"`, fault: "PATCH x1 conflict409",
			result: "deferred, state"},
		{name: "a leaver goes whole", first: "state: active\nskills: {Billing: 1}", spec: "state: inactive\nskills: {}", slow: `"state"`,
			late: []string{"PUT bulk"}, result: "applied"},
		{name: "who is made goes whole", spec: "name: New\nskills: {Billing: 1}", slow: "POST /api/v2/users",
			late: []string{"PUT bulk"}, result: "applied"},
		{name: "also if it is looked at again on the way", spec: "name: New\npreferredName: N\nskills: {Billing: 1}", slow: "POST /api/v2/users", fault: "PATCH x1 conflict409",
			late: []string{"PUT bulk"}, result: "applied"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := tapped(t, sim.Options{Users: 3, Full: true, IndexLag: -1})
				email := w.sim.Users()[0].Email
				w.write("other.yaml", "email: %s\n", w.sim.Users()[1].Email)
				if tt.first == "" {
					email = "new@example.com"
				} else {
					w.write("u.yaml", "email: %s\n%s\n", email, tt.first)
				}
				w.pass()
				time.Sleep(time.Hour)
				w.write("u.yaml", "email: %s\n%s\n", email, tt.spec)
				w.Policy.Schedule = hours(t, "Sat 00:00-02:00 UTC")
				closes := w.Policy.Schedule.Closes(time.Now())
				w.tap.Hook = func(what string, answered bool) error {
					if answered && strings.Contains(what, tt.slow) && !strings.HasPrefix(what, "GET") && time.Now().Before(closes) {
						time.Sleep(time.Until(closes) + 5*time.Second)
					}
					return nil
				}
				time.Sleep(time.Until(closes) - 10*time.Second)
				if tt.fault != "" {
					w.fault(tt.fault)
				}
				res := w.pass()
				var late []string
				routing, _ := writes(w.tap, closes)
				for _, what := range routing {
					method, path, _ := strings.Cut(what, " ")
					late = append(late, method+" "+path[strings.LastIndex(path, "/")+1:])
				}
				if diff := cmp.Diff(tt.late, late); diff != "" {
					t.Errorf("after the end:\n%s", diff)
				}
				i := slices.IndexFunc(res.Changes, func(c *plan.Change) bool { return c.Key == email })
				if i < 0 {
					t.Fatal(show(res))
				}
				c := res.Changes[i]
				got := string(c.Outcome)
				for _, fc := range c.Deferred {
					got += ", " + string(fc.Field)
				}
				if got != tt.result || time.Now().Before(closes) {
					t.Errorf("%s, not %s, at %s:\n%s", got, tt.result, time.Now().UTC(), show(res))
				}
				time.Sleep(time.Until(w.Policy.Schedule.Windows.Opens(time.Now())))
				w.pass()
				w.settled()
			})
		})
	}
}

// What waits is found again by a pass that reads nothing, and is not taken for done with what went at once.
func TestWhatWaitsIsNotDone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, sim.Options{Users: 1, Full: true})
		w.Policy.Schedule = hours(t, "Mon 01:00-02:00 UTC")
		w.declareAll("title: Moved\nskills: {Billing: 1}")
		if res := w.pass(); res.Applied != 1 || len(res.Changes[0].Deferred) != 1 {
			t.Fatal(show(res))
		}
		if s := w.Status(); s.InSync != 0 {
			t.Errorf("%d of %d are called in sync, of whom half waits", s.InSync, s.Users)
		}
		if e := w.told(w.sim.Users()[0].Email, false); e.Status != "deferred" || !strings.Contains(e.Why, "waits for the change window") {
			t.Errorf("who waits with half is %s: %s", e.Status, e.Why)
		}
		for range 2 {
			res, err := w.Reconcile(t.Context(), usersync.Mode{Strict: true, NoRefresh: true})
			if err != nil || res.Deferred != 1 || !res.Retry.Equal(time.Date(2000, 1, 3, 1, 0, 0, 0, time.UTC)) {
				t.Errorf("%v, next %s: %s", err, res.Retry, show(res))
			}
		}
		time.Sleep(time.Until(time.Date(2000, 1, 3, 1, 0, 0, 0, time.UTC)))
		res, err := w.Reconcile(t.Context(), usersync.Mode{Strict: true, NoRefresh: true})
		if err != nil || res.Applied != 1 {
			t.Errorf("%v: %s", err, show(res))
		}
		w.settled()
	})
}
