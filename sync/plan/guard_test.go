package plan_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"usersyncd/spec"
	"usersyncd/state"
	"usersyncd/sync/apply"
	"usersyncd/sync/plan"
)

// guarded is a policy with the program's own defaults.
func guarded(onRemoval plan.Action) plan.Policy {
	p := policy()
	p.OnRemoval = onRemoval
	p.Guard.Removals = &plan.Limit{Percent: 5, Floor: 10}
	p.Guard.Deactivations = &plan.Limit{Percent: 10, Floor: 20}
	p.Guard.Losses = &plan.Limit{Percent: 50, Floor: 20}
	return p
}

// crowd is n managed users, all of them declared as they are.
func crowd(n int, kv ...string) (*spec.Tree, *state.Snapshot) {
	t, s := tree(), snapshot()
	for i := range n {
		email := fmt.Sprintf("u%04d@x.example", i)
		t.Users = append(t.Users, declared(email, append([]string{"state", "active"}, kv...)...))
		u := known(fmt.Sprintf("id%04d", i), email, fields(append([]string{"state", "active"}, kv...)...), kv...)
		s.Users[u.ID] = u
	}
	return t, s
}

// outcomes counts what becomes of the changes.
func outcomes(p *plan.Plan) map[plan.Outcome]int {
	n := map[plan.Outcome]int{}
	for _, c := range p.Changes {
		n[c.Outcome]++
	}
	return n
}

func TestRemovalsAreLimited(t *testing.T) {
	for _, tt := range []struct {
		users, gone, lately int
		at                  time.Time // of those removed lately
		held                bool
	}{
		{users: 100, gone: 10},
		{users: 100, gone: 11, held: true},
		{users: 1000, gone: 50},
		{users: 1000, gone: 51, held: true},
		{users: 1000, gone: 310, held: true},
		{users: 1000, gone: 40, lately: 12, at: now.Add(-time.Hour)}, // 5 % of 1,000 is 50: 52 are too many
		{users: 1000, gone: 40, lately: 30, at: now.Add(-25 * time.Hour)},
		{users: 1000, gone: 1, lately: 60, at: now.Add(-23 * time.Hour), held: true},
	} {
		tt.held = tt.held || tt.lately > 0 && now.Sub(tt.at) < 24*time.Hour
		for _, action := range []plan.Action{plan.Unmanage, plan.Deactivate, plan.Delete} {
			tr, snap := crowd(tt.users)
			tr.Users = tr.Users[tt.gone:]
			snap.Guards.Tallies = []state.Tally{{At: tt.at, Removed: tt.lately}}
			p := plan.New(tr, snap, guarded(action), nil, now)
			want := map[bool]plan.Outcome{false: plan.Planned, true: plan.Held}[tt.held]
			if n := outcomes(p); n[want] != tt.gone || len(p.Changes) != tt.gone || (len(p.Holds) == 1) != tt.held {
				t.Errorf("%+v, %s: %v, holds %v", tt, action, n, p.Holds)
			}
		}
	}
}

func TestDeactivationsAreLimited(t *testing.T) {
	for _, tt := range []struct {
		inactive, lately int
		held             bool
	}{{inactive: 30}, {inactive: 31, held: true}, {inactive: 20, lately: 15, held: true}} {
		tr, snap := crowd(300)
		for _, u := range tr.Users[:tt.inactive] {
			u.Fields.Set(spec.State, spec.Text("inactive"))
		}
		tr.Users[299].Fields.Set(spec.Title, spec.Text("New"))
		snap.Guards.Tallies = []state.Tally{{At: now.Add(-time.Hour), Deactivated: tt.lately}}
		p := plan.New(tr, snap, guarded(""), nil, now)
		n := outcomes(p)
		if tt.held && (n[plan.Held] != tt.inactive || n[plan.Planned] != 1) || !tt.held && n[plan.Held] > 0 {
			t.Errorf("%+v: %v", tt, n)
		}
	}
}

