package plan

import (
	"slices"
	"time"

	"usersyncd/spec"
	"usersyncd/state"
)

// Event is what the history tells of a write of some fields of a change, at a time: none, if the change names none of
// them.
func (p *Plan) Event(c *Change, written []spec.Field, at time.Time) (e state.Event, any bool) {
	e = p.eventOf(c, at)
	for _, fc := range c.Fields {
		if slices.Contains(written, fc.Field) {
			e.Fields = append(e.Fields, fieldEvent(&e, fc))
		}
	}
	return e, len(e.Fields) > 0
}

// Intent is the same of a write that is about to be made to all of the fields. One that the change does not name is to be
// as it is.
func (p *Plan) Intent(c *Change, fields []spec.Field, at time.Time) state.Event {
	e := p.eventOf(c, at)
	for _, f := range fields {
		fc := FieldChange{Field: f, Before: c.Desired[f], After: c.Desired[f], Cause: c.Cause}
		if i := slices.IndexFunc(c.Fields, func(fc FieldChange) bool { return fc.Field == f }); i >= 0 {
			fc = c.Fields[i]
		}
		e.Fields = append(e.Fields, fieldEvent(&e, fc))
	}
	return e
}

func (p *Plan) eventOf(c *Change, at time.Time) state.Event {
	e := state.Event{
		At: at, Revision: p.Revision, Plan: p.ID, ID: c.Current.ID, Email: c.Key,
		Action: string(c.Action), Cause: string(c.Cause), Undoes: p.RollbackOf,
	}
	if c.OneOff {
		e.Cause = string(Undone) // to compare it again gives it another one
	}
	return e
}

func fieldEvent(e *state.Event, fc FieldChange) state.FieldEvent {
	f := state.FieldEvent{Field: fc.Field, Before: fc.Before, After: fc.After}
	if cause := string(fc.Cause); cause != e.Cause && e.Undoes == "" {
		f.Cause = cause
	}
	return f
}
