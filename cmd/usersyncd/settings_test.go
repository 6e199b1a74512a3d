package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// settled returns the command of a name ("" is the root) of a fresh tree.
func settled(t *testing.T, root *cobra.Command, name string) *cobra.Command {
	t.Helper()
	if name == "" {
		return root
	}
	cmd, _, err := root.Find([]string{name})
	if err != nil {
		t.Fatal(err)
	}
	return cmd
}

// values returns three further values that a flag accepts, all different from its default.
func values(f *pflag.Flag) [3]string {
	if f.Name == "tokens" {
		return [3]string{"2", "3", "4"}
	}
	switch f.Value.Type() {
	case "percent":
		return [3]string{"7%", "29%", "12.5%"}
	case "limit":
		return [3]string{"1%,2", "3%,4", "100%,0"}
	case "bool":
		other := map[string]string{"true": "false", "false": "true"}[f.DefValue]
		return [3]string{other, f.DefValue, other} // the neighbours in rank differ
	case "int":
		return [3]string{"21", "22", "23"}
	case "float64":
		return [3]string{"1.5", "2.5", "3.5"}
	case "duration":
		return [3]string{"11s", "12s", "13s"}
	}
	for name, choices := range map[string][3]string{
		"output": {"json", "text", "json"}, "log-format": {"json", "text", "json"}, "log-level": {"debug", "warn", "error"},
		"on-removal": {"delete", "deactivate", "delete"}, "on-drift": {"report", "enforce", "report"},
		"notify-format": {"slack", "teams", "generic"},
	} {
		if f.Name == name {
			return choices
		}
	}
	return [3]string{"one", "two", "three"}
}

// A flag beats its variable, that beats the configuration file, that beats the default: for every flag
// of every command that reads settings.
func TestPrecedence(t *testing.T) {
	tested := 0
	for _, name := range []string{"", "plan", "validate"} {
		settled(t, newRoot(process{}), name).LocalFlags().VisitAll(func(f *pflag.Flag) {
			if f.Name == "help" || f.Name == "config" {
				return
			}
			tested++
			t.Run(name+"/"+f.Name, func(t *testing.T) {
				v := values(f)
				// Rank by rank, from all given to none. Every other rank has another value, so that none
				// can be mistaken for its neighbour.
				if got := setting(t, name, f, v[0], v[1], v[2]); got != v[0] {
					t.Errorf("flag, variable and file: %q, not the flag's %q", got, v[0])
				}
				if got := setting(t, name, f, "", v[1], v[2]); got != v[1] {
					t.Errorf("variable and file: %q, not the variable's %q", got, v[1])
				}
				if got := setting(t, name, f, "", "", v[2]); got != v[2] {
					t.Errorf("file: %q, not the file's %q", got, v[2])
				}
				if got := setting(t, name, f, "", "", ""); got != f.DefValue {
					t.Errorf("nothing: %q, not the default %q", got, f.DefValue)
				}
			})
		})
	}
	if tested < 30 {
		t.Errorf("only %d flags were tested", tested)
	}
}

// setting loads a command's settings with one of them given in these ways; "" is not given.
func setting(t *testing.T, command string, f *pflag.Flag, flag, variable, file string) string {
	t.Helper()
	c := &config{}
	p := process{lookupEnv: func(name string) (string, bool) {
		return variable, name == "USERSYNCD_"+strings.ToUpper(strings.ReplaceAll(f.Name, "-", "_")) && variable != ""
	}}
	root := newRootWith(c, p)
	cmd := settled(t, root, command)
	args := []string{}
	if file != "" {
		path := filepath.Join(t.TempDir(), "config.yaml")
		write(t, path, f.Name+": "+file+"\n")
		args = append(args, "--config", path)
	}
	if flag != "" {
		args = append(args, "--"+f.Name+"="+flag)
	}
	if err := cmd.ParseFlags(args); err != nil {
		t.Fatal(err)
	}
	if _, err := setup(cmd, c, p); err != nil {
		t.Fatal(err)
	}
	return cmd.Flags().Lookup(f.Name).Value.String()
}

