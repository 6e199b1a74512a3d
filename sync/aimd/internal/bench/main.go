// Command bench compares the limiter of package aimd with other ways to deal with a quota, in virtual
// time, and keeps the figures in that package's README.
//
//	go run ./sync/aimd/internal/bench            print the tables
//	go run ./sync/aimd/internal/bench -write     print them into sync/aimd/README.md, and draw the chart
//	go run ./sync/aimd/internal/bench -check     fail if they are not what -write would make of them
//
// A run depends on its seed alone, so that the same code always prints the same.
package main

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

const (
	seeds = 20 // that the README speaks of

	begin = "<!-- begin: written by go run ./sync/aimd/internal/bench -write -->\n"
	end   = "<!-- end -->\n"
)

var errStale = errors.New("the figures are not those of the code; run: go run ./sync/aimd/internal/bench -write")

func main() {
	var o options
	write := flag.Bool("write", false, "write the tables into README.md, and the chart beside it")
	check := flag.Bool("check", false, "fail if they are not current")
	dir := flag.String("dir", filepath.Join("sync", "aimd"), "where README.md is")
	flag.IntVar(&o.seeds, "seeds", seeds, "runs of each scenario")
	flag.IntVar(&o.calls, "n", 0, "calls of a client; 0: 500, and then 5,000")
	flag.StringVar(&o.scenario, "scenario", "", "only this one, such as S1")
	flag.StringVar(&o.policy, "policy", "", "only this one, such as usersyncd")
	flag.Parse()
	if err := run(o, os.Stdout, *dir, *write, *check); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(o options, stdout io.Writer, dir string, write, check bool) error {
	if (write || check) && o != (options{seeds: seeds}) {
		return errors.New("-write and -check are about all of it: leave -seeds, -n, -scenario and -policy out")
	}
	tables := o.tables()
	if !write && !check {
		_, err := io.WriteString(stdout, tables)
		return err
	}
	readme, chart := filepath.Join(dir, "README.md"), filepath.Join(dir, "chart.svg")
	old, err := os.ReadFile(readme)
	if err != nil {
		return err
	}
	before, rest, found := strings.Cut(string(old), begin)
	_, after, ended := strings.Cut(rest, end)
	if !found || !ended {
		return fmt.Errorf("%s has no place for the tables: it needs the lines\n%s%s", readme, begin, end)
	}
	text, drawing := []byte(before+begin+tables+end+after), []byte(draw())
	if check {
		drawn, err := os.ReadFile(chart)
		if err != nil {
			return err
		}
		if !bytes.Equal(old, text) || !bytes.Equal(drawn, drawing) {
			return errStale
		}
		return nil
	}
	return errors.Join(os.WriteFile(readme, text, 0o644), os.WriteFile(chart, drawing, 0o644))
}
