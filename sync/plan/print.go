package plan

import (
	"fmt"
	"strings"
	"time"

	"usersyncd/spec"
	"usersyncd/sync/plan/window"
)

// symbols lead the lines that people read, so that meaning never hangs on a colour.
var symbols = map[Action]string{Create: "+", Restore: "+", Adopt: "~", Update: "~", Unmanage: "-", Deactivate: "-", Delete: "-"}

// String prints the change as plan, log and page show it: a line for the user, a line a field. Text
// that comes from specs or from Genesys is quoted, and cannot move a cursor.
func (c *Change) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s %s", symbols[c.Action], c.Action, spec.Escape(c.Key))
	switch {
	case c.Action == Unmanage:
		b.WriteString(" (no longer declared; left in Genesys as it is)")
	case c.Action.Removes():
		b.WriteString(" (no longer declared)")
	case c.Cause == Undone:
		b.WriteString(" (undo)")
	default:
		fmt.Fprintf(&b, " (%s, %s)", c.Cause, c.Where())
	}
	if c.Outcome != Planned && c.Outcome != Applied {
		fmt.Fprintf(&b, " %s", c.Outcome)
		if c.Hold != "" {
			fmt.Fprintf(&b, " under %s", c.Hold) // which says why, once for all of them
		} else if c.Note != "" {
			fmt.Fprintf(&b, ": %s", c.Note)
		}
		if c.Waits != "" {
			fmt.Fprintf(&b, ": waits for %s", spec.Escape(c.Waits))
		}
		if c.Err != nil {
			fmt.Fprintf(&b, ": %s", spec.Escape(c.Err.Error()))
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
		if c.Cause == Undone {
			why = "left as it is"
		}
		fmt.Fprintf(&b, "\n    %s (%s)", fc, why)
	}
	return b.String()
}

// Why says for people why the field is not written.
func (w Withheld) Why() string {
	text := string(w.Reason)
	switch {
	case w.Reason == ByProblem:
		return "left out, for a problem" // which is told by itself
	case w.Hold != "":
		text += " under " + w.Hold // which says why, once for all of them
	case w.Note != "":
		text += ": " + spec.Escape(w.Note)
	}
	if !w.Until.IsZero() {
		text += "; next try " + w.Until.UTC().Format(time.RFC3339)
	}
	return text
}

// String says what is held, why, and what a person can do; then who it is.
func (h Hold) String() string {
	when := "If this is intended"
	if h.Guard == guardRenames {
		when = "If they are two people"
	}
	return fmt.Sprintf("Held: %s. %s: usersyncd release %s\n  %s", spec.Escape(h.Reason), when, h.ID, spec.Escape(someOf(h.Users)))
}

// someOf lists what people can take in.
func someOf(names []string) string { return spec.FirstNames(names, 10, len(names)) }

// number counts in words.
func number(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// Where is the place of the spec, if there is one that can be read.
func (c *Change) Where() string {
	switch {
	case c.Cause == Undone:
		return "rollback"
	case c.Action.Removes():
		return "no longer declared"
	case c.Pos.File == "":
		return "as last applied; the specs have problems"
	}
	return c.Pos.String()
}

// String prints one field: before and after, or what it will be.
func (fc FieldChange) String() string {
	if fc.Before == "" {
		return fmt.Sprintf("%s: %s", fc.Field, fc.After.Display())
	}
	return fmt.Sprintf("%s: %s -> %s", fc.Field, fc.Before.Display(), fc.After.Display())
}
