package plan

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"usersyncd/spec"
	"usersyncd/state"
)

// Guard says what is not done without a person: mistakes that are made in a checkout must not reach an
// organization whole. A limit that is nil is none; lists that are empty allow nothing to be given.
type Guard struct {
	Removals      *Limit // of managed users, who are no longer declared, in 24 hours
	Deactivations *Limit // of declared users, in 24 hours
	SkillLosses   *Limit // of the managed users who have a skill, in one plan

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

// Limit is a share of something, but never less than a number.
type Limit struct {
	Percent int
	Floor   int
}

// allows reports whether so many of all are within the limit.
func (l *Limit) allows(n, all int) bool { return l == nil || n <= max(l.Floor, all*l.Percent/100) }

// exceeded says in words what more than the limit is.
func (l *Limit) exceeded(all int) string {
	return fmt.Sprintf("more than %d %% (%d), and more than %d,", l.Percent, all*l.Percent/100, l.Floor)
}

func (l *Limit) String() string { return fmt.Sprintf("%d%%,%d", l.Percent, l.Floor) }

// Hold is what one guard holds.
type Hold struct {
	ID     string   `json:"id"` // what Release takes; it stays the same as long as the same is held
	Guard  string   `json:"guard"`
	Users  []string `json:"users"`
	Reason string   `json:"reason"`
	Undo   bool     `json:"undo,omitempty"` // of a rollback
}

// The guards that a person may overrule.
const (
	guardRemovals      = "max-removals"
	guardDeactivations = "max-deactivations"
	guardSkills        = "max-skill-losses"
	guardAdmins        = "min-admins"
)

const tallied = 24 * time.Hour // for how long removals and deactivations count

// guard holds the changes that go too far. whole is whether everybody was looked at.
func (p *planner) guard(whole bool) {
	p.protect()
	p.admins()
	removed, deactivated, forgotten := p.lately()
	managed := 0
	for _, u := range p.snap.Users {
		if u.Applied != nil && !u.Deleted() {
			managed++
		}
	}
	p.limit(guardRemovals, p.policy.Guard.Removals, removed, managed+removed, forgotten, "removals", "managed users",
		p.planned(func(c *Change) bool { return c.Action.Removes() }))
	p.limit(guardDeactivations, p.policy.Guard.Deactivations, deactivated, managed, false, "deactivations", "managed users",
		p.planned(func(c *Change) bool { return !c.Action.Removes() && c.Deactivates() }))
	p.skills()
	p.remember(whole)
}

// planned returns the changes that are to be made and meet a condition, in their order.
func (p *planner) planned(is func(*Change) bool) []*Change {
	var some []*Change
	for _, c := range p.changes {
		if c.Outcome == Planned && is(c) {
			some = append(some, c)
		}
	}
	slices.SortFunc(some, (*Change).before)
	return some
}

// Deactivates reports whether a user who is active will not be.
func (c *Change) Deactivates() bool {
	return c.Current != nil && c.Current.Fields[spec.State].Text() == "active" && slices.ContainsFunc(c.Fields, func(fc FieldChange) bool {
		return fc.Field == spec.State && fc.After != spec.Text("active")
	})
}

// protect holds every change of the users whom the configuration names. Nobody can release these.
func (p *planner) protect() {
	for _, who := range p.policy.Guard.Protected {
		if p.Index.ByID[who] == nil && p.Index.ByKey[spec.Key(who)] == nil && p.declared[spec.Key(who)] == nil {
			p.Notes = append(p.Notes, fmt.Sprintf("--protect names %s, and nobody has that address or id", spec.Text(who).Display()))
		}
	}
	for _, c := range p.planned(func(c *Change) bool { return c.Action != Unmanage && c.Current != nil }) {
		if p.policy.Guard.Protects(c) {
			c.Outcome, c.Note = Held, "a protected user, who is never changed"
		}
	}
}

// Protects reports whether a change is one of a protected user.
func (g *Guard) Protects(c *Change) bool {
	return slices.ContainsFunc(g.Protected, func(who string) bool {
		return who == c.Current.ID || spec.Key(who) == c.Key || spec.Key(who) == c.Current.Key()
	})
}

// lately counts what was done within the time that counts. forgotten is whether there may have been more.
func (p *planner) lately() (removed, deactivated int, forgotten bool) {
	for _, t := range p.snap.Guards.Done {
		if p.now.Sub(t.At) < tallied {
			removed, deactivated, forgotten = removed+t.Removed, deactivated+t.Deactivated, forgotten || t.Forgotten
		}
	}
	return removed, deactivated, forgotten || p.snap.Damaged > 0
}

// limit holds all of the changes if there are too many, with those that were done already. What was
// released does not count.
func (p *planner) limit(guard string, l *Limit, done, all int, forgotten bool, what, ofWhat string, changes []*Change) {
	changes = slices.DeleteFunc(changes, func(c *Change) bool { return p.released(guard, c) })
	if l == nil || len(changes) == 0 || l.allows(done+len(changes), all) && !forgotten {
		return
	}
	lately := ""
	if done > 0 {
		lately = fmt.Sprintf(", with %d in the last 24 hours", done)
	}
	reason := fmt.Sprintf("%d %s%s are %s of %d %s", len(changes), what, lately, l.exceeded(all), all, ofWhat)
	if forgotten {
		reason = fmt.Sprintf("%d %s, and the state file was damaged within 24 hours, so that earlier ones may be forgotten", len(changes), what)
	}
	p.hold(guard, reason, changes)
}

// skills holds the changes that take one skill from too many of those who have it.
func (p *planner) skills() {
	losers := map[string][]*Change{}
	for _, c := range p.planned(func(c *Change) bool { return !c.Action.Removes() && c.Current != nil && c.Names(spec.Skills) }) {
		before, after := names(c.Current.Fields[spec.Skills]), names(c.Desired[spec.Skills])
		for skill := range before {
			if !after[skill] && !p.released(guardSkills, c) {
				losers[skill] = append(losers[skill], c)
			}
		}
	}
	if len(losers) == 0 {
		return
	}
	have := map[string]int{}
	for _, u := range p.snap.Users {
		if u.Applied != nil && !u.Deleted() {
			for skill := range names(u.Fields[spec.Skills]) {
				have[skill]++
			}
		}
	}
	held := map[*Change]bool{}
	reason := ""
	for _, skill := range slices.Sorted(maps.Keys(losers)) {
		if n := len(losers[skill]); !p.policy.Guard.SkillLosses.allows(n, max(have[skill], n)) {
			reason = cmp.Or(reason, fmt.Sprintf("%d users would lose the skill %s, %s of the %d who have it",
				n, spec.Text(skill).Display(), p.policy.Guard.SkillLosses.exceeded(max(have[skill], n)), max(have[skill], n)))
			for _, c := range losers[skill] {
				held[c] = true
			}
		}
	}
	p.hold(guardSkills, reason, slices.SortedFunc(maps.Keys(held), (*Change).before))
}

func names(v spec.Value) map[string]bool {
	all := map[string]bool{}
	for _, ref := range spec.References(spec.Skills, v) {
		all[ref.Name] = true
	}
	return all
}

// hold holds changes, unless a person has asked to release exactly these.
func (p *planner) hold(guard, reason string, changes []*Change) {
	if len(changes) == 0 {
		return
	}
	sum := sha256.New()
	h := Hold{Guard: guard, Reason: reason, Undo: p.RollbackOf != ""}
	for _, c := range changes {
		fmt.Fprintln(sum, guard, c.who(), c.Action, c.Hash)
		h.Users = append(h.Users, c.Key)
	}
	h.ID = "p-" + hex.EncodeToString(sum.Sum(nil)[:4])
	if slices.Contains(p.snap.Requests, h.ID) {
		p.Answered = append(p.Answered, h.ID)
		for _, c := range changes {
			p.Guards.Released = append(p.Guards.Released, token(guard, c))
		}
		return
	}
	p.Holds = append(p.Holds, h)
	for _, c := range changes {
		c.Outcome, c.Hold, c.Note = Held, h.ID, reason
	}
}

// token names what is released: one guard's hold on one change of one user.
func token(guard string, c *Change) string { return guard + " " + c.who() + " " + c.Hash }

// who names the user of a change in the same way as long as the change is to be made: by id, or by address if it is
// to be created.
func (c *Change) who() string {
	if c.Current == nil || c.Action == Create {
		return c.Key
	}
	return c.Current.ID
}

// released reports whether a person has let a change through.
func (p *planner) released(guard string, c *Change) bool { return p.freed[token(guard, c)] }

// remember keeps what is to be remembered: of the tally what still counts, of what was released what is still
// to be done. What a plan did not look at, for a selection or a problem, stays as it is.
func (p *planner) remember(whole bool) {
	p.Guards.Exporting = p.snap.Guards.Exporting
	for _, t := range p.snap.Guards.Done {
		if p.now.Sub(t.At) < tallied {
			p.Guards.Done = append(p.Guards.Done, t)
		}
	}
	if p.snap.Damaged > 0 {
		p.Guards.Done = append(p.Guards.Done, state.Tally{At: p.now.UTC().Truncate(time.Minute), Forgotten: true})
	}
	open := map[string]bool{}
	for _, c := range p.changes {
		open[token("", c)] = true
	}
	for _, t := range p.snap.Guards.Released {
		_, change, _ := strings.Cut(t, " ")
		if (open[" "+change] || !whole) && !slices.Contains(p.Guards.Released, t) {
			p.Guards.Released = append(p.Guards.Released, t)
		}
	}
	for _, id := range p.snap.Requests {
		if whole && !slices.Contains(p.Answered, id) {
			p.UnknownReleases = append(p.UnknownReleases, id)
		}
	}
}
