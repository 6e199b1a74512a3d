package sync_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"usersyncd/spec"
	"usersyncd/state"
	usersync "usersyncd/sync"
	"usersyncd/sync/genesys/sim"
	"usersyncd/sync/plan"
)

// look makes a pass, and compares every account with what it was.
func (sc *life) look(name string, mode usersync.Mode) error {
	snap, err := sc.Store.Snapshot()
	if err != nil {
		return err
	}
	sc.passOn(snap)
	before, exact := map[string]sim.User{}, map[string]string{}
	for _, u := range sc.sim.Users() {
		before[u.ID], exact[u.ID] = u, sc.exactly(u.ID)
		sc.findable(u, snap.Users[u.ID])
	}
	sc.sim.ResetLedger()
	res, err := sc.Reconcile(context.Background(), mode)
	said := ""
	sc.changed = false
	sc.refused = nil
	if refused := (*usersync.ProblemsError)(nil); errors.As(err, &refused) {
		sc.refused = refused.Problems
	}
	if sc.last = res; res != nil {
		said = show(res)
		for _, h := range res.Holds {
			said += fmt.Sprintf("held %v: %s\n", h.Users, h.Reason)
		}
		for _, problem := range res.Problems {
			said += problem.String() + "\n"
		}
	}
	sc.history = append(sc.history, strings.TrimRight(fmt.Sprintf("%s: %v\n%s", name, err, said), "\n"))
	if mode.DryRun {
		if sent := sc.writes(); len(sent) > 0 {
			return fmt.Errorf("a plan sent %v", sent)
		}
		return nil
	}
	return sc.compare(before, exact)
}

// exactly is all of an account, but for the full stops that the simulator's conflicts add to the biography: each is
// somebody else's edit at this moment.
func (sc *life) exactly(id string) string {
	text := sc.sim.Snapshot(id)
	for strings.Contains(text, `..",`) {
		text = strings.ReplaceAll(text, `..",`, `.",`)
	}
	return text
}

// findable notes the people without an account who may get one: by its address, as it is, as it was last read or
// as it was declared.
func (sc *life) findable(u sim.User, read *state.User) {
	for _, p := range sc.people {
		known := p.had[u.ID]
		for _, key := range append([]string{p.key}, p.previous...) {
			known = known || spec.Key(u.Email) == key || read != nil && (read.Key() == key || read.Declared.Key == key)
		}
		if p.declared && p.account == "" && sc.owner(u.ID) == nil && known {
			p.may[u.ID] = true
		}
	}
}

// passOn gives the accounts of leavers to those who are declared by their address instead: to a spec that says the
// key of a declaration it is the same declaration, whatever the name is. What was deleted by hand is nobody's once its
// address is not declared.
func (sc *life) passOn(snap *state.Snapshot) {
	for _, p := range sc.people {
		rec := snap.Users[p.account]
		if rec != nil && p.declared && sc.byID(p.account).State == "deleted" && p.pinned == "" && p.key != rec.Declared.Key && !slices.Contains(p.previous, rec.Declared.Key) {
			p.account = "" // nobody says whose it was any more
			continue
		}
		if p.declared || rec == nil {
			continue
		}
		if h := sc.at(rec.Declared.Key); h != nil && h.account == "" {
			h.may[p.account], sc.let[p.account] = true, true // h may get it, else the leaver's is removed
			p.account = ""
		}
	}
}

// compare finds what the last pass did to accounts, and refuses what no owner asked for.
func (sc *life) compare(before map[string]sim.User, exact map[string]string) error {
	snap, err := sc.Store.Snapshot()
	if err != nil {
		return err
	}
	for _, u := range sc.sim.Users() {
		b, existed := before[u.ID]
		owner := sc.owner(u.ID)
		switch {
		case !existed:
			p := sc.called(u.Name)
			if p == nil || !p.declared || p.account != "" {
				return fmt.Errorf("account %s (%s, %s) was made, for a person who has one or asks for none", u.ID, u.Email, u.Name)
			}
			p.take(u.ID)
		case exact[u.ID] == sc.exactly(u.ID):
		case owner == nil && sc.let[u.ID] && sc.removal(b, u):
		case owner == nil && sc.halfTaken(b, u):
		case owner == nil:
			if owner = sc.called(u.Department); owner == nil || !owner.declared || owner.account != "" || !owner.may[u.ID] {
				return fmt.Errorf("account %s (%s, %s) is nobody's who is declared, and changed from\n%s\nto\n%s", u.ID, u.Email, u.Name, exact[u.ID], sc.exactly(u.ID))
			}
			owner.take(u.ID)
		}
		if owner == nil || !existed {
			continue
		}
		if err := sc.allowed(owner, b, u); err != nil {
			return fmt.Errorf("account %s (%s, %s) of %s: %w", u.ID, u.Email, u.Name, owner, err)
		}
	}
	for _, p := range sc.people {
		rec := snap.Users[p.account]
		switch {
		case p.account != "" && !p.declared && (rec == nil || rec.LastApplied == nil):
			p.account = "" // the removal is done
		case p.account == "" && p.declared:
			for id, u := range snap.Users {
				if u.LastApplied == nil || u.Declared.Key != p.key || u.Declared.File != p.file || sc.owner(id) != nil {
					continue
				}
				if !p.may[id] {
					return fmt.Errorf("%s is matched to account %s, whose address is none of theirs", p, id)
				}
				p.take(id)
				break
			}
		}
	}
	return nil
}

