// Package plan decides what a pass does. It is pure: [New] takes the desired state (package spec), what is known of the
// organization (package state), a [Policy] and the time, and returns a [Plan]. It reads no clock, does no I/O and changes
// none of its inputs, so the same input always gives the same plan.
//
// # From a spec to a change
//
//	identity.Match     the known user of each declared one
//	Plan.Compare       desired, observed and last applied, field by field: each difference has a Cause
//	removal            managed users that are no longer declared; what looks like a rename is held
//	references         whether the users that fields refer to exist; a Problem withholds the field
//	contest            what somebody else keeps changing back is withheld
//	guards             what exceeds a limit, a change or some fields of it, is a Hold until a person releases it
//	Schedule           what waits for a change window is deferred
//
// limits.go counts, with what [Plan.Count] has recorded within 24 hours; admins.go is about single accounts, in any number.
//
// A plan that depends on something that was not looked up yet says so in [Plan.Lookups]. The caller looks it up, and makes
// the plan again with the [LookupResults].
//
// # The packages below
//
//   - identity: the index of known users, and the match of declared ones.
//   - reference: the users that declared users refer to, such as their managers.
//   - access: what a field's value gives to a user, and what another value takes away.
//   - contest: which fields somebody else keeps changing back.
//   - tally: what was done within the last 24 hours.
//   - window: change windows, in time zones.
//
// They know nothing of plans and changes, and do not import this package.
package plan

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"time"

	"usersyncd/spec"
	"usersyncd/spec/text"
	"usersyncd/state"
	"usersyncd/sync/plan/access"
	"usersyncd/sync/plan/contest"
	"usersyncd/sync/plan/digest"
	"usersyncd/sync/plan/identity"
)

// MaxQuarantine is the longest time that a user is in quarantine before the next attempt.
const MaxQuarantine = 6 * time.Hour

// Plan is what would make the organization match the tree. Equal input gives equal plans, including the order and the id.
type Plan struct {
	ID        string            // the beginning of Digest, for people
	Digest    string            // of what would be done and what is held, see package digest
	Changes   []*Change         // every user that differs, in the order of application; Outcome is Planned for those to be applied
	Unchanged int               // declared users that do not differ
	Problems  []Problem         // of specs, as the organization shows; by file and line. These users or fields are left out
	Holds     []Hold            // what guards hold until a person releases it
	Notes     []string          // warnings; see AllNotes
	Contested []contest.Contest // by field and address; updated as repairs are made

	// Record is what is committed before the first call: users found equal or no longer managed, keys that leave
	// quarantine, intents that are no longer needed, what was released.
	Record state.Commit
	// DeclarationUpdates are the users of whom only the declaration changes: they are added to what is committed at the end
	// of the pass.
	DeclarationUpdates []*state.User

	Index      *identity.Index
	OwnerOf    map[string]string // Genesys id -> key of the declared user matched to it
	Revision   string
	RollbackOf string // of a rollback: what is rolled back
	At         time.Time
	Retained   int // managed users that are not declared, and stay as last applied while the tree has problems
	Resent     int // calls sent again, after no usable answer or a conflict

	// Urgent plans carry out only the changes of leavers and of users to be created or restored, and of these only the
	// fields that need no lookup: see LookupResults.Urgent. Everything else is left to the plan after it.
	Urgent bool

	Reads           map[spec.Field]int // see LookupResults.Reads
	Lookups         Lookups            // what must be known before it may be carried out
	Guards          state.Guards       // to be stored; its Released are those that still have something to release
	HandledReleases []string           // requests for release that were handled
	UnknownReleases []string           // requests for release of ids under which nothing is held

	infos          []spec.FieldInfo // of all fields, in the format's order
	reportDrift    bool             // drift is only reported
	emailUnmanaged bool             // addresses are not managed, and stay as they are
	counts         userCounts       // when the pass began
	keptAddresses  map[string]bool  // addresses that users keep for now, as their new ones are held
}

