package sync_test

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	usersync "usersyncd/sync"
	"usersyncd/sync/genesys/sim"
)

// wish is a value of a field: as a spec says it, and as the simulator then holds it.
type wish struct{ yaml, there string }

// wishes are what is declared of the fields that hang under a user or are kept elsewhere. (TestConverges
// has those of the user itself.)
var wishes = map[string][]wish{
	"division":      {{"Home", `"Home"`}, {"EMEA", `"EMEA"`}},
	"skills":        {{"{}", `{}`}, {"{Billing: 4}", `{"Billing":4}`}, {"{Billing: 2.5, Refunds: 1, Sales: 0}", `{"Billing":2.5,"Refunds":1,"Sales":0}`}},
	"languages":     {{"{}", `{}`}, {"{Spanish: 5}", `{"Spanish":5}`}, {"{Spanish: 3, English: 1}", `{"English":1,"Spanish":3}`}},
	"profileSkills": {{"[]", `[]`}, {"[Chess, SQL]", `["Chess","SQL"]`}},
	"locations":     {{"[]", `[]`}, {"[{name: Madrid HQ, notes: 3rd}]", `["Madrid HQ: 3rd"]`}},
	"roles":         {{"[]", `[]`}, {"[Employee]", `["Employee in Home"]`}, {"[Agent, {role: Supervisor, divisions: [EMEA, \"*\"]}]", `["Agent in Home","Supervisor in *","Supervisor in EMEA"]`}},
	"queues":        {{"[]", `[]`}, {"[Billing ES]", `["Billing ES"]`}, {"[Sales EN, Billing ES]", `["Billing ES","Sales EN"]`}},
	"groups":        {{"[]", `[]`}, {"[Madrid]", `["Madrid"]`}, {"[Madrid, Dublin]", `["Dublin","Madrid"]`}},
	"utilization":   {{"{}", `{}`}, {"{message: {capacity: 9, interruptedBy: [call]}}", `{"message":{"maximumCapacity":9,"interruptableMediaTypes":["call"],"includeNonAcd":false}}`}},
	"voicemail":     {{"{alertTimeoutSeconds: 44}", `44`}, {"{alertTimeoutSeconds: 31}", `31`}},
	"externalIds":   {{"{}", `{}`}, {"{workday: \"W-%s\"}", `{"workday":"W-%s"}`}},
}

// All queues and groups of the simulator, by name.
var (
	queueNames = []string{"Billing EN", "Billing ES", "Complaints", "Retention", "Sales EN", "Sales ES", "Support DE", "Support EN"}
	groupNames = []string{"Austin", "Berlin", "Coaches", "Dublin", "Madrid", "Night shift"}
)

// under shows those fields of a user as the simulator holds them.
func (w *world) under(u sim.User) map[string]string {
	text := func(v any) string {
		data, err := json.Marshal(v)
		if err != nil {
			w.Fatal(err)
		}
		return string(data)
	}
	rated := func(k sim.Kind, byID map[string]float64) string {
		byName := map[string]float64{}
		for id, p := range byID {
			byName[w.sim.NameOf(k, id)] = p
		}
		return text(byName)
	}
	member := func(k sim.Kind, all ...string) string {
		in := []string{}
		for _, name := range all {
			if slices.Contains(w.sim.Members(k, w.sim.IDOf(k, name)), u.ID) {
				in = append(in, name)
			}
		}
		return text(in)
	}
	sorted := func(list []string) string { return text(append([]string{}, slices.Sorted(slices.Values(list))...)) }
	places, grants := []string{}, []string{}
	for _, p := range u.Locations {
		places = append(places, w.sim.NameOf(sim.Location, p.ID)+": "+p.Notes)
	}
	for _, g := range u.Grants {
		division := g.Division
		if division != "*" {
			division = w.sim.NameOf(sim.Division, division)
		}
		grants = append(grants, w.sim.NameOf(sim.Role, g.Role)+" in "+division)
	}
	own := map[string]sim.Capacity{}
	if u.Utilization != nil {
		maps.Copy(own, u.Utilization.Media)
	}
	external := map[string]string{}
	maps.Copy(external, u.ExternalIDs)
	return map[string]string{
		"division": text(w.sim.NameOf(sim.Division, u.Division)), "skills": rated(sim.Skill, u.Skills), "languages": rated(sim.Language, u.Languages),
		"profileSkills": sorted(u.ProfileSkills), "locations": sorted(places), "roles": sorted(grants),
		"queues": member(sim.Queue, queueNames...), "groups": member(sim.Group, groupNames...),
		"utilization": text(own), "voicemail": fmt.Sprint(u.Voicemail.OrDefault().AlertTimeoutSeconds), "externalIds": text(external),
	}
}

