package main

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	_ "time/tzdata" // where the machine has no time zones; half a megabyte

	"github.com/spf13/pflag"

	"usersyncd/spec"
	"usersyncd/sync/plan"
	"usersyncd/sync/plan/window"
)

// guards are the settings that say what may happen to whom.
type guards struct {
	onRemoval, onDrift            string
	maxRemovals, maxDeactivations limit
	maxCreations, maxRenames      limit
	maxLosses, maxChanges         limit
	holdReactivations             bool
	protected, adminRoles         words
	minAdmins                     int
	allowRoles, allowDivisions    words
	allowQueues, allowGroups      words
	unmanaged                     words
	detailInterval                time.Duration
}

// A selection is which of the declared users a command is about.
type selection struct {
	only  words
	where string
}

func (g *guards) flags(f *pflag.FlagSet) {
	g.maxRemovals = limit{Limit: plan.Limit{Percent: 5, Floor: 10}}
	g.maxDeactivations = limit{Limit: plan.Limit{Percent: 10, Floor: 20}}
	g.maxCreations = limit{Limit: plan.Limit{Percent: 10, Floor: 100}}
	g.maxRenames = limit{Limit: plan.Limit{Percent: 2, Floor: 5}}
	g.maxLosses = limit{Limit: plan.Limit{Percent: 50, Floor: 20}}
	g.adminRoles.list = []string{"Master Admin", "admin"}
	g.allowDivisions.list, g.allowQueues.list, g.allowGroups.list = []string{"*"}, []string{"*"}, []string{"*"}
	g.maxChanges.none = true
	f.StringVar(&g.onRemoval, "on-removal", "unmanage", "what becomes of managed users whose spec is gone: unmanage, deactivate or delete")
	f.StringVar(&g.onDrift, "on-drift", "enforce", "what becomes of edits made in Genesys: enforce (changed back) or report")
	f.Var(&g.maxRemovals, "max-removals", "most users removed in 24 hours, as a share and a floor: more are held until released")
	f.Var(&g.maxDeactivations, "max-deactivations", "most users set to inactive in 24 hours")
	f.Var(&g.maxCreations, "max-creations", "most users created or restored in 24 hours, of everybody in the organization; a first import is not held")
	f.Var(&g.maxRenames, "max-renames", "most users whose address changes in 24 hours")
	f.Var(&g.maxLosses, "max-losses", "most of those who have the same skill, language, queue, group, role or location who lose it in 24 hours")
	f.Var(&g.maxChanges, "max-changes", "most users of whom other fields than address and state change in one plan")
	f.BoolVar(&g.holdReactivations, "hold-reactivations", true, "hold users whom somebody else has deactivated or deleted, until they are released or their own spec is edited")
	f.SetNormalizeFunc(func(_ *pflag.FlagSet, name string) pflag.NormalizedName {
		for flag, old := range formerNames() {
			if name == old {
				name = flag
			}
		}
		return pflag.NormalizedName(name)
	})
	f.Var(&g.protected, "protect", "`USERS`, by address or id, who are never changed")
	f.Var(&g.adminRoles, "admin-roles", "`ROLES` of administrators")
	f.IntVar(&g.minAdmins, "min-admins", 2, "how many active users must keep one of these roles; 0: do not look")
	f.Var(&g.allowRoles, "allow-roles", "`ROLES` that specs may give to a user who does not have them; '*': any")
	f.Var(&g.allowDivisions, "allow-divisions", "`DIVISIONS` that specs may put users and roles into")
	f.Var(&g.allowQueues, "allow-queues", "`QUEUES` that specs may put users into")
	f.Var(&g.allowGroups, "allow-groups", "`GROUPS` that specs may put users into; groups may grant roles")
}

// formerNames are names that flags had before: each still means the flag, as a variable and in a file, too.
func formerNames() map[string]string { return map[string]string{"max-losses": "max-skill-losses"} }

func (s *selection) flags(f *pflag.FlagSet) {
	f.Var(&s.only, "only", "`ADDRESSES` of the users to look at; nobody else is touched")
	f.StringVar(&s.where, "select", "", "`FIELD=VALUE,...`: look at the users who are declared so, and at nobody else")
}

// scim are the fields that an identity provider owns which provisions users by SCIM.
var scim = []spec.Field{
	spec.Email, spec.Name, spec.State, spec.Title, spec.Department, spec.Manager, spec.Division, spec.Phones, spec.Emails,
	spec.Employer, spec.ExternalIDs,
}