// New compares desired, observed and last applied:
//
//	desired | observed | last applied | then
//	--------+----------+--------------+------------------------------------------------
//	a       | a        | any          | nothing; recorded as applied
//	b       | a        | a, or none   | edit: write b
//	a       | b        | a            | drift: write a
//	c       | b        | a            | edit: write c
//	a       | unknown  | a            | nothing; the API does not always show every field
//	a       | no user  | any          | missing: create, or restore if it was deleted
//	absent  | any      | any          | not managed: not changed, no longer recorded
//	no user | any      | some         | removed: what Policy.OnRemoval says
//
// Last applied is per field: what was declared when the field was last written or found equal. Every plan records it for
// every managed user that it compares, whatever the outcome of the user's change. So a field is an edit if its declared value
// has changed since then, and drift if not. A field that an interrupted call may have written is withheld until it was read.
//
// What guards hold, the policy excludes or selections do not select is not applied; fields that are limited to change windows
// are not applied outside of them. While the tree has problems, no user counts as removed, and managed users that it does
// not declare stay desired as last applied.
//
// It reads no clock, logs nothing, and changes neither tree nor snapshot. results is what was looked up for it; nil is
// nothing.
func New(tree *spec.Tree, snap *state.Snapshot, policy Policy, results *LookupResults, now time.Time) *Plan {
	p := newPlanner(snap, policy, results, now)
	p.Urgent = p.results.Urgent
	p.Revision, p.Notes = tree.Revision, tree.Notes()
	p.matchUsers(tree)
	ambiguous := len(p.Problems) > 0 // a user that seems to be removed may be the one that is meant
	for _, u := range tree.Users {
		p.Index.ToCreate[u.Key] = p.match.Accounts[u.Key] == nil
	}
	for _, u := range tree.Leavers {
		if policy.Select.Selects(u) {
			p.planLeaver(u)
		}
	}
	if !policy.Select.All() && len(tree.Users) > 0 && !slices.ContainsFunc(tree.Users, policy.Select.Selects) {
		p.Notes = append(p.Notes, "no user is declared so that --select or --only chooses them")
	}
	for _, u := range tree.Users {
		switch {
		case !policy.Select.Selects(u):
		case !policy.LeaversOnly:
			p.planUser(u)
		case declaredInactive(u):
			p.planLeaver(u)
		}
	}
	if n := p.defaultRole; n > 0 {
		p.Notes = append(p.Notes, fmt.Sprintf("%s the role %s again, which was removed: Genesys Cloud gives it to every user, so it is left", text.Count(n, "user has", "users have"), access.DefaultRole))
	}
	p.withholdAddresses()
	switch {
	case !policy.Select.All(), policy.LeaversOnly: // not all users were compared
	case len(tree.Problems) > 0:
		p.planLastApplied()
	case ambiguous, len(tree.Incomplete) > 0, snap.Refresh.Gap != "":
		p.Retained = len(p.undeclaredUsers())
	default:
		p.planRemovals(tree.Misnamed)
		p.dropUnmanagedIntents()
	}
	if !policy.LeaversOnly {
		p.checkReferences(tree.Users)
	}
	g := newGuards(p)
	g.holdRenames()
	g.holdOtherCheckout(tree.Checkout)
	if !p.reportDrift { // otherwise nothing is repaired, and so nothing is contested
		p.withholdContested(p.changes, snap.Users, now)
	}
	g.run()
	g.verifyRemovals()
	g.verifyRestores()
	g.saveReleases(policy.Select.All() && len(tree.Problems)+len(p.Problems) == 0)
	p.lookUpDeleted()
	p.noteMembersByRule()
	g.holdUnapproved()
	policy.Schedule.Defer(maps.Values(p.changes), now) // after the guards: a hold is reported before the window opens
	p.finish()
	slices.SortFunc(p.Problems, func(a, b Problem) int { return ByPlace(a.Problem, b.Problem) })
	p.record()
	return p.Plan
}

// A Problem is an error in one user's spec.
type Problem struct {
	Key string // spec.User.Key
	spec.Problem
	Name string // within the field that is wrong, if known
}

// ByPlace compares problems by file, line, column and field.
func ByPlace(a, b spec.Problem) int {
	return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column), cmp.Compare(a.Field, b.Field))
}

// Todo returns the changes that are to be applied.
func (p *Plan) Todo() []*Change {
	var todo []*Change
	for _, c := range p.Changes {
		if c.Outcome == Planned && (!p.Urgent || c.isUrgent()) {
			todo = append(todo, c)
		}
	}
	return todo
}

// Removes reports whether the plan removes users.
func (p *Plan) Removes() bool {
	return slices.ContainsFunc(p.Todo(), func(c *Change) bool { return c.Action.Removes() })
}

// Sends reports whether the plan makes calls.
func (p *Plan) Sends() bool {
	return slices.ContainsFunc(p.Todo(), func(c *Change) bool { return c.Action != Unmanage })
}

// NeedsLookups reports whether lookups are needed before the plan is complete.
func (p *Plan) NeedsLookups() bool { return p.Lookups.needsQuick() || len(p.Lookups.Fields) > 0 }

// ActiveWithoutSpec counts the active users of the organization whom no declared user was matched to.
func (p *Plan) ActiveWithoutSpec() (n int) {
	if p.Index == nil {
		return 0
	}
	for id, u := range p.Index.ByID {
		if p.OwnerOf[id] == "" && u.Fields.Get(spec.State) == spec.Text("active") {
			n++
		}
	}
	return n
}

