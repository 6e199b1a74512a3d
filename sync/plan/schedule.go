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

// Postpone sets apart which fields of a change wait until a window opens. Those in begun go on: half of what was
// to be done to them may be worse than either.
func (s *Schedule) Postpone(c *Change, opens time.Time, begun []spec.Field) {
	if c.Unscheduled() {
		return
	}
	waits := func(fc FieldChange) bool {
		return slices.Contains(s.Fields, fc.Field) && !slices.Contains(begun, fc.Field)
	}
	var now []FieldChange
	for _, fc := range c.Fields {
		if waits(fc) {
			c.Deferred = append(c.Deferred, fc)
		} else {
			now = append(now, fc)
		}
	}
	if len(c.Deferred) == 0 {
		return
	}
	if c.Fields, c.Until = now, opens; len(now) > 0 {
		c.classify() // what is left may be less urgent
	}
}

// Unscheduled reports whether a change goes whole at any hour. Nobody works yet with a user who is made or
// brought back; who leaves must lose everything at once; and who is not active has no part in routing.
func (c *Change) Unscheduled() bool {
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
	if closes := p.policy.Schedule.Closes(p.now); closes.IsZero() || p.now.Before(closes) {
		return
	}
	opens := p.policy.Schedule.Opens(p.now)
	for _, c := range p.changes {
		if c.Outcome != Planned {
			continue
		}
		if p.policy.Schedule.Postpone(c, opens, nil); len(c.Fields) == 0 && len(c.Deferred) > 0 {
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
