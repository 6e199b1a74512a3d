// Package config reads the settings of a command: flags, environment variables, the configuration file, and the files
// that they name. settings.go has the table of all settings.
package config

import (
	"cmp"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"usersyncd/spec"
	"usersyncd/spec/strictyaml"
	"usersyncd/spec/text"
	"usersyncd/sync/plan"
)

// Config holds every setting. Settings that a command has no flag for have their defaults.
type Config struct {
	File string // --config

	Outputs                    []Target // at least one
	Color, LogFormat, LogLevel string

	Region, APIURL, LoginURL   string
	ClientID, ClientSecretFile string
	EnvFile                    string

	State, Socket string

	Once                            bool
	RefreshInterval, ResyncInterval time.Duration

	Listen                            string
	ListenHosts                       []string
	ReadyMaxHeld, ReadyMaxQuarantined int

	NotifyURLFile, NotifyFormat, NotifyName string
	NotifyRepeat                            time.Duration
	NotifyDetails                           bool

	Branch     string
	NoRefresh  bool
	Release    []string
	SavedPlan  string
	PlanMaxAge time.Duration
	Timeout    time.Duration
	Only       []string
	Select     string

	Create, Adopt                         bool
	ChangeWindow, ChangeWindowFields      []string
	OnRemoval, OnDrift                    string
	MaxRemovals, MaxDeactivations         *plan.Limit // nil: no limit, as for the next four
	MaxCreations, MaxRenames              *plan.Limit
	MaxLosses, MaxChanges                 *plan.Limit
	HoldReactivations                     bool
	Protect, AdminRoles                   []string
	MinAdmins                             int
	AllowRoles, AllowDivisions            []string
	AllowQueues, AllowGroups              []string
	UnmanagedFields                       []string
	DetailInterval                        time.Duration
	MaxRate                               float64 // calls a second; 0: no limit
	MaxInFlight, Tokens                   int
	Reserve                               float64 // a share, 0 to 0.9
	Retry429, Retry5xx, IgnorePause       bool
	RetryMax                              int
	RetryMinWait, RetryMaxWait, SearchLag time.Duration

	Process   string            // what the program is doing: "usersyncd plan", say, or DaemonProcess
	Dir       string            // of the specs: $USERSYNCD_DIR, else dir in the file; a command's argument replaces it
	Account   AccountFile       // the env file, once ReadEnvFile has read it
	Transport http.RoundTripper // replaces the network in tests

	Environment []string   // of the process, NAME=value
	Misspelt    []Misspelt // variables in it, once loaded
	Others      *Config    // of a command that makes a pass: the settings that the file and the environment have for other commands

	table   []setting
	former  map[string]string // former names of settings, and the present ones
	all     *pflag.FlagSet    // a flag for each of them
	flags   *pflag.FlagSet    // those of the command, once loaded
	lookup  func(string) (string, bool)
	sources map[string]origin // where the value of a setting came from that was not given on the command line; also that of dir
}

// DaemonProcess is Config.Process of the daemon.
const DaemonProcess = "the usersyncd daemon"

// New returns the defaults. lookup reads an environment variable.
func New(lookup func(string) (string, bool)) *Config {
	c := &Config{lookup: lookup, all: pflag.NewFlagSet("all", pflag.ContinueOnError), former: map[string]string{}}
	c.table = c.settings()
	for _, s := range c.table {
		s.value(c.all, s.name, s.help) // sets the default, too
		if !s.basic {
			_ = c.all.SetAnnotation(s.name, advancedAnnotation, nil)
		}
		if s.want != "" {
			_ = c.all.SetAnnotation(s.name, wantAnnotation, []string{s.want})
		}
		if s.former != "" {
			c.former[s.former] = s.name
		}
	}
	return c
}

// Declare adds the settings of some groups to the flags of a command.
func (c *Config) Declare(cmd *cobra.Command, groups Group) {
	for _, s := range c.table {
		if s.group&groups != 0 {
			cmd.Flags().AddFlag(c.all.Lookup(s.name))
		}
	}
	cmd.Flags().SetNormalizeFunc(func(_ *pflag.FlagSet, name string) pflag.NormalizedName {
		return pflag.NormalizedName(cmp.Or(c.former[name], name))
	})
}

// Complete has the shell offer the values of the flags of a command and those below it.
func Complete(cmd *cobra.Command) {
	for _, sub := range cmd.Commands() {
		Complete(sub)
	}
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		if values := f.Annotations[valuesAnnotation]; values != nil {
			complete := cobra.FixedCompletions(values, cobra.ShellCompDirectiveNoFileComp)
			if _, ok := f.Value.(*outputList); ok {
				complete = completeOutput
			}
			// It fails only for a flag that is not there, or was given values already.
			_ = cmd.RegisterFlagCompletionFunc(f.Name, complete)
		}
	})
}

