package spec_test

import (
	"crypto/sha256"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"usersyncd/spec"
)

const benchUsers = 50_000

// bigTree is a tree of one-user files in 100 folders.
func bigTree(b *testing.B) string {
	b.Helper()
	files := map[string]string{"_defaults.yaml": "division: EMEA\nroles: [Employee]\n"}
	for i := range benchUsers {
		key := fmt.Sprintf("agent.%05d@example.com", i)
		files[fmt.Sprintf("team%02d/agent.%05d.yaml", i%100, i)] = "email: " + key + "\nname: Agent " + fmt.Sprint(i) + `
state: active
title: Senior agent
department: Support
manager: lead@example.com
phones: [{type: work, number: "+34600000001", extension: "4021", media: phone}]
skills: {Billing: 4, Refunds: 2.5}
languages: {Spanish: 5, English: 3}
queues: [Billing ES, Refunds ES]
`
	}
	return checkout(b, files)
}

// BenchmarkScan is what a quiet pass costs, outside git, in a checkout, and in one that was copied, so that every file has
// another time than the index knows. Plain is the least that any implementation does, one file after the other.
func BenchmarkScan(b *testing.B) {
	dir := bigTree(b)
	scan := func(b *testing.B) {
		l := spec.NewLoader(dir)
		b.ReportAllocs()
		for b.Loop() {
			s, err := l.Scan(b.Context())
			if err != nil || s.Files != benchUsers+1 || s.DirtyFiles > 0 || len(s.NotCompared) > 0 {
				b.Fatal(s, err)
			}
		}
		perFile(b)
	}
	b.Run("usersyncd", scan)
	b.Run("plain", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			n := 0
			hash := sha256.New()
			if err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
				if err != nil || d.IsDir() || !strings.HasSuffix(path, ".yaml") {
					return err
				}
				content, err := os.ReadFile(path)
				sum := sha256.Sum256(content)
				hash.Write(sum[:])
				n++
				return err
			}); err != nil || n != benchUsers+1 {
				b.Fatal(n, err)
			}
		}
		perFile(b)
	})
	for _, args := range [][]string{{"init", "--quiet"}, {"add", "--all"}, {"commit", "--quiet", "--message", "all"}} {
		r := repository{b, dir}
		r.git(args...)
	}
	b.Run("checkout", scan)
	if err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".yaml") {
			return err
		}
		return os.Chtimes(path, time.Now(), time.Now().Add(-time.Hour))
	}); err != nil {
		b.Fatal(err)
	}
	b.Run("copy", scan)
}

// BenchmarkLoad is a first pass (everything is parsed), one with a cache file, and one after an edit of one file.
func BenchmarkLoad(b *testing.B) {
	dir := bigTree(b)
	b.Run("first", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			benchLoad(b, spec.NewLoader(dir), benchUsers+1)
		}
		perFile(b)
	})
	b.Run("cached", func(b *testing.B) {
		l, file := spec.NewLoader(dir), filepath.Join(b.TempDir(), "cache")
		benchLoad(b, l, benchUsers+1)
		must(b, l.WriteCache(file))
		b.ReportAllocs()
		for b.Loop() {
			l = spec.NewLoader(dir)
			must(b, l.ReadCache(file))
			benchLoad(b, l, 1)
		}
		perFile(b)
	})
	b.Run("edit", func(b *testing.B) {
		l := spec.NewLoader(dir)
		benchLoad(b, l, benchUsers+1)
		b.ReportAllocs()
		i := 0
		for b.Loop() {
			i++
			name := filepath.Join(dir, "team00", "agent.00000.yaml")
			if err := os.WriteFile(name, fmt.Appendf(nil, "email: agent.00000@example.com\ntitle: T%d\n", i), 0o644); err != nil {
				b.Fatal(err)
			}
			benchLoad(b, l, 1)
		}
		perFile(b)
	})
}

func benchLoad(b *testing.B, l *spec.Loader, parsed int) {
	b.Helper()
	tree := load(b, l)
	if len(tree.Users) != benchUsers || len(tree.Problems) > 0 || tree.Parsed != parsed {
		b.Fatal(len(tree.Users), tree.Parsed, texts(tree.Problems))
	}
}

func perFile(b *testing.B) {
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/benchUsers, "ns/file")
}
