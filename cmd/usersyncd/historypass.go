package main

import (
	"fmt"
	"io"
	"slices"
	"time"

	"usersyncd/cmd/usersyncd/internal/report"
	"usersyncd/spec"
	"usersyncd/spec/text"
	"usersyncd/state"
	"usersyncd/sync/plan"
)

// passGap is how long after each other two writes of one pass are at most: the API may ask for pauses of ten minutes.
const passGap = 15 * time.Minute

// passWrites are the writes of one pass, or of a rollback, the newest first.
type passWrites struct {
	events []state.Event
	fields map[string]bool // that were written, with their users: a pass writes none of them twice
	cut    bool            // earlier ones are left out
}

// byPass groups events, which are the newest first. A pass has no number: it is recognized by its plan.
func byPass(events []state.Event) (all []*passWrites) {
	same := func(a, b state.Event) bool {
		return a.Plan == b.Plan && a.Revision == b.Revision && a.RollbackOf == b.RollbackOf && a.Uncertain == b.Uncertain && b.At.Sub(a.At) <= passGap
	}
	for _, e := range events {
		var p *passWrites
		for i := len(all) - 1; i >= 0 && p == nil; i-- {
			if last := all[i].events[len(all[i].events)-1]; last.At.Sub(e.At) > passGap {
				break
			} else if same(e, last) && !all[i].writes(e) {
				p = all[i]
			}
		}
		if p == nil {
			p = &passWrites{fields: map[string]bool{}}
			all = append(all, p)
		}
		p.events = append(p.events, e)
		for _, f := range e.Fields {
			p.fields[e.ID+" "+string(f.Field)] = true
		}
	}
	return all
}

func (p *passWrites) writes(e state.Event) bool {
	return slices.ContainsFunc(e.Fields, func(f state.FieldEvent) bool { return p.fields[e.ID+" "+string(f.Field)] })
}

// changes are what was done to each user: one change may take several writes.
func (p *passWrites) changes() (all []*plan.Change) {
	type user struct{ id, action string }
	byUser := map[user]*plan.Change{}
	for _, e := range slices.Backward(p.events) {
		c := byUser[user{e.ID, e.Action}]
		if c == nil {
			c = &plan.Change{Key: e.Email, Action: plan.Action(e.Action), Cause: plan.Cause(e.Cause), Outcome: plan.Applied}
			byUser[user{e.ID, e.Action}], all = c, append(all, c)
		}
		c.Fields = append(c.Fields, writtenFields(e)...)
	}
	return all
}

func writtenFields(e state.Event) (all []plan.FieldChange) {
	for _, f := range e.Fields {
		fc := plan.FieldChange{Field: f.Field, Before: f.Before, After: f.After, Cause: plan.Cause(f.Cause)}
		if fc.Cause == "" {
			fc.Cause = plan.Cause(e.Cause)
		}
		all = append(all, fc)
	}
	return all
}

// since leaves out what was written before a time, and the passes of which nothing is left.
func since(at time.Time, passes []*passWrites) []*passWrites {
	for _, p := range passes {
		all := len(p.events)
		p.events = slices.DeleteFunc(p.events, func(e state.Event) bool { return e.At.Before(at) })
		p.cut = len(p.events) < all
	}
	return slices.DeleteFunc(passes, func(p *passWrites) bool { return len(p.events) == 0 })
}

// title says when a pass wrote, and for which revision or what else.
func (p *passWrites) title() string {
	newest, oldest := p.events[0], p.events[len(p.events)-1]
	title := text.Time(oldest.At.Local())
	if newest.At.Sub(oldest.At) >= time.Second {
		title += " to " + text.Time(newest.At.Local())
	}
	if title += ", " + whyWritten(newest); p.cut {
		title += ", without its writes before --since"
	}
	return title
}

// whyWritten is for which revision a write was made, or what it has rolled back.
func whyWritten(e state.Event) string {
	words := "no revision"
	if e.Revision != "" {
		words = "revision " + spec.ShortRevision(e.Revision)
	}
	if e.RollbackOf != "" {
		words = "rollback of " + spec.ShortRevision(e.RollbackOf)
	}
	if e.Uncertain {
		words += ", uncertain: no response"
	}
	return words
}

// printHistory writes what passes have written to users, at most so many: as plan shows it, equal changes in one entry. It returns
// how many passes are left out.
func printHistory(t report.Text, w io.Writer, passes []*passWrites, most int) (left int) {
	shown := passes[:min(len(passes), most)]
	for _, p := range shown {
		t.Pass(w, p.title(), report.Fold(p.changes()))
		if id := p.events[0].CorrelationID; id != "" && len(p.events) == 1 && !p.cut {
			fmt.Fprintln(w, "      correlation id "+text.Escape(id))
		}
	}
	return len(passes) - len(shown)
}
