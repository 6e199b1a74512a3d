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

// user plans one declared user.
func (p *planner) user(u *spec.User) {
	if p.match.Ambiguous[u.Key] {
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
	p.Notes = append(p.Notes, fmt.Sprintf("%s: %s is deleted in Genesys, and the state is not managed here: left as it is", u.Pos, text.Escape(u.Key)))
	left := *current
	left.Applied = nil
	p.Record.Users = append(p.Record.Users, &left)
}

// unchanged records what a user that needs nothing is found to have.
func (p *planner) unchanged(c *Change, begun bool) {
	p.Unchanged++
	p.quiet[c.Key] = true
	if _, failed := p.snap.Failures[c.Key]; failed {
		p.Record.ClearFailures = append(p.Record.ClearFailures, c.Key)
	}
	if begun {
		p.Record.ClearIntents = append(p.Record.ClearIntents, c.Key)
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
	return failed && (!p.policy.Retry || p.tried[key]) && f.Desired == hash && p.now.Before(f.Next) && f.Next.Sub(p.now) <= MaxQuarantine
}

func times(n int) string {
	if n == 1 {
		return "once"
	}
	return fmt.Sprintf("%d times", n)
}

// checkAllowlists reports whether everything that a change gives to a user may be given. What may is said by the
// configuration alone: a checkout is written by more people than may hand out access.
func (p *planner) checkAllowlists(u *spec.User, c *Change) bool {
	refused := p.policy.Guard.Refuses(c)
	for _, r := range refused {
		p.problem(u, r.Field, r.String())
		p.Problems[len(p.Problems)-1].Name = r.Name
	}
	return len(refused) == 0
}

// checkNames asks whether the names exist that a change refers to, and leaves out the fields of which one does not. It
// is false if the user cannot be made without.
func (p *planner) checkNames(u *spec.User, c *Change) bool {
	for _, fc := range slices.Clone(c.Fields) {
		for _, ref := range spec.References(fc.Field, fc.After) {
			wrong, asked := p.answers.Names[ref]
			if !asked {
				p.Lookups.Names[ref] = true
			} else if wrong != "" {
				p.leaveOut(u, c, fc.Field, wrong)
				p.Problems[len(p.Problems)-1].Name = ref.Name
			}
		}
	}
	return (c.Action != Create && c.Action != Restore) || !c.Withholds(spec.Division)
}

// onlyLeaves reduces a change that may not be made to the end of the user's work, if it has that: whatever is wrong
// with the rest, who is to be inactive becomes it.
func (p *planner) onlyLeaves(u *spec.User, c *Change, why string) bool {
	if !c.Deactivates() || !u.Own(spec.State) {
		return false
	}
	c.withhold(Withheld{Reason: ByProblem, Note: why}, func(fc FieldChange) bool { return fc.Field != spec.State })
	return true
}

// declaration is what is recorded of a user who is matched to a spec. The record of whom a plan doubts, or does not
// come to manage, stays as it is: the zero value.
func (p *planner) declaration(u *spec.User, cur *state.User) state.Declaration {
	if p.match.Doubts[u.Key] != "" && p.policy.Guard.Renames || cur != nil && cur.Applied == nil && !p.policy.Adopt && cur.Removed == "" {
		return state.Declaration{}
	}
	return state.Declaration{Key: u.Key, File: u.Pos.File, Ordinal: u.Ordinal}
}

// redeclare returns what is known of a matched user with the record of the declaration that it is matched to.
func (p *planner) redeclare(u *spec.User, cur *state.User) *state.User {
	d := p.declaration(u, cur)
	if cur == nil || d == (state.Declaration{}) {
		return cur
	}
	renewed := *cur
	renewed.Redeclare(d)
	if cur.Key() == u.Key { // a rename that was done before there was a record of it
		for _, former := range u.PreviousEmails {
			if !slices.Contains(renewed.FormerKeys, former) {
				renewed.FormerKeys = append(slices.Clip(renewed.FormerKeys), former)
			}
		}
		renewed.FormerKeys = renewed.FormerKeys[max(0, len(renewed.FormerKeys)-state.MaxFormerKeys):]
	}
	if renewed.Declared == cur.Declared && slices.Equal(renewed.FormerKeys, cur.FormerKeys) {
		return cur
	}
	p.redeclared = append(p.redeclared, &renewed)
	return &renewed
}

// rebase records what is in force of a managed user's fields, whatever becomes of the change: one that was found equal
// is as declared, one that differs is as it was last written or found equal, and one that is no longer declared is
// forgotten. Later commits build on the record.
func (p *planner) rebase(c *Change) {
	if c.Current == nil || c.Current.Applied == nil ||
		len(c.Fields)+len(c.Drift)+len(c.Current.Repairs) == 0 && maps.Equal(c.Desired, c.Current.Applied) {
		return
	}
	base := p.Applied(c, nil)
	for _, f := range p.unread(c) {
		if _, managed := c.Current.Applied[f]; !managed {
			delete(base, f) // whatever it was when it was last read
		}
	}
	repairs := stillRepaired(c, base, p.now)
	if maps.Equal(base, c.Current.Applied) && len(repairs) == len(c.Current.Repairs) {
		return
	}
	rebased := *c.Current
	rebased.Applied, rebased.Repairs = base, repairs
	p.Record.Users = append(p.Record.Users, &rebased)
	c.Current = &rebased
}

// stillRepaired returns what counts of a user's repairs for fields that are in force: an edit ends a contest.
func stillRepaired(c *Change, base spec.Fields, now time.Time) map[spec.Field]state.Repair {
	still := maps.Clone(c.Current.Repairs)
	maps.DeleteFunc(still, func(f spec.Field, r state.Repair) bool {
		return !contest.Recent(r, now) || base[f] == "" || base[f] != c.Current.Applied[f] || base[f] != c.Desired[f]
	})
	if len(still) == 0 {
		return nil
	}
	return still
}

// countFound counts what is found done of what an earlier pass sent and never got an answer to: was is what was known
// until now, and the change's user has what is in force since.
func (p *planner) countFound(u *spec.User, c *Change, was *state.User) {
	f, failed := p.snap.Failures[u.Key]
	unanswered := f.Status == 0 || f.Status == 408 || f.Status >= 500
	if !failed || !unanswered || c.Current == was || f.Desired != u.Hash() {
		return
	}
	before, after := *was, *c.Current
	for _, known := range []*state.User{&before, &after} {
		known.Fields = maps.Clone(known.Fields)
		maps.Copy(known.Fields, known.Applied)
	}
	c.Hash, c.leaves = f.Desired, active(&before) && !active(&after)
	p.Count(c, &before, &after, slices.Sorted(maps.Keys(c.Desired)), p.now)
}
