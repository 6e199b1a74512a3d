package report

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"usersyncd/spec"
	"usersyncd/spec/text"
	"usersyncd/state"
	usersync "usersyncd/sync"
	"usersyncd/sync/plan"
)

var update = flag.Bool("update", false, "write the golden files of testdata")

// golden compares a text with testdata/NAME.
func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(file, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatalf("%v; go test -update writes it", err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s (-want +got):\n%s", name, diff)
	}
}

// A change of a user of testdata's organization.
func change(action plan.Action, key, file string, fields ...plan.FieldChange) *plan.Change {
	c := &plan.Change{Key: key, Pos: spec.Pos{File: file, Line: 1}, Action: action, Cause: plan.Edit, Outcome: plan.Planned, Fields: fields}
	if action.Removes() {
		c.Pos, c.Cause = spec.Pos{}, plan.Removed
		c.Current = &state.User{Declared: state.Declaration{Key: key, File: file}}
	}
	for i := range c.Fields {
		c.Fields[i].Cause = c.Cause
	}
	return c
}

func textField(f spec.Field, before, after string) plan.FieldChange {
	return plan.FieldChange{Field: f, Before: spec.Text(before), After: spec.Text(after)}
}

func skills(before, after map[string]float64) plan.FieldChange {
	return plan.FieldChange{Field: spec.Skills, Before: spec.Proficiencies(before), After: spec.Proficiencies(after)}
}

func roles(before, after []spec.Role) plan.FieldChange {
	return plan.FieldChange{Field: spec.Roles, Before: spec.RoleList(before), After: spec.RoleList(after)}
}

// planned is the result of a plan with these changes.
func planned(users int, changes ...*plan.Change) *usersync.Result {
	res := &usersync.Result{Mode: "plan", DryRun: true, Plan: "p-a67b87a6", Users: users, Unchanged: users, Changes: changes}
	n := 0
	for _, c := range changes {
		if c.Outcome == plan.Planned {
			n++
		}
		if !c.Action.Removes() {
			res.Unchanged--
		}
	}
	res.Estimate = &usersync.Estimate{Calls: n, Seconds: float64(n) / 100}
	return res
}

// many are 591 changes of 12,009 users, as an organization has them on a Monday.
func many() *usersync.Result {
	address := func(i int) string { return fmt.Sprintf("agent%d@example.com", i) }
	file := func(i int) string { return fmt.Sprintf("sales/agent%d.yaml", i) }
	var all []*plan.Change
	add := func(action plan.Action, fields ...plan.FieldChange) {
		i := len(all) + 1
		all = append(all, change(action, address(i), file(i), fields...))
	}
	for range 6 {
		add(plan.Deactivate, textField(spec.State, "active", "inactive"))
	}
	for range 3 {
		add(plan.Update, textField(spec.State, "active", "inactive"))
	}
	agent, supervisor := spec.Role{Name: "Agent"}, spec.Role{Name: "Supervisor"}
	admin := spec.Role{Name: "Master Admin", Divisions: []string{"APAC", "Americas"}}
	add(plan.Update, roles([]spec.Role{agent, admin}, []spec.Role{supervisor}))
	add(plan.Update, roles([]spec.Role{{Name: "Agent", Divisions: []string{"APAC"}}}, []spec.Role{supervisor}), textField(spec.Title, "Agent", "Team lead"))
	for range 2 {
		i := len(all) + 1
		c := change(plan.Update, fmt.Sprintf("agent%d.new@example.com", i), file(i), textField(spec.Email, address(i), fmt.Sprintf("agent%d.new@example.com", i)))
		all = append(all, c)
	}
	for i := range 15 {
		c := change(plan.Create, fmt.Sprintf("new%d@example.com", i), fmt.Sprintf("sales/new%d.yaml", i),
			plan.FieldChange{Field: spec.Email, After: spec.Text(fmt.Sprintf("new%d@example.com", i))},
			plan.FieldChange{Field: spec.Name, After: spec.Text(fmt.Sprintf("New %d", i))},
			plan.FieldChange{Field: spec.Department, After: spec.Text("Sales")})
		all = append(all, c)
	}
	for range 412 {
		add(plan.Update, textField(spec.Department, "Support", "Sales"))
	}
	for i := range 120 {
		add(plan.Adopt, textField(spec.Title, "Agent", fmt.Sprintf("Agent %d", i%100)))
	}
	for i := range 31 {
		add(plan.Update, skills(map[string]float64{"Billing": 2, "Fraud": 1}, map[string]float64{"Billing": 4, fmt.Sprintf("Skill %d", i%30): 3}))
	}
	return planned(12009, all...)
}

