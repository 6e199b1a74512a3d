package plan

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"time"

	"usersyncd/spec"
	"usersyncd/state"
)

// Two programs that want different things of a field change it back and forth for ever. A field that was repaired
// contestAfter times within contestWithin is contested: it is left alone for a pause, which doubles with each repair
// after it. It is over when the spec changes the field, or when nobody has changed it back for contestWithin after a
// pause.
const (
	contestAfter  = 3
	contestWithin = time.Hour
	firstPause    = 15 * time.Minute
	longestPause  = 6 * time.Hour
)

// A Contest is a field of a user that somebody else keeps changing back.
type Contest struct {
	Email string     `json:"email"` // spec.User.Key
	Field spec.Field `json:"field"`
	Until time.Time  `json:"until"` // it is not repaired before, unless that takes access away; in UTC
}

// recent reports whether repairs still count. Those that are dated in the future, as the clock was set back, do not.
func recent(r state.Repair, now time.Time) bool {
	if len(r.At) == 0 {
		return false
	}
	age := now.Sub(r.At[len(r.At)-1])
	return age >= 0 && age < contestWithin+r.Pause
}

// Contested reports whether somebody else keeps changing a field of a user back, and when it is repaired next.
func Contested(u *state.User, f spec.Field, now time.Time) (until time.Time, contested bool) {
	r, repaired := u.Repairs[f]
	if !repaired || r.Pause == 0 || !recent(r, now) {
		return time.Time{}, false
	}
	return r.At[len(r.At)-1].Add(r.Pause), true
}

// StillContested returns those of some contests that are not over, as far as that is known without a look: it is when
// nobody has changed the field back for a while after the pause.
func StillContested(contests []Contest, now time.Time) []Contest {
	return slices.DeleteFunc(slices.Clone(contests), func(c Contest) bool { return now.Sub(c.Until) >= contestWithin })
}

// repairedAgain counts one more repair.
func repairedAgain(r state.Repair, now time.Time) state.Repair {
	if !recent(r, now) {
		r = state.Repair{}
	}
	paused := len(r.At) > 0 && now.Sub(r.At[len(r.At)-1]) < r.Pause
	at := slices.DeleteFunc(slices.Clone(r.At), func(t time.Time) bool { return t.After(now) || now.Sub(t) >= contestWithin })
	at = append(at, now)
	r.At = at[max(0, len(at)-contestAfter):]
	switch {
	case paused: // what takes access away does not wait for the end of the pause
	case r.Pause > 0:
		r.Pause = min(2*r.Pause, longestPause)
	case len(r.At) == contestAfter:
		r.Pause = firstPause
	}
	return r
}

// CountRepairs notes in what is known of a user, after some fields of the change were written, which of them were
// repairs. It is to be asked on every way on which a change succeeds. What was written for another reason is no longer
// contested. It returns how many were repairs.
func (p *Plan) CountRepairs(c *Change, after *state.User, written []spec.Field, now time.Time) int {
	repairs, n := maps.Clone(after.Repairs), 0
	for _, fc := range c.Fields {
		switch {
		case !slices.Contains(written, fc.Field):
		case fc.Cause != Drift:
			delete(repairs, fc.Field)
		default:
			if repairs == nil {
				repairs = map[spec.Field]state.Repair{}
			}
			repairs[fc.Field] = repairedAgain(repairs[fc.Field], now.UTC().Truncate(time.Second))
			n++
		}
	}
	if len(repairs) == 0 {
		repairs = nil
	}
	after.Repairs = repairs
	for _, fc := range c.Fields {
		if until, contested := Contested(after, fc.Field, now); contested && slices.Contains(written, fc.Field) {
			p.contested(Contest{c.Key, fc.Field, until})
		}
	}
	return n
}

// contested adds a contest to the plan's, or renews it.
func (p *Plan) contested(now Contest) {
	i, found := slices.BinarySearchFunc(p.Contested, now, Contest.compare)
	if found {
		p.Contested[i] = now
	} else {
		p.Contested = slices.Insert(p.Contested, i, now)
	}
}

