package main

import (
	"bytes"
	"fmt"
	"io"
	"time"

	"usersyncd/cmd/usersyncd/internal/config"
	"usersyncd/cmd/usersyncd/internal/logging"
	"usersyncd/cmd/usersyncd/internal/report"
	"usersyncd/cmd/usersyncd/internal/stream"
	"usersyncd/spec"
	"usersyncd/spec/text"
)

// show writes what a command without reports has found: as JSON, or as text, to stdout or files, as --output asks for.
func (p process) show(c *config.Config, v any, print func(w io.Writer)) error {
	for _, o := range c.Outputs {
		var b bytes.Buffer
		if o.Format == config.JSON {
			data, err := report.Encode(v)
			if err != nil {
				return err
			}
			b.Write(data)
		} else {
			print(stream.New(&b)) // as a file is printed by somebody, too
		}
		if o.File != "" {
			if err := writeFile(o.File, b.Bytes()); err != nil {
				return err
			}
		} else if _, err := p.stdout.Write(b.Bytes()); err != nil {
			return err
		}
	}
	return nil
}

// text is how text for people is written on stdout.
func (p process) text(c *config.Config) report.Text {
	return report.Text{Columns: logging.Width(p.stdout), Color: colored(c, p.stdout), Now: time.Now()}
}

func printEach[T any](w io.Writer, list []T) {
	for _, v := range list {
		fmt.Fprintln(w, v)
	}
}

// printProblems writes a line for each problem, and how many there are.
func printProblems(w io.Writer, found spec.ProblemList) {
	files := map[string]bool{}
	for _, p := range found.Problems {
		files[p.File] = true
		fmt.Fprintln(w, p)
	}
	if found.ProblemsLeftOut > 0 {
		fmt.Fprintf(w, "%d errors; the first %d are shown\n", found.ProblemCount(), len(found.Problems))
		return
	}
	fmt.Fprintf(w, "%s in %s\n", text.Plural(len(found.Problems), "error"), text.Plural(len(files), "file"))
}
