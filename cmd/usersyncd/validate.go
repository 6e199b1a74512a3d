package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"usersyncd/cmd/usersyncd/internal/config"
	"usersyncd/cmd/usersyncd/internal/report"
	"usersyncd/spec"
)

func newValidate(c *config.Config, p process) *cobra.Command {
	return command(c, config.Common, p.reporting(c, &cobra.Command{
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
			p.end.Tree = tree
			p.end.text = func(_ report.Text, w io.Writer) {
				if len(tree.Problems) == 0 {
					fmt.Fprintln(w, report.Valid(tree))
				}
			}
			if len(tree.Problems) > 0 {
				return &exitError{code: exitInvalid, problems: tree.ProblemList}
			}
			return nil
		},
	}, config.Markdown, config.GitHub, config.JUnit, config.GitLab))
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
