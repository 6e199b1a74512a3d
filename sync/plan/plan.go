package plan

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"reflect"
	"slices"
	"time"

	"usersyncd/spec"
	"usersyncd/state"
	"usersyncd/sync/plan/identity"
)

// LongestWait is how long a user may be in quarantine before the next attempt.
const LongestWait = 6 * time.Hour

// Plan is what would make the organization look like the tree. Two plans from the same input are
// the same, to the order and the id.
type Plan struct {
	ID        string
	Changes   []*Change // every user that differs, in the order of application; Outcome is Planned for those to be applied
	Unchanged int       // declared users that do not differ
	Problems  []Problem // what only the organization could show to be wrong, by file and line; these users are left out
	Holds     []Hold    // what guards hold until a person releases it
	Notes     []string  // warnings; see AllNotes
	Contested []Contest // by field and address; renewed as repairs are made

	// Record is what is to be committed before the first call: users found equal or no longer managed, keys
	// that leave quarantine, intents of no more use, what was released.
	Record state.Commit
	// Redeclared are the users whose record of the declaration changes and nothing else does: they go with whatever is
	// committed at the end of the pass.
	Redeclared []*state.User

	Index      *identity.Index
	OwnerOf    map[string]string // Genesys id -> key of the declared user behind it
	Revision   string
	RollbackOf string // of a rollback: what it undoes
	Began      time.Time
	Retained   int // managed users that a tree with problems does not show
	Resent     int // calls sent again, after no usable answer or a conflict

	infos          []spec.Info     // of all fields, in the format's order
	reportDrift    bool            // drift is only reported
	emailUnmanaged bool            // addresses are somebody else's, and stay as they are
	users          census          // as it was when the pass began
	keeps          map[string]bool // addresses that users keep for now, as their new ones are held

	// Urgent plans carry out who leaves and who is created or restored, and of these only what needs no field that is
	// not known: see LookupResults.Urgent. Everything else is for the plan after it.
	Urgent bool

	Lookups         Lookups      // what must be known before it may be carried out
	Guards          state.Guards // to be remembered; its Released are those that still have something to release
	Answered        []string     // requests for release that were dealt with
	UnknownReleases []string     // requests for release of what nobody holds
}

// New compares desired, observed and last applied:
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
//	no user | any      | some         | removed: what Policy.OnRemoval says, by default reported once and left alone
//
// Last applied is per field: what was declared when the field was last written or found equal. Every plan records it of
// every managed user that it looks at, whatever becomes of the user's change: applied, skipped, held, deferred, in
// quarantine, or only reported. So a field is an edit if its declared value has changed since then, and drift if not.
//
// A field that an interrupted call may have written is none of these until it was read: it is withheld.
//
// What guards hold, the policy leaves out and selections do not select is not to be applied, and what is kept to
// change windows not outside of them.
//
// While the tree has problems, a managed user that it does not show may be one of those: nobody counts
// as removed, and everybody who is missing stays desired as last applied.
//
// It is pure: it reads no clock, logs nothing, and changes neither tree nor snapshot. answers is what was
// asked for it; nil is nothing.
func New(tree *spec.Tree, snap *state.Snapshot, policy Policy, answers *LookupResults, now time.Time) *Plan {
	if answers == nil {
		answers = &LookupResults{}
	}
	p := newPlanner(snap, policy, answers, now)
	p.Urgent = answers.Urgent
	if policy.Earlier != nil {
		for _, c := range policy.Earlier.Changes {
			p.tried[c.Key] = c.Outcome == Failed
		}
	}
	p.Revision, p.Notes = tree.Revision, tree.Gaps()
	p.matchUsers(tree)
	unclear := len(p.Problems) > 0 // who is meant may be one of those who seem to be gone
	for _, u := range tree.Users {
		p.Index.ToCreate[u.Key] = p.match.Accounts[u.Key] == nil
	}
	for _, u := range tree.Leavers {
		if policy.Select.Takes(u) {
			p.leaver(u)
		}
	}
	for _, u := range tree.Users {
		switch {
		case !policy.Select.Takes(u):
		case !policy.LeaversOnly:
			p.user(u)
		case leaves(u):
			p.leaver(u)
		}
	}
	p.addresses()
	switch {
	case !policy.Select.All(), policy.LeaversOnly: // nobody else was looked at
	case len(tree.Problems) > 0:
		p.lastGood()
	case unclear, len(tree.Incomplete) > 0, snap.Refresh.Gap != "":
		p.Retained = len(p.left())
	default:
		p.removed()
		p.unmanaged()
	}
	if !policy.LeaversOnly {
		p.references(tree.Users)
	}
	p.renames()
	p.checkout(tree.Checkout)
	p.contests()
	p.guard()
	p.confirmRemovals()
	p.confirmRestores()
	p.remember(policy.Select.All() && len(tree.Problems)+len(p.Problems) == 0)
	p.lookUpMissing()
	p.schedule()
	p.withheld()
	p.needs()
	for _, c := range p.changes {
		p.Changes = append(p.Changes, c)
	}
	slices.SortFunc(p.Changes, (*Change).before)
	slices.SortFunc(p.Problems, func(a, b Problem) int { return ByPlace(a.Problem, b.Problem) })
	p.ID = p.id()
	p.record()
	return p.Plan
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
				p.Record.Resolved = append(p.Record.Resolved, state.UserFields{ID: left.ID, Fields: []spec.Field{spec.State}})
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
			p.Redeclared = append(p.Redeclared, u)
		}
	}
	if !p.Record.Empty() { // a commit of its own they do not get
		p.Record.Users, p.Redeclared = append(p.Record.Users, p.Redeclared...), nil
	}
}

