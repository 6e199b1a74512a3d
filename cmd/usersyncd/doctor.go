package main

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"usersyncd/cmd/usersyncd/internal/config"
	"usersyncd/spec"
	"usersyncd/spec/text"
	"usersyncd/state"
	"usersyncd/sync/genesys"
)

func newDoctor(c *config.Config, p process) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "doctor [flags] DIR",
		Short: "Check all that a pass needs, and say how to fix what is wrong",
		Long: `doctor looks at the checkout, the configuration, the state file, the
credentials, the permissions that the fields in use take, the quota, the clock
and the limits of inotify. For what is wrong it prints what to do. It takes the
flags and the configuration of the service, may run beside it, and writes
nothing, neither here nor there. It makes some three calls, a dozen if the
client may not see its own roles.

It exits with 1 if there is a problem; warnings do not count.`,
		Example: `  usersyncd doctor ./users
  usersyncd doctor --output json ./users | jq '.checks[].fix'
  sudo CREDENTIALS_DIRECTORY=/etc/usersyncd/credentials usersyncd doctor \
    --config /etc/usersyncd/config.yaml --state /var/lib/usersyncd/usersyncd.db`,
		Args: oneDir,
		RunE: withSettings(c, func(cmd *cobra.Command, args []string) error {
			if len(c.Only) > 0 || c.Select != "" {
				return usage("--only and --select are for plan, --once and export: doctor looks at all that is used")
			}
			if err := specDir(cmd, args, c); err != nil {
				return err
			}
			if _, err := c.Policy(); err != nil {
				return err
			}
			if !cmd.Flags().Changed("log-level") {
				c.LogLevel = "error" // what goes wrong is in the findings
			}
			log, _, err := newLogger(c, &screen{w: p.stderr})
			if err != nil {
				return err
			}
			d := &doctor{c: c, dir: c.Dir, log: log, blocked: map[string]bool{}}
			d.examine(cmd.Context())
			return cmp.Or(d.report(p), cmd.Context().Err()) // an interrupted examination is no good news
		}),
	}
	c.Declare(cmd, config.Full)
	return cmd
}

// verdict is what came of a check.
type verdict string

// The verdicts, the mildest first.
const (
	fine      verdict = "ok"
	unchecked verdict = "unchecked"
	doubtful  verdict = "warning"
	ill       verdict = "problem"
)

// A finding is one line of the report.
type finding struct {
	Name    string  `json:"name"`
	Verdict verdict `json:"verdict"`
	Found   string  `json:"found"`
	Fix     string  `json:"fix,omitempty"` // what to type, or to do
}

// A doctor makes the checks, one after the other. What one has learned, later ones use; what cannot be
// checked for want of it is said to be unchecked.
type doctor struct {
	c   *config.Config
	dir string
	log *slog.Logger

	findings []finding
	blocked  map[string]bool // checks that found nothing for others to use

	found    config.Credentials
	tree     *spec.Tree
	snapshot *state.Snapshot
	org      *state.Org // that the state file belongs to
	listener *listener
	genesys  *genesys.Directory
}

// patience bounds all that is asked of the network.
const patience = time.Minute

func (d *doctor) examine(ctx context.Context) {
	d.checkCheckout(ctx)
	d.checkWatches()
	d.checkConfiguration()
	d.checkEnvFile()
	d.checkCredentials()
	d.checkRegion()
	d.checkState()
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	d.checkLogin(ctx)
	d.checkOrganization(ctx)
	d.checkPermissions(ctx)
	d.checkQuota()
	d.checkClock()
	if d.genesys != nil {
		d.genesys.Close()
	}
}

func (d *doctor) note(name string, v verdict, fix, format string, args ...any) {
	d.findings = append(d.findings, finding{name, v, text.Escape(strings.ReplaceAll(fmt.Sprintf(format, args...), "\n", " ")), text.Escape(fix)})
}

func (d *doctor) fine(name, format string, args ...any) { d.note(name, fine, "", format, args...) }

func (d *doctor) doubt(name, fix, format string, args ...any) {
	d.note(name, doubtful, fix, format, args...)
}

// problem is for what keeps a pass from working, and blocks the checks that need this one.
func (d *doctor) problem(name, fix, format string, args ...any) {
	d.blocked[name] = true
	d.note(name, ill, fix, format, args...)
}

func (d *doctor) unchecked(name, format string, args ...any) {
	d.blocked[name] = true
	d.note(name, unchecked, "", format, args...)
}

// ready reports whether the checks that one needs have found what it needs.
func (d *doctor) ready(name string, needs ...string) bool {
	for _, need := range needs {
		if d.blocked[need] {
			d.unchecked(name, "cannot be checked without: %s", need)
			return false
		}
	}
	return true
}

// report prints the findings, the worst last, where one looks first.
func (d *doctor) report(p process) error {
	n := map[verdict]int{}
	for _, f := range d.findings {
		n[f.Verdict]++
	}
	calls := int64(0)
	if d.genesys != nil {
		calls = d.genesys.Stats().Reads
	}
	var err error
	if d.c.Output == "json" {
		err = printJSON(p.stdout, struct {
			Schema    string    `json:"schema"`
			Version   string    `json:"version"`
			Dir       string    `json:"dir"`
			Problems  int       `json:"problems"`
			Warnings  int       `json:"warnings"`
			Unchecked int       `json:"unchecked"`
			Calls     int64     `json:"calls"`
			Checks    []finding `json:"checks"`
		}{"usersyncd.doctor/v1", version(), text.Escape(d.dir), n[ill], n[doubtful], n[unchecked], calls, d.findings})
	} else {
		_, err = fmt.Fprint(p.stdout, d.text(n, calls))
	}
	if err == nil && n[ill] > 0 {
		return &exitError{code: exitFatal}
	}
	return err
}

func (d *doctor) text(n map[verdict]int, calls int64) string {
	order := []verdict{fine, unchecked, doubtful, ill}
	findings := slices.Clone(d.findings)
	slices.SortStableFunc(findings, func(a, b finding) int {
		return cmp.Compare(slices.Index(order, a.Verdict), slices.Index(order, b.Verdict))
	})
	var b strings.Builder
	for _, f := range findings {
		fmt.Fprintf(&b, "%-9s  %-18s  %s\n", f.Verdict, f.Name, f.Found)
		if f.Fix != "" {
			fmt.Fprintf(&b, "%-9s  %-18s  fix: %s\n", "", "", f.Fix)
		}
	}
	fmt.Fprintf(&b, "\n%s, %s, %d unchecked; %s, nothing written\n", text.Plural(n[ill], "problem"), text.Plural(n[doubtful], "warning"), n[unchecked], text.Plural(int(calls), "call"))
	return b.String()
}