// unmanagedFields reads --unmanaged-fields.
func (g *guards) unmanagedFields() ([]spec.Field, error) {
	names := slices.DeleteFunc(slices.Clone(g.unmanaged.list), func(name string) bool { return name == "scim" })
	fields, err := fieldsOf("unmanaged-fields", names)
	if len(names) < len(g.unmanaged.list) {
		fields = append(fields, scim...)
	}
	return fields, err
}

// fieldsOf reads the names of fields that a flag was given.
func fieldsOf(flag string, names []string) ([]spec.Field, error) {
	var known []string
	for _, info := range spec.All() {
		known = append(known, string(info.Field))
	}
	var fields []spec.Field
	for _, name := range names {
		if !slices.Contains(known, name) {
			hint := "the fields are " + strings.Join(known, ", ")
			if near := spec.Suggest(name, known); near != "" {
				hint = fmt.Sprintf("did you mean %q?", near)
			}
			return nil, fmt.Errorf("--%s: there is no field %q; %s", flag, name, hint)
		}
		fields = append(fields, spec.Field(name))
	}
	return fields, nil
}

// at is where the value of a flag came from, in front of a message that names the flag; nothing if it was
// given on the command line.
func (c *config) at(flag string) string {
	if source := c.sources[flag]; source != "" {
		return source + ": "
	}
	return ""
}

// policy puts the settings of what may be done together.
func (c *config) policy() (plan.Policy, error) {
	g := &c.guards
	unmanaged, err := g.unmanagedFields()
	if err != nil {
		return plan.Policy{}, usage("%s%w", c.at("unmanaged-fields"), err)
	}
	where, err := spec.ParseSelection(c.where)
	if err != nil {
		return plan.Policy{}, usage("%s--select: %w", c.at("select"), err)
	}
	schedule, err := c.schedule(c.sources)
	if err != nil {
		return plan.Policy{}, usage("%w", err)
	}
	var only []string
	for _, address := range c.only.list {
		only = append(only, spec.Key(address))
	}
	return plan.Policy{
		Create: c.create, Adopt: c.adopt, ReportDrift: g.onDrift == "report", OnRemoval: plan.Action(g.onRemoval),
		Select: plan.Selection{Only: only, Where: where}, Unmanaged: unmanaged, DetailInterval: g.detailInterval,
		Schedule: schedule,
		Guard: plan.Guard{
			Renames:  true,
			Removals: g.maxRemovals.orNone(), Deactivations: g.maxDeactivations.orNone(), Creations: g.maxCreations.orNone(),
			Addresses: g.maxRenames.orNone(), Losses: g.maxLosses.orNone(), Changes: g.maxChanges.orNone(), Reactivations: g.holdReactivations,
			Protected: g.protected.list, AdminRoles: g.adminRoles.list, MinAdmins: g.minAdmins,
			Roles: g.allowRoles.list, Divisions: g.allowDivisions.list, Queues: g.allowQueues.list, Groups: g.allowGroups.list,
		},
	}, nil
}

// changeWindows are the settings that say when something may happen.
type changeWindows struct {
	windows windowList
	fields  words
}

func (c *changeWindows) flags(f *pflag.FlagSet) {
	c.fields.list = nil
	for _, field := range plan.RoutingFields() {
		c.fields.list = append(c.fields.list, string(field))
	}
	f.Var(&c.windows, "change-window", "`HOURS` in which routing may be changed, such as 'Mon-Fri 20:00-06:00 Europe/Madrid', several with semicolons between; none: always")
	f.Var(&c.fields, "change-window-fields", "`FIELDS` that wait for a change window; leavers never do")
}

// schedule reads both flags. source says where the value of a flag came from, if not from the command line.
func (c *changeWindows) schedule(source map[string]string) (s plan.Schedule, err error) {
	for _, text := range c.windows.list {
		w, err := window.Parse(text)
		if err != nil {
			return s, fmt.Errorf("%s: %w", cmp.Or(source["change-window"], "--change-window"), err)
		}
		s.Windows = append(s.Windows, w)
	}
	if s.Fields, err = fieldsOf("change-window-fields", c.fields.list); err != nil {
		return s, err
	}
	switch {
	case slices.Contains(s.Fields, spec.Email):
		return s, errors.New("--change-window-fields: email cannot wait, since others refer to users by it; leave it out")
	case len(s.Fields) == 0 && len(s.Windows) > 0:
		return s, errors.New("--change-window-fields: no field would wait for the windows of --change-window; name some, or leave both out")
	}
	return s, nil
}
