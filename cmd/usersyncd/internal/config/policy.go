package config

import (
	"slices"
	_ "time/tzdata" // for change windows, where the machine has no time zones; half a megabyte

	"usersyncd/spec"
	"usersyncd/spec/selection"
	"usersyncd/sync/plan"
	"usersyncd/sync/plan/window"
)

// Policy is what the settings let a pass do. It returns an *Error for a field, a selection or a change window that does
// not exist.
func (c *Config) Policy() (plan.Policy, error) {
	unmanaged, err := c.Unmanaged()
	if err != nil {
		return plan.Policy{}, err
	}
	where, err := selection.Parse(c.Select)
	if err != nil {
		return plan.Policy{}, Errorf("%s: %w", c.Source("select"), err)
	}
	schedule, err := c.schedule()
	if err != nil {
		return plan.Policy{}, err
	}
	var only []string
	for _, address := range c.Only {
		only = append(only, spec.Key(address))
	}
	return plan.Policy{
		Create: c.Create, Adopt: c.Adopt, ReportDrift: c.OnDrift == "report", OnRemoval: plan.Action(c.OnRemoval),
		Select: plan.Selection{Only: only, Where: where}, Unmanaged: unmanaged, DetailInterval: c.DetailInterval,
		Schedule: schedule,
		Guard: plan.Guard{
			Renames:  true,
			Removals: c.MaxRemovals, Deactivations: c.MaxDeactivations, Creations: c.MaxCreations,
			Addresses: c.MaxRenames, Losses: c.MaxLosses, Changes: c.MaxChanges, Reactivations: c.HoldReactivations,
			Protected: c.Protect, AdminRoles: c.AdminRoles, MinAdmins: c.MinAdmins,
			Roles: c.AllowRoles, Divisions: c.AllowDivisions, Queues: c.AllowQueues, Groups: c.AllowGroups,
		},
	}, nil
}

// scim are the fields of an identity provider that provisions users by SCIM.
var scim = []spec.Field{
	spec.Email, spec.Name, spec.State, spec.Title, spec.Department, spec.Manager, spec.Division, spec.Phones, spec.Emails,
	spec.Employer, spec.ExternalIDs,
}

// Unmanaged are the fields of --unmanaged-fields.
func (c *Config) Unmanaged() ([]spec.Field, error) {
	names := slices.DeleteFunc(slices.Clone(c.UnmanagedFields), func(name string) bool { return name == "scim" })
	fields, err := c.Fields("unmanaged-fields", names)
	if len(names) < len(c.UnmanagedFields) {
		fields = append(fields, scim...)
	}
	return fields, err
}

// Fields are the fields whose names a setting has.
func (c *Config) Fields(setting string, names []string) ([]spec.Field, error) {
	var fields []spec.Field
	for _, name := range names {
		f, err := spec.FieldNamed(name)
		if err != nil {
			return nil, Errorf("%s: %w", c.Source(setting), err)
		}
		fields = append(fields, f)
	}
	return fields, nil
}

func fieldNames(fields []spec.Field) []string {
	var names []string
	for _, f := range fields {
		names = append(names, string(f))
	}
	return names
}

// schedule reads the change windows.
func (c *Config) schedule() (s plan.Schedule, err error) {
	for _, text := range c.ChangeWindow {
		w, err := window.Parse(text)
		if err != nil {
			return s, Errorf("%s: %w", c.Source("change-window"), err)
		}
		s.Windows = append(s.Windows, w)
	}
	source := c.Source("change-window-fields")
	if s.Fields, err = c.Fields("change-window-fields", c.ChangeWindowFields); err != nil {
		return s, err
	}
	switch {
	case slices.Contains(s.Fields, spec.Email):
		return s, Errorf("%s: email cannot wait, since others refer to users by it; leave it out", source)
	case len(s.Fields) == 0 && len(s.Windows) > 0:
		return s, Errorf("%s: no field would wait for the windows of --change-window; name some, or leave both out", source)
	}
	return s, nil
}