func show(o Text, res *usersync.Result) []byte {
	var b bytes.Buffer
	if o.Now = time.Date(2026, 3, 1, 10, 0, 0, 0, time.UTC); res.DryRun {
		o.Plan(&b, res)
	} else {
		o.Result(&b, res)
	}
	return b.Bytes()
}

// held are 107 removals of one folder, which a guard holds.
func held() *usersync.Result {
	var all []*plan.Change
	hold := plan.Hold{ID: "p-a58da255", Guard: "max-removals", Reason: "would remove 107 of 500 managed users; the limit is 25 (--max-removals 5%,10)"}
	for i := range 107 {
		c := change(plan.Deactivate, fmt.Sprintf("agent%d@example.com", i), fmt.Sprintf("back-office/agent%d.yaml", i), textField(spec.State, "active", "inactive"))
		c.Outcome, c.Hold = plan.Held, hold.ID
		all, hold.Users = append(all, c), append(hold.Users, c.Key)
	}
	res := planned(393, all...)
	res.Held, res.Holds, res.Unchanged = 107, []plan.Hold{hold}, 393
	return res
}

// mixed has everything that is not planned and not applied.
func mixed(outcome plan.Outcome) []*plan.Change {
	opens := time.Date(2026, 3, 2, 20, 0, 0, 0, time.UTC)
	drift := change(plan.Update, "drift@example.com", "a.yaml", textField(spec.Title, "By hand", "Agent"))
	drift.Fields[0].Cause = plan.Drift
	deferred := change(plan.Update, "window@example.com", "a.yaml")
	deferred.Outcome, deferred.Until = plan.Deferred, opens
	deferred.Deferred = []plan.FieldChange{skills(map[string]float64{}, map[string]float64{"Billing": 3})}
	partly := change(plan.Update, "partly@example.com", "a.yaml", textField(spec.Title, "Agent", "Coach"))
	partly.Until, partly.Deferred = opens, deferred.Deferred
	partly.Withheld = []plan.Withheld{{FieldChange: roles([]spec.Role{}, []spec.Role{{Name: "Admin"}}), Reason: plan.ByGuard, Hold: "p-1c2d3e4f"}}
	reported := change(plan.Update, "reported@example.com", "a.yaml")
	reported.Drift = []plan.FieldChange{textField(spec.Department, "By hand", "Sales")}
	var waits []*plan.Change
	for i := range 3 {
		c := change(plan.Update, fmt.Sprintf("report%d@example.com", i), "a.yaml", textField(spec.Manager, "", "boss@example.com"))
		c.Outcome, c.WaitsFor = plan.Skipped, "boss@example.com"
		waits = append(waits, c)
	}
	gone := change(plan.Unmanage, "gone@example.com", "a.yaml")
	for _, c := range []*plan.Change{drift, partly, reported, gone} {
		c.Outcome = outcome
	}
	return append(waits, drift, deferred, partly, reported, gone)
}

// once is the result of a pass of which much went wrong.
func once() *usersync.Result {
	res := &usersync.Result{Mode: "once", Users: 500, Applied: 4, Failed: 7, Unchanged: 489, Calls: usersync.Calls{Total: 20, Reads: 9, Writes: 11}, Seconds: 0.71,
		Changes: append(mixed(plan.Applied), change(plan.Deactivate, "leaver@example.com", "b.yaml", textField(spec.State, "active", "inactive")),
			change(plan.Update, "lead@example.com", "b.yaml", roles([]spec.Role{}, []spec.Role{{Name: "Supervisor"}})))}
	for _, c := range res.Changes[len(res.Changes)-2:] {
		c.Outcome = plan.Applied
	}
	res.RollbackWith = "usersyncd rollback --revision 3f0c1d2e4b5a"
	for i := range 6 {
		c := change(plan.Update, fmt.Sprintf("agent%d@example.com", i), fmt.Sprintf("support/agent%d.yaml", i), textField(spec.Title, "a", "b"))
		c.Outcome, c.Err = plan.Failed, errors.New("no")
		id := fmt.Sprintf("3b61ed2c-86ec-4f32-bb2c-%012d", i)
		res.Changes = append(res.Changes, c)
		res.Failures = append(res.Failures, usersync.Failure{Email: c.Key, File: c.Pos.File, Line: 1, Status: 400, Code: "bad.request", CorrelationID: id,
			Message: "PATCH /api/v2/users/" + id + ": refused: 400 bad.request: A fault of the simulator. (correlation id " + id + ")"})
	}
	res.Failures = append(res.Failures, usersync.Failure{Email: "luis.gomez@example.com", File: "madrid/luis.yaml", Line: 4, Status: 403,
		Message: "needs routing:skill:assign: add it to a role of the OAuth client"})
	return res
}

