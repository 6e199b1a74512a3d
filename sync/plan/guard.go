package plan

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"usersyncd/spec"
	"usersyncd/spec/text"
	"usersyncd/state"
	"usersyncd/sync/plan/access"
)

// Guard limits what is done without a person, so that a mistake in a checkout does not reach a whole organization. A limit
// that is nil is none; an empty list allows nothing.
type Guard struct {
	Removals      *Limit // of managed users that are no longer declared, in 24 hours
	Deactivations *Limit // of declared users, in 24 hours
	Creations     *Limit // and restores, in 24 hours, of all listed users
	Addresses     *Limit // that change, in 24 hours
	Losses        *Limit // of those who have the same skill, language, queue, group, role or location, in 24 hours
	Changes       *Limit // of users of whom anything else changes, in one plan
	// Reactivations holds users that somebody else has deactivated or deleted.
	Reactivations bool

	// Renames holds what looks like a rename and is not declared as one, and users that were matched to an account that
	// seems to be another person's.
	Renames bool

	Protected  []string // addresses and ids of users that are never changed
	AdminRoles []string // names of the roles whose last holders are protected
	MinAdmins  int      // how many active users must keep one of them; 0: not checked

	// What may be given to a user that does not have it, by names as in specs: case counts; "*" is anything. A role is granted in
	// divisions: both lists apply.
	Roles, Divisions, Queues, Groups []string
}

// ForOne returns the guard for a plan of one user, without what counts other users.
func (g Guard) ForOne() Guard {
	g.Removals, g.Deactivations, g.Creations, g.Addresses, g.Losses, g.Changes = nil, nil, nil, nil, nil, nil
	g.Reactivations, g.MinAdmins = false, 0
	return g
}

// Protects reports whether a change is of a protected user.
func (g *Guard) Protects(c *Change) bool {
	return slices.ContainsFunc(g.Protected, func(who string) bool {
		return who == c.Current.ID || spec.Key(who) == c.Key || spec.Key(who) == c.Current.Key()
	})
}

// A Refusal is one value that the configuration does not allow.
type Refusal struct {
	Field spec.Field
	Ref   spec.Ref

	what, flag, remedy string
}

func (r Refusal) String() string {
	return fmt.Sprintf("%s is not allowed: %s is not in --%s%s", r.what, spec.Text(r.Ref.Name).Display(), r.flag, r.remedy)
}

// remedy says what to set so that a name is allowed, too.
func remedy(flag string, allowed []string, name string) string {
	similar := ""
	if i := slices.IndexFunc(allowed, func(a string) bool { return strings.EqualFold(a, name) }); i >= 0 {
		similar = ", which has " + spec.Text(allowed[i]).Display() + ": case counts"
	}
	set := "add it to " + flag + " in the configuration"
	if list := strings.Join(append(slices.Clone(allowed), name), ","); len(list) <= mostAllowed && !strings.Contains(name, ",") {
		set = "set --" + flag + " " + text.ShellWord(list)
	}
	return similar + "; if it is intended, " + set
}

// mostAllowed is how long a list is at most that a message repeats.
const mostAllowed = 200

// Refuses lists what a change would give and the configuration does not allow.
func (g *Guard) Refuses(c *Change) []Refusal {
	var all []Refusal
	check := func(f spec.Field, kind spec.RefKind, what, flag string, allowed []string, names ...string) (ok bool) {
		before := len(all)
		for _, name := range names {
			if !slices.ContainsFunc(allowed, func(a string) bool { return a == "*" || spec.Text(a).Text() == name }) {
				all = append(all, Refusal{f, spec.Ref{Kind: kind, Name: name}, what, flag, remedy(flag, allowed, name)})
			}
		}
		return len(all) == before
	}
	for _, fc := range c.Fields {
		switch fc.Field {
		case spec.Roles:
			for _, grant := range access.AddedGrants(fc.Before, fc.After) {
				if check(spec.Roles, spec.KindRole, "this role", "allow-roles", g.Roles, grant.Role) && grant.Division != "" {
					check(spec.Roles, spec.KindDivision, "a role in this division", "allow-divisions", g.Divisions, grant.Division)
				}
			}
		case spec.Division:
			check(spec.Division, spec.KindDivision, "this division", "allow-divisions", g.Divisions, fc.After.Text())
		case spec.Queues:
			check(spec.Queues, spec.KindQueue, "this queue", "allow-queues", g.Queues, access.AddedNames(fc.Before, fc.After)...)
		case spec.Groups:
			check(spec.Groups, spec.KindGroup, "this group", "allow-groups", g.Groups, access.AddedNames(fc.Before, fc.After)...)
		}
	}
	return all
}

// Hold is what one guard holds.
type Hold struct {
	ID       string       `json:"id"` // for usersyncd release; the same as long as the same is held
	Guard    string       `json:"guard"`
	Users    []string     `json:"users"`
	Fields   []spec.Field `json:"fields,omitempty"` // that are held; none: all of the users' changes
	Reason   string       `json:"reason"`
	Rollback bool         `json:"undo,omitempty"` // of a rollback
	// Differences say what of each user is not as in an approved plan, see Approved.
	Differences []string `json:"differences,omitempty"`
}

// The guards that a person may override.
const (
	guardRemovals      = "max-removals"
	guardDeactivations = "max-deactivations"
	guardCreations     = "max-creations"
	guardMaxRenames    = "max-renames"
	guardLosses        = "max-losses"
	guardChanges       = "max-changes"
	guardReactivations = "reactivations"
	guardAdmins        = "min-admins"
	guardRenames       = "renames"
)

