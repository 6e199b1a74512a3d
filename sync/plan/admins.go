package plan

import (
	"fmt"
	"slices"
	"strings"

	"usersyncd/spec"
	"usersyncd/spec/text"
	"usersyncd/state"
	"usersyncd/sync/plan/access"
)

// admins holds the changes by which somebody could take over an administrator's account, whatever their number, and
// those after which too few active users would have an administrator's role.
func (g *guards) admins() {
	if !g.policy.Guard.countsAdmins() {
		return
	}
	takeovers := g.planned(func(c *Change) bool { return len(g.takeovers(c)) > 0 })
	risky := g.planned(func(c *Change) bool { return c.ends(g.policy.Guard.AdminRoles) })
	switch {
	case len(takeovers)+len(risky) == 0:
	case !g.answers.AdminsRead:
		g.Lookups.Admins = true
	default:
		g.lastAdmins(risky) // before parts of them are held
		g.holdTakeovers(takeovers)
	}
}

func (g *Guard) countsAdmins() bool { return g.MinAdmins > 0 && len(g.AdminRoles) > 0 }

// A takeover is a change that gives an account into other hands, and what a person releases of it.
type takeover struct {
	portion
	verb string
}

// takeovers lists what of a change is one, and was not released.
func (g *guards) takeovers(c *Change) []takeover {
	switch {
	case c.Action == Delete && !g.released(c, guardAdmins):
		return []takeover{{portion{Change: c}, "delete"}}
	case c.Action == Restore && !g.released(c, guardAdmins):
		return []takeover{{portion{Change: c}, "restore"}}
	case c.Action != Update && c.Action != Adopt:
		return nil
	}
	var all []takeover
	if c.ChangesAddress() && !g.releasedField(c, spec.Email, guardAdmins, guardMaxRenames) {
		all = append(all, takeover{portion{c, []spec.Field{spec.Email}}, "change the address of"})
	}
	if c.Activates() && !g.releasedField(c, spec.State, guardAdmins) {
		all = append(all, takeover{portion{c, []spec.Field{spec.State}}, "activate"})
	}
	return all
}

// holdTakeovers holds those of administrators; all of them, if it cannot be told who is one.
func (g *guards) holdTakeovers(changes []*Change) {
	var portions []portion
	var verbs []string
	for _, c := range changes {
		if c.Outcome != Planned || g.answers.AdminsErr == nil && !g.administrator(c.Current) {
			continue
		}
		w := portion{Change: c}
		for _, t := range g.takeovers(c) {
			w.fields = append(w.fields, t.fields...)
			if !slices.Contains(verbs, t.verb) {
				verbs = append(verbs, t.verb)
			}
		}
		portions = append(portions, w)
	}
	slices.Sort(verbs)
	what := strings.Join(verbs, " or ")
	if g.answers.AdminsErr != nil {
		g.holdPortions(guardAdmins, fmt.Sprintf("would %s %s, and it cannot be told whether administrators are among them: %v (--min-admins %d)",
			what, text.Plural(len(portions), "user"), g.answers.AdminsErr, g.policy.Guard.MinAdmins), portions)
		return
	}
	g.holdPortions(guardAdmins, fmt.Sprintf("would %s %d of %s (--min-admins %d)",
		what, len(portions), text.Plural(len(g.answers.Admins), "administrator"), g.policy.Guard.MinAdmins), portions)
}

// administrator reports whether a user has an administrator's role. The holders of a role do not show who is deleted:
// the roles of those are read, and who cannot be read may have any.
func (g *guards) administrator(u *state.User) bool {
	if !u.Deleted() {
		return slices.Contains(g.answers.Admins, u.ID)
	}
	if roles, known := u.Fields[spec.Roles]; known {
		return g.policy.Guard.grantsAdmin(roles)
	}
	err, asked := g.answers.Unread[u.ID]
	if !asked {
		g.Lookups.Fields[u.ID] = append(g.Lookups.Fields[u.ID], spec.Roles)
	}
	return err != nil
}

// RestoresAdmin reports whether a change brings back a deleted user who has an administrator's role, or may have.
func (g *Guard) RestoresAdmin(c *Change) bool {
	if c.Action != Restore || !g.countsAdmins() {
		return false
	}
	roles, known := c.Current.Fields[spec.Roles]
	return !known || g.grantsAdmin(roles)
}

// grantsAdmin reports whether an administrator's role is among some.
func (g *Guard) grantsAdmin(roles spec.Value) bool {
	return slices.ContainsFunc(access.Grants(roles), func(r access.Grant) bool { return slices.Contains(g.AdminRoles, r.Role) })
}

