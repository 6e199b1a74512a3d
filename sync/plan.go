package sync

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"time"

	"usersyncd/spec"
	"usersyncd/state"
)

// Plan is what would make the organization look like the tree. Two plans from the same input are
// the same, to the order and the id.
type Plan struct {
	ID        string
	Changes   []*Change      // every user that differs, in the order of application; Outcome is Planned for those to be applied
	Unchanged int            // declared users that do not differ
	Problems  []spec.Problem // what only the organization could show to be wrong, by file and line

	confirmed []*state.User // nothing to send: found equal, or no longer managed; to be recorded
	recovered []string      // keys in quarantine that need nothing any more
	roster    *roster
	claimed   map[string]string // Genesys id -> key of the declared user behind it
	revision  string
	began     time.Time
	resent    int // calls sent again, after no usable answer or a conflict
}

// Policy is what a plan may do.
type Policy struct {
	Create bool         // make declared users that do not exist, and restore deleted ones
	Adopt  bool         // manage users that exist already
	Retry  bool         // try users in quarantine whatever their backoff
	Sends  []spec.Field // what the directory can write; other fields are problems
}

// NewPlan compares desired, observed and last applied:
//
//	desired | observed | last applied | then
//	--------+----------+--------------+------------------------------------------------
//	a       | a        | any          | nothing; remembered as applied
//	b       | a        | a, or none   | edit: write b
//	a       | b        | a            | drift: write a
//	c       | b        | a            | edit: write c
//	a       | unknown  | a            | nothing; the API does not always show every field
//	a       | no user  | any          | missing: create, or restore if it was deleted
//	absent  | any      | any          | not managed: left alone, no longer remembered
//	no user | any      | some         | removed: reported once and left alone
//
// It is pure: it reads no clock, logs nothing, and changes neither tree nor snapshot.
func NewPlan(tree *spec.Tree, snap *state.Snapshot, policy Policy, now time.Time) *Plan {
	p := &planner{
		Plan: &Plan{roster: newRoster(snap.Users), claimed: make(map[string]string, len(tree.Users)),
			revision: tree.Revision, began: now},
		policy:   policy,
		snap:     snap,
		declared: make(map[string]*spec.User, len(tree.Users)),
		current:  make(map[string]*state.User, len(tree.Users)),
		changes:  map[string]*Change{},
		wrong:    map[string]bool{},
		now:      now,
	}
	for _, u := range tree.Users {
		p.declared[u.Key] = u
	}
	p.match(tree.Users)
	for _, u := range tree.Users {
		p.user(u)
	}
	p.needs()
	if len(tree.Problems)+len(p.Problems) == 0 {
		p.removed(snap)
	}
	for _, c := range p.changes {
		p.Changes = append(p.Changes, c)
	}
	slices.SortFunc(p.Changes, (*Change).before)
	slices.SortFunc(p.Problems, func(a, b spec.Problem) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Field, b.Field))
	})
	p.ID = p.id()
	return p.Plan
}

// Todo returns the changes that are to be applied.
func (p *Plan) Todo() []*Change {
	var todo []*Change
	for _, c := range p.Changes {
		if c.Outcome == Planned {
			todo = append(todo, c)
		}
	}
	return todo
}

// Converged reports whether the tree was wholly applied: nothing failed, waits or was left out.
func (p *Plan) Converged() bool {
	return len(p.Problems) == 0 && !slices.ContainsFunc(p.Changes, func(c *Change) bool { return c.Outcome != Applied })
}

type planner struct {
	*Plan
	policy   Policy
	snap     *state.Snapshot
	declared map[string]*spec.User
	current  map[string]*state.User // by key of the declared user
	changes  map[string]*Change     // by key
	wrong    map[string]bool        // keys of users that have problems
	now      time.Time
}

// match finds the known user behind each declared one. A pinned id or a former address goes first, so
// that an address which somebody gives up is not taken for that somebody when another user takes it.
func (p *planner) match(users []*spec.User) {
	claim := func(u *spec.User, cur *state.User) {
		if other, taken := p.claimed[cur.ID]; taken {
			p.problem(u, spec.Email, fmt.Sprintf("is the same Genesys user (%s) as %s, declared at %s; keep one of them", cur.ID, other, p.declared[other].Pos))
			return
		}
		p.claimed[cur.ID], p.current[u.Key], p.roster.alias[u.Key] = u.Key, cur, cur.ID
	}
	for _, u := range users {
		if u.ID != "" {
			if cur := p.roster.byID[u.ID]; cur != nil {
				claim(u, cur)
			} else {
				p.problem(u, "id", fmt.Sprintf("no user of this organization has the id %s; correct it, or leave it out to find the user by address", spec.Text(u.ID).Display()))
			}
		} else if u.PreviousEmail != "" && p.roster.byKey[u.Key] == nil {
			if cur := p.roster.live(u.PreviousEmail); cur != nil {
				claim(u, cur)
			}
		}
	}
	for _, u := range users {
		if cur := p.roster.byKey[u.Key]; cur != nil && p.current[u.Key] == nil && u.ID == "" && p.claimed[cur.ID] == "" {
			claim(u, cur)
		}
	}
}

