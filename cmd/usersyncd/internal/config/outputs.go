package config

import (
	"cmp"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// A Target is one report that a command writes.
type Target struct {
	Format string
	File   string // "" for stdout
}

func (t Target) String() string {
	if t.File == "" {
		return t.Format
	}
	return t.Format + "=" + t.File
}

// The formats of a Target.
const (
	Text       = "text"
	JSON       = "json"
	Markdown   = "markdown"
	GitHub     = "github"
	JUnit      = "junit"
	GitLab     = "gitlab"
	GitLabPlan = "gitlab-plan"
)

// Formats returns all formats.
func Formats() []string { return []string{Text, JSON, Markdown, GitHub, JUnit, GitLab, GitLabPlan} }

// formatsAnnotation is the annotation of a command with the formats that it takes besides text and JSON.
const formatsAnnotation = "formats"

// TakeFormats makes a command take formats besides text and JSON.
func TakeFormats(cmd *cobra.Command, formats ...string) {
	if cmd.Annotations == nil {
		cmd.Annotations = map[string]string{}
	}
	cmd.Annotations[formatsAnnotation] = strings.Join(formats, " ")
}

// FormatsOf returns the formats that a command takes.
func FormatsOf(cmd *cobra.Command) []string {
	return append([]string{Text, JSON}, strings.Fields(cmd.Annotations[formatsAnnotation])...)
}

// HasReports reports whether a command takes more than text and JSON.
func HasReports(cmd *cobra.Command) bool { return len(FormatsOf(cmd)) > 2 }

// FlagOf is a flag as the help of a command below the program shows it: --output with the formats that the command takes.
func FlagOf(cmd *cobra.Command, f *pflag.Flag) *pflag.Flag {
	if _, ok := f.Value.(*outputList); !ok || !cmd.HasParent() {
		return f
	}
	own := *f
	own.Usage = "write the result as `FORMAT[=FILE]`, without FILE to stdout: " + enumerate(FormatsOf(cmd)) + "; give it again for each further file"
	return &own
}

// CheckOutputs returns an *Error if the command does not take one of the formats, two outputs share stdout or a file, or a file
// certainly cannot be written.
func (c *Config) CheckOutputs(formats []string, command string) error {
	seen := map[string]Target{}
	for _, o := range c.Outputs {
		if !slices.Contains(formats, o.Format) {
			return Errorf("%s: %s takes %s, not %s", c.Source("output"), command, enumerate(formats), o.Format)
		}
		file := o.File
		if file != "" {
			file = filepath.Clean(file)
		}
		if other, taken := seen[file]; taken {
			return Errorf("%s: %s and %s are both written to %s: give %s another file, as in %s=FILE",
				c.Source("output"), other.Format, o.Format, cmp.Or(o.File, "stdout"), o.Format, o.Format)
		}
		seen[file] = o
		if o.File == "" {
			continue
		}
		if info, err := os.Stat(filepath.Dir(o.File)); err != nil || !info.IsDir() {
			return Errorf("%s: there is no folder %s: make it first", c.Source("output"), filepath.Dir(o.File))
		}
		if info, err := os.Stat(o.File); err == nil && info.IsDir() {
			return Errorf("%s: %s is a folder: give a file", c.Source("output"), o.File)
		}
	}
	return nil
}

// CheckNoReport returns an *Error if a report was asked for, which the daemon does not write.
func (c *Config) CheckNoReport() error {
	for _, o := range c.Outputs {
		if o.File != "" || o.Format != Text && o.Format != JSON {
			return Errorf("%s: the daemon writes no report, so not %s: use --once, or plan", c.Source("output"), o)
		}
	}
	return nil
}

// Stdout is the format that is written to stdout; "" if all of them are written to files.
func (c *Config) Stdout() string {
	for _, o := range c.Outputs {
		if o.File == "" {
			return o.Format
		}
	}
	return ""
}

// Writes reports whether something is written in a format.
func (c *Config) Writes(format string) bool {
	return slices.ContainsFunc(c.Outputs, func(t Target) bool { return t.Format == format })
}

// PrintsText reports whether stdout is for people.
func (c *Config) PrintsText() bool { return c.Stdout() == Text || c.Stdout() == GitHub }

// outputs declares the flag of the outputs. The first value replaces the default, further ones add to it.
func outputs(p *[]Target) declaration {
	return func(f *pflag.FlagSet, name, help string) {
		*p = []Target{{Format: Text}}
		f.VarP(&outputList{value: p}, name, "o", help)
		_ = f.SetAnnotation(name, valuesAnnotation, Formats()) // fails only for a flag that is not there
	}
}

// completeOutput offers the formats that the command takes. After FORMAT= the shell completes a file.
func completeOutput(cmd *cobra.Command, _ []string, typed string) ([]string, cobra.ShellCompDirective) {
	if strings.Contains(typed, "=") {
		return nil, cobra.ShellCompDirectiveDefault
	}
	return FormatsOf(cmd), cobra.ShellCompDirectiveNoFileComp
}

type outputList struct {
	value *[]Target
	given bool
}

func (l *outputList) String() string {
	texts := make([]string, len(*l.value))
	for i, o := range *l.value {
		texts[i] = o.String()
	}
	return strings.Join(texts, " ")
}

func (l *outputList) Type() string { return "output" }

func (l *outputList) wanted() string {
	return "FORMAT or FORMAT=FILE, where FORMAT is " + enumerate(Formats())
}

// Set adds one output. The file may have any name.
func (l *outputList) Set(text string) error {
	format, file, toFile := strings.Cut(text, "=")
	if !slices.Contains(Formats(), format) || toFile && file == "" {
		return errInvalid
	}
	if !l.given {
		*l.value, l.given = nil, true
	}
	*l.value = append(slices.Clip(*l.value), Target{format, file})
	return nil
}

// setAll adds the outputs of a variable or of the configuration file, which have spaces or commas between them.
func (l *outputList) setAll(text string) error {
	items := strings.FieldsFunc(text, func(r rune) bool { return strings.ContainsRune(" \t\n,", r) })
	if len(items) == 0 {
		return errInvalid
	}
	for _, item := range items {
		if err := l.Set(item); err != nil {
			return err
		}
	}
	return nil
}

// set sets a flag to a value that does not come from the command line.
func set(flags *pflag.FlagSet, f *pflag.Flag, value string) error {
	l, ok := f.Value.(*outputList)
	if !ok {
		return flags.Set(f.Name, value)
	}
	if err := l.setAll(value); err != nil {
		return err
	}
	f.Changed = true
	return nil
}

// enumerate joins words as in a sentence.
func enumerate(words []string) string {
	last := len(words) - 1
	return strings.Join(words[:last], ", ") + " or " + words[last]
}