// Todo returns the changes that are to be applied.
func (p *Plan) Todo() []*Change {
	var todo []*Change
	for _, c := range p.Changes {
		if c.Outcome == Planned && (!p.Urgent || c.urgent()) {
			todo = append(todo, c)
		}
	}
	return todo
}

// urgent reports whether a change must not wait until what is not known was read.
func (c *Change) urgent() bool {
	return (c.Lane == 1 || c.Action == Create || c.Action == Restore) && c.Action != Unmanage
}

// Removes reports whether anybody is to be removed.
func (p *Plan) Removes() bool {
	return slices.ContainsFunc(p.Todo(), func(c *Change) bool { return c.Action.Removes() })
}

// Sends reports whether anything is to be sent.
func (p *Plan) Sends() bool {
	return slices.ContainsFunc(p.Todo(), func(c *Change) bool { return c.Action != Unmanage })
}

// Declared counts the declared users that the plan is about, those with problems included.
func (p *Plan) Declared() int {
	n, wrong := p.Unchanged, map[string]bool{}
	for _, problem := range p.Problems {
		wrong[problem.Key] = true
	}
	for _, c := range p.Changes {
		if !c.Action.Removes() && !wrong[c.Key] {
			n++
		}
	}
	return n + len(wrong)
}

// Converged reports whether the tree was fully applied: nothing failed, waits or was left out.
func (p *Plan) Converged() bool {
	return len(p.Problems) == 0 && !slices.ContainsFunc(p.Changes, func(c *Change) bool { return c.Outcome != Applied || len(c.Deferred)+len(c.Withheld) > 0 })
}

// needs finds, for each change, the users that must exist before it can refer to them, and leaves out
// the changes whose wait would be in vain. Of those that wait for each other it leaves none out: users who are
// created do so until all are there, and others are told of at the end of the pass.
func (p *planner) needs() {
	for _, c := range p.changes {
		for _, fc := range c.Fields {
			info, _ := spec.Lookup(fc.Field)
			if key := fc.After.Text(); info.User && key != "" && key != c.Key && !p.Reachable(key) {
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
				c.Outcome, c.Waits, again = Skipped, c.Needs[i], true
			}
		}
	}
}

// Reachable reports whether an address is that of a live user who keeps it.
func (p *Plan) Reachable(key string) bool {
	u := p.Index.Live(key)
	if u == nil {
		return false
	}
	if id := p.Index.RenamedTo[key]; id != "" && id != u.ID && !p.emailUnmanaged {
		return false // somebody else is to have it
	}
	owner := p.OwnerOf[u.ID]
	return owner == "" || owner == key || p.emailUnmanaged || p.keeps[key]
}

// id names the plan by what it would do.
func (p *Plan) id() string {
	h := sha256.New()
	for _, c := range p.Changes {
		same := *c
		same.Until = time.Time{} // who waits for one window after the other waits for the same
		fmt.Fprintln(h, c.Outcome, &same)
	}
	return "p-" + hex.EncodeToString(h.Sum(nil)[:4])
}