func (a Contest) compare(b Contest) int {
	return cmp.Or(cmp.Compare(a.Field, b.Field), cmp.Compare(a.Email, b.Email))
}

// stillRepaired returns what counts of a user's repairs for fields that are in force: an edit ends a contest.
func (p *planner) stillRepaired(c *Change, base spec.Fields) map[spec.Field]state.Repair {
	still := maps.Clone(c.Current.Repairs)
	maps.DeleteFunc(still, func(f spec.Field, r state.Repair) bool {
		return !recent(r, p.now) || base[f] == "" || base[f] != c.Current.Applied[f] || base[f] != c.Desired[f]
	})
	if len(still) == 0 {
		return nil
	}
	return still
}

// contests withholds what is contested, and lists it. Where drift is only reported nothing is repaired, and so
// nothing contested.
func (p *planner) contests() {
	if p.reportDrift {
		return
	}
	for _, c := range p.changes {
		if c.Outcome == Planned {
			c.WithholdContested(p.now)
		}
	}
	rebased := map[string]*state.User{}
	for _, u := range p.Record.Users {
		rebased[u.ID] = u
	}
	for id, u := range p.snap.Users {
		if u.Applied == nil || len(u.Repairs) == 0 {
			continue
		}
		u = cmp.Or(rebased[id], u)
		for f := range u.Repairs {
			if until, contested := Contested(u, f, p.now); contested {
				p.Contested = append(p.Contested, Contest{cmp.Or(p.OwnerOf[id], u.Key()), f, until})
			}
		}
	}
	slices.SortFunc(p.Contested, Contest.compare)
}

// WithholdContested sets apart the repairs of contested fields until their pause is over, and reports whether there
// are any. What takes access away is repaired all the same.
func (c *Change) WithholdContested(now time.Time) bool {
	if c.Current == nil {
		return false
	}
	withheld := false
	for f := range c.Current.Repairs {
		until, contested := Contested(c.Current, f, now)
		if !contested || !now.Before(until) {
			continue
		}
		withheld = c.withhold(Withheld{Reason: ByContest, Note: "somebody else keeps changing it back", Until: until}, func(fc FieldChange) bool {
			return fc.Field == f && fc.Cause == Drift && !fc.takesAway()
		}) || withheld
	}
	return withheld
}

// takesAway reports whether a change takes access away from a user.
func (fc FieldChange) takesAway() bool {
	switch fc.Field {
	case spec.State:
		return fc.After == spec.Text("inactive")
	case spec.Division:
		return true // all that the one before gave
	case spec.Groups:
		return len(joins(FieldChange{Before: fc.After, After: fc.Before})) > 0
	case spec.Roles:
		kept := grants(fc.After)
		return slices.ContainsFunc(grantList(fc.Before), func(g grant) bool { return !kept[g] })
	}
	return false
}

// AllNotes are Notes, and one for each field that is contested.
func (p *Plan) AllNotes() []string {
	notes := slices.Clone(p.Notes)
	for i := 0; i < len(p.Contested); {
		field := p.Contested[i].Field
		var users []string
		for ; i < len(p.Contested) && p.Contested[i].Field == field; i++ {
			users = append(users, spec.Escape(p.Contested[i].Email))
		}
		notes = append(notes, contestNote(field, users))
	}
	return notes
}

func contestNote(f spec.Field, users []string) string {
	who := spec.FirstNames(users, 3, len(users))
	how := "It is set again at longer and longer intervals"
	if slices.Contains([]spec.Field{spec.State, spec.Roles, spec.Groups, spec.Division}, f) {
		how += ", and in every pass where that takes access away"
	}
	return fmt.Sprintf("%s is contested for %s: somebody else keeps changing it back. %s. Find the other program, or a second usersyncd, in the audit log of Genesys Cloud, or change the specs", f, who, how)
}
