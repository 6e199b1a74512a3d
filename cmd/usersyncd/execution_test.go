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

// starters run another program, or become one.
var starters = map[string][]string{
	"os":      {"StartProcess"},
	"syscall": {"ForkExec", "StartProcess", "Exec", "RawSyscall", "Syscall"},
	// golang.org/x/sys/unix
	"unix": {"Exec", "Syscall", "RawSyscall"},
}

// The program runs nothing, git least of all: the configuration of a repository can make git execute
// anything. So none of our packages may start a process, and of others' packages only those that can, and
// are known not to be asked to.
func TestNothingIsExecuted(t *testing.T) {
	packages := listPackages(t)
	for name, p := range packages {
		if ours(name) && slices.Contains(p.Imports, "os/exec") {
			t.Errorf("%s imports os/exec", name)
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

	files := 0
	err := filepath.WalkDir(filepath.Join("..", ".."), func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && strings.HasPrefix(d.Name(), ".") && d.Name() != "..":
			return fs.SkipDir
		case !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go"):
			return nil
		}
		files++
		return noStarter(t, path)
	})
	if err != nil {
		t.Fatal(err)
	}
	if files < 50 {
		t.Errorf("only %d files were looked at", files)
	}
}

// noStarter looks for calls in one file, whatever the system that it is built for.
func noStarter(t *testing.T, path string) error {
	t.Helper()
	set := token.NewFileSet()
	file, err := parser.ParseFile(set, path, nil, parser.SkipObjectResolution)
	if err != nil {
		return err
	}
	for _, spec := range file.Imports {
		if name, _ := strconv.Unquote(spec.Path.Value); name == "os/exec" || name == "plugin" || name == "C" {
			t.Errorf("%s: imports %s", set.Position(spec.Pos()), name)
		}
	}
	ast.Inspect(file, func(n ast.Node) bool {
		s, ok := n.(*ast.SelectorExpr)
		if !ok {
			return true
		}
		from, ok := s.X.(*ast.Ident)
		if ok && slices.Contains(starters[from.Name], s.Sel.Name) ||
			ok && from.Name == "godotenv" && s.Sel.Name == "Exec" {
			t.Errorf("%s: %s.%s", set.Position(s.Pos()), from.Name, s.Sel.Name)
		}
		return true
	})
	return nil
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
