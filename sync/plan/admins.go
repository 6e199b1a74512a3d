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

// checkAdmins holds every change by which somebody could take over an administrator's account, and the changes after which
// too few active users would have an administrator's role.
func (g *guards) checkAdmins() {
	if !g.policy.Guard.countsAdmins() {
		return
	}
	takeovers := g.plannedChanges(func(c *Change) bool { verbs, _ := g.takeovers(c); return len(verbs) > 0 })
	risky := g.plannedChanges(func(c *Change) bool { return c.mayEndRoles(g.policy.Guard.AdminRoles) })
	switch {
	case len(takeovers)+len(risky) == 0:
	case !g.results.AdminsRead:
		g.Lookups.Admins = true
	default:
		g.holdLastAdmins(risky) // before parts of them are held
		g.holdTakeovers(takeovers)
	}
}

func (g *Guard) countsAdmins() bool { return g.MinAdmins > 0 && len(g.AdminRoles) > 0 }

// takeovers returns how a change may give an account to another person, as verbs, and its fields that do; none if it is the
// whole change. What is released is left out.
func (g *guards) takeovers(c *Change) (verbs []string, fields []spec.Field) {
	switch c.Action {
	case Delete, Restore:
		if !g.isReleased(c, guardAdmins) {
			verbs = []string{string(c.Action)}
		}
	case Update, Adopt:
		if c.ChangesAddress() && !g.isFieldReleased(c, spec.Email, guardAdmins, guardMaxRenames) {
			verbs, fields = append(verbs, "change the address of"), append(fields, spec.Email)
		}
		if c.Activates() && !g.isFieldReleased(c, spec.State, guardAdmins) {
			verbs, fields = append(verbs, "activate"), append(fields, spec.State)
		}
	}
	return verbs, fields
}

// holdTakeovers holds the takeovers of administrators, or all if it is not known who they are.
func (g *guards) holdTakeovers(changes []*Change) {
	var portions []portion
	var verbs []string
	for _, c := range changes {
		if c.Outcome != Planned || g.results.AdminsErr == nil && !g.isAdmin(c.Current) {
			continue
		}
		how, fields := g.takeovers(c)
		verbs, portions = append(verbs, how...), append(portions, portion{c, fields})
	}
	slices.Sort(verbs)
	would := "would " + strings.Join(slices.Compact(verbs), " or ")
	if err := g.results.AdminsErr; err != nil {
		would += fmt.Sprintf(" %s; it is not known whether administrators are among them: %v", text.Plural(len(portions), "user"), err)
	} else {
		would += fmt.Sprintf(" %d of %s", len(portions), text.Plural(len(g.results.Admins), "administrator"))
	}
	g.holdPortions(guardAdmins, fmt.Sprintf("%s (--min-admins %d)", would, g.policy.Guard.MinAdmins), portions)
}

// isAdmin reports whether a user has an administrator's role. A lookup of a role's holders does not show deleted users:
// their roles are read, and one that cannot be read may have any.
func (g *guards) isAdmin(u *state.User) bool {
	if !u.Deleted() {
		return g.admins[u.ID]
	}
	if roles, known := u.Fields.Lookup(spec.Roles); known {
		return g.policy.Guard.grantsAdmin(roles)
	}
	err, read := g.results.Unread[u.ID]
	if !read {
		g.Lookups.Fields[u.ID] = append(g.Lookups.Fields[u.ID], spec.Roles)
	}
	return err != nil
}

// RestoresAdmin reports whether a change restores a user that has an administrator's role, or may have one.
func (g *Guard) RestoresAdmin(c *Change) bool {
	if c.Action != Restore || !g.countsAdmins() {
		return false
	}
	roles, known := c.Current.Fields.Lookup(spec.Roles)
	return !known || g.grantsAdmin(roles)
}

func (g *Guard) grantsAdmin(roles spec.Value) bool {
	return slices.ContainsFunc(access.Grants(roles), func(r access.Grant) bool { return slices.Contains(g.AdminRoles, r.Role) })
}

// describeAdmins says how many administrators are among the users of changes, for the reason of a hold.
func (g *guards) describeAdmins(changes []*Change) string {
	if !g.policy.Guard.countsAdmins() {
		return ""
	}
	if !g.results.AdminsRead {
		g.Lookups.Admins = true
		return ""
	}
	if err := g.results.AdminsErr; err != nil {
		return fmt.Sprintf(" (it is not known whether administrators are among them: %v)", err)
	}
	var admins []string
	for _, c := range changes {
		if g.isAdmin(c.Current) {
			admins = append(admins, c.Key)
		}
	}
	if len(admins) == 0 {
		return ""
	}
	return fmt.Sprintf(" (%s among them: %s)", text.Plural(len(admins), "administrator"), listNames(admins))
}

