package plan

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"usersyncd/spec"
	"usersyncd/spec/text"
	"usersyncd/state"
	"usersyncd/sync/plan/window"
)

// symbols begin the lines of changes, so that the meaning does not depend on colour.
var symbols = map[Action]string{Create: "+", Restore: "+", Adopt: "~", Update: "~", Unmanage: "-", Deactivate: "-", Delete: "-"}

// Group is what a change means for the people concerned, by which plans are shown: what may hurt somebody comes first.
type Group string

// The groups, in the order in which they are shown.
const (
	Removals  Group = "removals"  // users who are deactivated or deleted, whatever the reason
	Access    Group = "access"    // roles, groups and division change, or the user is activated
	Renames   Group = "renames"   // the email address changes
	Creations Group = "creations" // users who do not exist
	Restores  Group = "restores"  // users who were deleted
	Updates   Group = "updates"   // of any other field
	Reported  Group = "drift"     // differs, and is only reported
	Unmanaged Group = "unmanaged" // no longer managed, and not changed in Genesys
)

// Groups returns all groups, in the order in which they are shown.
func Groups() []Group {
	return []Group{Removals, Access, Renames, Creations, Restores, Updates, Reported, Unmanaged}
}

// GivesAccess reports whether a field decides what a user may do, and not only which conversations reach the user.
func GivesAccess(f spec.Field) bool {
	info, _ := spec.Lookup(f)
	return info.Access && (f == spec.State || !slices.Contains(RoutingFields(), f))
}

// Group returns the first group that fits what is written for the user or, if nothing is, what is withheld.
func (c *Change) Group() Group {
	switch c.Action {
	case Unmanage:
		return Unmanaged
	case Deactivate, Delete:
		return Removals
	case Create:
		return Creations
	case Restore:
		return Restores
	}
	fields := slices.Concat(c.Fields, c.Deferred)
	if len(fields) == 0 {
		fields = each(c.Withheld, func(w Withheld) FieldChange { return w.FieldChange })
	}
	if len(fields) == 0 && len(c.Drift) > 0 {
		return Reported
	}
	group := Updates
	for _, fc := range fields {
		switch {
		case fc.Field == spec.State && fc.After == spec.Text("inactive"):
			return Removals
		case GivesAccess(fc.Field):
			group = Access
		case fc.Field == spec.Email && group != Access:
			group = Renames
		}
	}
	return group
}

// Words is the action for people: that a user becomes managed is told beside it.
func (a Action) Words() string {
	switch a {
	case Adopt:
		return "update"
	case Unmanage:
		return "no longer managed"
	}
	return string(a)
}

// Verb says for people what the action would do.
func (a Action) Verb() string {
	if a == Unmanage {
		return "stop managing"
	}
	return a.Words()
}

// Words is the cause for people.
func (c Cause) Words() string {
	switch c {
	case Missing:
		return "not in Genesys"
	case Removed:
		return "no longer declared"
	case RolledBack:
		return "rollback"
	}
	return string(c)
}

// String formats the change as plan, log and page show it: a line for the user, a line per field. Text from specs and from
// Genesys is escaped.
func (c *Change) String() string {
	var b strings.Builder
	does := c.Action
	if c.Action == Adopt { // told behind it
		does = Update
	}
	fmt.Fprintf(&b, "%s %s %s", symbols[c.Action], does, text.Escape(c.Key))
	switch {
	case c.Action == Unmanage:
		b.WriteString(" (no longer declared; not changed in Genesys)")
	case c.Action.Removes():
		b.WriteString(" (no longer declared)")
	case c.Cause == RolledBack:
		b.WriteString(" (rollback)")
	default:
		from := ""
		if c.Action == Adopt && c.Outcome != Skipped {
			from = ", managed from now on"
		}
		fmt.Fprintf(&b, " (%s, %s%s)", c.Cause.Words(), c.Where(), from)
	}
	if c.Outcome != Planned && c.Outcome != Applied {
		fmt.Fprintf(&b, " %s", c.Outcome)
		if c.Hold != "" {
			fmt.Fprintf(&b, " under %s", c.Hold) // the hold has the reason
		} else if c.Note != "" {
			fmt.Fprintf(&b, ": %s", c.Note)
		}
		if c.WaitsFor != "" {
			fmt.Fprintf(&b, ": waits for %s", text.Escape(c.WaitsFor))
		}
		if c.Err != nil {
			fmt.Fprintf(&b, ": %s", text.Escape(c.Err.Error()))
		}
	}
	for _, fc := range c.Fields {
		b.WriteString("\n    " + fc.String())
		if fc.Cause != c.Cause {
			fmt.Fprintf(&b, " (%s)", fc.Cause)
		}
	}
	if len(c.Deferred) > 0 {
		b.WriteString("\n    waits for the change window")
		if !c.Until.IsZero() {
			b.WriteString(", " + window.Format(c.Until))
		}
		b.WriteByte(':')
	}
	for _, fc := range c.Deferred {
		b.WriteString("\n        " + fc.String())
	}
	for _, w := range c.Withheld {
		fmt.Fprintf(&b, "\n    %s (%s)", w.FieldChange, w.Why())
	}
	for _, fc := range c.Drift {
		why := "drift, only reported"
		if c.Cause == RolledBack {
			why = "not changed"
		}
		fmt.Fprintf(&b, "\n    %s (%s)", fc, why)
	}
	return b.String()
}

