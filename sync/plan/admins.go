package plan

import (
	"fmt"
	"slices"
	"strings"

	"usersyncd/spec"
	"usersyncd/state"
)

// admins holds the changes by which somebody could take over an administrator's account, whatever their number, and
// those after which too few active users would have an administrator's role.
func (p *planner) admins() {
	if !p.guardsAdmins() {
		return
	}
	takeovers := p.planned(func(c *Change) bool { return len(p.takeovers(c)) > 0 })
	risky := p.planned(func(c *Change) bool { return c.ends(p.policy.Guard.AdminRoles) })
	switch {
	case len(takeovers)+len(risky) == 0:
	case !p.answers.Counted:
		p.Lookups.Admins = true
	default:
		p.lastAdmins(risky) // before parts of them are held
		p.holdTakeovers(takeovers)
	}
}

func (p *planner) guardsAdmins() bool {
	return p.policy.Guard.MinAdmins > 0 && len(p.policy.Guard.AdminRoles) > 0
}

// A takeover is a change that gives an account into other hands, and what a person releases of it.
type takeover struct {
	portion
	verb string
}

// takeovers lists what of a change is one, and was not released.
func (p *planner) takeovers(c *Change) []takeover {
	switch {
	case c.Action == Delete && !p.released(guardAdmins, c):
		return []takeover{{portion{Change: c}, "delete"}}
	case c.Action == Restore && !p.released(guardAdmins, c):
		return []takeover{{portion{Change: c}, "restore"}}
	case c.Action != Update && c.Action != Adopt:
		return nil
	}
	var all []takeover
	if c.ChangesAddress() && !p.releasedField(c, spec.Email, guardAdmins, guardMaxRenames) {
		all = append(all, takeover{portion{c, []spec.Field{spec.Email}}, "change the address of"})
	}
	if c.Activates() && !p.releasedField(c, spec.State, guardAdmins) {
		all = append(all, takeover{portion{c, []spec.Field{spec.State}}, "activate"})
	}
	return all
}

// holdTakeovers holds those of administrators; all of them, if it cannot be told who is one.
func (p *planner) holdTakeovers(changes []*Change) {
	var portions []portion
	var verbs []string
	for _, c := range changes {
		if c.Outcome != Planned || p.answers.NoCount == nil && !p.administrator(c.Current) {
			continue
		}
		w := portion{Change: c}
		for _, t := range p.takeovers(c) {
			w.fields = append(w.fields, t.fields...)
			if !slices.Contains(verbs, t.verb) {
				verbs = append(verbs, t.verb)
			}
		}
		portions = append(portions, w)
	}
	slices.Sort(verbs)
	what := strings.Join(verbs, " or ")
	if p.answers.NoCount != nil {
		p.holdPortions(guardAdmins, fmt.Sprintf("would %s %s, and it cannot be told whether administrators are among them: %v (--min-admins %d)",
			what, number(len(portions), "user"), p.answers.NoCount, p.policy.Guard.MinAdmins), portions)
		return
	}
	p.holdPortions(guardAdmins, fmt.Sprintf("would %s %d of %s (--min-admins %d)",
		what, len(portions), number(len(p.answers.Admins), "administrator"), p.policy.Guard.MinAdmins), portions)
}

// administrator reports whether a user has an administrator's role. The holders of a role do not show who is deleted:
// the roles of those are read, and who cannot be read may have any.
func (p *planner) administrator(u *state.User) bool {
	if !u.Deleted() {
		return slices.Contains(p.answers.Admins, u.ID)
	}
	if roles, known := u.Fields[spec.Roles]; known {
		return p.grantsAdmin(roles)
	}
	err, asked := p.answers.Unread[u.ID]
	if !asked {
		p.Lookups.Fields[u.ID] = append(p.Lookups.Fields[u.ID], spec.Roles)
	}
	return err != nil
}

// RestoresAdmin reports whether a change brings back a deleted user who has an administrator's role, or may have.
func (g *Guard) RestoresAdmin(c *Change) bool {
	if c.Action != Restore || g.MinAdmins <= 0 || len(g.AdminRoles) == 0 {
		return false
	}
	roles, known := c.Current.Fields[spec.Roles]
	return !known || g.grantsAdmin(roles)
}

// grantsAdmin reports whether an administrator's role is among some.
func (p *planner) grantsAdmin(roles spec.Value) bool { return p.policy.Guard.grantsAdmin(roles) }

func (g *Guard) grantsAdmin(roles spec.Value) bool {
	return slices.ContainsFunc(grantList(roles), func(r grant) bool { return slices.Contains(g.AdminRoles, r.role) })
}

// amongThem says in words how many administrators are among those who are held for their number.
func (p *planner) amongThem(changes []*Change) string {
	if !p.guardsAdmins() {
		return ""
	}
	if !p.answers.Counted {
		p.Lookups.Admins = true
		return ""
	}
	if p.answers.NoCount != nil {
		return fmt.Sprintf(" (it cannot be told whether administrators are among them: %v)", p.answers.NoCount)
	}
	var admins []string
	for _, c := range changes {
		if p.administrator(c.Current) {
			admins = append(admins, c.Key)
		}
	}
	if len(admins) == 0 {
		return ""
	}
	return fmt.Sprintf(" (%s among them: %s)", number(len(admins), "administrator"), someOf(admins))
}

