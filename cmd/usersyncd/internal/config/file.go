package config

import (
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"usersyncd/spec"
	"usersyncd/spec/strictyaml"
	"usersyncd/spec/text"
)

// readFile reads the configuration file, which may hold the flags of all commands that read settings. It returns an
// *Error with all that is wrong with it, one problem per line.
func (c *Config) readFile(root *cobra.Command) (map[string]strictyaml.Setting, error) {
	if c.File == "" {
		return nil, nil
	}
	data, err := readTrusted(c.File, false)
	if err != nil {
		return nil, Errorf("--config: %w", err)
	}
	known := []string{"dir"}
	for _, cmd := range append(root.Commands(), root) {
		if cmd.Flags().Lookup("config") != nil {
			cmd.Flags().VisitAll(func(f *pflag.Flag) { known = append(known, f.Name) })
		}
	}
	known = slices.DeleteFunc(known, func(name string) bool { return name == "config" || name == "help" })
	settings, problems := strictyaml.Settings(data, c.File)
	for name, s := range settings {
		problem := spec.Problem{Pos: s.Pos, Field: name, Message: "there is no such setting"}
		switch now, near := c.former[name], text.Suggest(name, known); {
		case now != "" && settings[now].Pos.Line > 0:
			problem.Message = "is the former name of " + now + ", which is also set; remove it"
		case now != "" || slices.Contains(known, name):
			continue
		case near != "":
			problem.Message += "; did you mean " + near + "?"
		}
		problems = append(problems, problem)
	}
	if len(problems) == 0 {
		return settings, nil
	}
	lines := make([]string, len(problems))
	for i, p := range problems {
		lines[i] = p.String()
	}
	slices.Sort(lines)
	return nil, Errorf("the configuration file is invalid:\n%s", strings.Join(lines, "\n"))
}