// Guards lists the values of Hold.Guard.
func Guards() []string {
	return []string{guardRemovals, guardDeactivations, guardCreations, guardMaxRenames, guardLosses, guardChanges, guardReactivations, guardAdmins, guardRenames}
}

// guards hold changes of a plan.
type guards struct {
	*planner
	releasedTokens map[string]bool        // what a person has released
	admins         map[string]bool        // ids of the users with an administrator's role, once they were looked up
	amended        map[string]*state.User // by id: Record.Users, once one of them was amended
}

func newGuards(p *planner) *guards {
	g := &guards{planner: p, releasedTokens: map[string]bool{}, admins: make(map[string]bool, len(p.results.Admins))}
	for _, id := range p.results.Admins {
		g.admins[id] = true
	}
	for _, t := range p.snap.Guards.Released {
		g.releasedTokens[t] = true
	}
	return g
}

// run holds the changes that exceed the limits. Each guard sees what those before it have not held.
func (g *guards) run() {
	g.countUsers()
	for _, c := range g.changes {
		c.endsAccess = c.Action.Removes() || c.Deactivates()
	}
	g.holdProtected()
	g.limitAddresses() // before checkAdmins: a bulk change is one hold, administrators included
	g.checkAdmins()
	g.holdReactivations()
	g.limitRemovals()
	g.limitDeactivations()
	g.limitCreations()
	g.limitLosses()
	g.limitChanges()
	g.substituteHeldAddresses()
	g.noteNamesakes()
}

// holdProtected holds the changes of protected users. They cannot be released.
func (g *guards) holdProtected() {
	for _, who := range g.policy.Guard.Protected {
		if g.Index.ByID[who] == nil && g.Index.ByKey[spec.Key(who)] == nil && g.match.Declared[spec.Key(who)] == nil {
			g.Notes = append(g.Notes, fmt.Sprintf("--protect names %s, and no user has that address or id", spec.Text(who).Display()))
		}
	}
	for _, c := range g.plannedChanges(func(c *Change) bool { return c.Action != Unmanage && c.Current != nil }) {
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

// tokens identify the portion.
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

// holdPortions holds portions of changes, unless a person has asked to release exactly these.
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
		slices.Sort(g.Guards.Released)
		for _, t := range tokens {
			g.releasedTokens[t] = true
		}
		return
	}
	g.holdAll(h, portions)
}

// holdAll holds portions of changes, whatever was released.
func (g *guards) holdAll(h Hold, portions []portion) {
	g.Holds = append(g.Holds, h)
	for _, w := range portions {
		if len(w.fields) == 0 {
			w.Outcome, w.Hold, w.Note = Held, h.ID, h.Reason
		} else {
			w.withhold(Withheld{Reason: ByGuard, Hold: h.ID, Note: h.Reason}, w.fields...)
		}
	}
}

func holdID(tokens []string) string {
	sum := sha256.New()
	for _, t := range slices.Sorted(slices.Values(tokens)) {
		fmt.Fprintln(sum, t)
	}
	return "p-" + hex.EncodeToString(sum.Sum(nil)[:4])
}

// token identifies what one guard holds of one user.
func token(guard string, c *Change) string { return guard + " " + c.subject(guard) + " " + c.Hash }

// fieldToken is token for one field of a change: it does not depend on the user's other changes.
func fieldToken(guard string, c *Change, f spec.Field) string {
	sum := sha256.Sum256([]byte(c.Desired.Get(f)))
	return guard + " " + c.subject(guard) + " " + string(f) + " " + hex.EncodeToString(sum[:8])
}

// subject identifies the user of a change for as long as the change is to be made: by id, or by address if it is to be
// created. A creation may turn out to be a restore.
func (c *Change) subject(guard string) string {
	if c.Current == nil || c.Action == Create || guard == guardCreations || guard == guardRemovals && !c.Action.Removes() {
		return c.Key
	}
	return c.Current.ID
}

func (g *guards) isReleased(c *Change, guards ...string) bool {
	return slices.ContainsFunc(guards, func(guard string) bool { return g.releasedTokens[token(guard, c)] })
}

func (g *guards) isFieldReleased(c *Change, f spec.Field, guards ...string) bool {
	return slices.ContainsFunc(guards, func(guard string) bool { return g.releasedTokens[fieldToken(guard, c, f)] })
}

// saveReleases drops the releases of what is no longer to be done. It keeps all unless every user was compared: some were
// not because of a selection or a problem.
func (g *guards) saveReleases(allCompared bool) {
	if !allCompared {
		return
	}
	if len(g.Guards.Released) > 0 {
		pending := g.pendingTokens()
		g.Guards.Released = slices.DeleteFunc(g.Guards.Released, func(t string) bool { return !pending[t] })
	}
	for _, id := range g.snap.Releases {
		if !slices.Contains(g.HandledReleases, id) {
			g.UnknownReleases = append(g.UnknownReleases, id)
		}
	}
}

// pendingTokens are the tokens of what is to be done to the users of releases.
func (g *guards) pendingTokens() map[string]bool {
	subjects := map[string]bool{}
	for _, t := range g.Guards.Released {
		_, subject, _ := strings.Cut(t, " ")
		subject, _, _ = strings.Cut(subject, " ")
		subjects[subject] = true
	}
	pending := map[string]bool{}
	for _, c := range g.changes {
		if !subjects[c.Key] && (c.Current == nil || !subjects[c.Current.ID]) {
			continue
		}
		for _, guard := range Guards() {
			pending[token(guard, c)] = true
			for _, fc := range c.Fields {
				pending[fieldToken(guard, c, fc.Field)] = true
			}
			for _, w := range c.Withheld {
				pending[fieldToken(guard, c, w.Field)] = true
			}
		}
	}
	return pending
}
