package plan

import (
	"cmp"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"usersyncd/spec"
	"usersyncd/spec/text"
	"usersyncd/state"
	"usersyncd/sync/plan/identity"
)

// planRemovals plans the users that are managed and no longer declared, as the policy says. In any case they are no longer
// managed after it.
func (p *planner) planRemovals(misnamed []string) {
	renamed := renamedFiles(misnamed)
	for _, key := range slices.Sorted(maps.Keys(p.snap.CreateIntents)) {
		if p.match.Declared[key] == nil {
			p.Record.ClearCreateIntents = append(p.Record.ClearCreateIntents, key)
		}
	}
	for _, u := range p.undeclaredUsers() {
		c := p.removal(u)
		if p.changes[c.Key] != nil {
			continue // the address went to a declared user: removed by the next pass
		}
		if now := renamed[stem(u.Declared.File)]; now != "" && c.Action != Unmanage {
			c.Outcome, c.Note = Held, "the file that declared the user is "+text.Escape(now)+" now, which is not read: rename it back, or delete it if the user is to leave"
		}
		p.changes[c.Key], p.removals[u.ID] = c, c
	}
	for _, key := range slices.Sorted(maps.Keys(p.snap.Failures)) {
		if c := p.changes[key]; p.match.Declared[key] == nil && (c == nil || c.Action == Unmanage) {
			p.Record.ClearFailures = append(p.Record.ClearFailures, key)
		}
	}
}

// renamedFiles returns files that are not read by the names that they may have had, without the extension: ana.yaml.txt was
// ana.yaml.
func renamedFiles(misnamed []string) map[string]string {
	was := map[string]string{}
	for _, name := range misnamed {
		for i := len(name) - 1; i > strings.LastIndexByte(name, '/'); i-- {
			if name[i] == '.' {
				was[name[:i]] = name
			}
		}
	}
	return was
}

// stem is a name without its extension.
func stem(file string) string { return strings.TrimSuffix(file, path.Ext(file)) }

func (p *planner) removal(u *state.User) *Change {
	c := &Change{Key: u.Key(), Current: u, Outcome: Planned, Action: cmp.Or(p.policy.OnRemoval, Unmanage)}
	c.Desired = spec.Fields{{Field: spec.State, Value: spec.Text(map[Action]string{Deactivate: "inactive", Delete: state.Deleted}[c.Action])}}
	p.Compare(c)
	c.Hash = string(c.Action)
	if p.addressChanged(u) { // earlier releases do not apply
		c.Hash += " " + u.Key()
	}
	if c.Action != Unmanage {
		if len(c.Fields) == 0 {
			c.Action = Unmanage
		} else {
			p.checkQuarantine(c)
		}
	}
	return c
}

// addressChanged reports whether a user has another address than the one last applied, though addresses are managed.
func (p *planner) addressChanged(u *state.User) bool {
	return !p.emailUnmanaged && u.Key() != u.AppliedKey()
}

// undeclaredUsers returns the managed users that are not declared, by id.
func (p *planner) undeclaredUsers() []*state.User {
	var users []*state.User
	for id, u := range p.snap.Users {
		if u.LastApplied != nil && p.OwnerOf[id] == "" {
			users = append(users, u)
		}
	}
	slices.SortFunc(users, func(a, b *state.User) int { return cmp.Compare(a.ID, b.ID) })
	return users
}

// planLastApplied plans the managed users that a tree with problems does not declare: they stay as last applied.
func (p *planner) planLastApplied() {
	for _, u := range p.undeclaredUsers() {
		key := u.Declared.Key
		if key == "" || p.match.Declared[key] != nil || p.heldIDs[u.ID] {
			continue
		}
		p.Retained++
		if p.addressChanged(u) {
			continue // the account may be another person's now
		}
		c := newChange(&spec.User{Key: key, Fields: u.LastApplied}, u)
		c.Hash = (&spec.User{Key: key, Fields: u.LastApplied}).Hash()
		c.Desired = p.policy.ManagedFields(u.LastApplied, u)
		p.Compare(c)
		p.lookUpUncertain(c)
		if c.Action != Update || len(c.Fields)+len(c.Drift)+len(c.Withheld) == 0 || p.changes[key] != nil || len(p.policy.Guard.Refuses(c)) > 0 {
			continue
		}
		if len(c.Fields)+len(c.Withheld) == 0 {
			c.Outcome, c.Note = Skipped, reportOnly
		} else {
			p.checkQuarantine(c)
		}
		p.changes[key] = c
	}
}

