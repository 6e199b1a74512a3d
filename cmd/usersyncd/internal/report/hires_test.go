package report

import (
	"fmt"
	"strings"
	"testing"

	"usersyncd/spec"
	"usersyncd/sync/plan"
)

// hires are new users with every field that people declare: with two sets of roles, and a user with others.
func hires(n int) (all []*plan.Change) {
	for i := range n {
		key := fmt.Sprintf("new%d@example.com", i)
		role := spec.Role{Name: "Agent"}
		switch {
		case i == 5:
			role = spec.Role{Name: "Team lead", Divisions: []string{"APAC", "EMEA"}}
		case i%4 == 0:
			role = spec.Role{Name: "Agent", Divisions: []string{"EMEA"}}
		}
		var fields []plan.FieldChange
		add := func(f spec.Field, v spec.Value) { fields = append(fields, plan.FieldChange{Field: f, After: v}) }
		add(spec.Email, spec.Text(key))
		add(spec.Name, spec.Text(fmt.Sprint("New ", i)))
		add(spec.Title, spec.Text([]string{"Agent", "Senior agent"}[i%2]))
		add(spec.Department, spec.Text("Sales"))
		add(spec.Manager, spec.Text("priya.gomez@example.com"))
		add(spec.Division, spec.Text("EMEA"))
		add(spec.Employer, spec.Value(fmt.Sprintf(`{"officialName":"New %d","employeeType":"Full-time"}`, i)))
		add(spec.Skills, spec.Proficiencies(map[string]float64{"Sales": float64(i % 5)}))
		add(spec.Languages, spec.Proficiencies(map[string]float64{"German": 3}))
		add(spec.Roles, spec.RoleList([]spec.Role{{Name: "employee"}, role}))
		add(spec.Queues, spec.Strings([]string{"Complaints", fmt.Sprint("Sales ", i%3)}))
		add(spec.Groups, spec.Strings([]string{"Austin"}))
		all = append(all, change(plan.Create, key, fmt.Sprintf("sales/new%d.yaml", i), fields...))
	}
	return all
}

// Many new users fit on a page, and each is named with the access it gets; of few, every field is shown.
func TestHiresFitOnAPage(t *testing.T) {
	for _, columns := range []int{0, 120} {
		got := string(show(Text{Columns: columns}, planned(63, hires(13)...)))
		if n := strings.Count(got, "\n"); n > 24 {
			t.Errorf("%d lines", n)
		}
		for i := range 13 {
			if !strings.Contains(got, fmt.Sprintf("new%d@example.com", i)) {
				t.Errorf("%d is not named", i)
			}
		}
		for _, want := range []string{"roles: Agent, employee;", "roles: Agent (EMEA), employee;", "roles: Team lead (APAC), Team lead (EMEA), employee;"} {
			if !strings.Contains(got, want) {
				t.Errorf("%q is missing", want)
			}
		}
		if t.Failed() {
			t.Fatal(got)
		}
	}
	var many []*plan.Change // without access, and all different in two fields
	for i := range 30 {
		key := fmt.Sprintf("new%d@example.com", i)
		many = append(many, change(plan.Create, key, "new.yaml", plan.FieldChange{Field: spec.Email, After: spec.Text(key)},
			plan.FieldChange{Field: spec.Title, After: spec.Text(fmt.Sprint("Title ", i))}, plan.FieldChange{Field: spec.Department, After: spec.Text("Sales")}))
	}
	if got := string(show(Text{}, planned(63, many...))); !strings.Contains(got, "+ 30 users: create, title, department: 30 different changes\n") {
		t.Error(got)
	}
	got := string(show(Text{}, planned(63, hires(4)...)))
	for _, want := range []string{`name: "New 0"`, `name: "New 1"`, `name: "New 3"`, `officialName: "New 0"`, `queues: Complaints, Sales 0`, `skills: {Sales: 1}`} {
		if !strings.Contains(got, want) {
			t.Fatalf("%q is missing in\n%s", want, got)
		}
	}
}

// Of new users, too, everybody who is given a role, a group or a division is named, with what is given, and comes first.
func TestCreationsWithAccess(t *testing.T) {
	created := func(i int, fields ...plan.FieldChange) *plan.Change {
		key := fmt.Sprintf("new%d@example.com", i)
		return change(plan.Create, key, "new.yaml", append(fields, plan.FieldChange{Field: spec.Email, After: spec.Text(key)})...)
	}
	var changes []*plan.Change
	for i := range 30 {
		changes = append(changes, created(i, plan.FieldChange{Field: spec.Title, After: spec.Text(fmt.Sprint("Title ", i))}))
	}
	role := func(name string) plan.FieldChange {
		return plan.FieldChange{Field: spec.Roles, After: spec.RoleList([]spec.Role{{Name: name}})}
	}
	for i := 30; i < 45; i++ {
		changes = append(changes, created(i, role("Agent")))
	}
	changes = append(changes, created(45, role("Master Admin")))
	for i := 46; i < 60; i++ {
		changes = append(changes, created(i, role(fmt.Sprint("Role ", i))))
	}
	got := string(show(Text{}, planned(60, changes...)))
	for i := 30; i < 60; i++ {
		if name := fmt.Sprintf("new%d@example.com", i); strings.Count(got, name) == 0 {
			t.Errorf("%s is not named", name)
		}
	}
	if strings.Contains(got, "Title 7") || !strings.Contains(got, "create, title: 30 different changes") || !strings.Contains(got, "+ new45@example.com (new.yaml:1)\n      roles: Master Admin\n") || strings.Index(got, "Master Admin") > strings.Index(got, "different changes") {
		t.Error(got)
	}
}
