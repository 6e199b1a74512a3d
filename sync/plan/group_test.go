package plan_test

import (
	"testing"

	"usersyncd/spec"
	"usersyncd/sync/plan"
)

func TestAChangeStandsInTheFirstGroupThatFits(t *testing.T) {
	fields := func(fields ...spec.Field) (list []plan.FieldChange) {
		for _, f := range fields {
			list = append(list, plan.FieldChange{Field: f, Before: spec.Text("a"), After: spec.Text("b")})
		}
		return list
	}
	inactive := plan.FieldChange{Field: spec.State, Before: spec.Text("active"), After: spec.Text("inactive")}
	active := plan.FieldChange{Field: spec.State, Before: spec.Text("inactive"), After: spec.Text("active")}
	for name, tt := range map[string]struct {
		change plan.Change
		want   plan.Group
	}{
		"removed":                 {plan.Change{Action: plan.Delete}, plan.Removals},
		"deactivated as declared": {plan.Change{Action: plan.Update, Fields: append(fields(spec.Roles, spec.Title), inactive)}, plan.Removals},
		"adopted and deactivated": {plan.Change{Action: plan.Adopt, Fields: []plan.FieldChange{inactive}}, plan.Removals},
		"deactivated in a window": {plan.Change{Action: plan.Update, Fields: fields(spec.Title), Deferred: []plan.FieldChange{inactive}}, plan.Removals},
		"activated":               {plan.Change{Action: plan.Update, Fields: []plan.FieldChange{active}}, plan.Access},
		"roles before an address": {plan.Change{Action: plan.Update, Fields: fields(spec.Email, spec.Roles)}, plan.Access},
		"division":                {plan.Change{Action: plan.Update, Fields: fields(spec.Division, spec.Email)}, plan.Access},
		"address":                 {plan.Change{Action: plan.Adopt, Fields: fields(spec.Email, spec.Title)}, plan.Renames},
		"skills and queues":       {plan.Change{Action: plan.Update, Fields: fields(spec.Skills, spec.Queues)}, plan.Updates},
		"created with roles":      {plan.Change{Action: plan.Create, Fields: fields(spec.Roles)}, plan.Creations},
		"created as inactive":     {plan.Change{Action: plan.Create, Fields: []plan.FieldChange{inactive}}, plan.Creations},
		"restored":                {plan.Change{Action: plan.Restore, Fields: []plan.FieldChange{active}}, plan.Restores},
		"only withheld":           {plan.Change{Action: plan.Update, Withheld: []plan.Withheld{{FieldChange: fields(spec.Roles)[0]}}}, plan.Access},
		"withheld beside a title": {plan.Change{Action: plan.Update, Fields: fields(spec.Title), Withheld: []plan.Withheld{{FieldChange: fields(spec.Roles)[0]}}}, plan.Updates},
		"drift that is reported":  {plan.Change{Action: plan.Update, Drift: fields(spec.Roles)}, plan.Reported},
		"drift beside a title":    {plan.Change{Action: plan.Update, Fields: fields(spec.Title), Drift: fields(spec.Roles)}, plan.Updates},
		"no longer managed":       {plan.Change{Action: plan.Unmanage}, plan.Unmanaged},
	} {
		if got := tt.change.Group(); got != tt.want {
			t.Errorf("%s: %s, want %s", name, got, tt.want)
		}
	}
}
