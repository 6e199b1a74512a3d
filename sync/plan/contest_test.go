package plan_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"usersyncd/spec"
	"usersyncd/state"
	"usersyncd/sync/plan"
	"usersyncd/sync/plan/contest"
)

// repairOnce makes a plan at a time, of a user in whom somebody has changed fields, and records what was written.
// It returns the plan.
func repairOnce(t *testing.T, snap *state.Snapshot, u *spec.User, p plan.Policy, at time.Time) *plan.Plan {
	t.Helper()
	made := plan.New(tree(u), snap, p, nil, at)
	for _, recorded := range made.Record.Users {
		snap.Users[recorded.ID] = recorded
	}
	for _, c := range made.Changes {
		if c.Outcome != plan.Planned {
			continue
		}
		after := *c.Current
		after.Fields = slices.Clone(c.Current.Fields)
		var written []spec.Field
		for _, fc := range c.Fields {
			after.Fields.Set(fc.Field, fc.After)
			written = append(written, fc.Field)
		}
		c.Current = &after
		after.LastApplied = made.Applied(c, written)
		made.CountRepairs(c, &after, written, at)
		snap.Users[after.ID] = &after
	}
	return made
}

// tamper changes a field of the only user by hand.
func tamper(snap *state.Snapshot, f spec.Field, v spec.Value) {
	changed := *snap.Users["1"]
	changed.Fields = slices.Clone(changed.Fields)
	changed.Fields.Set(f, v)
	snap.Users["1"] = &changed
}

func fighter() (*spec.User, *state.Snapshot) {
	return declared("a@x.example", "title", "T"), snapshot(known("1", "a@x.example", fields("title", "T"), "title", "T"))
}

// A field that somebody changes all the time is repaired three times within an hour, and then after pauses of 15
// minutes to 6 hours.
func TestContestedFieldsAreRepairedLessAndLessOften(t *testing.T) {
	u, snap := fighter()
	var repaired []time.Duration
	for d := time.Duration(0); d < 40*time.Hour; d += time.Minute {
		tamper(snap, "title", spec.Text("Other"))
		before := snap.Users["1"]
		p := repairOnce(t, snap, u, policy(), now.Add(d))
		if snap.Users["1"].Fields.Get("title") != before.Fields.Get("title") {
			repaired = append(repaired, d)
			continue
		}
		c := p.Changes[0]
		if c.Outcome != plan.Skipped || len(c.Withheld) != 1 || c.Withheld[0].Reason != plan.ByContest || c.Retry != c.Withheld[0].Until || !c.Retry.After(now.Add(d)) {
			t.Fatalf("after %s: %v, retry %s", d, c, c.Retry)
		}
		if len(p.Contested) != 1 || len(p.AllNotes()) != 1 || !strings.Contains(p.AllNotes()[0], "title is contested for a@x.example") {
			t.Fatalf("after %s: %v", d, p.AllNotes())
		}
		if p.Converged() {
			t.Fatal("a plan that leaves a field alone says that the tree is applied")
		}
	}
	m := time.Minute
	want := []time.Duration{0, 1 * m, 2 * m, 17 * m, 47 * m, 107 * m, 227 * m, 467 * m, 827 * m, 1187 * m, 1547 * m, 1907 * m, 2267 * m}
	if !slices.Equal(repaired, want) {
		t.Errorf("repaired after %v, want %v", repaired, want)
	}
}

// Three repairs within more than an hour are no contest.
func TestDriftNowAndThen(t *testing.T) {
	u, snap := fighter()
	for d := time.Duration(0); d < 10*time.Hour; d += 31 * time.Minute {
		tamper(snap, "title", spec.Text("Other"))
		if p := repairOnce(t, snap, u, policy(), now.Add(d)); len(p.Contested) > 0 || snap.Users["1"].Fields.Get("title") != spec.Text("T") {
			t.Fatalf("after %s: %v", d, lines(p))
		}
	}
}

// What is found reverted in the same way each time, however far apart, is told after the third time. What was changed to
// something else, or declared otherwise, is another matter.
func TestRepairsThatNeverStick(t *testing.T) {
	for name, c := range map[string]struct {
		values []string // that somebody sets, a day apart
		told   []bool
	}{
		"the same":     {[]string{"A", "A", "A", "A", "A"}, []bool{false, false, false, true, true}},
		"now and then": {[]string{"A", "", "A", "", "A", "A"}, []bool{false, false, false, false, false, true}},
		"various":      {[]string{"A", "B", "A", "B", "A", "B"}, []bool{false, false, false, false, false, false}},
		"another":      {[]string{"A", "A", "A", "B", "A", "A", "A", "A"}, []bool{false, false, false, false, false, false, false, true}},
	} {
		t.Run(name, func(t *testing.T) {
			u, snap := fighter()
			for day, v := range c.values {
				if v != "" {
					tamper(snap, "title", spec.Text(v))
				}
				p := repairOnce(t, snap, u, policy(), now.Add(time.Duration(day)*24*time.Hour))
				if told := slices.ContainsFunc(p.AllNotes(), func(n string) bool {
					return strings.HasPrefix(n, "title of a@x.example was changed back 3 times or more, and is each time found as before")
				}); told != c.told[day] || snap.Users["1"].Fields.Get("title") != spec.Text("T") {
					t.Fatalf("day %d: %q", day, p.AllNotes())
				}
			}
			tamper(snap, "title", spec.Text(c.values[len(c.values)-1]))
			u.Fields.Set("title", spec.Text("T2"))
			if p := repairOnce(t, snap, u, policy(), now.Add(30*24*time.Hour)); len(p.AllNotes()) > 0 || len(snap.Users["1"].Repairs) > 0 {
				t.Errorf("after an edit: %q, %v", p.AllNotes(), snap.Users["1"].Repairs)
			}
		})
	}
}

