package main

import (
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"usersyncd/spec"
)

// load fills the flags that were not given on the command line from the environment and the file.
func (c *config) load(cmd *cobra.Command, env environment) error {
	if c.file == "" && !cmd.Flags().Changed("config") {
		c.file, _ = env.get(envName("config"))
	}
	settings, err := readSettings(c.file, cmd.Root())
	if err != nil {
		return err
	}
	c.sources = map[string]string{}
	var failed error
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		if f.Changed || f.Name == "config" || f.Name == "help" || failed != nil {
			return
		}
		value, source := lookUp(f.Name, env, settings)
		if source == "" {
			return
		}
		if err := cmd.Flags().Set(f.Name, value); err != nil {
			failed = usage("%s: %q is not a value of --%s: it takes %s", source, value, f.Name, taken(f))
		}
		c.sources[f.Name] = source
	})
	if failed != nil {
		return failed
	}
	if unmanaged, _ := c.unmanagedFields(); slices.Contains(unmanaged, spec.Email) && !cmd.Flags().Changed("create") {
		// Who has which address is somebody else's affair then: nobody by the declared one does not mean that there is nobody.
		c.create = false
	}
	return c.check(cmd)
}

// lookUp returns what the environment, or else the file, says of a setting, by its name or by a former one; no source
// if neither does.
func lookUp(name string, env environment, settings map[string]spec.Setting) (value, source string) {
	names := []string{name}
	if former := formerNames()[name]; former != "" {
		names = append(names, former)
	}
	for _, name := range names {
		if value, source = env.get(envName(name)); source != "" {
			return value, source
		}
	}
	for _, name := range names {
		if s, ok := settings[name]; ok {
			return s.Value, s.Pos.String()
		}
	}
	return "", ""
}

func readSettings(file string, root *cobra.Command) (map[string]spec.Setting, error) {
	if file == "" {
		return nil, nil
	}
	data, err := readTrusted(file, false)
	if err != nil {
		return nil, usage("--config: %w", err)
	}
	settings, problems := spec.Settings(data, file)
	known := append([]string{"dir"}, slices.Collect(maps.Values(formerNames()))...)
	visit := func(f *pflag.Flag) {
		if f.Name != "config" && f.Name != "help" {
			known = append(known, f.Name)
		}
	}
	root.Flags().VisitAll(visit)
	for _, cmd := range root.Commands() {
		if cmd.Flags().Lookup("config") != nil { // the others read no settings
			cmd.Flags().VisitAll(visit)
		}
	}
	for name, s := range settings {
		if slices.Contains(known, name) {
			continue
		}
		problem := spec.Problem{Pos: s.Pos, Field: name, Message: "there is no such setting"}
		if near := spec.Suggest(name, known); near != "" {
			problem.Message += "; did you mean " + near + "?"
		}
		problems = append(problems, problem)
	}
	for name, former := range formerNames() {
		if _, both := settings[name]; both && settings[former].Pos.Line > 0 {
			problems = append(problems, spec.Problem{Pos: settings[former].Pos, Field: former, Message: "is the former name of " + name + ", which is set, too; remove it"})
		}
	}
	if len(problems) > 0 {
		lines := make([]string, len(problems))
		for i, p := range problems {
			lines[i] = p.String()
		}
		slices.Sort(lines)
		return nil, usage("the configuration file is wrong:\n%s", strings.Join(lines, "\n"))
	}
	return settings, nil
}
