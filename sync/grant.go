package sync

import (
	"fmt"
	"slices"

	"usersyncd/spec"
)

// granted reports whether everything that a change gives to a user may be given. What may is said by the
// configuration alone: a checkout is written by more people than may hand out access.
func (p *planner) granted(u *spec.User, c *Change) bool {
	g, ok := &p.policy.Guard, true
	refuse := func(f spec.Field, name, what, flag string) {
		p.problem(u, f, fmt.Sprintf("%s may not be given: %s is not in --%s; add it to %s in the configuration, if it is meant", what, spec.Text(name).Display(), flag, flag))
		p.Problems[len(p.Problems)-1].name = name
		ok = false
	}
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
			if name := text(fc.After); !allows(g.Divisions, name) {
				refuse(spec.Division, name, "this division", "allow-divisions")
			}
		case spec.Queues:
			have, _ := spec.Decode[[]string](fc.Before)
			want, _ := spec.Decode[[]string](fc.After)
			for _, name := range want {
				if !slices.Contains(have, name) && !allows(g.Queues, name) {
					refuse(spec.Queues, name, "this queue", "allow-queues")
				}
			}
		}
	}
	return ok
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

// admins holds the changes after which too few active users would have an administrator's role.
func (p *planner) admins() {
	g := &p.policy.Guard
	if g.MinAdmins <= 0 || len(g.AdminRoles) == 0 {
		return
	}
	risky := p.planned(func(c *Change) bool { return c.ends(g.AdminRoles) && !p.released(guardAdmins, c) })
	switch {
	case len(risky) == 0:
		return
	case !p.answers.Counted:
		p.asks.admins = true
		return
	case p.answers.NoCount != nil:
		p.hold(guardAdmins, fmt.Sprintf("it cannot be told whether the last administrators are among them: %v", p.answers.NoCount), risky)
		return
	}
	left := 0
	for _, id := range p.answers.Admins {
		if u := p.snap.Users[id]; u == nil || text(u.Fields[spec.State]) == "active" {
			left++
		}
	}
	var losing []*Change
	for _, c := range risky {
		if slices.Contains(p.answers.Admins, c.Current.ID) && text(c.Current.Fields[spec.State]) == "active" {
			losing = append(losing, c)
		}
	}
	if left -= len(losing); left < g.MinAdmins {
		p.hold(guardAdmins, fmt.Sprintf("%d active administrators would be left, and --min-admins is %d", left, g.MinAdmins), losing)
	}
}

// ends reports whether a change may take one of the roles from a user, or the user from them.
func (c *Change) ends(roles []string) bool {
	if c.Action == Unmanage || c.Action == Create {
		return false
	}
	if c.Action == Delete || c.deactivates() {
		return true
	}
	for _, fc := range c.Fields {
		if fc.Field != spec.Roles {
			continue
		}
		kept := grants(fc.After)
		for _, g := range grantList(fc.Before) {
			if slices.Contains(roles, g.role) && !kept[g] {
				return true
			}
		}
	}
	return false
}
