package plan_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"usersyncd/spec"
	"usersyncd/state"
	"usersyncd/sync/plan"
	"usersyncd/sync/plan/window"

	_ "time/tzdata" // the tests do not depend on the machine's
)

// It is Sunday, 2026-03-01 09:00 UTC, in these tests.
const nights = "Mon-Fri 20:00-06:00 Europe/Madrid"

const until = "waits for the change window, Mon 2026-03-02 20:00 CET:"

// hours is a schedule of some windows for the fields that touch routing.
func hours(t testing.TB, windows ...string) plan.Schedule {
	t.Helper()
	s := plan.Schedule{Fields: plan.RoutingFields()}
	for _, text := range windows {
		w, err := window.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		s.Windows = append(s.Windows, w)
	}
	return s
}

func TestPlanOutsideOfChangeWindows(t *testing.T) {
	skilled := func(u *spec.User, skills map[string]float64) *spec.User {
		u.Fields.Set(spec.Skills, spec.Proficiencies(skills))
		return u
	}
	has := func(u *state.User, skills map[string]float64) *state.User {
		u.Fields.Set(spec.Skills, spec.Proficiencies(skills))
		if u.LastApplied != nil {
			u.LastApplied.Set(spec.Skills, u.Fields.Get(spec.Skills))
		}
		return u
	}
	four, five, none := map[string]float64{"A": 4}, map[string]float64{"A": 5}, map[string]float64{}
	for _, tt := range []struct {
		name string
		tree *spec.Tree
		snap *state.Snapshot
		with func(*plan.Policy)
		want []string
	}{
		{
			name: "what touches routing waits, the rest goes",
			tree: tree(skilled(declared("a@x.example", "title", "New"), five)),
			snap: snapshot(has(known("1", "a@x.example", fields("title", "T"), "title", "T"), four)),
			want: []string{"planned: ~ update a@x.example (edit, u.yaml:1:1)\n    title: \"T\" -> \"New\"\n    " + until + "\n        skills: {A: 4} -> {A: 5}"},
		}, {
			name: "who needs nothing else waits whole",
			tree: tree(skilled(declared("a@x.example"), five)),
			snap: snapshot(has(known("1", "a@x.example", fields()), four)),
			want: []string{"deferred: ~ update a@x.example (edit, u.yaml:1:1) deferred\n    " + until + "\n        skills: {A: 4} -> {A: 5}"},
		}, {
			name: "within the window all of it goes",
			tree: tree(skilled(declared("a@x.example"), five)),
			snap: snapshot(has(known("1", "a@x.example", fields()), four)),
			with: func(p *plan.Policy) { p.Schedule = hours(t, "Sun 09:00-09:01 UTC") },
			want: []string{"planned: ~ update a@x.example (edit, u.yaml:1:1)\n    skills: {A: 4} -> {A: 5}"},
		}, {
			name: "drift waits, too",
			tree: tree(skilled(declared("a@x.example", "title", "T"), five)),
			snap: snapshot(func() *state.User {
				u := has(known("1", "a@x.example", fields("title", "T"), "title", "By hand"), four)
				u.LastApplied.Set(spec.Skills, spec.Proficiencies(five))
				return u
			}()),
			want: []string{"planned: ~ update a@x.example (drift, u.yaml:1:1)\n    title: \"By hand\" -> \"T\"\n    " + until + "\n        skills: {A: 4} -> {A: 5}"},
		}, {
			name: "what is left is as urgent as it is by itself",
			tree: tree(skilled(declared("a@x.example", "title", "New"), five), declared("b@x.example", "division", "EMEA")),
			snap: snapshot(has(known("1", "a@x.example", fields("title", "T"), "title", "T"), four), known("2", "b@x.example", fields("division", "APAC"), "division", "APAC")),
			want: []string{"planned: ~ update b@x.example (edit, u.yaml:1:1)\n    division: \"APAC\" -> \"EMEA\"",
				"planned: ~ update a@x.example (edit, u.yaml:1:1)\n    title: \"T\" -> \"New\"\n    " + until + "\n        skills: {A: 4} -> {A: 5}"},
		}, {
			name: "a leaver's change goes whole",
			tree: tree(skilled(declared("a@x.example", "state", "inactive"), none)),
			snap: snapshot(has(known("1", "a@x.example", fields("state", "active")), four)),
			want: []string{"planned: ~ update a@x.example (edit, u.yaml:1:1)\n    state: \"active\" -> \"inactive\"\n    skills: {A: 4} -> {}"},
		}, {
			name: "and so does what is left of it",
			tree: tree(skilled(declared("a@x.example", "state", "inactive"), none)),
			snap: snapshot(has(known("1", "a@x.example", fields("state", "inactive"), "state", "inactive"), four)),
			want: []string{"planned: ~ update a@x.example (edit, u.yaml:1:1)\n    skills: {A: 4} -> {}"},
		}, {
			name: "a removal goes",
			tree: tree(declared("b@x.example")),
			snap: snapshot(has(known("1", "a@x.example", fields()), four), known("2", "b@x.example", fields())),
			with: func(p *plan.Policy) { p.OnRemoval = plan.Deactivate },
			want: []string{"planned: - deactivate a@x.example (no longer declared)\n    state: \"active\" -> \"inactive\""},
		}, {
			name: "activation waits, and all that touches routing with it",
			tree: tree(skilled(declared("a@x.example", "state", "active", "title", "New"), five)),
			snap: snapshot(has(known("1", "a@x.example", fields("title", "T"), "title", "T", "state", "inactive"), four)),
			want: []string{"planned: ~ update a@x.example (edit, u.yaml:1:1)\n    title: \"T\" -> \"New\"\n    " + until +
				"\n        state: \"inactive\" -> \"active\"\n        skills: {A: 4} -> {A: 5}"},
		}, {
			name: "who is made goes whole",
			tree: tree(skilled(declared("a@x.example", "name", "A"), five)),
			snap: snapshot(),
			want: []string{"planned: + create a@x.example (not in Genesys, u.yaml:1:1)\n    email: \"a@x.example\"\n    name: \"A\"\n    skills: {A: 5}"},
		}, {
			name: "who is brought back goes whole",
			tree: tree(skilled(declared("a@x.example"), five)),
			snap: snapshot(has(known("1", "a@x.example", fields(), "state", "deleted"), four)),
			want: []string{"planned: + restore a@x.example (not in Genesys, u.yaml:1:1)\n    state: \"deleted\" -> \"active\"\n    skills: {A: 4} -> {A: 5}"},
		}, {
			name: "who is adopted waits",
			tree: tree(skilled(declared("a@x.example"), five)),
			snap: snapshot(has(known("1", "a@x.example", nil), four)),
			want: []string{"deferred: ~ update a@x.example (edit, u.yaml:1:1, managed from now on) deferred\n    " + until + "\n        skills: {A: 4} -> {A: 5}"},
		}, {
			name: "what a guard holds is held by day",
			tree: tree(skilled(declared("a@x.example"), none)),
			snap: snapshot(has(known("1", "a@x.example", fields()), four)),
			with: func(p *plan.Policy) { p.Guard.Losses = &plan.Limit{} },
			want: []string{"held: ~ update a@x.example (edit, u.yaml:1:1) held under p-...\n    skills: {A: 4} -> {} (held under p-...)"},
		}, {
			name: "and the user's other fields are not",
			tree: tree(skilled(declared("a@x.example", "title", "New"), none)),
			snap: snapshot(has(known("1", "a@x.example", fields("title", "T"), "title", "T"), four)),
			with: func(p *plan.Policy) { p.Guard.Losses = &plan.Limit{} },
			want: []string{"planned: ~ update a@x.example (edit, u.yaml:1:1)\n    title: \"T\" -> \"New\"\n    skills: {A: 4} -> {} (held under p-...)"},
		}, {
			name: "what a broken tree does not show waits, too",
			tree: &spec.Tree{ProblemList: spec.ProblemList{Problems: []spec.Problem{{Message: "broken"}}}},
			snap: snapshot(func() *state.User {
				u := has(known("1", "a@x.example", fields()), four)
				u.LastApplied.Set(spec.Skills, spec.Proficiencies(five))
				return u
			}()),
			want: []string{"deferred: ~ update a@x.example (drift, as last applied; the specs have problems) deferred\n    " + until + "\n        skills: {A: 4} -> {A: 5}"},
		}, {
			name: "other fields, if it is said so",
			tree: tree(skilled(declared("a@x.example", "title", "New"), five)),
			snap: snapshot(has(known("1", "a@x.example", fields("title", "T"), "title", "T"), four)),
			with: func(p *plan.Policy) { p.Schedule.Fields = []spec.Field{spec.Title} },
			want: []string{"planned: ~ update a@x.example (edit, u.yaml:1:1)\n    skills: {A: 4} -> {A: 5}\n    " + until + "\n        title: \"T\" -> \"New\""},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := policy()
			p.Schedule = hours(t, nights)
			if tt.with != nil {
				tt.with(&p)
			}
			plan := plan.New(tt.tree, tt.snap, p, nil, now)
			got := []string{}
			for _, c := range plan.Changes {
				line := string(c.Outcome) + ": " + c.String()
				for _, h := range plan.Holds {
					line = strings.ReplaceAll(line, h.ID, "p-...")
				}
				got = append(got, line)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
			if len(plan.Changes) > 0 && plan.Converged() {
				t.Error("it counts as done")
			}
		})
	}
}

