package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"usersyncd/cmd/usersyncd/internal/config"
	"usersyncd/spec"
	"usersyncd/spec/text"
	usersync "usersyncd/sync"
)

func newValidate(c *config.Config, p process) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "validate [flags] DIR",
		Short: "Check the specs offline, without credentials",
		Long: `validate reads the specs and prints all that is wrong with them, one line a
problem. It makes no call. What only the organization can tell, such as whether
a manager exists, is checked by plan.`,
		Example: `  usersyncd validate ./users
  usersyncd validate --output json ./users`,
		Args: oneDir,
		RunE: withSettings(c, func(cmd *cobra.Command, args []string) error {
			if err := specDir(cmd, args, c); err != nil {
				return err
			}
			if err := existing(c.Dir); err != nil {
				return err
			}
			loader := spec.NewLoader(c.Dir)
			scan, err := loader.Scan(cmd.Context())
			if err != nil {
				return err
			}
			tree, err := loader.Load(cmd.Context(), scan)
			if err != nil {
				return err
			}
			return validated(tree, c, p)
		}),
	}
	c.Declare(cmd, config.Common)
	return cmd
}

// validated prints what is wrong with a tree: for people on stderr, as JSON of the schema
// usersyncd.validate/v1 on stdout.
func validated(tree *spec.Tree, c *config.Config, p process) error {
	problems := tree.Problems
	if c.Output == "json" {
		out := struct {
			Schema   string         `json:"schema"`
			Valid    bool           `json:"valid"`
			Users    int            `json:"users"` // without problems in their own spec
			Files    int            `json:"files"`
			Problems []spec.Problem `json:"problems"`
		}{"usersyncd.validate/v1", len(problems) == 0, len(tree.Users), tree.Files, append([]spec.Problem{}, problems...)}
		if err := printJSON(p.stdout, out); err != nil {
			return err
		}
	}
	if len(problems) > 0 {
		return refused(p, nil, &usersync.ProblemsError{Problems: problems})
	}
	if c.Output == "json" {
		return nil
	}
	_, err := fmt.Fprintf(p.stdout, "%s in %s, all good\n", text.Plural(len(tree.Users), "user"), text.Plural(tree.Files, "file"))
	return err
}

func newSchema() *cobra.Command {
	return &cobra.Command{
		Use:   "schema",
		Short: "Print the JSON Schema of the specs, for editors",
		Long: `schema prints the JSON Schema (draft-07) of a spec file. Editors with a YAML
language server complete and check specs that begin with
  # yaml-language-server: $schema=user.schema.json`,
		Example: `  usersyncd schema > user.schema.json`,
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, err := cmd.OutOrStdout().Write(spec.Schema())
			return err
		},
	}
}