// amongThem says in words how many administrators are among those who are held for their number.
func (g *guards) amongThem(changes []*Change) string {
	if !g.policy.Guard.countsAdmins() {
		return ""
	}
	if !g.answers.AdminsRead {
		g.Lookups.Admins = true
		return ""
	}
	if g.answers.AdminsErr != nil {
		return fmt.Sprintf(" (it cannot be told whether administrators are among them: %v)", g.answers.AdminsErr)
	}
	var admins []string
	for _, c := range changes {
		if g.administrator(c.Current) {
			admins = append(admins, c.Key)
		}
	}
	if len(admins) == 0 {
		return ""
	}
	return fmt.Sprintf(" (%s among them: %s)", text.Plural(len(admins), "administrator"), someOf(admins))
}

// lastAdmins holds the changes after which too few active users would have one of the roles.
func (g *guards) lastAdmins(changes []*Change) {
	var risky, freed []*Change
	for _, c := range changes {
		switch {
		case g.released(c, guardAdmins):
			freed = append(freed, c)
		case c.Action != Delete: // which is held by itself
			risky = append(risky, c)
		}
	}
	if len(risky) == 0 {
		return
	}
	if g.answers.AdminsErr != nil {
		g.hold(guardAdmins, fmt.Sprintf("would deactivate %s or take roles or groups from them, and it cannot be told whether the last administrators are among them: %v (--min-admins %d)",
			text.Plural(len(risky), "user"), g.answers.AdminsErr, g.policy.Guard.MinAdmins), risky)
		return
	}
	left := 0
	for _, id := range g.answers.Admins {
		if u := g.snap.Users[id]; active(u) && !g.lost(u) { // whom we do not see may be nobody
			left++
		}
	}
	var losing []*Change
	for i, c := range append(freed, risky...) {
		if !slices.Contains(g.answers.Admins, c.Current.ID) || !active(c.Current) {
			continue
		}
		if i < len(freed) {
			left--
		} else {
			losing = append(losing, c)
		}
	}
	if left -= len(losing); left < g.policy.Guard.MinAdmins {
		g.hold(guardAdmins, fmt.Sprintf("would leave %s of %d; the limit is %d (--min-admins %d)",
			text.Plural(left, "active administrator"), left+len(losing), g.policy.Guard.MinAdmins, g.policy.Guard.MinAdmins), losing)
	}
}

// lost reports whether a user has lost the roles by our own write, which the API may not show yet.
func (g *guards) lost(u *state.User) bool {
	roles, known := u.Fields[spec.Roles]
	return known && !u.Times.Shows(spec.Roles, g.now) && !g.policy.Guard.grantsAdmin(roles)
}

// reactivations holds the users who are switched on again after somebody else had switched them off: it may have been
// an incident. It notes what the spec said when that was found, so that an edit lets it through.
func (g *guards) reactivations() {
	if !g.policy.Guard.Reactivations {
		return
	}
	for id, u := range g.snap.Users {
		declared := g.match.Declared[g.OwnerOf[id]]
		if u.Suspended != "" && declared != nil && !u.Deleted() && declared.Fields[spec.State] == u.Fields[spec.State] { // the spec has come to say the same
			g.amend(u, func(u *state.User) { u.Suspended = "" })
		}
	}
	var held []portion
	for _, c := range g.planned(func(c *Change) bool { return c.Activates() && g.suspended(c) }) {
		if u := g.match.Declared[c.Key]; u != nil && c.Current.Suspended == "" {
			g.amend(c.Current, func(known *state.User) { known.Suspended = u.OwnHash() })
		}
		switch {
		case c.Action == Restore && !g.released(c, guardReactivations, guardAdmins):
			held = append(held, portion{Change: c})
		case c.Action != Restore && !g.releasedField(c, spec.State, guardReactivations, guardAdmins):
			held = append(held, portion{c, []spec.Field{spec.State}})
		}
	}
	g.holdPortions(guardReactivations, fmt.Sprintf("would activate %d of %s whom somebody else has deactivated or deleted (--hold-reactivations)",
		len(held), g.users.ofWhom(max(g.users.ours, len(held)))), held)
}

// suspended reports whether somebody else has switched a user off, and the spec has not been edited since. Of who is
// managed from now on it is taken to be so, unless the user's own spec says otherwise.
func (g *guards) suspended(c *Change) bool {
	known, u := c.Current, g.match.Declared[c.Key]
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

// amend changes what is known of a user, and records that with the plan.
func (g *guards) amend(u *state.User, edit func(*state.User)) {
	if g.amended == nil {
		g.amended = make(map[string]*state.User, len(g.Record.Users))
		for _, r := range g.Record.Users {
			g.amended[r.ID] = r
		}
	}
	r := g.amended[u.ID]
	if r == nil {
		if known := g.match.Accounts[g.OwnerOf[u.ID]]; known != nil {
			u = known // with the record of its declaration
		}
		r = new(state.User)
		*r = *u
		g.amended[u.ID], g.Record.Users = r, append(g.Record.Users, r)
	}
	edit(r)
	if c := g.changes[g.OwnerOf[u.ID]]; c != nil {
		c.Current = r
	}
}
