package main

import (
	"strings"
	"testing"
	"time"

	"usersyncd/state"
	usersync "usersyncd/sync"
	"usersyncd/sync/control"
)

// Edits that are not committed show wherever the status names the revision, and never as fully applied.
func TestStatusShowsUncommittedEdits(t *testing.T) {
	const revision = "0123456789abcdef0123456789abcdef01234567-dirty"
	now := time.Now()
	s := control.Status{PID: 1, Now: now, Started: now, Dirty: true,
		Status: usersync.Status{Success: now, Phase: usersync.PhaseIdle, Users: 5, InSync: 5, Revision: revision, Applied: &state.AppliedTree{Revision: revision, At: now.Add(-time.Second)}}, Notes: []string{"1 path of the commit is not checked out"}}
	var out strings.Builder
	printStatus(sheet{Writer: &out}, s, "")
	for _, want := range []string{
		"The checkout has uncommitted edits: its revision is 0123456789ab-dirty.\n",
		"checkout   at 0123456789ab-dirty, applied 1.0s ago with uncommitted edits\n",
		"note       1 path of the commit is not checked out\n",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is not in:\n%s", want, out.String())
		}
	}
	if strings.Contains(out.String(), "fully") {
		t.Error(out.String())
	}
}

// The sentence of an error that ends in a question has no full stop after it.
func TestStatusPunctuation(t *testing.T) {
	for settings, want := range map[string]string{
		`unknown field "titel"; did you mean "title"?`: `did you mean "title"?` + "\n",
		"no such file": "no such file.\n",
	} {
		var out strings.Builder
		printStatus(sheet{Writer: &out}, control.Status{PID: 1, Settings: settings}, "")
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q\nwithout %q", out.String(), want)
		}
	}
}
