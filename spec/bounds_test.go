package spec_test

import (
	"fmt"
	"runtime"
	"strings"
	"testing"

	"usersyncd/spec"
)

func liveHeap() int {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int(m.HeapAlloc)
}

// The problems of a file and of a tree are counted, and the first of them kept.
func TestProblemsAreBounded(t *testing.T) {
	files := map[string]string{"good.yaml": "email: good@example.com\nname: Good\n"}
	bad := func(i, keys int) {
		text := fmt.Sprintf("email: u%d@example.com\n", i)
		for k := range keys {
			text += fmt.Sprintf("x%d: 1\n", k)
		}
		files[fmt.Sprintf("u%03d.yaml", i)] = text
	}
	for i := range 40 {
		bad(i, 200)
	}
	dir := checkout(t, files)
	l := spec.NewLoader(dir)
	before := liveHeap()
	tree := load(t, l)
	if grown := liveHeap() - before; grown > 2<<20 { // all of them are 10 MiB
		t.Errorf("%d KiB are kept", grown>>10)
	}
	perFile := map[string]int{}
	for _, p := range tree.Problems {
		perFile[p.File]++
	}
	if len(tree.Problems) != spec.MaxProblems || tree.ProblemCount() != 40*200 || perFile["u000.yaml"] != 20 || len(tree.Users) != 1 {
		t.Errorf("%d of %d problems, %v, %d users", len(tree.Problems), tree.ProblemCount(), perFile, len(tree.Users))
	}
	bad(0, 0)
	write(t, dir, "u000.yaml", files["u000.yaml"])
	if tree = load(t, l); len(tree.Problems) != spec.MaxProblems || tree.ProblemCount() != 39*200 || len(tree.Users) != 2 || tree.Parsed != 1 {
		t.Errorf("%d of %d problems, %d users, %d files were parsed", len(tree.Problems), tree.ProblemCount(), len(tree.Users), tree.Parsed)
	}
}

// What is inherited is one problem, however many users report it, and does not push out the others.
func TestInheritedProblemsAreBounded(t *testing.T) {
	files := map[string]string{"_defaults.yaml": "title: [1]\n", "z.yaml": "email: z@example.com\nhobby: Z\n"}
	for i := range 300 {
		files[fmt.Sprintf("u%03d.yaml", i)] = fmt.Sprintf("email: u%d@example.com\n", i)
	}
	tree := load(t, spec.NewLoader(checkout(t, files)))
	if all := strings.Join(texts(tree.Problems), "\n"); tree.ProblemCount() != 2 || !strings.Contains(all, "z.yaml:2:1: hobby") {
		t.Errorf("%d problems: %s", tree.ProblemCount(), all)
	}
}