// The plan has the same id whether its changes wait for a window or not, and the JSON says what waits until when.
func TestWhatWaitsIsNamed(t *testing.T) {
	p := policy()
	p.Schedule = hours(t, nights)
	plan := func(at time.Time) *plan.Plan {
		u := declared("a@x.example", "title", "New", "state", "active")
		return plan.New(tree(u), snapshot(known("1", "a@x.example", fields("title", "T"), "title", "T", "state", "inactive")), p, nil, at)
	}
	sunday, tuesday, within := plan(now), plan(now.Add(48*time.Hour)), plan(now.Add(36*time.Hour))
	if sunday.ID != tuesday.ID || sunday.ID != within.ID {
		t.Errorf("ids: %s, %s and within a window %s", sunday.ID, tuesday.ID, within.ID)
	}
	data, err := json.Marshal(sunday.Changes[0])
	if err != nil {
		t.Fatal(err)
	}
	want := `{"email":"a@x.example","id":"1","group":"access","file":"u.yaml","line":1,"column":1,"cause":"edit","action":"update","fields":[{"field":"title","before":"T","after":"New"}],` +
		`"result":"planned","deferred":[{"field":"state","before":"inactive","after":"active"}],"until":"2026-03-02T19:00:00Z"}`
	if diff := cmp.Diff(want, string(data)); diff != "" {
		t.Error(diff)
	}
	if data, err = json.Marshal(within.Changes[0]); err != nil || strings.Contains(string(data), "until") || strings.Contains(string(data), "deferred") {
		t.Errorf("nothing waits: %s, %v", data, err)
	}
}

