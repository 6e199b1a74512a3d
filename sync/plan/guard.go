package plan

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"usersyncd/spec"
	"usersyncd/state"
	"usersyncd/sync/plan/access"
)

// Guard says what is not done without a person: mistakes that are made in a checkout must not reach an
// organization whole. A limit that is nil is none; lists that are empty allow nothing to be given.
type Guard struct {
	Removals      *Limit // of managed users, who are no longer declared, in 24 hours
	Deactivations *Limit // of declared users, in 24 hours
	Creations     *Limit // and restores, in 24 hours, against everybody whom the listing shows
	Addresses     *Limit // that change, in 24 hours
	Losses        *Limit // of those who have the same skill, language, queue, group, role or location, in 24 hours
	Changes       *Limit // of users of whom anything else changes, in one plan
	// Reactivations is whether whom somebody else deactivated or deleted waits for a person.
	Reactivations bool

	// Renames holds what looks like a rename and is not said to be one, and who was matched to an account that seems to
	// be somebody else's.
	Renames bool

	Protected  []string // addresses and ids of users who are never changed
	AdminRoles []string // names of the roles whose last holders are protected
	MinAdmins  int      // how many active users must keep one of them; 0: it is not looked at

	// What may be given to a user who does not have it; "*" is anything. Roles are granted in divisions, so
	// that both lists count for them.
	Roles, Divisions, Queues, Groups []string
}

// ForOne is what of a guard can be said where one user alone is looked at: nothing that counts the others.
func (g Guard) ForOne() Guard {
	g.Removals, g.Deactivations, g.Creations, g.Addresses, g.Losses, g.Changes = nil, nil, nil, nil, nil, nil
	g.Reactivations, g.MinAdmins = false, 0
	return g
}

// Protects reports whether a change is one of a protected user.
func (g *Guard) Protects(c *Change) bool {
	return slices.ContainsFunc(g.Protected, func(who string) bool {
		return who == c.Current.ID || spec.Key(who) == c.Key || spec.Key(who) == c.Current.Key()
	})
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
	check := func(f spec.Field, what, flag string, allowed []string, names ...string) (ok bool) {
		before := len(all)
		for _, name := range names {
			if !slices.Contains(allowed, "*") && !slices.Contains(allowed, name) {
				all = append(all, Refusal{f, name, what, flag})
			}
		}
		return len(all) == before
	}
	for _, fc := range c.Fields {
		switch fc.Field {
		case spec.Roles:
			for _, grant := range access.AddedGrants(fc.Before, fc.After) {
				if check(spec.Roles, "this role", "allow-roles", g.Roles, grant.Role) && grant.Division != "" {
					check(spec.Roles, "a role in this division", "allow-divisions", g.Divisions, grant.Division)
				}
			}
		case spec.Division:
			check(spec.Division, "this division", "allow-divisions", g.Divisions, fc.After.Text())
		case spec.Queues:
			check(spec.Queues, "this queue", "allow-queues", g.Queues, access.AddedNames(fc.Before, fc.After)...)
		case spec.Groups:
			check(spec.Groups, "this group", "allow-groups", g.Groups, access.AddedNames(fc.Before, fc.After)...)
		}
	}
	return all
}

// Hold is what one guard holds.
type Hold struct {
	ID       string       `json:"id"` // what Release takes; it stays the same as long as the same is held
	Guard    string       `json:"guard"`
	Users    []string     `json:"users"`
	Fields   []spec.Field `json:"fields,omitempty"` // what is held of the users; none: all of their changes
	Reason   string       `json:"reason"`
	Rollback bool         `json:"undo,omitempty"` // of a rollback
}

// The guards that a person may overrule.
const (
	guardRemovals      = "max-removals"
	guardDeactivations = "max-deactivations"
	guardCreations     = "max-creations"
	guardMaxRenames    = "max-renames"
	guardLosses        = "max-losses"
	guardChanges       = "max-changes"
	guardReactivations = "reactivations"
	guardAdmins        = "min-admins"
)

// Guards lists what Hold.Guard may be.
func Guards() []string {
	return []string{guardRemovals, guardDeactivations, guardCreations, guardMaxRenames, guardLosses, guardChanges, guardReactivations, guardAdmins, guardRenames}
}

// guards look at a plan.
type guards struct {
	*planner
	freed   map[string]bool        // what a person has released
	amended map[string]*state.User // by id: those of Record.Users, once one of them was changed
}

func newGuards(p *planner) *guards {
	g := &guards{planner: p, freed: map[string]bool{}}
	for _, t := range p.snap.Guards.Released {
		g.freed[t] = true
	}
	return g
}

// run holds the changes that go too far. A guard sees what those before it have left.
func (g *guards) run() {
	g.count()
	for _, c := range g.changes {
		c.leaves = c.Action.Removes() || c.Deactivates()
	}
	g.protect()
	g.limitAddresses() // a bulk change is one hold, administrators included
	g.admins()
	g.reactivations()
	g.limitRemovals()
	g.limitDeactivations()
	g.limitCreations()
	g.limitLosses()
	g.limitChanges()
	g.keepAddresses()
}

// protect holds every change of the users whom the configuration names. Nobody can release these.
func (g *guards) protect() {
	for _, who := range g.policy.Guard.Protected {
		if g.Index.ByID[who] == nil && g.Index.ByKey[spec.Key(who)] == nil && g.match.Declared[spec.Key(who)] == nil {
			g.Notes = append(g.Notes, fmt.Sprintf("--protect names %s, and nobody has that address or id", spec.Text(who).Display()))
		}
	}
	for _, c := range g.planned(func(c *Change) bool { return c.Action != Unmanage && c.Current != nil }) {
		if g.policy.Guard.Protects(c) {
			c.Outcome, c.Note = Held, "a protected user, who is never changed"
		}
	}
}

