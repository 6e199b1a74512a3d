package plan

import (
	"fmt"
	"slices"

	"usersyncd/spec"
)

// checkAllowlists reports whether everything that a change gives to a user may be given. What may is said by the
// configuration alone: a checkout is written by more people than may hand out access.
func (p *planner) checkAllowlists(u *spec.User, c *Change) bool {
	refused := p.policy.Guard.Refuses(c)
	for _, r := range refused {
		p.problem(u, r.Field, r.String())
		p.Problems[len(p.Problems)-1].Name = r.Name
	}
	return len(refused) == 0
}

// A Refusal is one thing that may not be given.
type Refusal struct {
	Field            spec.Field
	Name, what, flag string
}

func (r Refusal) String() string {
	return fmt.Sprintf("%s may not be given: %s is not in --%s; add it to %s in the configuration, if it is meant",
		r.what, spec.Text(r.Name).Display(), r.flag, r.flag)
}

// Refuses lists what a change would give and may not.
func (g *Guard) Refuses(c *Change) []Refusal {
	var all []Refusal
	refuse := func(f spec.Field, name, what, flag string) { all = append(all, Refusal{f, name, what, flag}) }
	for _, fc := range c.Fields {
		switch fc.Field {
		case spec.Roles:
			have := grants(fc.Before)
			for _, grant := range grantList(fc.After) {
				if have[grant] {
					continue
				}
				if !allows(g.Roles, grant.role) {
					refuse(spec.Roles, grant.role, "this role", "allow-roles")
				} else if grant.division != "" && !allows(g.Divisions, grant.division) {
					refuse(spec.Roles, grant.division, "a role in this division", "allow-divisions")
				}
			}
		case spec.Division:
			if name := fc.After.Text(); !allows(g.Divisions, name) {
				refuse(spec.Division, name, "this division", "allow-divisions")
			}
		case spec.Queues:
			for _, name := range joins(fc) {
				if !allows(g.Queues, name) {
					refuse(spec.Queues, name, "this queue", "allow-queues")
				}
			}
		case spec.Groups:
			for _, name := range joins(fc) {
				if !allows(g.Groups, name) {
					refuse(spec.Groups, name, "this group", "allow-groups")
				}
			}
		}
	}
	return all
}

// joins are the names that a list gets and did not have.
func joins(fc FieldChange) []string {
	have, _ := spec.Decode[[]string](fc.Before)
	want, _ := spec.Decode[[]string](fc.After)
	return slices.DeleteFunc(want, func(name string) bool { return slices.Contains(have, name) })
}

func allows(list []string, name string) bool {
	return slices.Contains(list, "*") || slices.Contains(list, name)
}

// A grant is a role in a division; "" is the home division.
type grant struct{ role, division string }

func grantList(v spec.Value) []grant {
	roles, _ := spec.Decode[[]spec.Role](v)
	var list []grant
	for _, r := range roles {
		if len(r.Divisions) == 0 {
			list = append(list, grant{role: r.Name})
		}
		for _, d := range r.Divisions {
			list = append(list, grant{r.Name, d})
		}
	}
	return list
}

func grants(v spec.Value) map[grant]bool {
	all := map[grant]bool{}
	for _, g := range grantList(v) {
		all[g] = true
	}
	return all
}
