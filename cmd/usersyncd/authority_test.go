package main

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"usersyncd/cmd/usersyncd/internal/config"
	"usersyncd/spec"
)

const security = "../../.github/SECURITY.md"

// configured are the commands that read settings, by name; "" is the root.
func configured(root *cobra.Command) []string {
	names := []string{""}
	for _, cmd := range root.Commands() {
		if cmd.Flags().Lookup("config") != nil {
			names = append(names, cmd.Name())
		}
	}
	return names
}

// unset loads the settings of a command, and tells which have another value than their default.
func unset(t *testing.T, command string, lookup func(string) (string, bool), args ...string) *config.Config {
	t.Helper()
	root, c := newRoot(process{lookupEnv: lookup})
	cmd := settled(t, root, command)
	if err := cmd.ParseFlags(args); err != nil {
		t.Fatal(err)
	}
	if err := c.Load(cmd); err != nil {
		t.Fatal(err)
	}
	if c.Dir != "" {
		t.Errorf("%s: the directory %s", command, c.Dir)
	}
	c.Dir = "users"
	if err := c.ReadEnvFile(); err != nil {
		t.Fatal(err)
	}
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		if f.Name != "env-file" && f.Value.String() != f.DefValue {
			t.Errorf("%s --%s is %q", command, f.Name, f.Value)
		}
	})
	return c
}

// variables are the names of all variables that the program looks up, but for those of flags.
func variables(t *testing.T) []string {
	t.Helper()
	// The standard library and go-systemd look these up by themselves, in the environment of the process.
	names := []string{
		"HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy", "SSL_CERT_FILE", "SSL_CERT_DIR",
		"NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID", "JOURNAL_STREAM", "TZ", "ZONEINFO", "TMPDIR", "GODEBUG", "USER",
	}
	var files []string
	for _, pattern := range []string{"*.go", "internal/*/*.go"} {
		found, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, found...)
	}
	for _, path := range files {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok || len(call.Args) != 1 {
				return true
			}
			method, ok := call.Fun.(*ast.SelectorExpr)
			if !ok || !slices.Contains([]string{"Getenv", "account", "firstDir"}, method.Sel.Name) {
				return true
			}
			if name, ok := call.Args[0].(*ast.BasicLit); ok && name.Kind == token.STRING {
				text, err := strconv.Unquote(name.Value)
				if err != nil {
					t.Fatal(err)
				}
				names = append(names, text)
			}
			return true
		})
	}
	slices.Sort(names)
	names = slices.Compact(names)
	if len(names) < 25 {
		t.Errorf("only %d variables were found", len(names))
	}
	return names
}

