package plan

import (
	"fmt"
	"slices"
	"time"

	"usersyncd/spec"
	"usersyncd/state"
	"usersyncd/sync/plan/identity"
)

type planner struct {
	*Plan
	policy     Policy
	answers    *LookupResults
	snap       *state.Snapshot
	match      *identity.Matches
	redeclared []*state.User          // whose record changes
	changes    map[string]*Change     // by key
	removals   map[string]*Change     // by id
	quiet      map[string]bool        // keys of users who need nothing
	held       map[string]bool        // ids
	freed      map[string]bool        // what a person has released
	tried      map[string]bool        // keys of whom the plan before has failed, in the same pass
	suggested  int                    // addresses
	amended    map[string]*state.User // by id: those of Record.Users, once one of them was changed
	now        time.Time
}

func newPlanner(snap *state.Snapshot, policy Policy, answers *LookupResults, now time.Time) *planner {
	p := &planner{
		Plan: &Plan{Index: identity.NewIndex(snap.Users), OwnerOf: map[string]string{}, Began: now, Lookups: newLookups(),
			infos: spec.All(), reportDrift: policy.ReportDrift, emailUnmanaged: slices.Contains(policy.Unmanaged, spec.Email)},
		policy: policy, answers: answers, snap: snap, now: now, match: &identity.Matches{},
		changes: map[string]*Change{}, removals: map[string]*Change{}, quiet: map[string]bool{}, held: map[string]bool{}, freed: map[string]bool{},
		tried: map[string]bool{},
	}
	for _, t := range snap.Guards.Released {
		p.freed[t] = true
	}
	for _, id := range snap.Refresh.Held {
		p.held[id] = true
	}
	p.recall()
	return p
}

// matchUsers finds who the declared users are.
func (p *planner) matchUsers(tree *spec.Tree) {
	p.match = identity.Match(identity.Input{
		Users: slices.Concat(tree.Users, tree.Leavers), Index: p.Index, Incomplete: len(tree.Problems) > 0,
		NameUnmanaged: slices.Contains(p.policy.Unmanaged, spec.Name), Looked: p.answers.Looked, Searched: p.answers.Searched,
	})
	p.OwnerOf, p.Lookups.IDs, p.Lookups.Emails = p.match.OwnerOf, p.match.IDs, p.match.Emails
	for _, wrong := range p.match.Problems {
		p.problem(wrong.User, wrong.Field, wrong.Message)
	}
}

// user plans one declared user.
func (p *planner) user(u *spec.User) {
	if p.match.Unclear[u.Key] {
		return // it is not known who that is
	}
	matched := p.match.Accounts[u.Key]
	current := p.redeclare(u, matched)
	p.match.Accounts[u.Key] = current
	if current != nil && current.Deleted() && current.Removed == "" && slices.Contains(p.policy.Unmanaged, spec.State) {
		p.leaveDeleted(u, current)
		return
	}
	c := newChange(u, current)
	c.Declared = p.declaration(u, matched)
	c.Desired = p.policy.Managers(p.policy.Managed(u.Fields, current), p.Index)
	p.Compare(c)
	was := c.Current
	p.rebase(c)
	p.countFound(u, c, was)
	_, begun := p.snap.Intents[u.Key]
	c.begun = begun
	if c.Current != nil && !p.held[c.Current.ID] {
		p.readable(u, c)
	}
	if len(c.Fields)+len(c.Drift)+len(c.Withheld) > 0 {
		c.Hash = u.Hash()
	}
	switch {
	case c.Current != nil && p.held[c.Current.ID]:
		c.Action, c.Cause, c.Outcome = Restore, Missing, Held
		c.Note = "the listing did not show it, with too many others to be believed; if they were deleted on purpose, remove their specs"
	case len(c.Fields)+len(c.Drift)+len(c.Withheld) == 0:
		p.unchanged(c, begun)
		return
	case len(c.Fields) == 0 && len(c.Withheld) > 0:
		p.quarantine(c) // else withheld says what comes of it
	case len(c.Fields) == 0:
		c.Outcome, c.Note = Skipped, "drift is only reported"
	case c.Action == Create && u.Fields[spec.Name] == "":
		p.problem(u, spec.Name, "is required to create this user")
		return
	case c.Action == Create && !p.policy.Create && p.emailUnmanaged:
		c.Outcome, c.Note = Skipped, "nobody has the address, and who has which is not managed here: add the id of the account; users are only created if create is set"
	case c.Action == Create && p.snap.Refresh.Gap != "":
		c.Outcome, c.Note = Skipped, "the user may exist: the organization did not list everybody ("+p.snap.Refresh.Gap+")"
	case (c.Action == Create || c.Action == Restore) && !p.policy.Create:
		c.Outcome, c.Note = Skipped, "creating users is switched off"
	case c.Action == Adopt && !p.policy.Adopt && !begun && c.Current.Removed == "":
		c.Outcome, c.Note = Skipped, "adopting users is switched off"
	default:
		allowed, named := p.checkAllowlists(u, c), p.checkNames(u, c)
		if !allowed && !p.onlyLeaves(u, c, "the user is not given what the configuration does not allow") || !named {
			return
		}
		p.quarantine(c)
	}
	p.changes[c.Key] = c
}

// leaveDeleted leaves a user deleted whose state somebody else owns, and says so once: the user is managed no longer.
func (p *planner) leaveDeleted(u *spec.User, current *state.User) {
	p.Unchanged++
	if current.Applied == nil {
		return
	}
	p.Notes = append(p.Notes, fmt.Sprintf("%s: %s is deleted in Genesys, and the state is not managed here: left as it is", u.Pos, spec.Escape(u.Key)))
	left := *current
	left.Applied = nil
	p.Record.Users = append(p.Record.Users, &left)
}

// quarantine lets a change wait that was refused not long ago, and is still the same.
func (p *planner) quarantine(c *Change) {
	if f := p.snap.Failures[c.Key]; p.inQuarantine(c.Key, c.Hash) {
		c.Outcome, c.Retry = Quarantined, f.Next
		c.Note = fmt.Sprintf("refused %s, next try %s: %s", times(f.Attempts), f.Next.UTC().Format(time.RFC3339), f.Message)
	}
}

// inQuarantine reports whether what is desired of a user waits there.
func (p *planner) inQuarantine(key, hash string) bool {
	f, failed := p.snap.Failures[key]
	return failed && (!p.policy.Retry || p.tried[key]) && f.Desired == hash && p.now.Before(f.Next) && f.Next.Sub(p.now) <= LongestWait
}

func times(n int) string {
	if n == 1 {
		return "once"
	}
	return fmt.Sprintf("%d times", n)
}

// unchanged records what a user that needs nothing is found to have.
func (p *planner) unchanged(c *Change, begun bool) {
	p.Unchanged++
	p.quiet[c.Key] = true
	if _, failed := p.snap.Failures[c.Key]; failed {
		p.Record.Cleared = append(p.Record.Cleared, c.Key)
	}
	if begun {
		p.Record.Settled = append(p.Record.Settled, c.Key)
	}
	if c.Current.Applied == nil && !p.policy.Adopt && !begun && c.Current.Removed == "" {
		return // not ours, and not to become it
	}
	if c.Current.Applied == nil { // nothing differs, so all of it is in force
		confirmed := *c.Current
		confirmed.Applied = c.Desired
		p.Record.Users = append(p.Record.Users, &confirmed)
		if begun { // an earlier pass created the user, and could not record it
			p.Count(c, c.Current, &confirmed, nil, p.now)
		}
	}
}