// lastAdmins holds the changes after which too few active users would have one of the roles.
func (p *planner) lastAdmins(changes []*Change) {
	var risky, freed []*Change
	for _, c := range changes {
		switch {
		case p.released(guardAdmins, c):
			freed = append(freed, c)
		case c.Action != Delete: // which is held by itself
			risky = append(risky, c)
		}
	}
	if len(risky) == 0 {
		return
	}
	if p.answers.NoCount != nil {
		p.hold(guardAdmins, fmt.Sprintf("would deactivate %s or take roles or groups from them, and it cannot be told whether the last administrators are among them: %v (--min-admins %d)",
			number(len(risky), "user"), p.answers.NoCount, p.policy.Guard.MinAdmins), risky)
		return
	}
	left := 0
	for _, id := range p.answers.Admins {
		if u := p.snap.Users[id]; active(u) && !p.lost(u) { // whom we do not see may be nobody
			left++
		}
	}
	var losing []*Change
	for i, c := range append(freed, risky...) {
		if !slices.Contains(p.answers.Admins, c.Current.ID) || !active(c.Current) {
			continue
		}
		if i < len(freed) {
			left--
		} else {
			losing = append(losing, c)
		}
	}
	if left -= len(losing); left < p.policy.Guard.MinAdmins {
		p.hold(guardAdmins, fmt.Sprintf("would leave %s of %d; the limit is %d (--min-admins %d)",
			number(left, "active administrator"), left+len(losing), p.policy.Guard.MinAdmins, p.policy.Guard.MinAdmins), losing)
	}
}

// lost reports whether a user has lost the roles by our own write, which the API may not show yet.
func (p *planner) lost(u *state.User) bool {
	roles, known := u.Fields[spec.Roles]
	return known && !u.Times.Shows(spec.Roles, p.now) && !p.grantsAdmin(roles)
}

// ends reports whether a change may take one of the roles from a user, or the user from them.
func (c *Change) ends(roles []string) bool {
	if c.Action == Unmanage || c.Action == Create {
		return false
	}
	if c.Action == Delete || c.Deactivates() {
		return true
	}
	for _, fc := range c.Fields {
		if fc.Field == spec.Groups && len(joins(FieldChange{Before: fc.After, After: fc.Before})) > 0 {
			return true // the role may come with the group
		}
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

// Activates reports whether a user who is not active will be.
func (c *Change) Activates() bool {
	if c.Current == nil || c.Action.Removes() || active(c.Current) {
		return false
	}
	return c.Action == Restore || slices.ContainsFunc(c.Fields, func(fc FieldChange) bool {
		return fc.Field == spec.State && fc.After == spec.Text("active")
	})
}

// reactivations holds the users who are switched on again after somebody else had switched them off: it may have been
// an incident. It notes what the spec said when that was found, so that an edit lets it through.
func (p *planner) reactivations() {
	if !p.policy.Guard.Reactivations {
		return
	}
	for id, u := range p.snap.Users {
		if key := p.OwnerOf[id]; u.Suspended != "" && key != "" && p.resumed(u, p.match.Declared[key]) {
			p.amend(u, func(u *state.User) { u.Suspended = "" })
		}
	}
	var held []portion
	for _, c := range p.planned(func(c *Change) bool { return c.Activates() && p.suspended(c) }) {
		if u := p.match.Declared[c.Key]; u != nil && c.Current.Suspended == "" {
			p.amend(c.Current, func(known *state.User) { known.Suspended = u.OwnHash() })
		}
		switch {
		case c.Action == Restore && !p.releasedUnder(c, guardReactivations, guardAdmins):
			held = append(held, portion{Change: c})
		case c.Action != Restore && !p.releasedField(c, spec.State, guardReactivations, guardAdmins):
			held = append(held, portion{c, []spec.Field{spec.State}})
		}
	}
	p.holdPortions(guardReactivations, fmt.Sprintf("would activate %d of %s whom somebody else has deactivated or deleted (--hold-reactivations)",
		len(held), p.users.ofWhom(max(p.users.ours, len(held)))), held)
}

// suspended reports whether somebody else has switched a user off, and the spec has not been edited since. Of who is
// managed from now on it is taken to be so, unless the user's own spec says otherwise.
func (p *planner) suspended(c *Change) bool {
	known, u := c.Current, p.match.Declared[c.Key]
	last, managed := known.Applied[spec.State]
	switch {
	case known.Removed != "":
		return false // usersyncd did
	case known.Suspended != "":
		return u == nil || u.OwnHash() == known.Suspended
	case known.Deleted():
		return known.Applied != nil
	case !managed:
		return u != nil && !u.Own(spec.State)
	}
	return last == spec.Text("active")
}

// resumed reports whether it is over that somebody had switched a user off: the spec has come to say the same.
func (p *planner) resumed(known *state.User, declared *spec.User) bool {
	return declared != nil && !known.Deleted() && declared.Fields[spec.State] == known.Fields[spec.State]
}

// amend changes what is known of a user, and records that with the plan.
func (p *planner) amend(u *state.User, edit func(*state.User)) {
	if p.amended == nil {
		p.amended = make(map[string]*state.User, len(p.Record.Users))
		for _, r := range p.Record.Users {
			p.amended[r.ID] = r
		}
	}
	r := p.amended[u.ID]
	if r == nil {
		if known := p.match.Accounts[p.OwnerOf[u.ID]]; known != nil {
			u = known // with the record of its declaration
		}
		r = new(state.User)
		*r = *u
		p.amended[u.ID], p.Record.Users = r, append(p.Record.Users, r)
	}
	edit(r)
	if c := p.changes[p.OwnerOf[u.ID]]; c != nil {
		c.Current = r
	}
}