// user plans one declared user.
func (p *planner) user(u *spec.User) {
	if !p.check(u) {
		return
	}
	c := newChange(u, p.current[u.Key])
	p.roster.compare(c)
	failure, failed := p.snap.Failures[u.Key]
	if len(c.Fields) == 0 {
		p.Unchanged++
		if failed {
			p.recovered = append(p.recovered, u.Key)
		}
		if applied := p.roster.applied(c, nil); !sameFields(applied, c.Current.Applied) {
			confirmed := *c.Current
			confirmed.Applied = applied
			p.confirmed = append(p.confirmed, &confirmed)
		}
		return
	}
	switch holder := p.roster.byKey[u.Key]; {
	case c.Action == Create && u.Fields[spec.Name] == "":
		p.problem(u, spec.Name, "is required to create this user")
		return
	case (c.Action == Create || c.Action == Restore) && !p.policy.Create:
		c.Outcome, c.Note = Skipped, "creating users is switched off"
	case c.Action == Adopt && !p.policy.Adopt:
		c.Outcome, c.Note = Skipped, "adopting users is switched off"
	case holder != nil && (c.Current == nil || holder.ID != c.Current.ID):
		// Another declared user still has this address and is about to give it up.
		c.Outcome, c.Note = Skipped, "waits until "+p.claimed[holder.ID]+" has given up this address"
	case failed && !p.policy.Retry && failure.Desired == u.Fields.Hash() && p.now.Before(failure.Next):
		c.Outcome, c.Note = Quarantined, fmt.Sprintf("refused %d times, next try %s: %s", failure.Attempts, failure.Next.UTC().Format(time.RFC3339), failure.Message)
	}
	p.changes[c.Key] = c
}

// check finds what only now can be known to be wrong, before anything of the user is written.
func (p *planner) check(u *spec.User) bool {
	for _, problem := range Unsent(u, p.policy.Sends) {
		p.problem(u, spec.Field(problem.Field), problem.Message)
	}
	for f, v := range u.Fields {
		info, _ := spec.Lookup(f)
		if key := text(v); info.User && key != "" && p.roster.live(key) == nil && p.declared[key] == nil {
			p.problem(u, f, fmt.Sprintf("no user has the address %s, neither in the organization nor in the specs", v.Display()))
		}
	}
	return !p.wrong[u.Key]
}

// Unsent reports the fields of a user that a directory cannot write. Leaving them out in silence would
// break a promise, so they are refused.
func Unsent(u *spec.User, sends []spec.Field) []spec.Problem {
	var problems []spec.Problem
	for _, info := range spec.All() {
		if _, declared := u.Fields[info.Field]; declared && !slices.Contains(sends, info.Field) {
			problems = append(problems, spec.Problem{Pos: u.At[info.Field], Field: string(info.Field),
				Message: "this version of usersyncd does not send this field yet; take it out of the spec (what Genesys has stays as it is)"})
		}
	}
	return problems
}

func (p *planner) problem(u *spec.User, f spec.Field, message string) {
	p.wrong[u.Key] = true
	pos, ok := u.At[f]
	if !ok {
		pos = u.Pos
	}
	p.Problems = append(p.Problems, spec.Problem{Pos: pos, Field: string(f), Message: message})
}

// needs finds, for each change, the users that must exist before it can refer to them, and leaves out
// the changes whose wait would be in vain.
func (p *planner) needs() {
	for _, c := range p.changes {
		for _, fc := range c.Fields {
			info, _ := spec.Lookup(fc.Field)
			if key := text(fc.After); info.User && key != "" && key != c.Key && p.roster.live(key) == nil {
				c.Needs = append(c.Needs, key)
			}
		}
	}
	comes := func(key string) bool {
		c := p.changes[key]
		return c != nil && c.Outcome == Planned
	}
	for again := true; again; {
		again = false
		for _, c := range p.changes {
			i := slices.IndexFunc(c.Needs, func(key string) bool { return !comes(key) })
			if c.Outcome == Planned && i >= 0 {
				c.Outcome, c.Note, again = Skipped, "waits for "+c.Needs[i]+", who does not exist yet", true
			}
		}
	}
}

// removed plans what is managed and no longer declared: it is reported, once, and left alone.
func (p *planner) removed(snap *state.Snapshot) {
	for key := range snap.Failures {
		if p.declared[key] == nil {
			p.recovered = append(p.recovered, key)
		}
	}
	for id, u := range snap.Users {
		if p.claimed[id] != "" || u.Applied == nil || snap.Rebuilt {
			continue
		}
		c := &Change{Key: keyOf(u), Action: Unmanage, Current: u, Outcome: Planned}
		if p.changes[c.Key] != nil {
			continue // the address went to another declared user: next time
		}
		c.classify()
		p.changes[c.Key] = c
	}
}

// id names the plan by what it would do.
func (p *Plan) id() string {
	h := sha256.New()
	for _, c := range p.Changes {
		fmt.Fprintln(h, c.Outcome, c)
	}
	return "p-" + hex.EncodeToString(h.Sum(nil)[:4])
}