// Load fills the settings that were not given on the command line: from the environment, else from the configuration
// file, which may hold the flags of all commands below cmd's root. It returns an *Error for what it does not understand.
func (c *Config) Load(cmd *cobra.Command) error {
	c.flags, c.Process = cmd.Flags(), cmd.CommandPath()
	c.sources = map[string]origin{}
	if c.File == "" && !c.Given("config") {
		if c.File, _ = c.Getenv(Variable("config")); c.File != "" {
			c.sources["config"] = origin{variable: Variable("config")}
		}
	}
	file, err := c.readFile(cmd.Root())
	if err != nil {
		return err
	}
	c.Dir, c.sources["dir"] = c.find("dir", file)
	c.Misspelt = c.findMisspelt(cmd.Root())
	c.flags.VisitAll(func(f *pflag.Flag) {
		if f.Changed || f.Name == "config" || !isSetting(f) || err != nil {
			return
		}
		value, source := c.find(f.Name, file)
		if source == (origin{}) {
			return
		}
		c.sources[f.Name] = source
		if set(c.flags, f, value) != nil {
			err = c.invalid(f, value)
		}
	})
	if err != nil {
		return err
	}
	if c.flags.Lookup("once") != nil { // the root command
		if c.Process = DaemonProcess; c.Once {
			c.Process = "usersyncd --once"
		}
	}
	if c.flags.Lookup("branch") != nil { // the command makes a pass, or checks what one needs
		if c.Others, err = c.readOthers(cmd, file); err != nil {
			return err
		}
	}
	unmanaged, _ := c.Unmanaged() // Policy returns the error
	if !c.Given("create") && slices.Contains(unmanaged, spec.Email) {
		c.Create = false // a user who is not found under the declared address may exist under another one
	}
	for _, s := range c.table {
		if f := c.flags.Lookup(s.name); f != nil && s.valid != nil && !s.valid() {
			return c.invalid(f, f.Value.String())
		}
	}
	return nil
}

// An origin is where a setting was given, but for the command line.
type origin struct {
	variable string // of the environment, or else
	pos      strictyaml.Pos
	key      string // in the configuration file
}

func (o origin) String() string {
	if o.variable != "" {
		return "environment variable " + o.variable
	}
	return o.pos.String() + ": " + o.key
}

// find returns the value of a setting, and where it stands, under its name or a former one; no origin if it is not set.
func (c *Config) find(name string, file map[string]strictyaml.Setting) (string, origin) {
	names := []string{name}
	for former, now := range c.former {
		if now == name {
			names = append(names, former)
		}
	}
	for _, name := range names {
		if value, source := c.Getenv(Variable(name)); source != "" {
			return value, origin{variable: Variable(name)}
		}
	}
	for _, name := range names {
		if s, ok := file[name]; ok {
			return s.Value, origin{pos: s.Pos, key: name}
		}
	}
	return "", origin{}
}

func (c *Config) invalid(f *pflag.Flag, value string) error {
	return Errorf("%s: invalid value %q: must be %s", c.Source(f.Name), value, want(f))
}

// Source names where a setting was given: a flag, a variable, or a line of the configuration file.
func (c *Config) Source(name string) string {
	if o := c.sources[name]; o != (origin{}) {
		return o.String()
	}
	return "--" + name
}

// Same are those of some flags that were given on the command line, to be given to another command, too: each with a space
// before it.
func (c *Config) Same(names ...string) string {
	var b strings.Builder
	for _, name := range names {
		f := c.flags.Lookup(name)
		switch {
		case f == nil || !f.Changed || c.sources[name] != (origin{}):
		case f.NoOptDefVal != "": // a word of its own would be an argument
			fmt.Fprintf(&b, " --%s=%s", name, f.Value.String())
		default:
			fmt.Fprintf(&b, " --%s %s", name, text.ShellWord(f.Value.String()))
		}
	}
	return b.String()
}

// SamePass is Same for a command that is to make the same plan: all that decides it, but for what is released.
func (c *Config) SamePass() string { return c.sameOf(Org | State | Select | Plan | Guards | Read) }

// SameRollback is Same for usersyncd rollback.
func (c *Config) SameRollback() string { return c.sameOf(Org | State | Socket | Guards | Read) }

func (c *Config) sameOf(groups Group) string {
	names := []string{"config"}
	for _, s := range c.table {
		if s.group&groups != 0 {
			names = append(names, s.name)
		}
	}
	return c.Same(names...)
}

// Given reports whether a setting was given, wherever.
func (c *Config) Given(name string) bool { return c.flags.Changed(name) }

// Values are the settings of the command as text, by name.
func (c *Config) Values() map[string]string {
	values := map[string]string{}
	c.flags.VisitAll(func(f *pflag.Flag) { values[f.Name] = f.Value.String() })
	return values
}

// Effects are the settings that decide what is to be changed, as text, by name.
func (c *Config) Effects() map[string]string {
	effects := map[string]string{}
	for _, s := range c.table {
		if s.group&(Plan|Guards|Read) != 0 {
			effects[s.name] = c.all.Lookup(s.name).Value.String()
		}
	}
	return effects
}

// Decisive are the settings that a plan depends on, as text, by name: when its changes are made is not among them, nor how often
// something is read.
func (c *Config) Decisive() map[string]string {
	decisive := c.Effects()
	for _, name := range []string{"change-window", "change-window-fields", "detail-interval"} {
		delete(decisive, name)
	}
	for _, s := range c.table {
		if s.group == Select {
			decisive[s.name] = c.all.Lookup(s.name).Value.String()
		}
	}
	return decisive
}

// Fingerprint changes with every one of the Effects.
func (c *Config) Fingerprint() string { return fmt.Sprint(c.Effects()) }

// Getenv returns the value of a variable of the process and where it was found. An empty variable counts as not set.
func (c *Config) Getenv(name string) (value, source string) {
	if v, ok := c.lookup(name); ok && v != "" {
		return v, "environment variable " + name
	}
	return "", ""
}

const envPrefix = "USERSYNCD_"

// Variable is the environment variable of a setting.
func Variable(flag string) string {
	return envPrefix + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
}

// Error is wrong usage: a setting or an argument that is missing, unknown or not allowed.
type Error struct{ err error }

// Errorf makes an *Error as fmt.Errorf makes an error.
func Errorf(format string, args ...any) error { return &Error{fmt.Errorf(format, args...)} }

func (e *Error) Error() string { return e.err.Error() }

// Unwrap returns the error that says what is wrong.
func (e *Error) Unwrap() error { return e.err }
