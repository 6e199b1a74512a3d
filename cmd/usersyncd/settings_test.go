package main

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// rootOf is the command tree.
func rootOf(p process) *cobra.Command {
	root, _ := newRoot(p)
	return root
}

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
		"output": {"json", "text", "json"}, "log-format": {"json", "text", "json"}, "log-level": {"debug", "warn", "error"}, "color": {"always", "never", "always"},
		"on-removal": {"delete", "deactivate", "delete"}, "on-drift": {"report", "enforce", "report"},
		"notify-format": {"slack", "teams", "generic"}, "listen": {"a:1", "b:2", "c:3"},
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
		settled(t, rootOf(process{}), name).LocalFlags().VisitAll(func(f *pflag.Flag) {
			if f.Name == "help" || f.Name == "version" || f.Name == "config" {
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
	p := process{lookupEnv: func(name string) (string, bool) {
		return variable, name == "USERSYNCD_"+strings.ToUpper(strings.ReplaceAll(f.Name, "-", "_")) && variable != ""
	}}
	root, c := newRoot(p)
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
	if err := c.Load(cmd); err != nil {
		t.Fatal(err)
	}
	return cmd.Flags().Lookup(f.Name).Value.String()
}

// Every flag has a rule if some of its values make no sense, and is told by the name under which it was set.
func TestInvalidSettings(t *testing.T) {
	for _, test := range []struct{ flag, value, want string }{
		{"output", "yaml", "FORMAT or FORMAT=FILE, where FORMAT is text, json, markdown, github, junit, gitlab or gitlab-plan"},
		{"output", "junit=", "FORMAT or FORMAT=FILE"},
		{"log-format", "xml", "auto, text, json or journal"},
		{"log-level", "loud", "debug, info, warn or error"},
		{"max-rate", "-1", "a number of calls per second, or 0"},
		{"max-rate", "NaN", "a number of calls per second, or 0"},
		{"max-rate", "Inf", "a number of calls per second, or 0"},
		{"max-in-flight", "0", "a whole number of at least 1"},
		{"tokens", "0", "a whole number from 1 to 10"},
		{"tokens", "11", "a whole number from 1 to 10"},
		{"on-removal", "forget", "unmanage, deactivate or delete"},
		{"on-drift", "ignore", "enforce or report"},
		{"min-admins", "-1", "a whole number of at least 0"},
		{"detail-interval", "-1s", "a duration"},
		{"retry-max", "-1", "a whole number of at least 0"},
		{"retry-min-wait", "0s", "a positive duration"},
		{"retry-max-wait", "1ms", "at least --retry-min-wait"},
		{"notify-format", "pigeon", "auto, generic, slack or teams"},
		{"notify-repeat", "-1s", "a duration"},
		{"search-lag", "-1s", "a positive duration"},
		{"timeout", "-1s", "a duration"},
		{"refresh-interval", "0s", "a positive duration"},
		{"resync-interval", "-1m", "a positive duration"},
	} {
		root, c := newRoot(process{lookupEnv: func(string) (string, bool) { return "", false }})
		err := root.ParseFlags([]string{"--" + test.flag + "=" + test.value})
		if err != nil {
			err = root.FlagErrorFunc()(root, err)
		} else {
			err = c.Load(root)
		}
		if exitCode(err) != exitUsage || !strings.Contains(err.Error(), "--"+test.flag+": invalid value ") || !strings.Contains(err.Error(), "must be "+test.want) {
			t.Errorf("--%s=%s: %v", test.flag, test.value, err)
		}
	}
}