func TestASkillIsNotTakenFromMany(t *testing.T) {
	both := spec.Proficiencies(map[string]float64{"Billing": 3, "Sales": 2})
	for _, tt := range []struct {
		losers int
		held   bool
	}{{losers: 30}, {losers: 31, held: true}} {
		tr, snap := crowd(100)
		for i, u := range tr.Users {
			u.Fields.Set(spec.Skills, both)
			if i >= 60 { // 60 have Billing
				u.Fields.Set(spec.Skills, spec.Proficiencies(map[string]float64{"Sales": 2}))
			}
			was := snap.Users[fmt.Sprintf("id%04d", i)]
			was.Fields.Set(spec.Skills, u.Fields.Get(spec.Skills))
			was.LastApplied.Set(spec.Skills, u.Fields.Get(spec.Skills))
			if i < tt.losers {
				u.Fields.Set(spec.Skills, spec.Proficiencies(map[string]float64{"Sales": 4}))
			}
		}
		answers := &plan.LookupResults{Names: map[spec.Ref]string{{Kind: spec.KindSkill, Name: "Sales"}: ""}}
		p := plan.New(tr, snap, guarded(""), answers, now)
		if n := outcomes(p); tt.held != (n[plan.Held] == tt.losers) || tt.held == (n[plan.Planned] == tt.losers) {
			t.Errorf("%+v: %v", tt, n)
		}
		if tt.held && !strings.Contains(p.Holds[0].Reason, `take the skill "Billing"`) {
			t.Errorf("held because %s", p.Holds[0].Reason)
		}
	}
}

func TestProtectedUsersAreNeverChanged(t *testing.T) {
	for _, who := range []string{"id0000", "U0000@X.example"} {
		for name, change := range map[string]func(*spec.Tree){
			"an edit":      func(tr *spec.Tree) { tr.Users[0].Fields.Set(spec.Title, spec.Text("New")) },
			"a rename":     func(tr *spec.Tree) { tr.Users[0] = declared("other@x.example"); tr.Users[0].ID = "id0000" },
			"deactivation": func(tr *spec.Tree) { tr.Users[0].Fields.Set(spec.State, spec.Text("inactive")) },
			"a removal":    func(tr *spec.Tree) { tr.Users = tr.Users[1:] },
		} {
			tr, snap := crowd(3)
			change(tr)
			pol := guarded(plan.Delete)
			pol.Guard.Protected = []string{who}
			p := plan.New(tr, snap, pol, nil, now)
			if len(p.Changes) != 1 || p.Changes[0].Outcome != plan.Held || p.Changes[0].Hold != "" {
				t.Errorf("%s of %s: %v", name, who, lines(p))
			}
		}
	}
}

// A name that protects nobody, for a slip of the pen, is told.
func TestProtectedNobody(t *testing.T) {
	tr, snap := crowd(1)
	pol := guarded("")
	pol.Guard.Protected = []string{"u0000@x.example", "id0000", "u0001@x.example"}
	if p := plan.New(tr, snap, pol, nil, now); len(p.Notes) != 1 || !strings.Contains(p.Notes[0], `"u0001@x.example"`) {
		t.Errorf("%v", p.Notes)
	}
}

func TestTheLastAdministratorsStay(t *testing.T) {
	admin := spec.RoleList([]spec.Role{{Name: "Master Admin"}})
	for name, tt := range map[string]struct {
		change  func(*spec.Tree)
		answers *plan.LookupResults
		asks    bool
		held    int
	}{
		"not asked yet":       {change: leave(0), asks: true},
		"one of three leaves": {change: leave(0), answers: &plan.LookupResults{AdminsRead: true, Admins: []string{"id0000", "id0001", "id0002"}}},
		"two of three leave": {change: func(tr *spec.Tree) { leave(0)(tr); leave(1)(tr) }, held: 2,
			answers: &plan.LookupResults{AdminsRead: true, Admins: []string{"id0000", "id0001", "id0002"}}},
		"one of two is removed": {change: func(tr *spec.Tree) { tr.Users = tr.Users[1:] }, held: 1,
			answers: &plan.LookupResults{AdminsRead: true, Admins: []string{"id0000", "id0001"}}},
		"one of two loses the role": {change: func(tr *spec.Tree) { tr.Users[0].Fields.Set(spec.Roles, spec.RoleList(nil)) }, held: 1,
			answers: &plan.LookupResults{AdminsRead: true, Admins: []string{"id0000", "id0001"}}},
		"others leave":      {change: leave(4), answers: &plan.LookupResults{AdminsRead: true, Admins: []string{"id0000", "id0001"}}},
		"it cannot be told": {change: leave(4), held: 1, answers: &plan.LookupResults{AdminsRead: true, AdminsErr: apply.ErrForbidden}},
	} {
		t.Run(name, func(t *testing.T) {
			tr, snap := crowd(5)
			tr.Users[0].Fields.Set(spec.Roles, admin)
			for id, u := range snap.Users {
				u.Fields.Set(spec.Roles, admin)
				u.Fields.Set(spec.Title, spec.Text("T"))
				if id == "id0000" {
					u.LastApplied.Set(spec.Roles, admin)
				}
			}
			tt.change(tr)
			pol := guarded(plan.Deactivate)
			pol.Guard.AdminRoles, pol.Guard.MinAdmins = []string{"Master Admin"}, 2
			p := plan.New(tr, snap, pol, tt.answers, now)
			if n := outcomes(p); n[plan.Held] != tt.held || len(p.Changes) == 0 {
				t.Errorf("%v", lines(p))
			}
			if asked := p.NeedsLookups(); asked != tt.asks {
				t.Errorf("asks %v", asked)
			}
		})
	}
}