// Where is the position of the spec, or says why there is none.
func (c *Change) Where() string {
	switch {
	case c.Cause == RolledBack:
		return "rollback"
	case c.Action.Removes():
		return "no longer declared"
	case c.Pos.File == "":
		return "as last applied; the specs have problems"
	}
	return text.Escape(c.Pos.String())
}

// String formats one field: before and after, or only after if before is not known.
func (fc FieldChange) String() string {
	if fc.Before == "" {
		return fmt.Sprintf("%s: %s", fc.Field, fc.After.Display())
	}
	return fmt.Sprintf("%s: %s -> %s", fc.Field, fc.Before.Display(), fc.After.Display())
}

// Why says why the field is not written.
func (w Withheld) Why() string {
	why := string(w.Reason)
	switch {
	case w.Reason == ByProblem:
		return "not written: see problems" // where the note is
	case w.Hold != "":
		why += " under " + w.Hold // the hold has the reason
	case w.Note != "":
		why += ": " + text.Escape(w.Note)
	}
	if !w.Until.IsZero() {
		why += "; next attempt " + text.Time(w.Until.UTC())
	}
	return why
}

// Releasable reports whether a person can release it. What an approved plan does not have needs another plan.
func (h Hold) Releasable() bool { return h.Guard != guardPlan }

// By is the guard in a sentence, by the flag that sets it, if one does: "--max-removals", "the guard renames".
func (h Hold) By() string {
	if flag := h.Flag(); flag != "" {
		return "--" + flag
	}
	return "the guard " + h.Guard
}

// Flag is the flag that sets the guard, without its dashes; "" if none does.
func (h Hold) Flag() string {
	switch {
	case h.Guard == guardReactivations:
		return "hold-reactivations"
	case strings.HasPrefix(h.Guard, "max-"), h.Guard == guardAdmins:
		return h.Guard
	}
	return ""
}

// ReleasedIf begins the advice to release it.
func (h Hold) ReleasedIf() string {
	if h.Guard == guardRenames {
		return "If they are two people"
	}
	return "If this is intended"
}

// String says what is held, why and how to release it; then the users.
func (h Hold) String() string { return h.ReleasedWith("usersyncd release " + h.ID) }

// ReleasedWith is String with another command that releases it.
func (h Hold) ReleasedWith(command string) string {
	if !h.Releasable() {
		return fmt.Sprintf("Held: %s. If this is intended, plan again.\n  %s", h.Reason, strings.Join(h.Differences, "\n  "))
	}
	return fmt.Sprintf("Held: %s. %s: %s\n  %s", text.Escape(h.Reason), h.ReleasedIf(), command, text.Escape(listNames(h.Users)))
}

func listNames(names []string) string { return text.List(names, 10, len(names)) }

// The JSON of a change is part of the output of a pass and of the daemon's API.

