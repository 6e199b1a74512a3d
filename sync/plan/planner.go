package plan

import (
	"cmp"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"time"

	"usersyncd/spec"
	"usersyncd/spec/text"
	"usersyncd/state"
	"usersyncd/sync/plan/identity"
	"usersyncd/sync/plan/reference"
	"usersyncd/sync/plan/tally"
)

// A planner builds one plan.
type planner struct {
	*Plan
	policy       Policy
	results      *LookupResults
	snap         *state.Snapshot
	match        *identity.Matches
	redeclared   []*state.User      // of whom the declaration changes
	changes      map[string]*Change // by key
	removals     map[string]*Change // by id
	unchanged    map[string]bool    // keys
	heldIDs      map[string]bool    // of users that the listing should have shown
	defaultRole  int                // users who have the role of every user again
	failedBefore map[string]bool    // keys of users that failed earlier in the same pass
	now          time.Time
}

func newPlanner(snap *state.Snapshot, policy Policy, results *LookupResults, now time.Time) *planner {
	if results == nil {
		results = &LookupResults{}
	}
	p := &planner{
		Plan: &Plan{Index: identity.NewIndex(snap.Users), OwnerOf: map[string]string{}, At: now,
			Lookups: Lookups{Names: map[spec.Ref]bool{}, Fields: map[string][]spec.Field{}, Fresh: map[string]bool{}, Emails: map[string]bool{}, Memberships: map[Membership]bool{}},
			infos:   spec.AllFields(), Reads: results.Reads, reportDrift: policy.ReportDrift, emailUnmanaged: slices.Contains(policy.Unmanaged, spec.Email)},
		policy: policy, results: results, snap: snap, now: now, match: &identity.Matches{},
		changes: map[string]*Change{}, removals: map[string]*Change{}, unchanged: map[string]bool{}, heldIDs: map[string]bool{},
		failedBefore: map[string]bool{},
	}
	for _, id := range snap.Refresh.HeldIDs {
		p.heldIDs[id] = true
	}
	if policy.Previous != nil {
		for _, c := range policy.Previous.Changes {
			p.failedBefore[c.Key] = c.Outcome == Failed
		}
	}
	p.loadGuards()
	return p
}

func (p *planner) matchUsers(tree *spec.Tree) {
	p.match = identity.Match(identity.Input{
		Users: slices.Concat(tree.Users, tree.Leavers), Index: p.Index, Incomplete: len(tree.Problems) > 0,
		NameUnmanaged: slices.Contains(p.policy.Unmanaged, spec.Name), LookedUp: p.results.IDs, Searched: p.results.Searched,
	})
	p.OwnerOf, p.Lookups.IDs, p.Lookups.Emails = p.match.OwnerOf, p.match.IDs, p.match.Emails
	for _, wrong := range p.match.Problems {
		p.addProblem(wrong.User, wrong.Field, wrong.Message)
	}
}

func (p *planner) loadGuards() {
	stored := p.snap.Guards
	p.Guards.Released, p.Guards.Tallies = slices.Sorted(slices.Values(stored.Released)), tally.Prune(stored.Tallies, p.now)
	if first := stored.FirstImport; !first.IsZero() && p.now.Sub(first) < tally.Window {
		p.Guards.FirstImport = tally.Clamp(first, p.now)
	}
	if p.snap.Damaged > 0 {
		p.Guards.Tallies = tally.Add(p.Guards.Tallies, state.Tally{Incomplete: true}, p.now)
	}
}

// plannedChanges returns the changes that are to be made and meet a condition, in their order.
func (p *planner) plannedChanges(is func(*Change) bool) []*Change {
	var some []*Change
	for _, c := range p.changes {
		if c.Outcome == Planned && is(c) {
			some = append(some, c)
		}
	}
	slices.SortFunc(some, (*Change).compareTo)
	return some
}

func (p *planner) addProblem(u *spec.User, f spec.Field, message string) {
	pos, ok := u.At.Of(f)
	if !ok {
		pos = u.Pos
	}
	p.Problems = append(p.Problems, Problem{Key: u.Key, Problem: spec.Problem{Pos: pos, Field: string(f), Message: message}})
}

// withholdProblem withholds a field with a problem: its applied value stays, and the user's other fields are written. c may
// be nil.
func (p *planner) withholdProblem(u *spec.User, c *Change, f spec.Field, message string) {
	p.addProblem(u, f, message)
	if c != nil {
		c.withhold(Withheld{Reason: ByProblem, Note: message}, f)
	}
}

