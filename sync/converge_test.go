package sync_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	usersync "usersyncd/sync"
	"usersyncd/sync/genesys/sim"
)

// Whatever the organization is, whatever is declared, whoever edits meanwhile and whatever fails: once
// the faults stop, a pass or two make everything as declared, the next one finds nothing to do, and
// what is not declared is as it was.
func TestConverges(t *testing.T) {
	t.Parallel() // it is one of the longest
	rapid.Check(t, func(r *rapid.T) {
		sc := drawScenario(r)
		var failure error
		synctest.Test(t, func(t *testing.T) { failure = sc.run(t) })
		if failure != nil {
			r.Fatal(failure)
		}
	})
}

// A scenario is drawn whole before it runs, since a bubble may not draw.
type scenario struct {
	org      sim.Options
	declared map[string]map[string]string // by address: fields as YAML
	faults   []sim.Fault
	passes   []trouble
}

// trouble is one pass while things go wrong, and what happens after it.
type trouble struct {
	edited, restarted bool
	killed            int // at which call; 0: not
	at                moment
}

func drawScenario(r *rapid.T) *scenario {
	n := rapid.IntRange(1, 12).Draw(r, "users")
	sc := &scenario{declared: map[string]map[string]string{}, org: sim.Options{
		Users: n, Inactive: rapid.IntRange(0, n).Draw(r, "inactive"), Deleted: rapid.IntRange(0, 2).Draw(r, "deleted"),
		Seed: rapid.Uint64Range(0, 9).Draw(r, "seed"), Latency: 20 * time.Millisecond,
		ReadLag: time.Duration(rapid.IntRange(0, 2).Draw(r, "read lag")) * time.Second,
		Quota:   sim.Quota{Limit: rapid.SampledFrom([]int{20, 300}).Draw(r, "limit"), NoHeaders: rapid.Bool().Draw(r, "no headers")},
	}}
	for _, u := range sim.New(sc.org).Users() {
		if rapid.IntRange(0, 3).Draw(r, "declared") > 0 {
			sc.declare(r, u.Email, u.State == "deleted")
		}
	}
	for i := range rapid.IntRange(1, 3).Draw(r, "new users") {
		sc.declare(r, fmt.Sprintf("new%d@example.com", i), true)
	}
	for _, words := range rapid.SliceOfN(rapid.SampledFrom([]string{
		"PATCH 30% lost", "PATCH 20% conflict409", "PATCH 20% conflict400", "PATCH 10% spurious", "20% 503", "POST /api/v2/users 50% lost",
		"PATCH 20% edited", "10% html", "GET 20% truncated", "x1 revoked", "POST 30% drop", "PATCH 10% 429 retry-after=3",
	}), 0, 4).Draw(r, "faults") {
		f, err := sim.ParseFault(words)
		if err != nil {
			r.Fatal(err)
		}
		sc.faults = append(sc.faults, f)
	}
	for range rapid.IntRange(0, 2).Draw(r, "troubled passes") {
		p := trouble{edited: rapid.Bool().Draw(r, "edit by hand"), restarted: rapid.Bool().Draw(r, "restart")}
		p.killed, p.at = drawKill(r)
		sc.passes = append(sc.passes, p)
	}
	return sc
}

// drawKill draws at which call a process is killed, and when; 0 is not at all.
func drawKill(r *rapid.T) (n int, at moment) {
	if rapid.Bool().Draw(r, "killed") {
		n = rapid.IntRange(1, 15).Draw(r, "at the call")
	}
	return n, rapid.SampledFrom([]moment{unsent, unrecorded, unanswered}).Draw(r, "moment")
}

func (sc *scenario) declare(r *rapid.T, email string, named bool) {
	fields := map[string]string{}
	for _, field := range []struct {
		name   string
		values []string
	}{
		{"title", []string{`""`, `"Agent"`, `"Lead"`}}, {"department", []string{`""`, `"Sales"`, `"Zoë's"`}}, {"preferredName", []string{`""`, `"Bo"`}},
		{"state", []string{"active", "inactive"}}, {"acdAutoAnswer", []string{"true", "false"}},
		{"certifications", []string{"[]", "[PCI]", "[PCI, GDPR]"}},
		{"phones", []string{"[]", `[{type: work, number: "+34600000001"}]`, `[{type: work, extension: "4021"}]`,
			`[{type: work, number: "+34600000001", extension: "4021"}]`, `[{type: work, extension: "9021"}, {type: mobile, media: sms, number: "+34600000002"}]`}},
		{"emails", []string{"[]", "[{type: home, address: me@home.example}]"}},
		{"employer", []string{"{}", `{employeeId: "007"}`, `{employeeId: "008", employeeType: Contractor}`}},
	} {
		if rapid.Bool().Draw(r, field.name) {
			fields[field.name] = rapid.SampledFrom(field.values).Draw(r, field.name+" value")
		}
	}
	if named {
		fields["name"] = `"New Name"`
	}
	sc.declared[email] = fields
}

