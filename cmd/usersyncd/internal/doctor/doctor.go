// Package doctor checks what a pass needs, and says how to fix what is wrong. It writes nothing.
package doctor

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"usersyncd/cmd/usersyncd/internal/config"
	"usersyncd/spec"
	"usersyncd/spec/text"
	"usersyncd/state"
	"usersyncd/sync/genesys"
)

// Verdict is the outcome of a check.
type Verdict string

// The verdicts, the mildest first.
const (
	OK        Verdict = "ok"
	Unchecked Verdict = "unchecked"
	Warning   Verdict = "warning"
	Problem   Verdict = "problem" // a pass cannot work
)

// Finding is a line of the report. Its texts are safe for a terminal.
type Finding struct {
	Name    string  `json:"name"`
	Verdict Verdict `json:"verdict"`
	Found   string  `json:"found"`
	Fix     string  `json:"fix,omitempty"` // what to run, or to do

	blocks bool // the checks that need this one
}

// findings are those of one check. Whoever makes one leaves the name to the check.
type findings []Finding

func ok(format string, args ...any) findings { return finding(OK, "", format, args) }

func unchecked(format string, args ...any) findings {
	return finding(Unchecked, "", format, args).blocking(true)
}

func warning(fix, format string, args ...any) findings { return finding(Warning, fix, format, args) }

func problem(fix, format string, args ...any) findings {
	return finding(Problem, fix, format, args).blocking(true)
}

func finding(v Verdict, fix, format string, args []any) findings {
	return findings{{Verdict: v, Found: text.Escape(strings.ReplaceAll(fmt.Sprintf(format, args...), "\n", " ")), Fix: text.Escape(fix)}}
}

// blocking says whether checks that need this one are left out. By default they are after a problem, and where nothing
// could be checked.
func (f findings) blocking(blocks bool) findings { f[0].blocks = blocks; return f }

// named gives a finding another name than the check's.
func (f findings) named(name string) findings { f[0].Name = name; return f }

// A check looks at one thing. It may use what the checks that it needs have left in the examination.
type check struct {
	name  string
	needs []string
	run   run
}

type run func(e *examination, ctx context.Context) findings

// timeout bounds a check that uses the network.
const timeout = time.Minute

func bounded(r run) run {
	return func(e *examination, ctx context.Context) findings {
		ctx, cancel := context.WithTimeout(ctx, timeout)
		defer cancel()
		return r(e, ctx)
	}
}

func checks() []check {
	return []check{
		{"checkout", nil, (*examination).checkout},
		{"watches", []string{"checkout"}, (*examination).watches},
		{"configuration", nil, (*examination).configuration},
		{".env", nil, (*examination).envFile},
		{"credentials", nil, (*examination).credentials},
		{"region", nil, (*examination).region},
		{"state file", nil, (*examination).stateFile},
		{"login", []string{"credentials", "region"}, bounded((*examination).login)},
		{"organization", []string{"login"}, bounded((*examination).organization)},
		{"permissions", []string{"checkout", "organization"}, bounded((*examination).permissions)},
		{"quota", nil, (*examination).quota},
		{"clock", nil, (*examination).clock},
	}
}

// An examination is what the checks have learned so far.
type examination struct {
	*config.Config
	log     *slog.Logger
	version string
	blocked map[string]bool // checks that found nothing for others to use

	account  config.Credentials
	tree     *spec.Tree
	snapshot *state.Snapshot
	org      *state.Org // that the state file belongs to
	listener *listener
	genesys  *genesys.Directory
}

// Report is the result, as usersyncd.doctor/v1.
type Report struct {
	Schema    string    `json:"schema"`
	Version   string    `json:"version"`
	Dir       string    `json:"dir"`
	Problems  int       `json:"problems"`
	Warnings  int       `json:"warnings"`
	Unchecked int       `json:"unchecked"`
	Calls     int64     `json:"calls"`
	Checks    []Finding `json:"checks"`
}

// Examine runs the checks one after the other.
func Examine(ctx context.Context, c *config.Config, version string, log *slog.Logger) Report {
	e := &examination{Config: c, log: log, version: version, blocked: map[string]bool{}}
	r := Report{Schema: "usersyncd.doctor/v1", Version: version, Dir: text.Escape(c.Dir)}
	for _, check := range checks() {
		for _, f := range e.run(ctx, check) {
			r.add(f)
		}
	}
	if e.genesys != nil {
		r.Calls = e.genesys.Stats().Reads
		e.genesys.Close()
	}
	return r
}

// run runs one check, unless one that it needs has left nothing to use.
func (e *examination) run(ctx context.Context, c check) findings {
	var found findings
	if i := slices.IndexFunc(c.needs, func(need string) bool { return e.blocked[need] }); i >= 0 {
		found = unchecked("cannot be checked without: %s", c.needs[i])
	} else {
		found = c.run(e, ctx)
	}
	for i := range found {
		found[i].Name = cmp.Or(found[i].Name, c.name)
		e.blocked[c.name] = e.blocked[c.name] || found[i].blocks
	}
	return found
}

func (r *Report) add(f Finding) {
	switch r.Checks = append(r.Checks, f); f.Verdict {
	case Problem:
		r.Problems++
	case Warning:
		r.Warnings++
	case Unchecked:
		r.Unchecked++
	}
}

// String is the report for people, the worst findings last.
func (r Report) String() string {
	order := []Verdict{OK, Unchecked, Warning, Problem}
	sorted := slices.Clone(r.Checks)
	slices.SortStableFunc(sorted, func(a, b Finding) int {
		return cmp.Compare(slices.Index(order, a.Verdict), slices.Index(order, b.Verdict))
	})
	var b strings.Builder
	for _, f := range sorted {
		fmt.Fprintf(&b, "%-9s  %-18s  %s\n", f.Verdict, f.Name, f.Found)
		if f.Fix != "" {
			fmt.Fprintf(&b, "%-9s  %-18s  fix: %s\n", "", "", f.Fix)
		}
	}
	fmt.Fprintf(&b, "\n%s, %s, %d unchecked; %s, nothing written\n", text.Plural(r.Problems, "problem"), text.Plural(r.Warnings, "warning"), r.Unchecked, text.Plural(int(r.Calls), "call"))
	return b.String()
}