// Whatever is declared, whoever edits what meanwhile and whatever fails: once it stops, everything is as
// declared and a plan is empty. Who is not declared, and what is not, is byte for byte as it was, or as
// somebody else has made it.
func TestTheWholeUserConverges(t *testing.T) {
	t.Parallel() // it is one of the longest
	rapid.Check(t, func(r *rapid.T) {
		sc := drawWhole(r)
		var failure error
		synctest.Test(t, func(t *testing.T) { failure = sc.run(t) })
		if failure != nil {
			r.Fatal(failure)
		}
	})
}

// whole is a scenario, drawn before it runs.
type whole struct {
	org      sim.Options
	declared map[string]map[string]wish // by address, by field
	later    map[string]map[string]wish // what is declared instead, after the first pass
	faults   []sim.Fault
	edits    []int // what is edited by hand after each pass, by number
	kills    []int // at which call of each pass the process is killed; 0: not
	at       moment
	restart  bool
	window   string // when routing may be changed; "": always
}

func drawWhole(r *rapid.T) *whole {
	n := rapid.IntRange(2, 10).Draw(r, "users")
	sc := &whole{org: sim.Options{
		Users: n, Inactive: rapid.IntRange(0, 1).Draw(r, "inactive"), Full: true, Seed: rapid.Uint64Range(0, 9).Draw(r, "seed"), Latency: 20 * time.Millisecond,
		ReadLag:    time.Duration(rapid.IntRange(0, 3).Draw(r, "read lag")) * time.Second,
		QueueDelay: time.Duration(rapid.IntRange(0, 5).Draw(r, "queue delay")) * time.Second, NoVersionBump: rapid.Bool().Draw(r, "no bump"),
		NoGlobalGrants: rapid.Bool().Draw(r, "no global grants"), RestoreForgets: rapid.Bool().Draw(r, "restore forgets"), DropExpands: rapid.SampledFrom([]int{0, 0, 3}).Draw(r, "drop expands"),
		Quota: sim.Quota{Limit: rapid.SampledFrom([]int{60, 3000}).Draw(r, "limit")},
	}}
	var people []string
	for _, u := range sim.New(sc.org).Users() {
		people = append(people, u.Email)
	}
	people = append(people, "new0@example.com", "new1@example.com")
	sc.declared, sc.later = drawWishes(r, people), drawWishes(r, people)
	for _, words := range rapid.SliceOfN(rapid.SampledFrom([]string{
		"PUT 30% lost", "PUT 20% 503", "POST 20% 503", "DELETE 30% lost", "PATCH 20% conflict409", "PUT 20% conflict400", "10% spurious", "PATCH /api/v2/users/bulk 50% lost",
		"POST /api/v2/routing/* 40% lost", "POST /api/v2/groups/* 40% conflict409", "POST /api/v2/authorization/* 40% done=502", "GET 10% truncated", "POST /api/v2/users 40% lost", "PATCH 10% 429 retry-after=3",
	}), 0, 4).Draw(r, "faults") {
		f, err := sim.ParseFault(words)
		if err != nil {
			r.Fatal(err)
		}
		sc.faults = append(sc.faults, f)
	}
	sc.edits = rapid.SliceOfN(rapid.IntRange(0, 1000), 1, 3).Draw(r, "edits by hand")
	for range sc.edits {
		n, at := drawKill(r)
		sc.kills, sc.at = append(sc.kills, n), at
	}
	sc.restart = rapid.Bool().Draw(r, "restart")
	sc.window = rapid.SampledFrom([]string{"", "", "Mon-Sun 01:00-03:00 UTC", "Fri-Mon 22:00-06:00 Europe/Madrid", "Mon-Sun 00:00-00:01 UTC", "Sat 00:00-00:03 UTC"}).Draw(r, "window")
	return sc
}

func drawWishes(r *rapid.T, people []string) map[string]map[string]wish {
	all := map[string]map[string]wish{}
	for _, email := range people {
		if rapid.IntRange(0, 3).Draw(r, "declared") == 0 {
			continue
		}
		all[email] = map[string]wish{}
		for _, field := range slices.Sorted(maps.Keys(wishes)) {
			if rapid.Bool().Draw(r, field) {
				all[email][field] = rapid.SampledFrom(wishes[field]).Draw(r, field+" value")
			}
		}
	}
	return all
}