func leave(i int) func(*spec.Tree) {
	return func(tr *spec.Tree) { tr.Users[i].Fields.Set(spec.State, spec.Text("inactive")) }
}

// What is given must be on the lists of the configuration; what a user has already need not be.
func TestWhatMayBeGiven(t *testing.T) {
	role := func(name string, divisions ...string) spec.Role { return spec.Role{Name: name, Divisions: divisions} }
	for name, tt := range map[string]struct {
		field      spec.Field
		have, want spec.Value
		refused    string // the name; "": nothing
	}{
		"a role on the list":         {field: spec.Roles, have: spec.RoleList(nil), want: spec.RoleList([]spec.Role{role("Agent")})},
		"a role that is not":         {spec.Roles, spec.RoleList(nil), spec.RoleList([]spec.Role{role("Admin")}), "Admin"},
		"a role that is there":       {field: spec.Roles, have: spec.RoleList([]spec.Role{role("Admin")}), want: spec.RoleList([]spec.Role{role("Admin"), role("Agent")})},
		"the same, elsewhere":        {spec.Roles, spec.RoleList([]spec.Role{role("Admin")}), spec.RoleList([]spec.Role{role("Admin", "EMEA")}), "Admin"},
		"a division that is not":     {spec.Roles, spec.RoleList(nil), spec.RoleList([]spec.Role{role("Agent", "Board")}), "Board"},
		"all divisions":              {spec.Roles, spec.RoleList(nil), spec.RoleList([]spec.Role{role("Agent", "*")}), "*"},
		"moved to a division":        {field: spec.Division, have: spec.Text("Home"), want: spec.Text("EMEA")},
		"moved to one that is not":   {spec.Division, spec.Text("Home"), spec.Text("Board"), "Board"},
		"a queue on the list":        {field: spec.Queues, have: spec.Strings(nil), want: spec.Strings([]string{"Billing"})},
		"a queue that is not":        {spec.Queues, spec.Strings(nil), spec.Strings([]string{"VIP"}), "VIP"},
		"a queue that is there":      {field: spec.Queues, have: spec.Strings([]string{"VIP"}), want: spec.Strings([]string{"VIP", "Billing"})},
		"fewer of what is not there": {field: spec.Queues, have: spec.Strings([]string{"VIP", "Billing"}), want: spec.Strings([]string{"Billing"})},
	} {
		tr, snap := crowd(1)
		tr.Users[0].Fields.Set(tt.field, tt.want)
		snap.Users["id0000"].Fields.Set(tt.field, tt.have)
		pol := guarded("")
		pol.Guard.Roles, pol.Guard.Divisions, pol.Guard.Queues = []string{"Agent"}, []string{"EMEA"}, []string{"Billing"}
		p := plan.New(tr, snap, pol, nil, now)
		if refused := len(p.Problems) == 1 && len(p.Changes) == 0; refused != (tt.refused != "") || refused && !strings.Contains(p.Problems[0].Message, `"`+tt.refused+`"`) {
			t.Errorf("%s: %v", name, lines(p))
		}
	}
}

// What is refused says what to type. Names are compared as those of specs are: case counts, and an accent may be a character of its own.
func TestRefusal(t *testing.T) {
	for _, tt := range []struct {
		allowed []string
		role    string
		want    string // what the message ends with; "": it is allowed
	}{
		{nil, "Agent", `"Agent" is not in --allow-roles; if it is intended, set --allow-roles Agent`},
		{[]string{"employee", "supervisor"}, "Employee",
			`"Employee" is not in --allow-roles, which has "employee": case counts; if it is intended, set --allow-roles employee,supervisor,Employee`},
		{[]string{"Agent"}, "Master Admin", `; if it is intended, set --allow-roles 'Agent,Master Admin'`},
		{[]string{"Agent"}, "Billing, EMEA", `; if it is intended, add it to allow-roles in the configuration`},
		{slices.Repeat([]string{"Agent"}, 50), "Other", `; if it is intended, add it to allow-roles in the configuration`},
		{[]string{"Te\u0301cnico"}, "T\u00e9cnico", ""},
		{[]string{"*"}, "Agent", ""},
	} {
		c := &plan.Change{Fields: []plan.FieldChange{{Field: spec.Roles, Before: spec.RoleList(nil), After: spec.RoleList([]spec.Role{{Name: tt.role}})}}}
		refused := (&plan.Guard{Roles: tt.allowed, Divisions: []string{"*"}}).Refuses(c)
		if tt.want == "" && len(refused) > 0 || tt.want != "" && (len(refused) != 1 || !strings.HasSuffix(refused[0].String(), tt.want)) {
			t.Errorf("%s, of %q: %v", tt.role, tt.allowed, refused)
		}
	}
}