func (sc *scenario) run(t *testing.T) error {
	w := newWorld(t, sc.org)
	defer w.close()
	before := map[string]sim.User{}
	for _, u := range w.sim.Users() {
		before[u.Email] = u
	}
	for email, fields := range sc.declared {
		text := "email: " + email + "\n"
		for field, value := range fields {
			text += field + ": " + value + "\n"
		}
		w.write(email+".yaml", "%s", text)
	}
	for _, f := range sc.faults {
		w.sim.AddFault(f)
	}
	for _, p := range sc.passes {
		if p.killed > 0 {
			w.kill(p.at, p.killed, anyCall)
		} else {
			_, _ = w.once() // however it ends
		}
		if p.edited {
			w.sim.Edit("new0@example.com", func(u *sim.User) { u.Title = "Edited by hand" })
		}
		if p.restarted {
			w.close()
			w.open()
		}
	}

	w.sim.ClearFaults()
	var last *usersync.Result
	for range 3 {
		time.Sleep(time.Minute) // the search and the listings catch up
		res, err := w.once()
		if err != nil {
			return err
		}
		if last = res; res.Changed == 0 {
			break
		}
	}
	if last.Changed != 0 {
		return fmt.Errorf("the third quiet pass still finds:\n%s", show(last))
	}
	res, err := w.Reconcile(context.Background(), usersync.Mode{NoRefresh: true})
	if err != nil || res.Changed != 0 {
		return fmt.Errorf("without a refresh: %w\n%s", err, show(res))
	}
	return sc.check(w, before)
}

// check compares the organization with what was declared, and with what it was.
func (sc *scenario) check(w *world, before map[string]sim.User) error {
	for _, u := range w.sim.Users() {
		was, fields := before[u.Email], sc.declared[u.Email]
		if fields == nil {
			if diff := cmp.Diff(was, u); diff != "" {
				return fmt.Errorf("%s is not declared and changed:\n%s", u.Email, diff)
			}
			continue
		}
		is := map[string]string{"title": u.Title, "department": u.Department, "preferredName": u.PreferredName, "name": u.Name}
		for field, have := range is {
			if want, ok := fields[field]; ok && fmt.Sprintf("%q", have) != want {
				return fmt.Errorf("%s: %s is %q, not %s", u.Email, field, have, want)
			}
		}
		if want, ok := fields["state"]; ok && want != u.State || fields["acdAutoAnswer"] == fmt.Sprint(!u.ACDAutoAnswer) {
			return fmt.Errorf("%s: state %s, acdAutoAnswer %v, declared %v", u.Email, u.State, u.ACDAutoAnswer, fields)
		}
		if was.ID == "" {
			continue
		}
		for field, media := range map[string][]string{"phones": {"PHONE", "SMS"}, "emails": {"EMAIL"}} {
			if _, managed := fields[field]; !managed && cmp.Diff(of(was.Contacts, media...), of(u.Contacts, media...)) != "" {
				return fmt.Errorf("%s: %s are not declared and became %v", u.Email, field, u.Contacts)
			}
		}
		if u.Manager != was.Manager || strings.TrimRight(u.Biography, ".") != strings.TrimRight(was.Biography, ".") {
			return fmt.Errorf("%s: what nobody declares changed: %+v", u.Email, u)
		}
	}
	for email, asked := range w.sim.Ledger().Creates {
		if n := count(w.sim.Users(), email); n != 1 {
			return fmt.Errorf("%s exists %d times after %d creations", email, n, asked)
		}
	}
	return nil
}

func of(contacts []sim.Contact, media ...string) []sim.Contact {
	out := []sim.Contact{}
	for _, c := range contacts {
		for _, m := range media {
			if c.MediaType == m {
				out = append(out, c)
			}
		}
	}
	return out
}

func count(users []sim.User, email string) int {
	n := 0
	for _, u := range users {
		if strings.EqualFold(u.Email, email) {
			n++
		}
	}
	return n
}
