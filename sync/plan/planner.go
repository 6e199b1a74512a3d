package plan

import (
	"cmp"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"time"

	"usersyncd/spec"
	"usersyncd/spec/text"
	"usersyncd/state"
	"usersyncd/sync/plan/identity"
	"usersyncd/sync/plan/reference"
	"usersyncd/sync/plan/tally"
)

// A planner is a plan under way.
type planner struct {
	*Plan
	policy     Policy
	answers    *LookupResults
	snap       *state.Snapshot
	match      *identity.Matches
	redeclared []*state.User      // whose record changes
	changes    map[string]*Change // by key
	removals   map[string]*Change // by id
	quiet      map[string]bool    // keys of users who need nothing
	held       map[string]bool    // ids
	tried      map[string]bool    // keys of whom the plan before has failed, in the same pass
	now        time.Time
}

func newPlanner(snap *state.Snapshot, policy Policy, answers *LookupResults, now time.Time) *planner {
	p := &planner{
		Plan: &Plan{Index: identity.NewIndex(snap.Users), OwnerOf: map[string]string{}, Began: now,
			Lookups: Lookups{Names: map[spec.Ref]bool{}, Fields: map[string][]spec.Field{}, Fresh: map[string]bool{}, Emails: map[string]bool{}},
			infos:   spec.All(), reportDrift: policy.ReportDrift, emailUnmanaged: slices.Contains(policy.Unmanaged, spec.Email)},
		policy: policy, answers: answers, snap: snap, now: now, match: &identity.Matches{},
		changes: map[string]*Change{}, removals: map[string]*Change{}, quiet: map[string]bool{}, held: map[string]bool{},
		tried: map[string]bool{},
	}
	for _, id := range snap.Refresh.HeldIDs {
		p.held[id] = true
	}
	p.recall()
	return p
}

// matchUsers finds who the declared users are.
func (p *planner) matchUsers(tree *spec.Tree) {
	p.match = identity.Match(identity.Input{
		Users: slices.Concat(tree.Users, tree.Leavers), Index: p.Index, Incomplete: len(tree.Problems) > 0,
		NameUnmanaged: slices.Contains(p.policy.Unmanaged, spec.Name), LookedUp: p.answers.IDs, Searched: p.answers.Searched,
	})
	p.OwnerOf, p.Lookups.IDs, p.Lookups.Emails = p.match.OwnerOf, p.match.IDs, p.match.Emails
	for _, wrong := range p.match.Problems {
		p.problem(wrong.User, wrong.Field, wrong.Message)
	}
}

