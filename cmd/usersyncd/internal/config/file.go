package config

import (
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"usersyncd/spec"
	"usersyncd/spec/strictyaml"
	"usersyncd/spec/text"
)

// readFile reads the configuration file. It returns an *Error with all that is wrong with it, one problem per line.
func readFile(file string, root *cobra.Command) (map[string]strictyaml.Setting, error) {
	if file == "" {
		return nil, nil
	}
	data, err := readTrusted(file, false)
	if err != nil {
		return nil, Errorf("--config: %w", err)
	}
	settings, problems := strictyaml.Settings(data, file)
	known := append([]string{"dir"}, slices.Collect(maps.Values(formerNames()))...)
	for _, cmd := range append(root.Commands(), root) {
		if cmd.Flags().Lookup("config") == nil {
			continue // it reads no settings
		}
		cmd.Flags().VisitAll(func(f *pflag.Flag) {
			if f.Name != "config" && f.Name != "help" {
				known = append(known, f.Name)
			}
		})
	}
	for name, s := range settings {
		if slices.Contains(known, name) {
			continue
		}
		problem := spec.Problem{Pos: s.Pos, Field: name, Message: "there is no such setting"}
		if near := text.Suggest(name, known); near != "" {
			problem.Message += "; did you mean " + near + "?"
		}
		problems = append(problems, problem)
	}
	for name, former := range formerNames() {
		if _, both := settings[name]; both && settings[former].Pos.Line > 0 {
			problems = append(problems, spec.Problem{Pos: settings[former].Pos, Field: former, Message: "is the former name of " + name + ", which is also set; remove it"})
		}
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