// DeclaredUsers counts the declared users that the plan covers, including those with problems.
func (p *Plan) DeclaredUsers() int {
	n, wrong := p.Unchanged, p.wrongUsers()
	for _, c := range p.Changes {
		if !c.Action.Removes() && !wrong[c.Key] {
			n++
		}
	}
	return n + len(wrong)
}

// wrongUsers are the users with problems, by address.
func (p *Plan) wrongUsers() map[string]bool {
	wrong := make(map[string]bool, len(p.Problems))
	for _, problem := range p.Problems {
		wrong[problem.Key] = true
	}
	return wrong
}

// Converged reports whether the tree was fully applied: nothing failed, waits or was excluded.
func (p *Plan) Converged() bool {
	return len(p.Problems) == 0 && !slices.ContainsFunc(p.Changes, func(c *Change) bool { return c.Outcome != Applied || len(c.Deferred)+len(c.Withheld) > 0 })
}

// KeepsAddress reports whether an address belongs to a user who is not deleted and keeps it.
func (p *Plan) KeepsAddress(key string) bool {
	u := p.Index.Live(key)
	if u == nil {
		return false
	}
	if id := p.Index.RenamedTo[key]; id != "" && id != u.ID && !p.emailUnmanaged {
		return false // it will be another user's
	}
	owner := p.OwnerOf[u.ID]
	return owner == "" || owner == key || p.emailUnmanaged || p.keptAddresses[key]
}

// Effects returns what changes do, and what is held of them.
func Effects(changes []*Change, holds []Hold) (effects []digest.Effect) {
	guards := map[string]string{} // by the id of a hold
	for _, h := range holds {
		guards[h.ID] = h.Guard
	}
	for _, c := range changes {
		if e, ok := c.effect(guards); ok {
			effects = append(effects, e)
		}
	}
	return effects
}

// setID sets what identifies the plan.
func (p *Plan) setID() {
	p.Digest = digest.Sum(Effects(p.Changes, p.Holds))
	p.ID = digest.Short(p.Digest)
}

// AdoptedUnchanged counts the users who were not managed, were found to be as declared, and are managed from now on.
func (p *Plan) AdoptedUnchanged() (n int) {
	for _, u := range p.Record.Users {
		if before := p.Index.ByID[u.ID]; u.LastApplied != nil && (before == nil || before.LastApplied == nil) {
			n++
		}
	}
	return n
}

// StillManaged returns the users of Record of whom only what is applied has changed. It is recorded while changes are
// paused, too.
func (p *Plan) StillManaged() []*state.User {
	return slices.DeleteFunc(slices.Clone(p.Record.Users), func(u *state.User) bool {
		before := p.Index.ByID[u.ID]
		return u.LastApplied == nil || before == nil || before.LastApplied == nil
	})
}

// EndImport ends the first import of a new organization, once the tree is fully applied. It returns what is to be
// stored; nil if there was no import.
func (p *Plan) EndImport() *state.Guards {
	if p.Guards.FirstImport.IsZero() {
		return nil
	}
	p.Guards.FirstImport = time.Time{}
	guards := p.Guards
	return &guards
}

// AllNotes returns Notes, and one for each field that is contested.
func (p *Plan) AllNotes() []string {
	return append(slices.Clone(p.Notes), contest.Notes(p.Contested)...)
}

// AddEarlier adds to a plan that was carried out what an earlier plan of the same pass had done before it was interrupted.
func (p *Plan) AddEarlier(before *Plan) {
	if p.Resent += before.Resent; !before.Urgent {
		p.ID, p.Digest = before.ID, before.Digest
	}
	type userKey struct {
		key     string
		removed bool
	}
	keyOf := func(c *Change) userKey { return userKey{c.Key, c.Action.Removes()} }
	now := make(map[userKey]*Change, len(p.Changes))
	for _, c := range p.Changes {
		now[keyOf(c)] = c
	}
	wrong := p.wrongUsers()
	var all []*Change
	for _, was := range before.Changes {
		c := now[keyOf(was)]
		ended := was.Outcome == Applied || was.Outcome == Failed
		switch {
		case c != nil && was.Outcome == Failed && c.Outcome == Quarantined:
			now[keyOf(c)] = was
		case c != nil && was.Outcome == Applied:
			c.addEarlier(was, was.Fields)
		case c != nil && len(was.Written) > 0:
			c.addEarlier(was, was.Written)
		case c != nil:
		case ended, len(was.Written) > 0: // the rest of the latter was found to be as declared
			if !ended {
				was.Outcome, was.Fields = Applied, was.Written
			}
			all = append(all, was)
			if !was.Action.Removes() && !wrong[was.Key] { // otherwise a problem is all that is left of the user's change
				p.Unchanged--
			}
		}
	}
	p.Changes = slices.AppendSeq(all, maps.Values(now)) // a new slice: others may still read the old one
	slices.SortFunc(p.Changes, (*Change).compareTo)
}
