package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"usersyncd/spec"
)

// unknownKeys makes a tree of files with so many unknown keys each.
func unknownKeys(t *testing.T, files, keys int) string {
	dir := t.TempDir()
	for i := range files {
		text := fmt.Sprintf("email: u%d@example.com\nname: Someone\n", i)
		for k := range keys {
			text += fmt.Sprintf("x%d: 1\n", k)
		}
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("u%03d.yaml", i)), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// A committer can make any number of problems. The first ones are shown, and the others counted.
func TestProblemsInTheOutputAreBounded(t *testing.T) {
	const files, keys = 60, 100
	dir := unknownKeys(t, files, keys)
	for _, format := range []string{"text", "json"} {
		var stdout, stderr bytes.Buffer
		code := run([]string{"validate", "--output", format, dir}, process{stdout: &stdout, stderr: &stderr, lookupEnv: func(string) (string, bool) { return "", false }})
		if n := stdout.Len() + stderr.Len(); code != exitInvalid || n > 256<<10 {
			t.Errorf("%s: exit code %d, %d bytes of output", format, code, n)
		}
		if want := fmt.Sprintf("%d errors; the first %d are shown\n", files*keys, spec.MaxProblems); !strings.HasSuffix(stderr.String(), want) {
			t.Errorf("%s: %q is missing in ...%s", format, want, stderr.String()[max(0, stderr.Len()-200):])
		}
		var out struct {
			Valid           bool
			Problems        []spec.Problem
			ProblemsLeftOut int
		}
		if format == "json" {
			if err := json.Unmarshal(stdout.Bytes(), &out); err != nil || out.Valid || len(out.Problems) != spec.MaxProblems || out.ProblemsLeftOut != files*keys-spec.MaxProblems {
				t.Errorf("valid %t, %d problems, %d left out, %v", out.Valid, len(out.Problems), out.ProblemsLeftOut, err)
			}
		}
	}
}