// Whether something waits changes nothing about what guards hold.
func TestGuardsLookAtWhatWaits(t *testing.T) {
	losing := func(p plan.Policy) []plan.Hold {
		var declarations []*spec.User
		var users []*state.User
		for _, id := range []string{"a", "b", "c"} {
			d, u := declared(id+"@x.example"), known(id, id+"@x.example", fields())
			d.Fields.Set(spec.Skills, spec.Proficiencies(map[string]float64{}))
			u.Fields.Set(spec.Skills, spec.Proficiencies(map[string]float64{"A": 1}))
			u.LastApplied.Set(spec.Skills, u.Fields.Get(spec.Skills))
			declarations, users = append(declarations, d), append(users, u)
		}
		p.Guard.Losses = &plan.Limit{Percent: 50}
		return plan.New(tree(declarations...), snapshot(users...), p, nil, now).Holds
	}
	always, scheduled := policy(), policy()
	scheduled.Schedule = hours(t, nights)
	if diff := cmp.Diff(losing(always), losing(scheduled)); diff != "" || len(losing(always)) != 1 {
		t.Errorf("%s%v", diff, losing(always))
	}
	if !slices.Equal(losing(scheduled)[0].Users, []string{"a@x.example", "b@x.example", "c@x.example"}) {
		t.Error(losing(scheduled))
	}
}

func TestAlways(t *testing.T) {
	at := time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)
	for _, s := range []plan.Schedule{{}, hours(t), hours(t, "Mon-Sun 00:00-24:00 Europe/Madrid"),
		hours(t, "Mon-Sun 06:00-18:00 UTC", "Mon-Sun 18:00-06:00 UTC"), {Windows: hours(t, "Mon 00:00-01:00 UTC").Windows}} {
		if closes := s.Closes(at); !closes.IsZero() {
			t.Errorf("%v closes at %s", s, closes)
		}
	}
}
