package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/spf13/pflag"

	"usersyncd/cmd/usersyncd/internal/config"
)

// shownValues are three values of a setting as in values, of those that exist where there are only some.
func shownValues(f *pflag.Flag) [3]string {
	switch f.Name {
	case "unmanaged-fields", "change-window-fields":
		return [3]string{"title", "department", "manager"}
	case "change-window":
		return [3]string{"Mon 20:00-06:00 Europe/Madrid", "Tue 20:00-06:00 UTC", "Wed 20:00-06:00 UTC"}
	case "select":
		return [3]string{"title=One", "title=Two", "title=Three"}
	}
	return values(f)
}

// usersyncd config shows every row of the table of settings with the value that wins, flag before variable before file before
// default, and where it was given.
func TestConfigShowsEveryOrigin(t *testing.T) {
	t.Chdir(t.TempDir())
	for _, file := range []string{"one", "two", "three"} { // of --env-file
		if err := os.WriteFile(file, []byte("OTHER=1\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	home := map[string]string{"HOME": "/home/ana"}
	for _, s := range config.New(func(string) (string, bool) { return "", false }).Settings() {
		name := s.Flag.Name
		if name == "config" || name == "output" { // they say what is read, and what this test reads; TestPrecedence has the latter
			continue
		}
		v := shownValues(s.Flag)
		variable := "USERSYNCD_" + strings.ToUpper(strings.ReplaceAll(name, "-", "_"))
		write(t, "config.yaml", "log-format: text\n"+name+": "+v[2]+"\n")
		line := 2
		if name == "log-format" {
			write(t, "config.yaml", name+": "+v[2]+"\n")
			line = 1
		}
		file := []string{"--config", "config.yaml"}
		environment := map[string]string{"HOME": home["HOME"], variable: v[1]}
		def := s.Flag.DefValue
		switch name {
		case "state":
			def = "/home/ana/.local/state/usersyncd/usersyncd.db"
		case "socket":
			def = "/home/ana/.local/state/usersyncd/usersyncd.db.sock"
		}
		for _, test := range []struct {
			environment   map[string]string
			args          []string
			value, origin string
		}{
			{environment, append(file, "--"+name+"="+v[0]), v[0], "flag"},
			{environment, file, v[1], variable},
			{home, file, v[2], fmt.Sprintf("config.yaml:%d", line)},
			{home, nil, def, "default"},
		} {
			got := configOf(t, test.environment, test.args...)[name]
			if got.Value != test.value || got.Origin != test.origin {
				t.Errorf("--%s %v: %+v, want %q from %s", name, test.args, got, test.value, test.origin)
			}
		}
	}
}

// configOf returns what usersyncd config says, by name.
func configOf(t *testing.T, environment map[string]string, args ...string) map[string]config.Effective {
	t.Helper()
	var stdout, stderr bytes.Buffer
	code := run(append([]string{"config", "--output=json"}, args...), process{
		stdout: &stdout, stderr: &stderr, lookupEnv: func(name string) (string, bool) { v, ok := environment[name]; return v, ok },
	})
	var out effective
	if err := json.Unmarshal(stdout.Bytes(), &out); err != nil || code != exitDone {
		t.Fatalf("%v: exit code %d, %v: %s", args, code, err, stderr.Bytes())
	}
	shown := map[string]config.Effective{}
	for _, e := range append(out.Settings, out.Logins...) {
		shown[e.Name] = e
	}
	return shown
}