// Every flag has a rule if some of its values make no sense, and is told by the name under which it was set.
func TestSettingsThatMakeNoSense(t *testing.T) {
	for _, test := range []struct{ flag, value, want string }{
		{"output", "yaml", "text or json"},
		{"log-format", "xml", "auto, text, json or journal"},
		{"log-level", "loud", "debug, info, warn or error"},
		{"max-rate", "-1", "a number of calls a second"},
		{"max-rate", "NaN", "a number of calls a second"},
		{"max-rate", "Inf", "a number of calls a second"},
		{"max-in-flight", "0", "at least 1"},
		{"tokens", "0", "a number from 1 to 10"},
		{"tokens", "11", "a number from 1 to 10"},
		{"on-removal", "forget", "unmanage, deactivate or delete"},
		{"on-drift", "ignore", "enforce or report"},
		{"min-admins", "-1", "0 or more"},
		{"detail-interval", "-1s", "a duration"},
		{"retry-max", "-1", "0 or more"},
		{"retry-min-wait", "0s", "a positive duration"},
		{"retry-max-wait", "1ms", "at least --retry-min-wait"},
		{"notify-format", "pigeon", "auto, generic, slack or teams"},
		{"notify-repeat", "-1s", "a duration"},
		{"search-lag", "-1s", "a positive duration"},
		{"refresh-interval", "0s", "a positive duration"},
		{"resync-interval", "-1m", "a positive duration"},
	} {
		c := &config{}
		root := newRootWith(c, process{})
		if err := root.ParseFlags([]string{"--" + test.flag + "=" + test.value}); err != nil {
			t.Fatal(err)
		}
		err := c.check(root)
		if exitCode(err) != exitUsage || !strings.Contains(err.Error(), "--"+test.flag+": ") || !strings.Contains(err.Error(), test.want) {
			t.Errorf("--%s=%s: %v", test.flag, test.value, err)
		}
	}
}

func TestPercent(t *testing.T) {
	for text, want := range map[string]string{
		"20%": "20%", "20 %": "20%", " 0.2 ": "20%", "0": "0%", "-0": "0%", "7%": "7%", "0.29": "29%", "90%": "90%", "12.5%": "12.5%",
		"91%": "", "1": "", "-5": "", "-5%": "", "NaN": "", "Inf": "", "": "", "%": "", "half": "", "20%%": "",
	} {
		var p percent
		err := p.Set(text)
		if got := p.String(); want == "" && err == nil || want != "" && (err != nil || got != want) {
			t.Errorf("%q: %s, %v; want %q", text, got, err, want)
		}
	}
}

func TestStatePath(t *testing.T) {
	for _, test := range []struct {
		flag string
		env  map[string]string
		want string // "": refused
	}{
		{"/x/y.db", map[string]string{"STATE_DIRECTORY": "/var/lib/u", "HOME": "/root"}, "/x/y.db"},
		{"", map[string]string{"STATE_DIRECTORY": "/var/lib/u", "XDG_STATE_HOME": "/xdg", "HOME": "/root"}, "/var/lib/u/usersyncd.db"},
		{"", map[string]string{"STATE_DIRECTORY": "/var/lib/u:/var/lib/v"}, "/var/lib/u/usersyncd.db"},
		{"", map[string]string{"XDG_STATE_HOME": "/xdg", "HOME": "/root"}, "/xdg/usersyncd/usersyncd.db"},
		{"", map[string]string{"HOME": "/root"}, "/root/.local/state/usersyncd/usersyncd.db"},
		{"", map[string]string{"XDG_STATE_HOME": "xdg", "HOME": "/root"}, "/root/.local/state/usersyncd/usersyncd.db"},
		{"", map[string]string{"XDG_STATE_HOME": "xdg", "HOME": "."}, ""},
		{"", nil, ""},
	} {
		env := environment{lookup: func(name string) (string, bool) { v, ok := test.env[name]; return v, ok }}
		got, err := (&config{state: test.flag}).statePath(env)
		if got != test.want || (err != nil) != (test.want == "") {
			t.Errorf("%+v: %q, %v", test, got, err)
		}
	}
}

// Every command says what it does and how it is called, on screens of 80 columns.
func TestHelp(t *testing.T) {
	var visit func(cmd *cobra.Command)
	visit = func(cmd *cobra.Command) {
		for _, sub := range cmd.Commands() {
			visit(sub)
		}
		if cmd.Short == "" {
			t.Errorf("%s has no summary", cmd.CommandPath())
		}
		if parent := cmd.Parent(); parent != nil && parent.Name() == "completion" {
			return // cobra's own texts
		}
		if !strings.HasPrefix(cmd.Example, "  ") || !strings.Contains(cmd.Example, "usersyncd") {
			t.Errorf("%s has no example", cmd.CommandPath())
		}
		for line := range strings.SplitSeq(cmd.Long+"\n"+cmd.UsageString(), "\n") {
			if len(line) > 80 {
				t.Errorf("%s: %d columns: %s", cmd.CommandPath(), len(line), line)
			}
		}
	}
	visit(newRoot(process{stdout: os.Stdout}))
}