// checkReferences checks the references of declared users to others. A wrong one excludes only its field.
func (p *planner) checkReferences(users []*spec.User) {
	users = slices.DeleteFunc(slices.Clone(users), func(u *spec.User) bool { return p.match.Ambiguous[u.Key] || !p.policy.Select.Selects(u) })
	wrong, notes := reference.Check(users, reference.Input{
		Declared: p.match.Declared, Index: p.Index, OwnerOf: p.OwnerOf, EmailUnmanaged: p.emailUnmanaged,
		Deletes:     func(u *state.User) bool { c := p.removals[u.ID]; return c.isPlanned() && c.Action == Delete },
		Deactivates: func(key string) bool { c := p.changes[key]; return c.isPlanned() && c.Deactivates() },
	})
	for _, w := range wrong {
		c := p.changes[w.User.Key]
		if c == nil && p.unchanged[w.User.Key] {
			p.Unchanged-- // it is no longer as declared
			delete(p.unchanged, w.User.Key)
		}
		p.withholdProblem(w.User, c, w.Field, w.Message)
	}
	p.Notes = append(p.Notes, notes...)
}

// withholdAddresses withholds the changes of addresses that no order of calls can make: an address is unique in an
// organization, and another user has it who keeps it, or is to get one in exchange.
func (p *planner) withholdAddresses() {
	a := &addressChecker{planner: p, pos: map[*Change]int{}}
	for _, key := range slices.Sorted(maps.Keys(p.changes)) {
		if c := p.changes[key]; c.isPlanned() {
			a.check(c)
		}
	}
}

// An addressChecker follows the users who have the addresses that others are to get.
type addressChecker struct {
	*planner
	path []*Change       // each waits for the address of the next
	pos  map[*Change]int // of those that were checked: the position in path, from 1; -1 when done
}

// check decides whether a change can have its address, and refuses it if not.
func (a *addressChecker) check(c *Change) {
	if a.pos[c] != 0 || !c.HasField(spec.Email) {
		return
	}
	a.path = append(a.path, c)
	a.pos[c] = len(a.path)
	defer func() { a.path, a.pos[c] = a.path[:a.pos[c]-1], -1 }()
	holder := a.Index.Live(c.Key)
	if holder == nil || c.Current != nil && holder.ID == c.Current.ID {
		return
	}
	owner := a.OwnerOf[holder.ID]
	next := a.changes[owner]
	renamed := func() bool { return owner != "" && next != nil && next.Action != Create && next.HasField(spec.Email) }
	if renamed() {
		if at := a.pos[next]; at > 0 {
			if cycle := slices.Clone(a.path[at-1:]); slices.ContainsFunc(cycle, (*Change).isPlanned) {
				a.refuseCycle(cycle)
			}
			return
		}
		a.check(next)
	}
	who := fmt.Sprintf("is the address of another user (%s, id %s)", holder.Fields.Get(spec.Name).Display(), holder.ID)
	switch {
	case renamed(), c.Outcome != Planned, !c.HasField(spec.Email): // its turn comes, it is not made anyway, or it is in a cycle
	case owner == "":
		a.refuse(c, who+", which no spec declares; change it there, or pin that user with id")
	default:
		a.refuse(c, fmt.Sprintf("%s, declared at %s, who keeps it", who, a.match.Declared[owner].Pos))
	}
}

func (a *addressChecker) refuseCycle(cycle []*Change) {
	keys := make([]string, len(cycle))
	for i, c := range cycle {
		keys[i] = c.Key
	}
	why := fmt.Sprintf("cannot be written: these users exchange addresses (%s), and an address is unique; give one of them another address first",
		reference.Cycle(keys))
	for _, c := range cycle {
		a.refuse(c, why)
	}
}

// refuse leaves the address as it is. A user that cannot be created without it is left out.
func (a *addressChecker) refuse(c *Change, why string) {
	if u := a.match.Declared[c.Key]; u != nil {
		a.addProblem(u, spec.Email, why)
	}
	if c.Action == Create {
		delete(a.changes, c.Key)
		c.Outcome = Skipped
		return
	}
	c.withhold(Withheld{Reason: ByProblem, Note: why}, spec.Email)
}

// finish puts the changes in the order of application, and sets the plan's id.
func (p *planner) finish() {
	setWithheldOutcomes(p.changes)
	p.resolveDependencies()
	p.Changes = slices.SortedFunc(maps.Values(p.changes), (*Change).compareTo)
	p.setID()
	p.noteLostRoles()
}