// HasLeavers reports whether a tree declares any user inactive for certain, whatever its problems.
func HasLeavers(tree *spec.Tree) bool {
	return len(tree.Leavers) > 0 || slices.ContainsFunc(tree.Users, declaredInactive)
}

func declaredInactive(u *spec.User) bool {
	return u.Own(spec.State) && u.Fields.Get(spec.State) == spec.Text("inactive")
}

// planLeaver plans the deactivation of a user that is declared inactive in a spec with problems. Everything else stays as
// last applied.
func (p *planner) planLeaver(u *spec.User) {
	current := p.match.Accounts[u.Key]
	if p.match.Ambiguous[u.Key] || current == nil || current.Deleted() || slices.Contains(p.policy.Unmanaged, spec.State) ||
		current.LastApplied == nil && !p.policy.Adopt {
		return
	}
	if other := p.match.DeclaredAt(u); other != nil && other != current && u.Ordinal == 0 && u.Fields.Get(spec.Name) == "" {
		return // the file declared another user until now, and no name says which one is meant
	}
	c := newChange(u, current)
	c.Desired = slices.Clone(current.LastApplied)
	c.Desired.Set(spec.State, u.Fields.Get(spec.State))
	c.Desired = p.policy.ManagedFields(c.Desired, current)
	p.Compare(c)
	c.Fields = slices.DeleteFunc(c.Fields, func(fc FieldChange) bool { return fc.Field != spec.State })
	if c.setCauseAndLane(); !c.Deactivates() {
		return
	}
	c.Hash = u.Hash()
	p.checkQuarantine(c)
	p.changes[c.Key] = c
}

// holdOtherCheckout holds all removals while the specs are of another checkout than the state file has recorded: they may
// declare other users. Releasing them records the new checkout.
func (g *guards) holdOtherCheckout(now string) {
	switch known := g.snap.Checkout; {
	case now == "" || now == known:
		return
	case known == "":
		g.Record.Checkout = now
		return
	}
	removals := g.plannedChanges(func(c *Change) bool { return c.Action.Removes() })
	if len(removals) == 0 {
		return
	}
	g.hold(guardRemovals, fmt.Sprintf("the state file belongs to the checkout %s, and the specs are of %s: use another state file for another checkout (--state)",
		text.Escape(g.snap.Checkout), text.Escape(now)), removals)
	if removals[0].Outcome == Planned {
		g.Record.Checkout = now
	}
}

// verifyRestores requires that deleted accounts which are to be restored because of their address were read in this pass: no
// listing shows them, so the known address may be outdated. An account with another address now is not matched again.
func (g *guards) verifyRestores() {
	for _, c := range g.plannedChanges(func(c *Change) bool { return c.Action == Restore && g.snap.Users[c.Current.ID].Declared.Key != c.Key }) {
		g.isFresh(c, "restored")
	}
}

// isFresh reports whether the user of a change was read in this pass. Otherwise it asks for that, or skips the change.
func (g *guards) isFresh(c *Change, done string) bool {
	err, read := g.results.Fresh[c.Current.ID]
	switch {
	case !read:
		g.Lookups.Fresh[c.Current.ID] = true
	case err != nil:
		c.Outcome, c.Note = Skipped, fmt.Sprintf("a user is %s only after it was read in the same pass, and it cannot be read: %v", done, err)
	}
	return read && err == nil
}

// verifyRemovals requires that users which are to be deactivated or deleted were read in this pass, and holds those whose
// address was changed.
func (g *guards) verifyRemovals() {
	var changed []*Change
	for _, c := range g.plannedChanges(func(c *Change) bool { return c.Action == Deactivate || c.Action == Delete }) {
		if g.isFresh(c, "removed") && g.addressChanged(c.Current) && !g.isReleased(c, guardRemovals) {
			changed = append(changed, c)
		}
	}
	if len(changed) == 0 {
		return
	}
	first := changed[0]
	reason := fmt.Sprintf("the address was changed in Genesys since it was last applied, from %s to %s, and the account may be another person's now",
		text.Escape(first.Current.LastApplied.Get(spec.Email).Text()), text.Escape(first.Key))
	if n := len(changed) - 1; n > 0 {
		reason += fmt.Sprintf(" (and %d more)", n)
	}
	g.hold(guardRemovals, reason, changed)
}