// recall takes over what the guards remember.
func (p *planner) recall() {
	known := p.snap.Guards
	p.Guards.Released, p.Guards.Tallies = slices.Clone(known.Released), tally.Prune(known.Tallies, p.now)
	if first := known.FirstImport; !first.IsZero() && p.now.Sub(first) < tally.Window {
		p.Guards.FirstImport = tally.NotAfter(first, p.now)
	}
	if p.snap.Damaged > 0 {
		p.Guards.Tallies = tally.Add(p.Guards.Tallies, state.Tally{Incomplete: true}, p.now)
	}
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

func (p *planner) problem(u *spec.User, f spec.Field, message string) {
	pos, ok := u.At.Of(f)
	if !ok {
		pos = u.Pos
	}
	p.Problems = append(p.Problems, Problem{Key: u.Key, Problem: spec.Problem{Pos: pos, Field: string(f), Message: message}})
}

// leaveOut withholds a field of which something is wrong: what was applied stays, and the user's other fields go on.
func (p *planner) leaveOut(u *spec.User, c *Change, f spec.Field, message string) {
	p.problem(u, f, message)
	if c != nil {
		c.withhold(Withheld{Reason: ByProblem, Note: message}, func(fc FieldChange) bool { return fc.Field == f })
	}
}

// references checks whom the declared users refer to. A wrong reference costs the field alone.
func (p *planner) references(users []*spec.User) {
	users = slices.DeleteFunc(slices.Clone(users), func(u *spec.User) bool { return p.match.Ambiguous[u.Key] || !p.policy.Select.Selects(u) })
	wrong, notes := reference.Check(users, reference.Input{
		Declared: p.match.Declared, Index: p.Index, OwnerOf: p.OwnerOf, EmailUnmanaged: p.emailUnmanaged,
		Deletes:     func(u *state.User) bool { c := p.removals[u.ID]; return c.planned() && c.Action == Delete },
		Deactivates: func(key string) bool { c := p.changes[key]; return c.planned() && c.Deactivates() },
	})
	for _, w := range wrong {
		c := p.changes[w.User.Key]
		if c == nil && p.quiet[w.User.Key] {
			p.Unchanged-- // as it was, and not as declared any more
			delete(p.quiet, w.User.Key)
		}
		p.leaveOut(w.User, c, w.Field, w.Message)
	}
	p.Notes = append(p.Notes, notes...)
}

// withholdAddresses withholds what no order of calls can do: an address that somebody else has, and keeps or passes on to
// the one who waits for it. Addresses are unique in an organization, and never in two places.
func withholdAddresses(p *planner) {
	var changes []*Change
	for _, c := range p.changes {
		if c.Outcome == Planned && c.HasField(spec.Email) {
			changes = append(changes, c)
		}
	}
	slices.SortFunc(changes, func(a, b *Change) int { return cmp.Compare(a.Key, b.Key) })
	for again := true; again; { // who keeps an address may be whom others wait for
		again = false
		for _, c := range changes {
			if c.Outcome != Planned || !c.HasField(spec.Email) {
				continue
			}
			refused, why := unavailable(p, c)
			for _, c := range refused {
				refuseAddress(p, c, why)
				again = true
			}
		}
	}
}

// unavailable returns the changes that cannot have their addresses, and why: the given one, or all of a circle that
// it is in; nobody if it can.
func unavailable(p *planner, c *Change) (refused []*Change, why string) {
	for next := c; ; {
		holder := p.Index.Live(next.Key)
		if holder == nil || next.Current != nil && holder.ID == next.Current.ID {
			return nil, ""
		}
		refused = append(refused, next)
		owner := p.OwnerOf[holder.ID]
		change := p.changes[owner]
		switch {
		case owner != "" && change == c:
			keys := []string{}
			for _, c := range refused {
				keys = append(keys, text.Escape(c.Key))
			}
			return refused, fmt.Sprintf("cannot be written: these users exchange addresses (%s -> %s), and an address is unique; give one of them another address first",
				strings.Join(keys, " -> "), keys[0])
		case owner != "" && change != nil && change.Action != Create && change.HasField(spec.Email) && !slices.Contains(refused, change):
			next = change // who has it gives it up, if that can be done
		case next != c:
			return nil, "" // what is wrong is further on
		case owner == "":
			return refused, fmt.Sprintf("is the address of another user (%s, id %s), whom no spec declares; change it there, or pin that user with id", holder.Fields[spec.Name].Display(), holder.ID)
		default:
			return refused, fmt.Sprintf("is the address of another user (%s, id %s), declared at %s, who keeps it", holder.Fields[spec.Name].Display(), holder.ID, p.match.Declared[owner].Pos)
		}
	}
}

// refuseAddress leaves the address as it is, and out a user who cannot be made without it.
func refuseAddress(p *planner, c *Change, why string) {
	if u := p.match.Declared[c.Key]; u != nil {
		p.problem(u, spec.Email, why)
	}
	if c.Action == Create {
		delete(p.changes, c.Key)
		c.Outcome = Skipped
		return
	}
	c.withhold(Withheld{Reason: ByProblem, Note: why}, func(fc FieldChange) bool { return fc.Field == spec.Email })
}

// order puts what was found in the order of application, and names the plan.
func (p *planner) order() {
	endWithheld(p.changes)
	p.needs()
	p.Changes = slices.SortedFunc(maps.Values(p.changes), (*Change).before)
	p.ID = p.id()
}

// needs finds, for each change, the users that must exist before it can refer to them, and leaves out
// the changes whose wait would be in vain. Of those that wait for each other it leaves none out: users who are
// created do so until all are there, and others are told of at the end of the pass.
func (p *planner) needs() {
	for _, c := range p.changes {
		for _, fc := range c.Fields {
			info, _ := spec.Lookup(fc.Field)
			if key := fc.After.Text(); info.User && key != "" && key != c.Key && !p.Reachable(key) {
				c.DependsOn = append(c.DependsOn, key)
			}
		}
	}
	for again := true; again; {
		again = false
		for _, c := range p.changes {
			i := slices.IndexFunc(c.DependsOn, func(key string) bool { return !p.changes[key].planned() })
			if c.Outcome == Planned && i >= 0 {
				c.Outcome, c.WaitsFor, again = Skipped, c.DependsOn[i], true
			}
		}
	}
}

// endWithheld ends the changes of which nothing is left to write.
func endWithheld(changes map[string]*Change) {
	for key, c := range changes {
		if c.Outcome != Planned && c.Outcome != Deferred || len(c.Withheld) == 0 || len(c.Fields)+len(c.Deferred) > 0 {
			continue
		}
		first := slices.MinFunc(c.Withheld, func(a, b Withheld) int { return cmp.Compare(rank(a.Reason), rank(b.Reason)) })
		switch first.Reason {
		case ByGuard:
			c.Outcome, c.Hold, c.Note = Held, first.Hold, first.Note
		case ByProblem:
			if len(c.Drift) == 0 {
				delete(changes, key) // the problem says it
			} else {
				c.Outcome = Skipped
			}
		default:
			c.Outcome, c.Note, c.Retry = Skipped, first.Note, first.Until
		}
	}
}

// rank orders reasons by what a person has to know first.
func rank(r Reason) int {
	return slices.Index([]Reason{ByGuard, ByContest, ByUncertainty, ByProblem}, r)
}

// record adds what is done without a call: who is no longer managed, and what the guards remember.
func (p *planner) record() {
	if p.Urgent { // of all others too little is known
		p.Record = state.Commit{Checkout: p.Record.Checkout}
		if !reflect.DeepEqual(p.Guards, p.snap.Guards) {
			p.Record.Guards = &p.Guards
		}
		return
	}
	for _, c := range p.Changes {
		if c.Outcome == Planned && c.Action == Unmanage {
			left := *c.Current
			left.Unmanage()
			if done := p.finished(&left); done != "" {
				left.Removed = done
				p.Record.ClearWrites = append(p.Record.ClearWrites, state.UserFields{ID: left.ID, Fields: []spec.Field{spec.State}})
			}
			p.Record.Users = append(p.Record.Users, &left)
			p.Count(c, c.Current, &left, nil, p.now)
		}
	}
	if !reflect.DeepEqual(p.Guards, p.snap.Guards) {
		guards := p.Guards
		p.Record.Guards = &guards
	}
	committed := map[string]bool{} // with the record, or with the calls of their change
	for _, u := range p.Record.Users {
		committed[u.ID] = true
	}
	for _, c := range p.Changes {
		if c.Outcome == Planned && c.Current != nil {
			committed[c.Current.ID] = true
		}
	}
	for _, u := range p.redeclared {
		if !committed[u.ID] {
			p.DeclarationUpdates = append(p.DeclarationUpdates, u)
		}
	}
	if !p.Record.Empty() { // a commit of its own they do not get
		p.Record.Users, p.DeclarationUpdates = append(p.Record.Users, p.DeclarationUpdates...), nil
	}
}
