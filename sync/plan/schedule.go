package plan

import (
	"slices"
	"time"

	"usersyncd/spec"
)

// Schedule says when fields that touch routing may be changed. The zero value is always.
type Schedule struct {
	Windows []Window     // none: always
	Fields  []spec.Field // which of them are kept to the windows; all others go at once
	// Begun are, by address, the fields that go on at any hour, as a pass that ended early has written some of what is to
	// be done to them: half of that may be worse than either.
	Begun map[string][]spec.Field
}

// Opens returns when a window opens next, in its time zone; zero if that does not matter, as none ever closes.
func (s *Schedule) Opens(now time.Time) time.Time {
	if len(s.Windows) == 0 {
		return time.Time{}
	}
	return opens(s.Windows, now)
}

// Closes returns until when the fields may be changed: now itself if they may not, zero if they always may.
func (s *Schedule) Closes(now time.Time) time.Time {
	if len(s.Windows) == 0 || len(s.Fields) == 0 {
		return time.Time{}
	}
	return closes(s.Windows, now)
}

// NextTurn returns when the schedule asks for another plan than one that was made in its sight: a window closes, and
// something is kept to it, or one opens, and something waits for it. Zero if neither matters.
func (s *Schedule) NextTurn(p *Plan) time.Time {
	at, closes := time.Time{}, s.Closes(p.Began)
	for _, c := range p.Changes {
		switch {
		case len(c.Deferred) > 0:
			at = Earliest(at, c.Until)
		case c.Outcome == Planned && slices.ContainsFunc(c.Fields, func(fc FieldChange) bool { return s.keeps(c, fc) }):
			at = Earliest(at, closes)
		}
	}
	return at
}

// Earliest is the first of two times, of which each may be unknown: the zero time.
func Earliest(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

// Latest is the later of two times.
func Latest(a, b time.Time) time.Time {
	if a.Before(b) {
		return b
	}
	return a
}

// keeps reports whether a field of a change may only be written while a window is open.
func (s *Schedule) keeps(c *Change, fc FieldChange) bool {
	return !c.unscheduled() && slices.Contains(s.Fields, fc.Field) && !slices.Contains(s.Begun[c.Key], fc.Field)
}

// shut reports whether no window is open.
func (s *Schedule) shut(now time.Time) bool {
	closes := s.Closes(now)
	return !closes.IsZero() && !now.Before(closes)
}

// Postpone sets apart which fields of a change wait until a window opens, if none is open.
func (s *Schedule) Postpone(c *Change, now time.Time) {
	if s.shut(now) {
		s.postpone(c, s.Opens(now))
	}
}

func (s *Schedule) postpone(c *Change, opens time.Time) {
	var rest []FieldChange
	for _, fc := range c.Fields {
		if s.keeps(c, fc) {
			c.Deferred = append(c.Deferred, fc)
		} else {
			rest = append(rest, fc)
		}
	}
	if len(c.Deferred) == 0 {
		return
	}
	if c.Fields, c.Until = rest, opens; len(rest) > 0 {
		c.classify() // what is left may be less urgent
	}
}

// unscheduled reports whether a change goes whole at any hour. Nobody works yet with a user who is made or
// brought back; who leaves must lose everything at once; and who is not active has no part in routing.
func (c *Change) unscheduled() bool {
	if c.Action == Create || c.Action == Restore || c.Action.Removes() {
		return true
	}
	state := c.Current.Fields[spec.State].Text()
	for _, fc := range c.Fields {
		if fc.Field == spec.State {
			state = fc.After.Text()
		}
	}
	return state == "inactive"
}

// schedule sets apart what waits for a window. Guards have looked at all of it before: who is to release
// something learns of it by day.
func (p *planner) schedule() {
	s := &p.policy.Schedule
	if !s.shut(p.now) {
		return
	}
	opens := s.Opens(p.now)
	for _, c := range p.changes {
		if c.Outcome != Planned {
			continue
		}
		if s.postpone(c, opens); len(c.Fields) == 0 && len(c.Deferred) > 0 {
			c.Outcome = Deferred
		}
	}
}

// WindowTime shows people when a window opens, as the clock there will.
func WindowTime(t time.Time) string { return t.Format("Mon 2006-01-02 15:04 MST") }

// RoutingFields are the fields that decide which conversations reach a user.
func RoutingFields() []spec.Field {
	return []spec.Field{spec.Skills, spec.Languages, spec.Queues, spec.Utilization, spec.State}
}