// holdLastAdmins holds the changes after which too few active users would have one of the roles.
func (g *guards) holdLastAdmins(changes []*Change) {
	var risky, released []*Change
	for _, c := range changes {
		switch {
		case g.isReleased(c, guardAdmins):
			released = append(released, c)
		case c.Action != Delete: // which holdTakeovers holds
			risky = append(risky, c)
		}
	}
	if len(risky) == 0 {
		return
	}
	limit := g.policy.Guard.MinAdmins
	if err := g.results.AdminsErr; err != nil {
		g.hold(guardAdmins, fmt.Sprintf("would deactivate %s or take roles or groups from them; it is not known whether the last administrators are among them: %v (--min-admins %d)",
			text.Plural(len(risky), "user"), err, limit), risky)
		return
	}
	left := 0
	for _, id := range g.results.Admins {
		if u := g.snap.Users[id]; active(u) && !g.lostAdminRole(u) { // one that is not known may not exist
			left++
		}
	}
	var losing []*Change
	for i, c := range append(released, risky...) {
		if !g.admins[c.Current.ID] || !active(c.Current) {
			continue
		}
		if i < len(released) {
			left--
		} else {
			losing = append(losing, c)
		}
	}
	if left -= len(losing); left < limit {
		g.hold(guardAdmins, fmt.Sprintf("would leave %s of %d; the limit is %d (--min-admins %d)",
			text.Plural(left, "active administrator"), left+len(losing), limit, limit), losing)
	}
}

// lostAdminRole reports whether usersyncd has just removed the roles from a user, which the API may not show yet.
func (g *guards) lostAdminRole(u *state.User) bool {
	roles, known := u.Fields.Lookup(spec.Roles)
	return known && !u.Times.Shows(spec.Roles, g.now) && !g.policy.Guard.grantsAdmin(roles)
}

// holdReactivations holds the activation of users that somebody else has deactivated: it may have been an incident. It
// records a hash of the spec when that is found, so that an edit of the spec releases the user.
func (g *guards) holdReactivations() {
	if !g.policy.Guard.Reactivations {
		return
	}
	var agreed []string
	for id, u := range g.snap.Users {
		declared := g.match.Declared[g.OwnerOf[id]]
		if u.Suspended != "" && declared != nil && !u.Deleted() && declared.Fields.Get(spec.State) == u.Fields.Get(spec.State) { // the spec now says the same
			agreed = append(agreed, id)
		}
	}
	slices.Sort(agreed) // the record has the same order each time
	for _, id := range agreed {
		g.amend(g.snap.Users[id], func(u *state.User) { u.Suspended = "" })
	}
	var portions []portion
	for _, c := range g.plannedChanges(func(c *Change) bool { return c.Activates() && g.deactivatedByOthers(c) }) {
		if u := g.match.Declared[c.Key]; u != nil && c.Current.Suspended == "" {
			g.amend(c.Current, func(known *state.User) { known.Suspended = u.OwnHash() })
		}
		switch {
		case c.Action == Restore && !g.isReleased(c, guardReactivations, guardAdmins):
			portions = append(portions, portion{Change: c})
		case c.Action != Restore && !g.isFieldReleased(c, spec.State, guardReactivations, guardAdmins):
			portions = append(portions, portion{c, []spec.Field{spec.State}})
		}
	}
	g.holdPortions(guardReactivations, fmt.Sprintf("would activate %d of %s that somebody else has deactivated or deleted (--hold-reactivations)",
		len(portions), g.counts.describe(max(g.counts.inScope, len(portions)))), portions)
}

// deactivatedByOthers reports whether somebody else has deactivated or deleted a user, and the spec was not edited since. It
// is assumed for a user that is adopted, unless the user's own spec has a state.
func (g *guards) deactivatedByOthers(c *Change) bool {
	known, u := c.Current, g.match.Declared[c.Key]
	last, managed := known.LastApplied.Lookup(spec.State)
	switch {
	case known.Removed != "":
		return false // by usersyncd
	case known.Suspended != "":
		return u == nil || u.OwnHash() == known.Suspended
	case known.Deleted():
		return known.LastApplied != nil
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
			u = known // with its current declaration
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