// holdRenames holds what looks like a rename and is not declared as one: the user would get a second account, and the first
// one would be removed. It also holds users that were matched to an account that seems to be another person's.
func (g *guards) holdRenames() {
	if !g.policy.Guard.Renames {
		return
	}
	var reasons []string
	held, doubtful := map[*Change]bool{}, map[string]bool{}
	for _, r := range g.resemblances() {
		created, removed := g.changes[r.Spec.Key], g.removals[r.Old.ID]
		if created == nil && removed == nil {
			continue // neither is about to be done
		}
		if _, read := g.results.Fresh[r.Old.ID]; !read {
			g.Lookups.Fresh[r.Old.ID] = true // it may have the new address already
			continue
		}
		if g.isReleased(cmp.Or(created, removed), guardRenames) {
			continue
		}
		for _, c := range []*Change{created, removed} {
			if c != nil && (c == created || c.Outcome == Planned) {
				held[c] = true
			}
		}
		if known := g.match.Accounts[r.Spec.Key]; known != nil { // the match is doubtful
			doubtful[known.ID] = true
		}
		reasons = append(reasons, fmt.Sprintf("%s: %s looks like %s under another address (%s): add previousEmail: %s if it is the same person",
			r.Spec.Pos, text.Escape(r.Spec.Key), text.Escape(r.Old.Declared.Key), r.Why, text.Escape(r.Old.Declared.Key)))
	}
	g.redeclared = slices.DeleteFunc(g.redeclared, func(u *state.User) bool { return doubtful[u.ID] })
	for key, why := range g.match.Doubts {
		if c := g.changes[key]; c.isPlanned() && !g.isReleased(c, guardRenames) {
			held[c] = true
			reasons = append(reasons, why)
		}
	}
	if len(reasons) == 0 {
		return
	}
	slices.Sort(reasons)
	reason := reasons[0]
	if n := len(reasons) - 1; n > 0 {
		reason += fmt.Sprintf("; and %d more like it", n)
	}
	g.hold(guardRenames, reason, slices.SortedFunc(maps.Keys(held), (*Change).compareTo))
}

// resemblances pairs declared users without a known account with accounts that are not declared.
func (g *guards) resemblances() []identity.Resemblance {
	var specs []*spec.User
	for key, u := range g.match.Declared { // also those that will not be created: the account may be theirs
		known, c := g.match.Accounts[key], g.changes[key]
		adopted := known != nil && c != nil && known.LastApplied == nil && known.Removed == "" &&
			(c.Action == Restore || c.Action == Adopt && identity.DifferentName(u, known)) // only because of its address
		if u.ID == "" && !g.match.Ambiguous[key] && (known == nil || adopted || g.match.Doubts[key] != "") {
			specs = append(specs, u)
		}
	}
	var accounts []*state.User // not declared, or not certainly
	for id, u := range g.snap.Users {
		owner := g.OwnerOf[id]
		if u.LastApplied != nil && !u.Deleted() && !g.heldIDs[id] && (owner == "" || g.match.Ambiguous[owner] || g.match.Doubts[owner] != "") {
			accounts = append(accounts, u)
		}
	}
	return identity.Resemblances(specs, accounts)
}

// noteNamesakes notes new users who look like an account that is neither declared nor managed: what an edited address is, if
// nothing was applied before. Nobody is removed for it, so it is not held.
func (g *guards) noteNamesakes() {
	var specs []*spec.User
	names := map[spec.Value]bool{}
	for key, c := range g.changes {
		if u := g.match.Declared[key]; u != nil && c.Action == Create && c.isPlanned() {
			specs = append(specs, u)
			names[u.Fields.Get(spec.Name)] = true
		}
	}
	if len(specs) == 0 {
		return
	}
	var accounts []*state.User
	for id, u := range g.snap.Users {
		if u.LastApplied == nil && !u.Deleted() && g.OwnerOf[id] == "" && names[u.Fields.Get(spec.Name)] {
			accounts = append(accounts, u)
		}
	}
	all := identity.Resemblances(specs, accounts)
	if len(all) == 0 {
		return
	}
	first := all[0]
	note := fmt.Sprintf("%s: %s looks like %s, whom no spec declares (%s): add previousEmail: %s if it is the same person",
		first.Spec.Pos, text.Escape(first.Spec.Key), text.Escape(first.Old.Key()), first.Why, text.Escape(first.Old.Key()))
	if n := len(all) - 1; n > 0 {
		note += fmt.Sprintf("; and %d more like it", n)
	}
	g.Notes = append(g.Notes, note)
}