// An env file sets no flag, and no variable but those of the account, however it is found.
func TestEnvFileSetsNothingElse(t *testing.T) {
	names := variables(t)
	t.Chdir(t.TempDir())
	var text strings.Builder
	root := rootOf(process{})
	for _, command := range configured(root) {
		settled(t, root, command).Flags().VisitAll(func(f *pflag.Flag) {
			fmt.Fprintf(&text, "%s=%s\n", "USERSYNCD_"+strings.ToUpper(strings.ReplaceAll(f.Name, "-", "_")), values(f)[0])
		})
	}
	before := map[string]string{}
	for _, name := range names {
		before[name] = os.Getenv(name)
		fmt.Fprintf(&text, "%s=/from/the/file\n", name)
	}
	if err := os.WriteFile(".env", []byte(text.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, command := range configured(root) {
		ways := map[string][]string{"found": nil} // to the arguments
		if settled(t, root, command).Flags().Lookup("env-file") != nil {
			ways["named by the flag"], ways["named by the variable"] = []string{"--env-file=.env"}, nil
		}
		for way, args := range ways {
			t.Run(command+"/"+way, func(t *testing.T) {
				c := unset(t, command, func(name string) (string, bool) {
					return ".env", name == "USERSYNCD_ENV_FILE" && way == "named by the variable"
				}, args...)
				if names := c.Account.Names(); names != strings.Join(config.AccountVariables(), ", ") {
					t.Errorf("the file gives %s", names)
				}
				for name, was := range before {
					if value, _ := c.Getenv(name); value != "" {
						t.Errorf("%s is %q", name, value)
					}
					if now := os.Getenv(name); now != was {
						t.Errorf("%s of the process is %q", name, now)
					}
				}
			})
		}
	}
}

// No file is read because of its name: neither in the working directory, nor beside or among the specs.
func TestNoFileConfiguresByItsName(t *testing.T) {
	t.Chdir(t.TempDir())
	home := t.TempDir()
	settings := "allow-roles: '*'\non-removal: delete\napi-url: https://evil.example\nsocket: /evil.sock\nnotify-url-file: notify_url\n"
	for _, dir := range []string{".", "users", ".git", ".github", ".config/usersyncd", ".usersyncd", "etc/usersyncd"} {
		for _, name := range []string{
			"usersyncd", "usersyncd.conf", "usersyncd.toml", "usersyncd.json", ".usersyncdrc", "config", "config.toml",
			"credentials", "client_id", "client_secret", "notify_url", "usersyncd.db", "usersyncd.sock", "usersyncd.db.release-p-1f3ac24e",
			"usersyncd.service", ".envrc", ".netrc", "_defaults",
		} {
			write(t, filepath.Join(dir, name), settings)
		}
	}
	for _, name := range []string{"usersyncd.yaml", "config.yaml", ".usersyncd.yaml", ".config/usersyncd/config.yaml", "etc/usersyncd/config.yaml"} {
		write(t, name, settings)
	}
	lookup := func(name string) (string, bool) { return home, name == "HOME" }
	for _, command := range configured(rootOf(process{})) {
		t.Run(command, func(t *testing.T) {
			c := unset(t, command, lookup)
			if found, err := c.Credentials(); err == nil {
				t.Errorf("credentials of %s and %s", found.IDSource, found.SecretSource)
			}
			if _, _, err := c.Endpoints(); err == nil {
				t.Error("a region or a URL was found")
			}
			if hook, err := c.Webhook(); err != nil || !hook.IsZero() {
				t.Errorf("the webhook %+v, %v", hook, err)
			}
			state, err := c.StatePath()
			if err != nil || !strings.HasPrefix(state, home) {
				t.Errorf("the state file %s, %v", state, err)
			}
			if sockets, err := c.Sockets(); err != nil || !slices.Equal(sockets, []string{state + ".sock", "/run/usersyncd/usersyncd.sock", state + ".sock"}) {
				t.Errorf("the sockets %q, %v", sockets, err)
			}
		})
	}
}

// A setting in a spec, or in the defaults of a folder, is a problem of that spec.
func TestSpecsHoldNoSettings(t *testing.T) {
	fields := []string{}
	for _, info := range spec.AllFields() {
		fields = append(fields, string(info.Field))
	}
	tested := 0
	rootOf(process{}).Flags().VisitAll(func(f *pflag.Flag) {
		if slices.Contains(fields, f.Name) {
			return // --state is not the state of a user
		}
		tested++
		for _, name := range []string{"a.yaml", "_defaults.yaml"} {
			dir := t.TempDir()
			text := map[string]string{"a.yaml": "email: a@example.com\nname: A\n", "_defaults.yaml": "title: Agent\n"}
			text[name] += f.Name + ": '" + values(f)[0] + "'\n"
			for name, text := range text {
				write(t, filepath.Join(dir, name), text)
			}
			loader := spec.NewLoader(dir)
			scan, err := loader.Scan(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			tree, err := loader.Load(t.Context(), scan)
			if err != nil {
				t.Fatal(err)
			}
			if !slices.ContainsFunc(tree.Problems, func(p spec.Problem) bool { return p.File == name && p.Field == f.Name }) {
				t.Errorf("%s: %s in %s is no problem: %v", f.Name, f.Value, name, tree.Problems)
			}
		}
	})
	if tested < 30 {
		t.Errorf("only %d settings were tested", tested)
	}
}

// SECURITY.md lists all that a setting may come from.
func TestSecurityListsEveryWayIn(t *testing.T) {
	data, err := os.ReadFile(security)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range variables(t) {
		if !strings.Contains(string(data), "`"+name+"`") {
			t.Errorf("the variable %s is missing", name)
		}
	}
	rootOf(process{}).Flags().VisitAll(func(f *pflag.Flag) {
		if kind, _ := pflag.UnquoteUsage(f); (kind == "FILE" || kind == "PATH") && !strings.Contains(string(data), "`--"+f.Name+"`") {
			t.Errorf("the flag --%s is missing", f.Name)
		}
	})
}
