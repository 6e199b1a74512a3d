package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"usersyncd/cmd/usersyncd/internal/config"
	"usersyncd/spec"
	"usersyncd/spec/text"
)

func newValidate(c *config.Config, p process) *cobra.Command {
	return command(c, config.Common, &cobra.Command{
		Use:   "validate [flags] DIR",
		Short: "Check the specs offline, without credentials",
		Long: `validate reads the specs and prints every problem, one per line. It makes no
call. What depends on the organization, such as whether a manager exists, is
checked by plan.`,
		Example: `  usersyncd validate ./users
  usersyncd validate --output json ./users`,
		Args: oneDir,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := specDir(cmd, args, c); err != nil {
				return err
			}
			if err := existing(c.Dir); err != nil {
				return err
			}
			tree, err := spec.NewLoader(c.Dir).ScanAndLoad(cmd.Context())
			if err != nil {
				return err
			}
			out := validated{"usersyncd.validate/v1", len(tree.Problems) == 0, len(tree.Users), tree.Files, append([]spec.Problem{}, tree.Problems...), tree.ProblemsLeftOut, tree.Warnings.First, tree.Warnings.Count}
			err = p.show(c.Output, out, func(w io.Writer) {
				if out.Valid {
					fmt.Fprintf(w, "%s in %s, no problems\n", text.Plural(out.Users, "user"), text.Plural(out.Files, "file"))
				}
			})
			for _, line := range tree.Warnings.Lines() {
				fmt.Fprintln(p.stderr, "warning:", line)
			}
			if err == nil && !out.Valid {
				printProblems(p.stderr, tree.ProblemList)
				return &exitError{code: exitInvalid}
			}
			return err
		},
	})
}

type validated struct {
	Schema   string         `json:"schema"`
	Valid    bool           `json:"valid"`
	Users    int            `json:"users"` // without problems in their own spec
	Files    int            `json:"files"`
	Problems []spec.Problem `json:"problems"` // the first of them

	ProblemsLeftOut int `json:"problemsLeftOut,omitempty"`

	Warnings     []spec.Problem `json:"warnings,omitempty"` // the first of them
	WarningCount int            `json:"warningCount,omitempty"`
}

func newSchema() *cobra.Command {
	return &cobra.Command{
		Use:   "schema",
		Short: "Print the JSON Schema of the specs, for editors",
		Long: `schema prints the JSON Schema (draft-07) of a spec file. Editors with a YAML
language server complete and check specs that start with
  # yaml-language-server: $schema=user.schema.json`,
		Example: `  usersyncd schema > user.schema.json
  usersyncd schema | jq '.definitions | keys'`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, err := cmd.OutOrStdout().Write(spec.Schema())
			return err
		},
	}
}
