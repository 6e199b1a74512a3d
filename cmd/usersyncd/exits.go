package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"
)

// An exit is an exit code of a command, and what it means there.
type exit struct {
	code  int
	means string // a line for each LF
}

const (
	meansDone    = "success, or nothing to do"
	meansFailure = "failure: credentials, API or state file"
	meansInvalid = "the specs are invalid"
	meansFailed  = "some users failed, or time ran out (--timeout, a long pause that the API\nasks for); the rest is applied"
	meansUsage   = "wrong usage: command line or configuration"
)

// exitsOf lists the exit codes of a command. Those of the program are those of all commands.
func exitsOf(cmd *cobra.Command) []exit {
	few := func(done, failure string) []exit {
		return []exit{{exitDone, done}, {exitFatal, failure}, {exitUsage, meansUsage}}
	}
	notAsked := "failure: neither a daemon nor the state file can be asked"
	if !cmd.HasParent() {
		return []exit{
			{exitDone, meansDone}, {exitFatal, meansFailure}, {exitChanges, "plan --detailed-exitcode: there are changes"}, {exitInvalid, meansInvalid},
			{exitHeld, "a guard holds changes, or passes are paused; the rest is applied. Or the\nplan is not the approved one; nothing else is applied"},
			{exitFailed, meansFailed}, {exitUsage, meansUsage},
		}
	}
	switch cmd.Name() {
	case "plan":
		return []exit{
			{exitDone, "success"}, {exitFatal, meansFailure}, {exitChanges, "with --detailed-exitcode: there are changes"}, {exitInvalid, meansInvalid},
			{exitHeld, "a guard holds changes"}, {exitFailed, "some users are left out, as listed, or time ran out (--timeout, a long\npause that the API asks for)"},
			{exitUsage, meansUsage},
		}
	case "apply":
		return []exit{
			{exitDone, meansDone}, {exitFatal, meansFailure + "; or it was not confirmed"},
			{exitInvalid, meansInvalid + "; at most users with state: inactive are deactivated"},
			{exitHeld, "a guard holds changes, and the rest is applied; or nothing is applied:\npasses are paused, or the plan is not the one that was shown or saved"},
			{exitFailed, meansFailed}, {exitUsage, meansUsage},
		}
	case "sync":
		return []exit{
			{exitDone, meansDone}, {exitFatal, "failure: no daemon, or its pass failed"}, {exitInvalid, "some specs are invalid; the other users are applied"},
			{exitHeld, "a guard holds changes, or passes are paused; the rest is applied"}, {exitFailed, "some users failed, or wait for a pause that the API asks for"},
			{exitUsage, meansUsage},
		}
	case "rollback":
		return []exit{
			{exitDone, meansDone}, {exitFatal, meansFailure}, {exitHeld, "a guard holds changes; the rest is rolled back"},
			{exitFailed, "some users failed, or the API asks for a long pause; the rest is rolled\nback"}, {exitUsage, meansUsage},
		}
	case "export":
		return []exit{
			{exitDone, meansDone}, {exitFatal, meansFailure}, {exitInvalid, "the specs that are there are invalid; no file is written"},
			{exitFailed, "time ran out (--timeout, a long pause that the API asks for); no file is\nwritten"}, {exitUsage, meansUsage},
		}
	case "validate":
		return []exit{{exitDone, "the specs are valid"}, {exitFatal, "failure: they cannot be read"}, {exitInvalid, meansInvalid}, {exitUsage, meansUsage}}
	case "explain":
		return []exit{{exitDone, "success"}, {exitFatal, "nobody has the address, or neither daemon nor state file can be asked"}, {exitInvalid, "DIR has no specs"}, {exitUsage, meansUsage}}
	case "status", "history":
		return few("success, whatever it shows", notAsked)
	case "doctor":
		return few("no problem", "there is a problem")
	case "pause", "resume", "release":
		return few("done, or nothing to do", notAsked)
	case "demo", "simulate":
		return few("success", "failure")
	case "notify", "test":
		return few("success", "failure: it was not accepted")
	}
	return few("success", "failure")
}

// exitText lists exit codes for the help.
func exitText(exits []exit) string {
	var b strings.Builder
	for _, e := range exits {
		fmt.Fprintf(&b, "  %-3d %s\n", e.code, strings.ReplaceAll(e.means, "\n", "\n      "))
	}
	return b.String()
}