// halfTaken reports whether an account was activated for somebody who is declared by its address, and the rest was not
// done, which was told: a call has failed, or the account has another address since a moment ago.
func (sc *life) halfTaken(b, u sim.User) bool {
	active := b
	active.State, active.Version, active.Writes = u.State, u.Version, u.Writes
	return b.State != "active" && u.State == "active" && fmt.Sprint(active) == fmt.Sprint(u) &&
		slices.ContainsFunc(sc.people, func(p *person) bool { return p.declared && p.account == "" && p.may[u.ID] && sc.told(p) })
}

// removal reports whether a pass has done nothing to an account but to remove it as the policy says.
func (sc *life) removal(b, u sim.User) bool {
	gone := map[plan.Action]string{plan.Deactivate: "inactive", plan.Delete: "deleted"}[sc.onRemoval]
	return u.State == gone && b.State != "deleted" && b.Name == u.Name && b.Title == u.Title && b.Department == u.Department && b.Email == u.Email
}

// allowed says what a pass may not have done to the account of a person.
func (sc *life) allowed(p *person, b, u sim.User) error {
	for _, v := range [][2]string{{b.Name, u.Name}, {b.Title, u.Title}, {b.Department, u.Department}} {
		if v[0] != v[1] && (!p.declared || sc.called(v[1]) != p) {
			return fmt.Errorf("%q became %q", v[0], v[1])
		}
	}
	if b.Email != u.Email && (!p.declared || !p.keys[spec.Key(u.Email)] || slices.Contains(sc.unmanaged, spec.Email)) {
		return fmt.Errorf("the address %s became %s", b.Email, u.Email)
	}
	switch {
	case b.State == u.State:
	case u.State == "active" && p.declared:
	case u.State == "inactive" && p.declared && p.state == "inactive":
	case !p.declared && sc.removal(b, u):
	default:
		return fmt.Errorf("%s became %s", b.State, u.State)
	}
	return nil
}

// asDeclared compares the accounts of everybody who is declared, and of whom nothing is told, with the specs.
func (sc *life) asDeclared() error {
	if sc.last == nil {
		return nil // the tree is refused, and that was told
	}
	for _, p := range sc.people {
		if !p.declared || sc.told(p) {
			continue
		}
		u, found := sc.sim.User(p.key)
		account := cmp.Or(p.account, p.pinned)
		if account != "" {
			u, found = sc.byID(account), true
		}
		switch {
		case found && u.State == "deleted" && slices.Contains(sc.unmanaged, spec.State):
			continue // that was told once
		case account == "" && (!found || u.Name != p.name): // the record of who was found by address may be written later
			return fmt.Errorf("%s has no account, and nothing is told", p)
		}
		for field, v := range map[spec.Field][2]string{spec.Email: {u.Email, p.key}, spec.Name: {u.Name, p.name}, spec.Title: {u.Title, p.title},
			spec.State: {u.State, cmp.Or(p.state, "active")}, spec.Department: {u.Department, p.String()}} {
			if v[0] == v[1] || slices.Contains(sc.unmanaged, field) || field == spec.State && p.state == "" && u.State == "inactive" || sc.drifted(p, field) {
				continue
			}
			return fmt.Errorf("%s: %s is %q and not %q, and nothing is told", p, field, v[0], v[1])
		}
	}
	return nil
}

// told reports whether the last pass has said something of the account or the spec of a person.
func (sc *life) told(p *person) bool {
	res := sc.last
	return slices.ContainsFunc(res.Failures, func(f usersync.Failure) bool { return f.Email == p.key }) ||
		slices.ContainsFunc(sc.refused, func(problem spec.Problem) bool { return problem.File == p.file }) ||
		slices.ContainsFunc(res.Holds, func(h plan.Hold) bool { return slices.Contains(h.Users, p.key) }) ||
		slices.ContainsFunc(res.Notes, func(note string) bool { return strings.Contains(note, p.key) }) ||
		slices.ContainsFunc(res.Changes, func(c *plan.Change) bool {
			return c.Key == p.key && c.Outcome == plan.Skipped && (len(c.Drift) == 0 || p.account == "" || c.WaitsFor != "")
		})
}

// drifted reports whether the last pass has told that a field is another one than declared.
func (sc *life) drifted(p *person, f spec.Field) bool {
	return slices.ContainsFunc(sc.last.Changes, func(c *plan.Change) bool {
		return c.Key == p.key && slices.ContainsFunc(c.Drift, func(fc plan.FieldChange) bool { return fc.Field == f || c.Action == plan.Restore })
	})
}