func (sc *whole) run(t *testing.T) error {
	w := newWorld(t, sc.org)
	defer w.close()
	for _, f := range sc.faults {
		w.sim.AddFault(f)
	}
	windows := []string{sc.window}
	if sc.window == "" {
		windows = nil
	}
	schedule := hours(t, windows...)
	w.Policy.Schedule = schedule
	before := map[string]string{} // of those who are never declared
	for _, u := range w.sim.Users() {
		before[u.ID] = w.sim.Snapshot(u.ID)
	}
	for i, number := range sc.edits {
		specs := sc.declared
		if i > 0 {
			specs = sc.later
		}
		sc.declare(w, specs)
		if n := sc.kills[i]; n > 0 {
			w.kill(sc.at, n, anyCall)
		} else {
			_, _ = w.once() // however it ends
		}
		sc.edit(w, number, before)
		if sc.restart {
			w.close()
			w.open()
			w.Policy.Schedule = schedule
		}
	}
	sc.declare(w, sc.later)
	was := map[string]map[string]string{}
	for _, u := range w.sim.Users() {
		was[u.ID] = w.under(u)
	}

	w.sim.ClearFaults()
	time.Sleep(25 * time.Hour) // what is read in turns is read once more
	var last *usersync.Result
	for range 4 {
		if now := time.Now(); schedule.Closes(now).Equal(now) {
			time.Sleep(time.Until(schedule.Windows.Opens(now)))
		}
		res, err := w.once()
		if err != nil {
			return err
		}
		if last = res; res.Changed == 0 {
			break
		}
		time.Sleep(2 * time.Minute)
	}
	if last.Changed != 0 || last.Failed != 0 {
		return fmt.Errorf("the fourth quiet pass still finds:\n%s%v", show(last), last.Failures)
	}
	return sc.check(w, was, before)
}

func (sc *whole) declare(w *world, specs map[string]map[string]wish) {
	var b strings.Builder
	b.WriteString("email: nobody@example.com\nname: Nobody\n") // so that there is a spec
	for _, email := range slices.Sorted(maps.Keys(specs)) {
		name, _, _ := strings.Cut(email, "@")
		u, _ := w.sim.User(email)
		fmt.Fprintf(&b, "---\nemail: %s\nname: %s\n", email, cmp.Or(u.Name, "New"))
		for _, field := range slices.Sorted(maps.Keys(specs[email])) {
			fmt.Fprintf(&b, "%s: %s\n", field, strings.ReplaceAll(specs[email][field].yaml, "%s", name))
		}
	}
	w.write("all.yaml", "%s", b.String())
}

// edit does something by hand, and notes what that makes of those who are not declared.
func (sc *whole) edit(w *world, number int, before map[string]string) {
	users := w.sim.Users()
	u := users[number%len(users)]
	skill, queue, group := w.sim.IDOf(sim.Skill, "Refunds"), w.sim.IDOf(sim.Queue, "Sales EN"), w.sim.IDOf(sim.Group, "Dublin")
	division := w.sim.IDOf(sim.Division, "APAC")
	switch number % 7 {
	case 0:
		w.sim.Edit(u.Email, func(u *sim.User) { u.Skills = map[string]float64{skill: 1.5}; u.Title = "By hand" })
	case 1:
		w.sim.SetMembers(sim.Queue, queue, append(w.sim.Members(sim.Queue, queue), u.ID)...)
	case 2:
		w.sim.SetMembers(sim.Group, group, u.ID)
	case 3:
		w.sim.Edit(u.Email, func(u *sim.User) { u.Grants = nil; u.Languages = nil })
	case 4:
		w.sim.Edit(u.Email, func(u *sim.User) { u.ExternalIDs = map[string]string{"badge": "B" + u.ID}; u.Utilization = nil })
	case 5:
		w.sim.Edit(u.Email, func(u *sim.User) { u.State = "deleted" })
	case 6:
		w.sim.Edit(u.Email, func(u *sim.User) { u.Division = division })
	}
	for _, u := range users {
		before[u.ID] = w.sim.Snapshot(u.ID)
	}
}

func (sc *whole) check(w *world, was map[string]map[string]string, before map[string]string) error {
	for _, u := range w.sim.Users() {
		if sc.declared[u.Email] == nil && sc.later[u.Email] == nil && u.Email != "nobody@example.com" {
			if diff := gocmp.Diff(before[u.ID], w.sim.Snapshot(u.ID)); diff != "" {
				return fmt.Errorf("%s is not declared and changed:\n%s", u.Email, diff)
			}
		}
	}
	return sc.asDeclared(w, was)
}

// asDeclared compares everybody with what is declared in the end; was is what others were, nil if it does not matter.
func (sc *whole) asDeclared(w *world, was map[string]map[string]string) error {
	for _, u := range w.sim.Users() {
		fields := sc.later[u.Email]
		if fields == nil || u.State == "deleted" && fields == nil {
			continue
		}
		name, _, _ := strings.Cut(u.Email, "@")
		is := w.under(u)
		for field, have := range is {
			want, managed := fields[field]
			if field == "roles" && u.State == "inactive" { // neither compared nor written meanwhile
				continue
			}
			if managed && strings.ReplaceAll(want.there, "%s", name) != have {
				return fmt.Errorf("%s: %s is %s, declared %s", u.Email, field, have, want.yaml)
			}
			_, once := sc.declared[u.Email][field]
			if then, known := was[u.ID]; known && !managed && !once && then[field] != have && !sc.org.RestoreForgets {
				return fmt.Errorf("%s: %s is not declared, was %s and is %s", u.Email, field, then[field], have)
			}
		}
	}
	return nil
}
