package plan

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"usersyncd/spec"
	"usersyncd/spec/text"
	"usersyncd/state"
	"usersyncd/sync/plan/contest"
)

func (p *planner) planUser(u *spec.User) {
	if p.match.Ambiguous[u.Key] {
		return // it is not known which account is meant
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
	c.Desired = p.policy.ObservedManagers(p.policy.ManagedFields(u.Fields, current), p.Index)
	p.Compare(c)
	if want, managed := c.Desired.Lookup(spec.Roles); managed && c.Current != nil && !c.HasField(spec.Roles) && keepsDefaultRole(c.Current, want) {
		p.defaultRole++
	}
	was := c.Current
	p.recordApplied(c)
	p.countCompleted(u, c, was)
	_, c.creationStarted = p.snap.CreateIntents[u.Key]
	if c.Current != nil && !p.heldIDs[c.Current.ID] {
		p.lookUpUnknown(u, c)
		p.askForMemberships(u, c)
	}
	if len(c.Fields)+len(c.Drift)+len(c.Withheld) > 0 {
		c.Hash = u.Hash()
	}
	switch {
	case c.Current != nil && p.heldIDs[c.Current.ID]:
		c.Action, c.Cause, c.Outcome = Restore, Missing, Held
		c.Note = "the listing lacks it, with too many others to be plausible; if they were deleted on purpose, remove their specs"
	case len(c.Fields)+len(c.Drift)+len(c.Withheld) == 0:
		p.recordUnchanged(c)
		return
	case len(c.Fields) == 0 && len(c.Withheld) > 0:
		p.checkQuarantine(c) // otherwise setWithheldOutcomes sets the outcome
	case len(c.Fields) == 0:
		c.Outcome, c.Note = Skipped, reportOnly
	case c.Action == Create && !p.policy.Create && p.emailUnmanaged:
		c.Outcome, c.Note = Skipped, createUnset
	case c.Action == Create && p.snap.Refresh.Gap != "":
		c.Outcome, c.Note = Skipped, "the user may exist: the listing is incomplete ("+p.snap.Refresh.Gap+")"
	case (c.Action == Create || c.Action == Restore) && !p.policy.Create:
		c.Outcome, c.Note = Skipped, createOff
	case c.Action == Create && u.Fields.Get(spec.Name) == "":
		p.addProblem(u, spec.Name, "is required to create this user")
		return
	case c.Action == Adopt && !p.policy.Adopt && !c.creationStarted && c.Current.Removed == "":
		c.Outcome, c.Note = Skipped, adoptOff
	default:
		refused := p.policy.Guard.Refuses(c)
		p.checkNames(u, c)
		p.withholdRefused(u, c, refused)
		if (c.Action == Create || c.Action == Restore) && c.Withholds(spec.Division) {
			return // the user would be in another one
		}
		p.checkQuarantine(c)
	}
	p.changes[c.Key] = c
}

// leaveDeleted stops managing a deleted user if the state is not managed, and reports that once.
func (p *planner) leaveDeleted(u *spec.User, current *state.User) {
	p.Unchanged++
	if current.LastApplied == nil {
		return
	}
	p.Notes = append(p.Notes, fmt.Sprintf("%s: %s is deleted in Genesys, and the state is not managed here: not changed", u.Pos, text.Escape(u.Key)))
	unmanaged := *current
	unmanaged.LastApplied = nil
	p.Record.Users = append(p.Record.Users, &unmanaged)
}

func (p *planner) recordUnchanged(c *Change) {
	p.Unchanged++
	p.unchanged[c.Key] = true
	if _, failed := p.snap.Failures[c.Key]; failed {
		p.Record.ClearFailures = append(p.Record.ClearFailures, c.Key)
	}
	if c.creationStarted {
		p.Record.ClearCreateIntents = append(p.Record.ClearCreateIntents, c.Key)
	}
	if c.Current.LastApplied != nil || !p.policy.Adopt && !c.creationStarted && c.Current.Removed == "" {
		return // managed already, or not to be adopted
	}
	adopted := *c.Current
	adopted.LastApplied = c.Desired
	p.Record.Users = append(p.Record.Users, &adopted)
	if c.creationStarted { // an earlier pass created the user, and did not record it
		p.Count(c, c.Current, &adopted, nil, p.now)
	}
}

// checkQuarantine leaves a change in quarantine until its backoff is over or what is desired changes.
func (p *planner) checkQuarantine(c *Change) {
	if f := p.snap.Failures[c.Key]; p.inQuarantine(c.Key, c.Hash) {
		c.Outcome, c.Retry = Quarantined, f.Next
		c.Note = fmt.Sprintf("failed %s, next attempt %s: %s", text.Plural(f.Attempts, "time"), text.Time(f.Next.UTC()), f.Message)
	}
}

func (p *planner) inQuarantine(key, hash string) bool {
	f, failed := p.snap.Failures[key]
	return failed && (!p.policy.IgnoreQuarantine || p.failedBefore[key]) && f.Desired == hash && p.now.Before(f.Next) && f.Next.Sub(p.now) <= MaxQuarantine
}

// withholdRefused withholds the fields that would give what the configuration does not allow: a checkout is written by more
// people than may grant access. What does not exist is checkNames' to report.
func (p *planner) withholdRefused(u *spec.User, c *Change, refused []Refusal) {
	for i, r := range refused {
		if p.results.Names[r.Ref] != "" || slices.Contains(refused[:i], r) { // a role in several divisions
			continue
		}
		p.withholdProblem(u, c, r.Field, r.String())
		p.Problems[len(p.Problems)-1].Name = r.Ref.Name
	}
}

// checkNames looks up the names that a change refers to, and withholds the fields that have one which does not exist.
func (p *planner) checkNames(u *spec.User, c *Change) {
	for _, fc := range slices.Clone(c.Fields) {
		for _, ref := range spec.References(fc.Field, fc.After) {
			wrong, known := p.results.Names[ref]
			if !known {
				p.Lookups.Names[ref] = true
			} else if wrong != "" {
				p.withholdProblem(u, c, fc.Field, wrong)
				p.Problems[len(p.Problems)-1].Name = ref.Name
			}
		}
	}
}

// declaration is what is recorded for a user that is matched to a spec. It is zero if the match is doubtful or the user is
// not going to be managed: then the record stays.
func (p *planner) declaration(u *spec.User, account *state.User) state.Declaration {
	if p.match.Doubts[u.Key] != "" && p.policy.Guard.Renames || account != nil && account.LastApplied == nil && !p.policy.Adopt && account.Removed == "" {
		return state.Declaration{}
	}
	return state.Declaration{Key: u.Key, File: u.Pos.File, Ordinal: u.Ordinal}
}

// redeclare returns a matched user with the declaration that it is matched to.
func (p *planner) redeclare(u *spec.User, account *state.User) *state.User {
	d := p.declaration(u, account)
	if account == nil || d == (state.Declaration{}) {
		return account
	}
	updated := *account
	updated.Redeclare(d)
	if account.Key() == u.Key { // a rename that was made before declarations were recorded
		for _, former := range u.PreviousEmails {
			if !slices.Contains(updated.FormerKeys, former) {
				updated.FormerKeys = append(slices.Clip(updated.FormerKeys), former)
			}
		}
		updated.FormerKeys = updated.FormerKeys[max(0, len(updated.FormerKeys)-state.MaxFormerKeys):]
	}
	if updated.Declared == account.Declared && slices.Equal(updated.FormerKeys, account.FormerKeys) {
		return account
	}
	p.redeclared = append(p.redeclared, &updated)
	return &updated
}

// recordApplied records the applied fields of a managed user, whatever the outcome of its change: a field that is equal is
// as declared, one that differs is as it was last written or found equal, and one that is no longer declared is dropped.
// Later commits of the user include it.
func (p *planner) recordApplied(c *Change) {
	if c.Current == nil || c.Current.LastApplied == nil ||
		len(c.Fields)+len(c.Drift)+len(c.Current.Repairs) == 0 && slices.Equal(c.Desired, c.Current.LastApplied) {
		return
	}
	applied := p.Applied(c, nil)
	for _, f := range p.unknownFields(c) {
		if _, managed := c.Current.LastApplied.Lookup(f); !managed {
			applied = applied.Without(f) // it was read too long ago
		}
	}
	repairs := remainingRepairs(c, applied, p.now)
	if slices.Equal(applied, c.Current.LastApplied) && maps.EqualFunc(repairs, c.Current.Repairs, func(a, b state.Repair) bool { return len(a.At) == len(b.At) }) {
		return
	}
	updated := *c.Current
	updated.LastApplied, updated.Repairs = applied, repairs
	p.Record.Users = append(p.Record.Users, &updated)
	c.Current = &updated
}

// remainingRepairs returns the repairs that still count: an edit of a field ends its contest.
func remainingRepairs(c *Change, applied spec.Fields, now time.Time) map[spec.Field]state.Repair {
	repairs := maps.Clone(c.Current.Repairs)
	maps.DeleteFunc(repairs, func(f spec.Field, r state.Repair) bool {
		return !contest.Remembered(r, now) || applied.Get(f) == "" || applied.Get(f) != c.Current.LastApplied.Get(f) || applied.Get(f) != c.Desired.Get(f)
	})
	if len(repairs) == 0 {
		return nil
	}
	for f, r := range repairs {
		if !contest.Recent(r, now) {
			repairs[f] = state.Repair{At: r.At[len(r.At)-1:], Found: r.Found, Times: r.Times}
		}
	}
	return repairs
}

// countCompleted counts what an earlier pass wrote without an answer, if it is found done: was is what was known until now,
// and c.Current has what is applied now.
func (p *planner) countCompleted(u *spec.User, c *Change, was *state.User) {
	f, failed := p.snap.Failures[u.Key]
	unanswered := f.Status == 0 || f.Status == 408 || f.Status >= 500
	if !failed || !unanswered || c.Current == was || f.Desired != u.Hash() {
		return
	}
	before, after := *was, *c.Current
	for _, known := range []*state.User{&before, &after} {
		known.Fields = known.Fields.With(known.LastApplied)
	}
	c.Hash, c.endsAccess = f.Desired, active(&before) && !active(&after)
	p.Count(c, &before, &after, c.Desired.Names(), p.now)
}
