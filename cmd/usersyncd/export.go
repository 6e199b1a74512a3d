package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/spf13/cobra"

	"usersyncd/cmd/usersyncd/internal/config"
	"usersyncd/spec"
	"usersyncd/spec/rewrite"
	"usersyncd/spec/text"
	usersync "usersyncd/sync"
)

type exported struct {
	Schema    string         `json:"schema"` // usersyncd.export/v1
	Users     int            `json:"users"`
	Created   int            `json:"created"` // specs
	Updated   int            `json:"updated"`
	Unchanged int            `json:"unchanged"`
	Skipped   []leftOut      `json:"skipped"`
	Late      int            `json:"late,omitempty"` // fields of users that were left as they are in the files
	Calls     usersync.Calls `json:"calls"`
}

// leftOut is a value that the spec format cannot express, so that it is not managed.
type leftOut struct {
	File    string `json:"file"`
	Field   string `json:"field"`
	Message string `json:"message"`
}

func newExport(c *config.Config, p process) *cobra.Command {
	var by string
	var fields []string
	cmd := command(c, config.Org|config.State|config.Socket|config.Select|config.Time|config.Read|config.Rate|config.Common, &cobra.Command{
		Use:   "export [flags] DIR",
		Short: "Write the users of the organization as specs",
		Long: `export reads the organization and writes a spec for each active or inactive user
into DIR, with the Genesys id pinned. A plan right after it is empty. Existing
specs keep their place, their comments and their order: only values that differ
are changed, and missing fields are added. export deletes no file, and changes
nothing in Genesys.

Roles, queues, utilization, voicemail and external ids are not part of a user
listing, and may take one call per user and field. They are not read again
within an hour, so an interrupted export continues when it is run again. Beside
a running daemon, export uses what the daemon knows, and keeps nothing.

What usersyncd has written within the last minute may not be readable yet. Where
it does not know the value, export leaves the field in the file as it is, and
prints a warning.`,
		Example: `  usersyncd export ./users
  usersyncd export --by department --fields title,manager,skills,queues ./users
  usersyncd export --select division=EMEA ./users/emea`,
		Args: oneDir,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := locate(cmd, args, c); err != nil {
				return err
			}
			chosen, err := exportFields(fields, c)
			if err != nil {
				return err
			}
			return p.runBeside(cmd.Context(), c, true, func(a *app) error {
				return a.export(cmd.Context(), chosen, spec.Field(by), c, p)
			})
		},
	})
	f := cmd.Flags()
	config.ChoiceVar(f, &by, "by", "division", []string{"division", "department"}, "new files go into folders by this field")
	config.NamesVar(f, &fields, "fields", nil, "`FIELDS` to export besides email and name (default: all)")
	return cmd
}

// exportFields are those asked for, or all, without those that are not managed.
func exportFields(names []string, c *config.Config) ([]spec.Field, error) {
	fields, wrong := c.Fields("fields", names)
	unmanaged, unknown := c.Unmanaged()
	if err := cmp.Or(wrong, unknown); err != nil {
		return nil, err
	}
	if len(fields) == 0 {
		for _, info := range spec.AllFields() {
			fields = append(fields, info.Field)
		}
	}
	return slices.DeleteFunc(fields, func(f spec.Field) bool { return slices.Contains(unmanaged, f) }), nil
}

func (a *app) export(ctx context.Context, fields []spec.Field, by spec.Field, c *config.Config, p process) error {
	stop := a.screen.Show(a.Status, a.limiter, a.log)
	reading, release := withTimeout(ctx, c)
	found, err := a.Export(reading, fields, by)
	late := timeoutOf(reading, err)
	release()
	stop()
	switch {
	case late != nil:
		return &exitError{code: exitFailed, err: fmt.Errorf("%w: no file was written; run it again to continue", late)}
	case errors.Is(err, context.Canceled):
		return errors.New("interrupted, no file was written; run it again to continue")
	case err != nil:
		return refused(nil, err)
	case len(found.Users) == 0:
		return errors.New("no user in the organization is selected; no file was written")
	}
	a.Specs.Branch = "" // the export may be for another one
	report, err := rewrite.Write(ctx, a.Specs, found.Users, rewrite.Options{By: by, Fields: fields})
	if e, ok := errors.AsType[*spec.InvalidError](err); ok {
		return &exitError{code: exitInvalid, err: fmt.Errorf("no file was written: the specs in %s have problems", c.Dir), problems: e.ProblemList}
	}
	if err != nil {
		return err
	}
	if !a.Store.ReadOnly() {
		a.WriteSpecCache()
	}
	calls := a.calls()
	out := exported{Schema: "usersyncd.export/v1", Users: len(found.Users), Created: report.Created, Updated: report.Updated,
		Unchanged: report.Unchanged, Skipped: []leftOut{}, Late: found.Omitted.Fields, Calls: calls}
	for _, s := range report.Skipped {
		out.Skipped = append(out.Skipped, leftOut{s.File, s.Field, s.Message})
	}
	return p.show(c, out, func(w io.Writer) {
		printEach(p.stderr, report.Skipped)
		if o := found.Omitted; o.Fields > 0 {
			fmt.Fprintln(p.stderr, omittedText(o))
		}
		skipped := ""
		if n := len(report.Skipped); n > 0 {
			skipped = fmt.Sprintf(", %s not exported (see above)", text.Plural(n, "value"))
		}
		fmt.Fprintf(w, "%s to %s: %d new, %d changed, %d as they were%s; %s\n", text.Plural(len(found.Users), "user"), c.Dir,
			report.Created, report.Updated, report.Unchanged, skipped, text.Plural(calls.Total, "call"))
	})
}

// omittedText says which fields were not exported, why, and what to do about it.
func omittedText(o usersync.Omitted) string {
	why := "usersyncd changed these users within the last minute, and the API may not show that yet"
	if o.Rebuilt {
		why = "the state file was rebuilt, so the last writes are not known, and the API may not show them yet"
	}
	return fmt.Sprintf("%s of %s not exported and left as in the files: %s; run export again after %s",
		text.Plural(o.Fields, "field"), text.Plural(o.Users, "user"), why, text.Time(o.Until.Local()))
}