// What is released is what was held, and nothing else; it stays released until it is done.
func TestRelease(t *testing.T) {
	tr, snap := crowd(100)
	tr.Users = tr.Users[20:]
	held := plan.New(tr, snap, guarded(plan.Deactivate), nil, now)
	if len(held.Holds) != 1 || len(held.Holds[0].Users) != 20 {
		t.Fatalf("holds %v", held.Holds)
	}
	snap.Releases = []string{held.Holds[0].ID}
	if n := outcomes(plan.New(tr, snap, guarded(plan.Deactivate), nil, now)); n[plan.Planned] != 20 {
		t.Errorf("released: %v", n)
	}
	more := *tr
	more.Users = tr.Users[1:] // somebody else's spec went meanwhile
	if n := outcomes(plan.New(&more, snap, guarded(plan.Deactivate), nil, now)); n[plan.Held] != 21 {
		t.Errorf("others are held by now: %v", n)
	}
	tr, snap = crowd(100) // as many, and one of them another
	snap.Releases = []string{held.Holds[0].ID}
	tr.Users = append(tr.Users[:1:1], tr.Users[21:]...)
	if n := outcomes(plan.New(tr, snap, guarded(plan.Deactivate), nil, now)); n[plan.Held] != 20 {
		t.Errorf("others, as many: %v", n)
	}
	snap.Releases, snap.Guards.Released = nil, []string{"max-removals id0005 delete"} // the policy was another
	if n := outcomes(plan.New(tr, snap, guarded(plan.Deactivate), nil, now)); n[plan.Held] != 20 {
		t.Errorf("released for something else: %v", n)
	}
}

// Only users that we manage, and only once it is certain that nobody declares them.
func TestWhoIsNeverRemoved(t *testing.T) {
	tr, snap := crowd(6)
	tr.Users = tr.Users[2:]
	snap.Users["id0000"].LastApplied = nil // was never ours
	p := plan.New(tr, snap, guarded(plan.Delete), nil, now)
	if len(p.Changes) != 1 || p.Changes[0].Current.ID != "id0001" {
		t.Errorf("%v", lines(p))
	}
	broken := *tr
	broken.Problems = []spec.Problem{{Message: "x"}}
	if p := plan.New(&broken, snap, guarded(plan.Delete), nil, now); slices.ContainsFunc(p.Changes, removes) {
		t.Errorf("with problems: %v", lines(p))
	}
	wrong := *tr
	wrong.Users = append([]*spec.User{declared("z@x.example", "name", "Z", "manager", "nobody@x.example")}, tr.Users...)
	if p := plan.New(&wrong, snap, guarded(plan.Delete), nil, now); !slices.ContainsFunc(p.Changes, removes) || len(p.Problems) != 1 {
		t.Errorf("with a reference that does not exist, which says nothing about who is there: %v", lines(p))
	}
	wrong.Users = append([]*spec.User{{Key: "z@x.example", ID: "nobody", Fields: fields("email", "z@x.example")}}, tr.Users...)
	nobody := &plan.LookupResults{IDs: map[string]bool{"nobody": true}}
	if p := plan.New(&wrong, snap, guarded(plan.Delete), nobody, now); slices.ContainsFunc(p.Changes, removes) || len(p.Problems) != 1 {
		t.Errorf("with a spec that may be of one of them: %v", lines(p))
	}
	pol := guarded(plan.Delete)
	pol.Select.Only = []string{"u0003@x.example"}
	if p := plan.New(tr, snap, pol, nil, now); slices.ContainsFunc(p.Changes, removes) {
		t.Errorf("of a selection: %v", lines(p))
	}
	snap.Damaged = 1
	if p := plan.New(tr, snap, guarded(plan.Delete), nil, now); len(p.Holds) != 1 {
		t.Errorf("with a damaged state file: %v", lines(p))
	}
}

func removes(c *plan.Change) bool { return c.Action.Removes() }