type changeJSON struct {
	Email  string      `json:"email"`
	ID     string      `json:"id,omitempty"` // in Genesys
	Group  Group       `json:"group"`
	File   string      `json:"file,omitempty"`
	Line   int         `json:"line,omitempty"`
	Column int         `json:"column,omitempty"`
	Cause  Cause       `json:"cause"`
	Action Action      `json:"action"`
	Fields []fieldJSON `json:"fields"`
	Result Outcome     `json:"result"`
	Note   string      `json:"note,omitempty"`  // why it was not applied
	Hold   string      `json:"hold,omitempty"`  // what releases it
	Drift  []fieldJSON `json:"drift,omitempty"` // only reported
	// waits for a change window, which opens at Until, in UTC
	Deferred []fieldJSON    `json:"deferred,omitempty"`
	Until    time.Time      `json:"until,omitzero"`
	Withheld []withheldJSON `json:"withheld,omitempty"`
}

type withheldJSON struct {
	fieldJSON
	Reason Reason    `json:"reason"`
	Note   string    `json:"note,omitempty"`
	Hold   string    `json:"hold,omitempty"`
	Until  time.Time `json:"until,omitzero"`
}

type fieldJSON struct {
	Field  spec.Field      `json:"field"`
	Before json.RawMessage `json:"before"`
	After  json.RawMessage `json:"after"`
	Cause  Cause           `json:"cause,omitempty"` // if it is not the change's
}

func (c *Change) fieldToJSON(fc FieldChange) fieldJSON {
	f := fieldJSON{Field: fc.Field, Before: fc.Before.RawJSON(), After: fc.After.RawJSON()}
	if fc.Cause != c.Cause {
		f.Cause = fc.Cause
	}
	return f
}

func (c *Change) fieldFromJSON(f fieldJSON) FieldChange {
	return FieldChange{Field: f.Field, Before: spec.FromRawJSON(f.Before), After: spec.FromRawJSON(f.After), Cause: cmp.Or(f.Cause, c.Cause)}
}

// each converts a list; nil if it is empty.
func each[A, B any](list []A, convert func(A) B) (out []B) {
	for _, a := range list {
		out = append(out, convert(a))
	}
	return out
}

// MarshalJSON encodes the change for a pass's output and the daemon's API.
func (c *Change) MarshalJSON() ([]byte, error) {
	out := changeJSON{Email: c.Key, Group: c.Group(), File: c.Pos.File, Line: c.Pos.Line, Column: c.Pos.Column, Cause: c.Cause, Action: c.Action,
		Fields: each(c.Fields, c.fieldToJSON), Drift: each(c.Drift, c.fieldToJSON), Result: c.Outcome, Note: c.Note, Hold: c.Hold}
	if out.Deferred = each(c.Deferred, c.fieldToJSON); len(out.Deferred) > 0 {
		out.Until = c.Until.UTC()
	}
	for _, w := range c.Withheld {
		out.Withheld = append(out.Withheld, withheldJSON{c.fieldToJSON(w.FieldChange), w.Reason, w.Note, w.Hold, w.Until.UTC()})
	}
	if out.Fields == nil {
		out.Fields = []fieldJSON{}
	}
	switch {
	case c.WaitsFor != "":
		out.Note = "waits for " + c.WaitsFor
	case c.Err != nil:
		out.Note = c.Err.Error()
	}
	if c.Current != nil {
		out.ID = c.Current.ID
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false) // as whoever encodes the whole may want it
	err := e.Encode(out)
	return b.Bytes(), err
}

// UnmarshalJSON decodes what MarshalJSON writes, to be shown. Such a change cannot be applied.
func (c *Change) UnmarshalJSON(data []byte) error {
	var in changeJSON
	if err := json.Unmarshal(data, &in); err != nil {
		return err
	}
	*c = Change{Key: in.Email, Pos: spec.Pos{File: in.File, Line: in.Line, Column: in.Column}, Cause: in.Cause, Action: in.Action,
		Outcome: in.Result, Note: in.Note, Hold: in.Hold}
	if in.ID != "" {
		c.Current = &state.User{Observed: state.Observed{ID: in.ID}}
	}
	c.Fields, c.Drift = each(in.Fields, c.fieldFromJSON), each(in.Drift, c.fieldFromJSON)
	c.Deferred, c.Until = each(in.Deferred, c.fieldFromJSON), in.Until
	for _, w := range in.Withheld {
		c.Withheld = append(c.Withheld, Withheld{c.fieldFromJSON(w.fieldJSON), w.Reason, w.Note, w.Hold, w.Until})
	}
	if c.Outcome == Failed {
		c.Err, c.Note = errors.New(in.Note), ""
	}
	return nil
}