// A portion is what a guard holds of one change: some of its fields, or all of it if there are none.
type portion struct {
	*Change
	fields []spec.Field
}

// tokens name the portion.
func (w portion) tokens(guard string) []string {
	if len(w.fields) == 0 {
		return []string{token(guard, w.Change)}
	}
	var all []string
	for _, f := range w.fields {
		all = append(all, fieldToken(guard, w.Change, f))
	}
	return all
}

// hold holds some fields of changes; whole changes if there are none.
func (g *guards) hold(guard, reason string, changes []*Change, fields ...spec.Field) {
	portions := make([]portion, len(changes))
	for i, c := range changes {
		portions[i] = portion{c, fields}
	}
	g.holdPortions(guard, reason, portions)
}

// holdPortions holds what a guard has found, unless a person has asked to release exactly this.
func (g *guards) holdPortions(guard, reason string, portions []portion) {
	if len(portions) == 0 {
		return
	}
	h := Hold{Guard: guard, Reason: reason, Rollback: g.RollbackOf != ""}
	var tokens []string
	held := map[spec.Field]bool{}
	for _, w := range portions {
		tokens = append(tokens, w.tokens(guard)...)
		h.Users = append(h.Users, w.Key)
		for _, f := range w.fields {
			held[f] = true
		}
	}
	for _, info := range g.infos {
		if held[info.Field] {
			h.Fields = append(h.Fields, info.Field)
		}
	}
	h.ID = holdID(tokens)
	if slices.Contains(g.snap.Releases, h.ID) {
		g.HandledReleases = append(g.HandledReleases, h.ID)
		g.Guards.Released = append(g.Guards.Released, tokens...)
		for _, t := range tokens {
			g.freed[t] = true
		}
		return
	}
	g.Holds = append(g.Holds, h)
	for _, w := range portions {
		if len(w.fields) == 0 {
			w.Outcome, w.Hold, w.Note = Held, h.ID, reason
			continue
		}
		w.withhold(Withheld{Reason: ByGuard, Hold: h.ID, Note: reason}, func(fc FieldChange) bool { return slices.Contains(w.fields, fc.Field) })
	}
}

// holdID names a hold by what it holds, whatever the order.
func holdID(tokens []string) string {
	sum := sha256.New()
	for _, t := range slices.Sorted(slices.Values(tokens)) {
		fmt.Fprintln(sum, t)
	}
	return "p-" + hex.EncodeToString(sum.Sum(nil)[:4])
}

// token names what is released: one guard's hold on one change of one user.
func token(guard string, c *Change) string { return guard + " " + c.who(guard) + " " + c.Hash }

// fieldToken is token for one field of a change: it stays the same whatever else changes of the user.
func fieldToken(guard string, c *Change, f spec.Field) string {
	sum := sha256.Sum256([]byte(c.Desired[f]))
	return guard + " " + c.who(guard) + " " + string(f) + " " + hex.EncodeToString(sum[:8])
}

// who names the user of a change in the same way as long as the change is to be made: by id, or by address if it is
// to be created. A creation may turn out to be a restore.
func (c *Change) who(guard string) string {
	if c.Current == nil || c.Action == Create || guard == guardCreations || guard == guardRemovals && !c.Action.Removes() {
		return c.Key
	}
	return c.Current.ID
}

// released reports whether a person has let a change through, under any of some guards.
func (g *guards) released(c *Change, guards ...string) bool {
	return slices.ContainsFunc(guards, func(guard string) bool { return g.freed[token(guard, c)] })
}

// releasedField is released for one field.
func (g *guards) releasedField(c *Change, f spec.Field, guards ...string) bool {
	return slices.ContainsFunc(guards, func(guard string) bool { return g.freed[fieldToken(guard, c, f)] })
}

// remember keeps of what was released what is still to be done. What a plan did not look at, for a selection or a
// problem, stays as it is; whole is whether everybody was looked at.
func (g *guards) remember(whole bool) {
	if whole && len(g.Guards.Released) > 0 {
		open := g.openTokens()
		g.Guards.Released = slices.DeleteFunc(g.Guards.Released, func(t string) bool { return !open[t] })
	}
	for _, id := range g.snap.Releases {
		if whole && !slices.Contains(g.HandledReleases, id) {
			g.UnknownReleases = append(g.UnknownReleases, id)
		}
	}
}

// openTokens are the tokens of what is to be done to those of whom something was released.
func (g *guards) openTokens() map[string]bool {
	named := map[string]bool{}
	for _, t := range g.Guards.Released {
		_, who, _ := strings.Cut(t, " ")
		who, _, _ = strings.Cut(who, " ")
		named[who] = true
	}
	open := map[string]bool{}
	for _, c := range g.changes {
		if !named[c.Key] && (c.Current == nil || !named[c.Current.ID]) {
			continue
		}
		for _, guard := range Guards() {
			open[token(guard, c)] = true
			for _, fc := range c.Fields {
				open[fieldToken(guard, c, fc.Field)] = true
			}
			for _, w := range c.Withheld {
				open[fieldToken(guard, c, w.Field)] = true
			}
		}
	}
	return open
}