func TestTexts(t *testing.T) {
	one := planned(500, change(plan.Update, "ana.perez@example.com", "madrid/ana.yaml", textField(spec.Department, "Sales", "Support")))
	var thirty, thousands []*plan.Change
	for i := range 30 {
		title, address := []string{"Coach", "Planner", "Quality analyst"}[i%7%3], fmt.Sprintf("agent%d@example.com", i)
		thirty = append(thirty, change(plan.Update, address, "a.yaml", textField(spec.Title, title, "Specialist")))
	}
	for i := range 12000 {
		department := []string{"Sales", "Support", "Billing", "Retention", "Back office"}[i%5]
		thousands = append(thousands, change(plan.Update, fmt.Sprintf("agent%d@example.com", i), "a.yaml", textField(spec.Department, department, "Operations")))
	}
	withMixed := planned(20, mixed(plan.Planned)...)
	withMixed.Notes = []string{"a note"}
	for name, tt := range map[string]struct {
		res  *usersync.Result
		with Text
	}{
		"plan-1.txt":       {res: one},
		"plan-30.txt":      {res: planned(500, thirty...)},
		"plan-591.txt":     {res: many()},
		"plan-12000.txt":   {res: planned(12009, thousands...)},
		"plan-none.txt":    {res: planned(500)},
		"plan-hires.txt":   {res: planned(63, hires(13)...)},
		"plan-held.txt":    {res: held(), with: Text{DetailsCommand: "usersyncd plan --details users"}},
		"plan-mixed.txt":   {res: withMixed},
		"plan-details.txt": {res: withMixed, with: Text{Details: true}},
		"plan-120.txt":     {res: many(), with: Text{Columns: 200}},
		"plan-60.txt":      {res: many(), with: Text{Columns: 40}},
		"plan-color.txt":   {res: withMixed, with: Text{Color: true}},
		"once.txt":         {res: once()},
	} {
		t.Run(name, func(t *testing.T) { golden(t, name, show(tt.with, tt.res)) })
	}
}

// The order of changes does not matter, every user is counted, whoever is removed or renamed or whose access changes is
// named, and only what cannot be broken is wider than the page.
func TestTextLaw(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		actions := rapid.SampledFrom([]plan.Action{plan.Update, plan.Adopt, plan.Create, plan.Deactivate, plan.Delete, plan.Unmanage, plan.Restore})
		values := rapid.SampledFrom([]string{"a", "b", "c"})
		fields := rapid.SampledFrom([]spec.Field{spec.Title, spec.Department, spec.Email, spec.Division, spec.Name})
		var changes []*plan.Change
		for i := range rapid.IntRange(0, 200).Draw(t, "users") {
			f := fields.Draw(t, "field")
			c := change(actions.Draw(t, "action"), fmt.Sprintf("u%d@x.example", i), "a.yaml", textField(f, values.Draw(t, "before"), values.Draw(t, "after")))
			changes = append(changes, c)
		}
		o := Text{Columns: rapid.SampledFrom([]int{0, 40, 60, 80, 120, 200}).Draw(t, "columns")}
		res := planned(1000, changes...)
		out := string(show(o, res))
		rand.Shuffle(len(res.Changes), func(i, j int) { res.Changes[i], res.Changes[j] = res.Changes[j], res.Changes[i] })
		if again := string(show(o, res)); again != out {
			t.Fatalf("another order gives\n%s\nnot\n%s", again, out)
		}
		users := 0
		for _, s := range Sections(res) {
			users += s.Users
		}
		if users != len(changes) {
			t.Fatalf("%d users, not %d", users, len(changes))
		}
		named := map[plan.Group]int{}
		for _, c := range changes {
			if g := c.Group(); namesUsers(g) {
				named[g]++
			}
		}
		for _, c := range changes {
			if g := c.Group(); namesUsers(g) && named[g] <= mostNamed && !strings.Contains(out, c.Key) {
				t.Fatalf("%s of the group %s is not named in\n%s", c.Key, g, out)
			}
		}
		for line := range strings.SplitSeq(out, "\n") {
			if !strings.Contains(line, `"`) && !strings.HasPrefix(line, "  - ") && text.Columns(line) > o.columns() {
				t.Fatalf("%d columns are more than %d:\n%s", text.Columns(line), o.columns(), line)
			}
		}
	})
}