// A contest is over, and forgotten, when the spec changes the field or no longer has it, when nobody has changed the
// field back for an hour after the pause, and when the clock is set.
func TestTheEndOfAContest(t *testing.T) {
	for name, end := range map[string]func(u *spec.User, snap *state.Snapshot) time.Time{
		"edit": func(u *spec.User, _ *state.Snapshot) time.Time {
			u.Fields.Set("title", spec.Text("New"))
			return now.Add(5 * time.Minute)
		},
		"as the other": func(u *spec.User, _ *state.Snapshot) time.Time {
			u.Fields.Set("title", spec.Text("Other"))
			return now.Add(5 * time.Minute)
		},
		"taken out": func(u *spec.User, _ *state.Snapshot) time.Time {
			u.Fields = u.Fields.Without("title")
			return now.Add(5 * time.Minute)
		},
		"nobody changes": func(_ *spec.User, snap *state.Snapshot) time.Time {
			tamper(snap, "title", spec.Text("T"))
			return now.Add(80 * time.Minute)
		},
		"clock back":    func(*spec.User, *state.Snapshot) time.Time { return now.Add(-time.Hour) },
		"clock forward": func(*spec.User, *state.Snapshot) time.Time { return now.Add(24 * time.Hour) },
	} {
		u, snap := fighter()
		for i := range 3 {
			tamper(snap, "title", spec.Text("Other"))
			repairOnce(t, snap, u, policy(), now.Add(time.Duration(i)*time.Second))
		}
		tamper(snap, "title", spec.Text("Other"))
		if p := repairOnce(t, snap, u, policy(), now.Add(time.Minute)); len(p.Contested) != 1 || len(p.Todo()) != 0 {
			t.Fatalf("%s: three repairs and no contest: %v", name, lines(p))
		}
		p := repairOnce(t, snap, u, policy(), end(u, snap))
		if r := snap.Users["1"].Repairs[spec.Title]; len(p.Contested) > 0 || r.Pause > 0 || len(r.At) > 1 {
			t.Errorf("%s: still contested: %v %v", name, p.AllNotes(), r)
		}
		if got, want := snap.Users["1"].Fields.Get("title"), u.Fields.Get("title"); want != "" && got != want {
			t.Errorf("%s: the title is %s, declared %s", name, got, want)
		}
	}
}

// What takes access away is repaired in every plan, however often, and it is told.
func TestWhatTakesAccessAwayIsAlwaysRepaired(t *testing.T) {
	role := func(names ...string) spec.Value {
		var roles []spec.Role
		for _, name := range names {
			roles = append(roles, spec.Role{Name: name})
		}
		return spec.RoleList(roles)
	}
	for _, tt := range []struct {
		field       spec.Field
		ours, other spec.Value
		waits       bool
	}{
		{spec.State, spec.Text("inactive"), spec.Text("active"), false},
		{spec.State, spec.Text("active"), spec.Text("inactive"), true},
		{spec.Roles, role("Agent"), role("Agent", "Admin"), false},
		{spec.Roles, role("Agent"), role("Admin"), false},
		{spec.Roles, role("Agent", "Admin"), role("Agent"), true},
		{spec.Groups, spec.Strings([]string{"A"}), spec.Strings([]string{"A", "B"}), false},
		{spec.Groups, spec.Strings([]string{"A", "B"}), spec.Strings([]string{"A"}), true},
		{spec.Division, spec.Text("Home"), spec.Text("EMEA"), false},
		{spec.Queues, spec.Strings(nil), spec.Strings([]string{"A"}), true},
		{spec.Title, spec.Text("T"), spec.Text("Other"), true},
	} {
		u := declared("a@x.example")
		u.Fields.Set(tt.field, tt.ours)
		k := known("1", "a@x.example", fields())
		k.Fields.Set(tt.field, tt.ours)
		k.LastApplied.Set(tt.field, tt.ours)
		snap := snapshot(k)
		answers := plan.LookupResults{Names: map[spec.Ref]string{}}
		for _, ref := range spec.References(tt.field, tt.ours) {
			answers.Names[ref] = ""
		}
		repaired, told := 0, 0
		for i := range 60 {
			tamper(snap, tt.field, tt.other)
			at := now.Add(time.Duration(i) * time.Second)
			made := plan.New(tree(u), snap, policy(), &answers, at)
			told += min(1, len(made.Contested))
			for _, c := range made.Todo() {
				repaired++
				after := *c.Current
				after.Fields = slices.Clone(after.Fields)
				after.Fields.Set(tt.field, tt.ours)
				made.CountRepairs(c, &after, []spec.Field{tt.field}, at)
				snap.Users["1"] = &after
			}
		}
		want := map[bool]int{true: 3, false: 60}[tt.waits]
		if repaired != want || told != 57 {
			t.Errorf("%s %s instead of %s: repaired %d times, want %d, and told %d times", tt.field, tt.other, tt.ours, repaired, want, told)
		}
		if until, contested := contest.Until(snap.Users["1"], tt.field, now.Add(time.Minute)); !contested || until.After(now.Add(16*time.Minute)) {
			t.Errorf("%s: contested %v until %s", tt.field, contested, until)
		}
	}
}

