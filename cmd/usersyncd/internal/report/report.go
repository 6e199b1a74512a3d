// Package report writes what a command has found: for people by what matters most, with equal changes folded into one entry,
// and in the formats of other programs: JSON, JUnit, the code quality and Terraform reports of GitLab, annotations of GitHub, and
// Markdown.
//
// Text of users - addresses, names of files, messages of the API - never becomes a part of a format: each escapes it in its
// own way.
package report

import (
	"bytes"
	"encoding/json"
	"time"

	"usersyncd/spec"
	"usersyncd/spec/text"
	usersync "usersyncd/sync"
	"usersyncd/sync/plan"
	"usersyncd/sync/plan/digest"
)

// A Report is what a command has found.
type Report struct {
	Command  string // validate, plan or once
	Name     string // of the installation, or of the folder
	Specs    string // the folder of the specs, as it was given
	Dir      string // of the specs, relative to the top of the repository; slash-separated, "" if it is the top
	Began    time.Time
	Took     time.Duration
	Tree     *spec.Tree       // nil: the specs were not read
	Problems spec.ProblemList // also those that only the organization shows
	Result   *usersync.Result // nil: there is no plan, as of validate
	Org      Org
	Error    string // why the command has ended early, on one line or several; "" if it has not
	ExitCode int
}

// Org is the organization.
type Org struct {
	ID   string `json:"id,omitempty"`   // "" if it may not be read
	Name string `json:"name,omitempty"` // "" if it was not read
	API  string `json:"api"`
}

// Warnings are those of the specs, unless they are among the notes of a result, or something else has ended the command.
func (r *Report) Warnings() *spec.Warnings {
	if r.Tree == nil || r.Command != "validate" && (r.Result != nil || len(r.Problems.Problems) == 0) {
		return &spec.Warnings{}
	}
	return &r.Tree.Warnings
}

// Encode is v as indented JSON without a character that cannot be seen.
func Encode(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(v); err != nil {
		return nil, err
	}
	return text.EscapeJSON(b.Bytes()), nil
}

// PlanID identifies a plan for people; "" if it does nothing.
func PlanID(res *usersync.Result) string {
	if digest.IsEmpty(res.Digest) {
		return ""
	}
	return res.Plan
}

// done reports whether the change is carried out or, of a plan, would be: guards, windows and failures keep others.
func done(res *usersync.Result, c *plan.Change) bool {
	return c.Outcome == plan.Applied || res.DryRun && c.Outcome == plan.Planned && c.Err == nil
}

// resultJSON is usersyncd.result/v1. The fields of the result that it has, too, replace those.
type resultJSON struct {
	Schema         string `json:"schema"`
	Mode           string `json:"mode"`
	DryRun         bool   `json:"dryRun"`
	ExitCode       int    `json:"exitCode"`
	Plan           string `json:"plan"`
	Digest         string `json:"digest,omitempty"`
	Org            *Org   `json:"org,omitempty"`
	Totals         Totals `json:"totals"`
	ManagedFromNow int    `json:"managedFromNow"` // users who exist, and were not managed before
	*usersync.Result
	spec.ProblemList
}

// validated is usersyncd.validate/v1.
type validated struct {
	Schema   string         `json:"schema"`
	Valid    bool           `json:"valid"`
	ExitCode int            `json:"exitCode"`
	Users    int            `json:"users"` // without problems in their own spec
	Files    int            `json:"files"`
	Problems []spec.Problem `json:"problems"` // the first of them

	ProblemsLeftOut int `json:"problemsLeftOut,omitempty"`

	Warnings     []spec.Problem `json:"warnings,omitempty"` // the first of them
	WarningCount int            `json:"warningCount,omitempty"`
}

// JSON is the report as usersyncd.validate/v1 or usersyncd.result/v1. It is empty if the command could not begin.
func (r *Report) JSON() ([]byte, error) {
	switch {
	case r.Command == "validate" && r.Tree == nil:
		return nil, nil
	case r.Command == "validate":
		return Encode(validated{
			Schema: "usersyncd.validate/v1", Valid: len(r.Tree.Problems) == 0, ExitCode: r.ExitCode, Users: len(r.Tree.Users), Files: r.Tree.Files,
			Problems: append([]spec.Problem{}, r.Tree.Problems...), ProblemsLeftOut: r.Tree.ProblemsLeftOut,
			Warnings: r.Tree.Warnings.First, WarningCount: r.Tree.Warnings.Count,
		})
	}
	res := r.Result
	if res == nil && len(r.Problems.Problems) > 0 {
		res = &usersync.Result{Schema: "usersyncd.result/v1", Mode: r.Command, DryRun: r.Command == "plan",
			Holds: []plan.Hold{}, Notes: r.Warnings().Lines(), Changes: []*plan.Change{}, Failures: []usersync.Failure{}}
	}
	if res == nil {
		return nil, nil
	}
	out := resultJSON{Schema: res.Schema, Mode: res.Mode, DryRun: res.DryRun, ExitCode: r.ExitCode, Plan: res.Plan, Digest: res.Digest,
		Totals: TotalsOf(res), Result: res, ProblemList: r.Problems}
	if r.Org.API != "" {
		out.Org = &r.Org
	}
	out.ManagedFromNow = managedFromNow(res)
	return Encode(out)
}

// managedFromNow counts the users who exist, and were not managed before.
func managedFromNow(res *usersync.Result) int {
	n := res.AdoptedUnchanged
	for _, c := range res.Changes {
		if c.Action == plan.Adopt && done(res, c) {
			n++
		}
	}
	return n
}