// Changes that differ only in what has no room on the line are not taken for equal, and of what gives access 50 parts are named.
func TestLongListsDiffer(t *testing.T) {
	add := func(n int, last string) plan.FieldChange {
		list := make([]spec.Role, n)
		for i := range list {
			list[i].Name = fmt.Sprintf("Role %02d", i)
		}
		return roles([]spec.Role{{Name: "Agent"}}, append(list, spec.Role{Name: last}))
	}
	got := string(show(Text{}, planned(9, change(plan.Update, "a@example.com", "a.yaml", add(30, "Z admin")), change(plan.Update, "b@example.com", "b.yaml", add(30, "Z guest")),
		change(plan.Update, "c@example.com", "c.yaml", add(60, "Z admin")), change(plan.Update, "d@example.com", "d.yaml", add(60, "Z guest")))))
	for _, want := range []string{"  ~ a@example.com (a.yaml:1)\n", "+Role 29 +Z admin -Agent\n", "  ~ b@example.com (b.yaml:1)\n", "+Role 29 +Z guest -Agent\n",
		"  ~ c@example.com (c.yaml:1)\n", "+Role 49 and 12 more\n", "  ~ d@example.com (d.yaml:1)\n"} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is missing in\n%s", want, got)
		}
	}
}

func TestDescribe(t *testing.T) {
	list := func(names ...string) spec.Value { return spec.Strings(names) }
	for _, tt := range []struct {
		change plan.FieldChange
		want   string
	}{
		{textField(spec.Title, "a", "b"), `title: "a" -> "b"`},
		{plan.FieldChange{Field: spec.Queues, After: list("Sales")}, `queues: Sales`},
		{plan.FieldChange{Field: spec.Queues, Before: list("A b", "C"), After: list("C", "D -E", "F (1)")}, `queues: +"D -E" +"F (1)" -A b`},
		{plan.FieldChange{Field: spec.Roles, After: spec.RoleList([]spec.Role{{Name: "Agent"}, {Name: "Team Lead (1)", Divisions: []string{"APAC", "EMEA"}}})}, `roles: Agent, "Team Lead (1)" (APAC), "Team Lead (1)" (EMEA)`},
		{plan.FieldChange{Field: spec.Roles, After: spec.RoleList(nil)}, `roles: []`},
		{skills(map[string]float64{"Sales": 2, "Fraud": 1}, map[string]float64{"Sales": 4, "Billing": 3}), `skills: +Billing 3, -Fraud, Sales 2 -> 4`},
		{skills(map[string]float64{"Sales": 2}, map[string]float64{}), `skills: -Sales`},
		{roles([]spec.Role{{Name: "Agent"}, {Name: "Admin", Divisions: []string{"APAC", "*"}}}, []spec.Role{{Name: "Agent", Divisions: []string{"APAC"}}}), "roles: +Agent (APAC) -Admin (*) -Admin (APAC) -Agent"},
		{plan.FieldChange{Field: spec.Voicemail, Before: `{"alertTimeoutSeconds":30}`, After: `{"alertTimeoutSeconds":35,"sendEmailNotifications":true}`}, `voicemail: +sendEmailNotifications true, alertTimeoutSeconds 30 -> 35`},
	} {
		if got, whole := describe(tt.change); got != tt.want || whole != tt.want {
			t.Errorf("%s and %s, want %s", got, whole, tt.want)
		}
	}
}