// noteLostRoles notes users who become active and get no role: Genesys Cloud takes the roles of inactive users, and does not give
// them back.
func (p *planner) noteLostRoles() {
	n := 0
	for _, c := range p.Changes {
		if _, declared := c.Desired.Lookup(spec.Roles); c.Outcome == Planned && c.Activates() && (!declared || c.Withholds(spec.Roles)) {
			n++
		}
	}
	if n == 0 {
		return
	}
	then := "declare roles in the specs, or give them there"
	if p.RollbackOf != "" {
		then = "after usersyncd resume, the next pass gives those that the specs declare and --allow-roles has"
	}
	p.Notes = append(p.Notes, fmt.Sprintf("%s active without a role, as Genesys Cloud takes the roles of inactive users: %s", text.Count(n, "user becomes", "users become"), then))
}

// resolveDependencies finds, for each change, the users that must exist before it can refer to them, and skips the changes
// that would wait for a user who is not going to exist. It skips none of a cycle: users to be created are all created before
// the rest is written, and other cycles are reported at the end of the pass.
func (p *planner) resolveDependencies() {
	for _, c := range p.changes {
		for _, fc := range c.Fields {
			info, _ := spec.Lookup(fc.Field)
			if key := fc.After.Text(); info.RefersToUser && key != "" && key != c.Key && !p.KeepsAddress(key) {
				c.DependsOn = append(c.DependsOn, key)
			}
		}
	}
	waiting := map[string][]*Change{} // by what they depend on
	for _, c := range p.changes {
		for _, key := range c.DependsOn {
			waiting[key] = append(waiting[key], c)
		}
	}
	for missing := slices.Collect(maps.Keys(waiting)); len(missing) > 0; {
		key := missing[len(missing)-1]
		if missing = missing[:len(missing)-1]; p.changes[key].isPlanned() {
			continue
		}
		for _, c := range waiting[key] {
			if c.Outcome == Planned {
				c.Outcome, c.WaitsFor = Skipped, key
				if on := p.changes[key]; on != nil {
					c.WaitsForLeftOut = on.LeftOut() || on.WaitsForLeftOut
				}
				missing = append(missing, c.Key)
			}
		}
	}
}

// setWithheldOutcomes sets the outcomes of changes of which all fields are withheld.
func setWithheldOutcomes(changes map[string]*Change) {
	for key, c := range changes {
		if c.Outcome != Planned && c.Outcome != Deferred || len(c.Withheld) == 0 || len(c.Fields)+len(c.Deferred) > 0 {
			continue
		}
		first := slices.MinFunc(c.Withheld, func(a, b Withheld) int { return cmp.Compare(reportOrder(a.Reason), reportOrder(b.Reason)) })
		switch first.Reason {
		case ByGuard:
			c.Outcome, c.Hold, c.Note = Held, first.Hold, first.Note
		case ByProblem:
			if len(c.Drift) == 0 {
				delete(changes, key) // the problem is reported by itself
			} else {
				c.Outcome = Skipped
			}
		default:
			c.Outcome, c.Note, c.Retry = Skipped, first.Note, first.Until
		}
	}
}

// reportOrder orders reasons by what is reported first.
func reportOrder(r Reason) int {
	return slices.Index([]Reason{ByGuard, ByContest, ByUncertainty, ByProblem}, r)
}

// record adds what is done without a call: users that are no longer managed, and what the guards store.
func (p *planner) record() {
	if p.Urgent { // too little is known of all other users
		p.Record = state.Commit{Checkout: p.Record.Checkout}
		p.recordGuards()
		return
	}
	for _, c := range p.Changes {
		if c.Outcome == Planned && c.Action == Unmanage {
			u := *c.Current
			u.Unmanage()
			if done := p.interruptedRemoval(&u); done != "" {
				u.Removed = done
				p.Record.ClearWriteIntents = append(p.Record.ClearWriteIntents, state.UserFields{ID: u.ID, Fields: []spec.Field{spec.State}})
			}
			p.Record.Users = append(p.Record.Users, &u)
			p.Count(c, c.Current, &u, nil, p.now)
		}
	}
	p.recordGuards()
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
	if !p.Record.Empty() { // they do not get a commit of their own
		p.Record.Users, p.DeclarationUpdates = append(p.Record.Users, p.DeclarationUpdates...), nil
	}
}

func (p *planner) recordGuards() {
	if !reflect.DeepEqual(p.Guards, p.snap.Guards) {
		guards := p.Guards
		p.Record.Guards = &guards
	}
}
