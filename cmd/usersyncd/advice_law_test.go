package main

import (
	"cmp"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/spf13/pflag"

	"usersyncd/cmd/usersyncd/internal/config"
)

// documents calls visit with each document and example that people copy commands from.
func documents(t *testing.T, visit func(path, text string)) {
	t.Helper()
	err := filepath.WalkDir("../..", func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() && e.Name() == ".git" {
			return cmp.Or(err, fs.SkipDir)
		}
		if slices.Contains([]string{".md", ".yaml", ".yml", ".service", ".html", ".js", ".json", ".sh"}, filepath.Ext(path)) && !e.IsDir() && !strings.Contains(path, "testdata") {
			data, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			visit(path, string(data))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// literals calls visit with each string in the code of the program, and where it is. Simulations are left out.
func literals(t *testing.T, visit func(at token.Position, text string)) {
	t.Helper()
	files := token.NewFileSet()
	for _, dir := range []string{"cmd", "sync", "spec", "state"} {
		err := filepath.WalkDir(filepath.Join("../..", dir), func(path string, e fs.DirEntry, err error) error {
			switch {
			case err != nil:
				return err
			case e.IsDir() && slices.Contains([]string{"sim", "lab", "bench", "sdkcontract", "testdata"}, e.Name()):
				return fs.SkipDir
			case e.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go"):
				return nil
			}
			file, err := parser.ParseFile(files, path, nil, parser.SkipObjectResolution)
			if err != nil {
				return err
			}
			ast.Inspect(file, func(n ast.Node) bool {
				if lit, ok := n.(*ast.BasicLit); ok && lit.Kind == token.STRING {
					text, err := strconv.Unquote(lit.Value)
					if err != nil {
						t.Error(err)
					}
					visit(files.Position(lit.Pos()), text)
				}
				return true
			})
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

// Whatever command, flag or variable a text of the program names is there, and the flags that follow a command are that
// command's.
func TestTextsNameWhatExists(t *testing.T) {
	t.Parallel()
	root := rootOf(process{})
	flags := map[string]*pflag.FlagSet{} // of each command
	all := pflag.NewFlagSet("all", pflag.ContinueOnError)
	for _, cmd := range append(root.Commands(), root) {
		flags[cmd.Name()] = pflag.NewFlagSet(cmd.Name(), pflag.ContinueOnError)
		for _, sub := range append(cmd.Commands(), cmd) {
			sub.InitDefaultHelpFlag()
			flags[cmd.Name()].AddFlagSet(sub.Flags())
		}
		all.AddFlagSet(flags[cmd.Name()])
	}
	variables := append([]string{"USERSYNCD_NOTIFY_URL", "USERSYNCD_DIR"}, config.AccountVariables()...)
	all.VisitAll(func(f *pflag.Flag) {
		variables = append(variables, "USERSYNCD_"+strings.ToUpper(strings.ReplaceAll(f.Name, "-", "_")))
	})
	// What may follow the program's name where that is the subject of a sentence, and the flags of other programs.
	verbs := strings.Fields("an as changed daemon finds has is knows loses makes parsed polls resumes runs sets slow that tries use user with")
	foreign := strings.Fields("abort continue init recursive no-assume-unchanged system")

	command := regexp.MustCompile(`\busersyncd ([a-z]+)([^;,.()\n"]*)`)
	flag := regexp.MustCompile(`(?:^|[\s("'=/])--([a-z][a-z0-9-]*[a-z0-9])`)
	variable := regexp.MustCompile(`\b(?:USERSYNCD|GENESYSCLOUD)_[A-Z_]*[A-Z]\b`)
	literals(t, func(at token.Position, text string) {
		for _, m := range command.FindAllStringSubmatch(text, -1) {
			own, there := flags[m[1]]
			if !there && !slices.Contains(verbs, m[1]) {
				t.Errorf("%s: there is no command usersyncd %s; if it is the verb of a sentence, add it to this test: %s", at, m[1], text)
			}
			for _, f := range flag.FindAllStringSubmatch(m[2], -1) {
				if there && own.Lookup(f[1]) == nil {
					t.Errorf("%s: usersyncd %s has no flag --%s: %s", at, m[1], f[1], text)
				}
			}
		}
		for _, m := range flag.FindAllStringSubmatch(text, -1) {
			if all.Lookup(m[1]) == nil && !slices.Contains(foreign, m[1]) {
				t.Errorf("%s: there is no flag --%s: %s", at, m[1], text)
			}
		}
		for _, name := range variable.FindAllString(text, -1) {
			if !slices.Contains(variables, name) {
				t.Errorf("%s: there is no variable %s: %s", at, name, text)
			}
		}
	})
	quoted := regexp.MustCompile("`(?:sudo )?usersyncd ([a-z][^\\s`]*)")
	documents(t, func(path, text string) {
		for _, m := range quoted.FindAllStringSubmatch(text, -1) {
			if _, there := flags[m[1]]; !there && m[1] != "users" { // a directory
				t.Errorf("%s: there is no command usersyncd %s", path, m[1])
			}
		}
		for _, m := range command.FindAllStringSubmatch(text, -1) {
			for _, f := range flag.FindAllStringSubmatch(m[2], -1) {
				if own, there := flags[m[1]]; there && own.Lookup(f[1]) == nil {
					t.Errorf("%s: usersyncd %s has no flag --%s: %s", path, m[1], f[1], m[0])
				}
			}
		}
	})
}