// Where drift is only reported nothing is repaired, and nothing contested.
func TestReportedDriftIsNotContested(t *testing.T) {
	u, snap := fighter()
	p := policy()
	p.ReportDrift = true
	for i := range 100 {
		tamper(snap, "title", spec.Text(fmt.Sprint("Other ", i)))
		if made := repairOnce(t, snap, u, p, now.Add(time.Duration(i)*time.Second)); len(made.Contested)+len(made.AllNotes())+len(snap.Users["1"].Repairs) > 0 {
			t.Fatal(made.AllNotes())
		}
	}
}

// A user whom somebody activates again and again is one user who is deactivated, and does not use up the limit.
func TestOneLeaverDoesNotUseUpTheLimit(t *testing.T) {
	u := declared("a@x.example", "state", "inactive")
	snap := snapshot(known("1", "a@x.example", fields("state", "inactive"), "state", "inactive"))
	p := policy()
	p.Guard.Deactivations = &plan.Limit{Percent: 10, Floor: 5}
	for i := range 100 {
		tamper(snap, spec.State, spec.Text("active"))
		at := now.Add(time.Duration(i) * time.Minute)
		made := plan.New(tree(u), snap, p, nil, at)
		if len(made.Todo()) != 1 {
			t.Fatalf("the %dth time: %v %v", i, lines(made), made.Holds)
		}
		c := made.Todo()[0]
		after := *c.Current
		after.Fields = slices.Clone(after.Fields)
		after.Fields.Set(spec.State, spec.Text("inactive"))
		made.Count(c, c.Current, &after, []spec.Field{spec.State}, at)
		made.CountRepairs(c, &after, []spec.Field{spec.State}, at)
		snap.Users["1"], snap.Guards = &after, made.Guards
	}
}

// Notes stay short however many users are contested, and say the same as long as the same are.
func TestNotesOfManyContests(t *testing.T) {
	tr, snap := crowd(500, "title", "T")
	for _, u := range snap.Users {
		u.Repairs = map[spec.Field]state.Repair{spec.Title: {At: []time.Time{now}, Pause: time.Hour}}
	}
	p := plan.New(tr, snap, policy(), nil, now.Add(time.Minute))
	notes := p.AllNotes()
	if len(notes) != 1 || !strings.Contains(notes[0], "u0000@x.example, u0001@x.example, u0002@x.example and 497 more") {
		t.Errorf("%q", notes)
	}
	if later := plan.New(tr, snap, policy(), nil, now.Add(2*time.Minute)).AllNotes(); !slices.Equal(notes, later) {
		t.Errorf("%q became %q", notes, later)
	}
}

// Two contested fields of one user are withheld in the same order each time: the plan's id depends on it.
func TestContestedFieldsHaveAnOrder(t *testing.T) {
	tr, snap := crowd(1, "title", "T")
	tr.Users[0].Fields.Set(spec.Department, spec.Text("D"))
	for _, u := range snap.Users {
		u.Fields.Set(spec.Title, spec.Text("theirs"))
		u.Fields.Set(spec.Department, spec.Text("theirs"))
		u.LastApplied = slices.Clone(u.LastApplied)
		u.LastApplied.Set(spec.Department, spec.Text("D"))
		u.Repairs = map[spec.Field]state.Repair{
			spec.Title: {At: []time.Time{now}, Pause: time.Hour}, spec.Department: {At: []time.Time{now}, Pause: time.Hour},
		}
	}
	first := plan.New(tr, snap, policy(), nil, now.Add(time.Minute))
	if n := len(first.Changes[0].Withheld); n != 2 {
		t.Fatalf("%d fields are withheld", n)
	}
	for range 50 {
		if p := plan.New(tr, snap, policy(), nil, now.Add(time.Minute)); p.ID != first.ID || p.Changes[0].Withheld[0].Field != first.Changes[0].Withheld[0].Field {
			t.Fatalf("%v, then %v", first.Changes[0].Withheld, p.Changes[0].Withheld)
		}
	}
}
