package main

import (
	"fmt"
	"strings"
	"time"

	"usersyncd/spec"
	"usersyncd/spec/text"
	usersync "usersyncd/sync"
	"usersyncd/sync/aimd"
)

// statusText says in one line how many users there are, of which commit, how many are in sync, what is with
// the others, and how fast it goes.
func statusText(st usersync.Status, l aimd.Stats, left time.Duration) string {
	if st.Phase == "scan" {
		return "reading the specs, and comparing"
	}
	said := fmt.Sprintf("%d users @%s", st.Users, spec.ShortRevision(st.Revision))
	if st.Phase != "apply" && st.Phase != "idle" {
		return said + ", " + progressLine(st, l, left)
	}
	if st.Phase == "idle" && st.Err != nil {
		return said + ", the last pass ended early: " + text.OneLine(st.Err.Error())
	}
	failed := st.Failed
	var waits, wrong []string
	add := func(to *[]string, n int, what string) {
		if n > 0 {
			*to = append(*to, fmt.Sprintf("%d %s", n, what))
		}
	}
	if r := st.Last; r != nil {
		failed = r.Failed
		add(&waits, r.Quarantined, "in quarantine")
		add(&waits, r.Held, "held")
		add(&waits, r.HeldInPart, "held in part")
		add(&waits, r.Skipped, "skipped")
		if n := len(r.Problems); n > 0 {
			wrong = append(wrong, text.Plural(n, "problem")+" in the specs")
		}
		add(&wrong, r.Kept, "kept as last applied")
	}
	if failed > 0 {
		waits = append([]string{fmt.Sprintf("%d failed", failed)}, waits...)
	}
	pending := max(0, st.Users-st.InSync)
	if st.Phase == "idle" && pending == 0 && len(waits)+len(wrong) == 0 {
		return said + ", all in sync"
	}
	parts := append([]string{said, fmt.Sprintf("%d in sync", st.InSync), fmt.Sprintf("%d pending", pending)}, append(waits, wrong...)...)
	if st.Phase == "apply" {
		parts = append(parts, pace(l), text.ShortDuration(left)+" left")
	}
	return strings.Join(parts, ", ")
}
