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

// names are dir, and the flags of all commands that read settings.
func names(root *cobra.Command) []string {
	known := []string{"dir"}
	for _, cmd := range append(root.Commands(), root) {
		if cmd.Flags().Lookup("config") != nil {
			cmd.Flags().VisitAll(func(f *pflag.Flag) {
				if isSetting(f) {
					known = append(known, f.Name)
				}
			})
		}
	}
	return known
}

// isSetting reports whether a flag can be given in other ways, too: not one that shows something in place of what a command does.
func isSetting(f *pflag.Flag) bool { return f.Name != "help" && f.Name != "version" }

// readOthers reads the settings that other commands have from the environment and the configuration file. One that is
// invalid would stop the daemon at its next start.
func (c *Config) readOthers(cmd *cobra.Command, file map[string]strictyaml.Setting) (*Config, error) {
	others := New(c.lookup)
	others.flags, others.sources = others.all, map[string]origin{}
	for _, other := range append(cmd.Root().Commands(), cmd.Root()) {
		others.all.AddFlagSet(other.Flags()) // those of the table are there
	}
	var err error
	others.all.VisitAll(func(f *pflag.Flag) {
		value, source := c.find(f.Name, file)
		if source == (origin{}) || err != nil || c.flags.Lookup(f.Name) != nil || !isSetting(f) {
			return
		}
		others.sources[f.Name] = source
		if set(others.all, f, value) != nil {
			err = others.invalid(f, value)
		}
	})
	for _, s := range others.table {
		if f := others.all.Lookup(s.name); err == nil && others.sources[s.name] != (origin{}) && s.valid != nil && !s.valid() {
			err = others.invalid(f, f.Value.String())
		}
	}
	return others, err
}

// A Misspelt variable is probably meant to be a setting.
type Misspelt struct{ Name, Meant string }

// findMisspelt finds variables of the environment that are no settings, and resemble one. Other names are somebody else's:
// Kubernetes sets USERSYNCD_PORT and more for a service of that name.
func (c *Config) findMisspelt(root *cobra.Command) (found []Misspelt) {
	known := []string{"NOTIFY_URL", "VERSION"} // the latter is what images and scripts call the one to install
	for _, name := range append(names(root), slices.Collect(maps.Keys(c.former))...) {
		known = append(known, strings.TrimPrefix(Variable(name), envPrefix))
	}
	slices.Sort(known) // so that the result does not depend on their order
	for _, variable := range c.Environment {
		name, _, _ := strings.Cut(variable, "=")
		name, ours := strings.CutPrefix(name, envPrefix)
		if !ours || strings.Contains(name, "_SERVICE_") || strings.Contains("_"+name, "_PORT") || slices.Contains(known, name) {
			continue
		}
		if near := text.Suggest(name, known); near != "" {
			found = append(found, Misspelt{text.Escape(envPrefix + name), envPrefix + near})
		}
	}
	return found
}

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
	known := slices.DeleteFunc(names(root), func(name string) bool { return name == "config" })
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
