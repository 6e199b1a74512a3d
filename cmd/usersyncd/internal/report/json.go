package report

import (
	"usersyncd/spec"
	usersync "usersyncd/sync"
	"usersyncd/sync/plan"
)

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
