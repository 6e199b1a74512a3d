package main_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// forTests are our packages that the program is not made of.
var forTests = []string{"usersyncd/spec/checkout/gittest", "usersyncd/spec/memtemp"}

// starters run another program, or become one.
var starters = map[string][]string{
	"os":      {"StartProcess"},
	"syscall": {"ForkExec", "StartProcess", "Exec", "RawSyscall", "Syscall"},
	// golang.org/x/sys/unix
	"unix": {"Exec", "Syscall", "RawSyscall"},

	"godotenv": {"Exec"},
}

// The program runs nothing, git least of all: the configuration of a repository can make git execute
// anything. So none of our packages may start a process, and of others' packages only those that can, and
// are known not to be asked to.
func TestNothingIsExecuted(t *testing.T) {
	packages := listPackages(t)
	for name, p := range packages {
		if ours(name) && !slices.Contains(forTests, name) && slices.Contains(p.Imports, "os/exec") {
			t.Errorf("%s imports os/exec", name)
		}
	}
	for _, name := range forTests {
		if slices.Contains(packages["usersyncd/cmd/usersyncd"].Deps, name) {
			t.Errorf("the program has %s in it, which is for tests", name)
		}
	}
	for _, name := range offline {
		if slices.Contains(packages[name].Deps, "os/exec") {
			t.Errorf("%s reaches os/exec", name)
		}
	}
	// godotenv has a function that runs a command with what it read; it is not used.
	if got, want := importers(t, "os/exec", packages["usersyncd/cmd/usersyncd"].Deps), []string{"github.com/joho/godotenv"}; !slices.Equal(got, want) {
		t.Errorf("os/exec is imported by %q, not by %q alone", got, want)
	}

	eachSource(t, func(path string, set *token.FileSet, file *ast.File) {
		for _, spec := range file.Imports {
			if name, _ := strconv.Unquote(spec.Path.Value); name == "os/exec" || name == "plugin" || name == "C" {
				t.Errorf("%s: imports %s", set.Position(spec.Pos()), name)
			}
		}
		uses(t, set, file, starters)
	})
}

// surroundings are what a program can learn of its surroundings, or change in them, without being told.
var surroundings = map[string][]string{
	"os": {
		"Getenv", "LookupEnv", "Environ", "ExpandEnv", "Setenv", "Unsetenv", "Clearenv", "UserHomeDir", "UserConfigDir", "UserCacheDir",
	},
	"syscall":  {"Getenv", "Environ", "Setenv"},
	"godotenv": {"Load", "Overload", "Read"}, // which open files by themselves
}

// Variables are looked up in one place, which knows where they may come from: the environment that main hands on.
func TestEnvironmentIsReadInOnePlace(t *testing.T) {
	eachSource(t, func(path string, set *token.FileSet, file *ast.File) {
		if path != filepath.Join("..", "..", "cmd", "usersyncd", "main.go") {
			uses(t, set, file, surroundings)
		}
	})
}

// eachSource parses every file of the program, whatever the system that it is built for.
func eachSource(t *testing.T, look func(path string, set *token.FileSet, file *ast.File)) {
	t.Helper()
	files := 0
	err := filepath.WalkDir(filepath.Join("..", ".."), func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && (strings.HasPrefix(d.Name(), ".") && d.Name() != ".." || slices.Contains(forTests, "usersyncd/"+strings.TrimPrefix(path, "../../"))):
			return fs.SkipDir
		case !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go"):
			return nil
		}
		files++
		set := token.NewFileSet()
		file, err := parser.ParseFile(set, path, nil, parser.SkipObjectResolution)
		if err == nil {
			look(path, set, file)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if files < 50 {
		t.Errorf("only %d files were looked at", files)
	}
}

// uses fails for what a file names of the packages, by their names.
func uses(t *testing.T, set *token.FileSet, file *ast.File, banned map[string][]string) {
	t.Helper()
	ast.Inspect(file, func(n ast.Node) bool {
		s, ok := n.(*ast.SelectorExpr)
		if !ok {
			return true
		}
		if from, ok := s.X.(*ast.Ident); ok && slices.Contains(banned[from.Name], s.Sel.Name) {
			t.Errorf("%s: %s.%s", set.Position(s.Pos()), from.Name, s.Sel.Name)
		}
		return true
	})
}

// importers are those of the packages that are not the standard library's and import one that is.
func importers(t *testing.T, imported string, deps []string) []string {
	t.Helper()
	var found []string
	for name, p := range list(t, deps...) {
		if first, _, _ := strings.Cut(name, "/"); strings.Contains(first, ".") && slices.Contains(p.Imports, imported) {
			found = append(found, name)
		}
	}
	slices.Sort(found)
	return found
}
