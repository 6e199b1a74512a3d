package plan

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"time"

	"usersyncd/spec"
	"usersyncd/state"
	"usersyncd/sync/plan/contest"
	"usersyncd/sync/plan/identity"
)

// MaxQuarantine is how long a user may be in quarantine before the next attempt.
const MaxQuarantine = 6 * time.Hour

// Plan is what would make the organization look like the tree. Two plans from the same input are
// the same, to the order and the id.
type Plan struct {
	ID        string
	Changes   []*Change         // every user that differs, in the order of application; Outcome is Planned for those to be applied
	Unchanged int               // declared users that do not differ
	Problems  []Problem         // what only the organization could show to be wrong, by file and line; these users are left out
	Holds     []Hold            // what guards hold until a person releases it
	Notes     []string          // warnings; see AllNotes
	Contested []contest.Contest // by field and address; renewed as repairs are made

	// Record is what is to be committed before the first call: users found equal or no longer managed, keys
	// that leave quarantine, intents of no more use, what was released.
	Record state.Commit
	// DeclarationUpdates are the users whose record of the declaration changes and nothing else does: they go with whatever is
	// committed at the end of the pass.
	DeclarationUpdates []*state.User

	Index      *identity.Index
	OwnerOf    map[string]string // Genesys id -> key of the declared user behind it
	Revision   string
	RollbackOf string // of a rollback: what it undoes
	Began      time.Time
	Retained   int // managed users that a tree with problems does not show
	Resent     int // calls sent again, after no usable answer or a conflict

	// Urgent plans carry out who leaves and who is created or restored, and of these only what needs no field that is
	// not known: see LookupResults.Urgent. Everything else is for the plan after it.
	Urgent bool

	Lookups         Lookups      // what must be known before it may be carried out
	Guards          state.Guards // to be remembered; its Released are those that still have something to release
	HandledReleases []string     // requests for release that were dealt with
	UnknownReleases []string     // requests for release of what nobody holds

	infos          []spec.Info     // of all fields, in the format's order
	reportDrift    bool            // drift is only reported
	emailUnmanaged bool            // addresses are somebody else's, and stay as they are
	users          census          // as it was when the pass began
	keeps          map[string]bool // addresses that users keep for now, as their new ones are held
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
	if policy.Previous != nil {
		for _, c := range policy.Previous.Changes {
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
		if policy.Select.Selects(u) {
			p.leaver(u)
		}
	}
	for _, u := range tree.Users {
		switch {
		case !policy.Select.Selects(u):
		case !policy.LeaversOnly:
			p.user(u)
		case leaves(u):
			p.leaver(u)
		}
	}
	withholdAddresses(p)
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
	g := newGuards(p)
	g.renames()
	g.checkout(tree.Checkout)
	if !p.reportDrift { // else nothing is repaired, and so nothing contested
		p.withholdContested(p.changes, snap.Users, now)
	}
	g.run()
	g.confirmRemovals()
	g.confirmRestores()
	g.remember(policy.Select.All() && len(tree.Problems)+len(p.Problems) == 0)
	p.lookUpMissing()
	policy.Schedule.apply(p.changes, now)
	p.order()
	slices.SortFunc(p.Problems, func(a, b Problem) int { return ByPlace(a.Problem, b.Problem) })
	p.record()
	return p.Plan
}

// A Problem is what is wrong with one user's spec.
type Problem struct {
	Key string // spec.User.Key
	spec.Problem
	Name string // of what is wrong within the field, if that is more exact
}

// ByPlace compares problems by file, line, column and field.
func ByPlace(a, b spec.Problem) int {
	return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column), cmp.Compare(a.Field, b.Field))
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

// Removes reports whether anybody is to be removed.
func (p *Plan) Removes() bool {
	return slices.ContainsFunc(p.Todo(), func(c *Change) bool { return c.Action.Removes() })
}

// Sends reports whether anything is to be sent.
func (p *Plan) Sends() bool {
	return slices.ContainsFunc(p.Todo(), func(c *Change) bool { return c.Action != Unmanage })
}

// NeedsLookups reports whether something is to be asked before the plan is complete.
func (p *Plan) NeedsLookups() bool { return p.Lookups.needsQuick() || len(p.Lookups.Fields) > 0 }

// DeclaredUsers counts the declared users that the plan is about, those with problems included.
func (p *Plan) DeclaredUsers() int {
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

// AppliedOnly returns the users of Record of whom nothing but what is in force has changed. That is recorded also while
// nothing may be changed.
func (p *Plan) AppliedOnly() []*state.User {
	return slices.DeleteFunc(slices.Clone(p.Record.Users), func(u *state.User) bool {
		before := p.Index.ByID[u.ID]
		return u.Applied == nil || before == nil || before.Applied == nil
	})
}

// EndImport ends the first import of a new organization, once the tree is fully applied. It returns what is to be
// remembered; nil if there was none.
func (p *Plan) EndImport() *state.Guards {
	if p.Guards.FirstImport.IsZero() {
		return nil
	}
	p.Guards.FirstImport = time.Time{}
	guards := p.Guards
	return &guards
}

// AllNotes are Notes, and one for each field that is contested.
func (p *Plan) AllNotes() []string {
	return append(slices.Clone(p.Notes), contest.Notes(p.Contested)...)
}

// AddEarlier adds to a plan that was carried out what the one before it had done in the same pass, until it was cut
// short.
func (p *Plan) AddEarlier(before *Plan) {
	if p.Resent += before.Resent; !before.Urgent {
		p.ID = before.ID
	}
	type who struct {
		key     string
		removed bool
	}
	now := make(map[who]*Change, len(p.Changes))
	for _, c := range p.Changes {
		now[who{c.Key, c.Action.Removes()}] = c
	}
	var again []*Change
	for _, was := range before.Changes {
		c := now[who{was.Key, was.Action.Removes()}]
		ended := was.Outcome == Applied || was.Outcome == Failed
		switch {
		case c != nil && was.Outcome == Failed && c.Outcome == Quarantined:
			now[who{c.Key, c.Action.Removes()}] = was
		case c != nil && was.Outcome == Applied:
			c.add(was, was.Fields)
		case c != nil && len(was.Written) > 0:
			c.add(was, was.Written)
		case c != nil:
		case ended, len(was.Written) > 0: // what is left of the latter turned out to be as declared
			if !ended {
				was.Outcome, was.Fields = Applied, was.Written
			}
			again = append(again, was)
			if !was.Action.Removes() {
				p.Unchanged--
			}
		}
	}
	p.Changes = slices.AppendSeq(again, maps.Values(now)) // whoever has seen the plan keeps its changes
	slices.SortFunc(p.Changes, (*Change).before)
}
