package report

import (
	"usersyncd/spec"
	usersync "usersyncd/sync"
	"usersyncd/sync/plan"
)

// Totals count users by what is done with them, and by field.
type Totals struct {
	Groups map[plan.Group]int        `json:"groups"`
	Fields map[spec.Field]FieldTotal `json:"fields"`
}

// FieldTotal counts what changes of a field in the groups access and updates.
type FieldTotal struct {
	Users   int `json:"users"`
	Added   int `json:"added,omitempty"`   // of a list or map: entries that come
	Removed int `json:"removed,omitempty"` // and that go
}

// TotalsOf counts the changes that are carried out or, of a plan, would be.
func TotalsOf(res *usersync.Result) Totals {
	t := Totals{Groups: map[plan.Group]int{}, Fields: map[spec.Field]FieldTotal{}}
	for _, g := range plan.Groups() {
		t.Groups[g] = 0
	}
	for _, c := range res.Changes {
		if g := c.Group(); g == plan.Reported || done(res, c) {
			t.Groups[g]++
			if g == plan.Access || g == plan.Updates {
				t.addFields(c.Fields)
			}
		}
	}
	return t
}

func (t Totals) addFields(fields []plan.FieldChange) {
	for _, fc := range fields {
		f := t.Fields[fc.Field]
		f.Users++
		added, removed, _ := Parts(fc)
		f.Added += len(added)
		f.Removed += len(removed)
		t.Fields[fc.Field] = f
	}
}
