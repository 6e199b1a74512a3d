package main

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"usersyncd/cmd/usersyncd/internal/config"
	"usersyncd/cmd/usersyncd/internal/report"
	"usersyncd/cmd/usersyncd/internal/stream"
	"usersyncd/spec/checkout"
)

// writeReports writes each output that was asked for. Files come first, as one that cannot be written changes the exit code
// that the JSON has.
func (p process) writeReports(c *config.Config) (failed []error) {
	outputs := slices.Clone(c.Outputs)
	rank := func(o config.Target) int {
		switch {
		case o.File == "":
			return 2
		case o.Format == config.JSON:
			return 1
		}
		return 0
	}
	slices.SortStableFunc(outputs, func(a, b config.Target) int { return cmp.Compare(rank(a), rank(b)) })
	for _, o := range outputs {
		t := p.text(c)
		if o.File == "" {
			t.Shown = p.end.shown
		}
		if o.File != "" || o.Format != config.Text {
			t.Columns, t.Color = 0, false
		}
		data, err := p.end.render(o, t)
		if err == nil && o.File == "" {
			_, err = p.stdout.Write(data)
		} else if err == nil {
			err = writeFile(o.File, data)
		}
		if err != nil {
			failed = append(failed, fmt.Errorf("%s is not written: %w", cmp.Or(o.File, "stdout"), err))
			p.end.ExitCode = cmp.Or(p.end.ExitCode, exitFatal)
		}
	}
	return failed
}

// appendForGitHub appends the summary and the outputs of the step to the files that GitHub Actions names.
func (e *ending) appendForGitHub(c *config.Config) (failed []error) {
	summary, _ := c.Getenv("GITHUB_STEP_SUMMARY")
	outputs, _ := c.Getenv("GITHUB_OUTPUT")
	for name, data := range map[string][]byte{summary: e.Markdown(), outputs: e.GitHubOutputs()} {
		if name == "" || len(data) == 0 {
			continue
		}
		f, err := os.OpenFile(name, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
		if err == nil {
			_, err = f.Write(data)
			err = errors.Join(err, f.Close())
		}
		if err != nil {
			failed = append(failed, fmt.Errorf("what GitHub shows of the step is not written: %w", err))
		}
	}
	return failed
}

// render makes the report of one output.
func (e *ending) render(o config.Target, t report.Text) ([]byte, error) {
	switch o.Format {
	case config.JSON:
		return e.JSON()
	case config.Markdown:
		return e.Markdown(), nil
	case config.JUnit:
		return e.JUnit()
	case config.GitLab:
		return e.GitLab()
	case config.GitLabPlan:
		return e.GitLabPlan()
	}
	if o.Format == config.GitHub && o.File != "" {
		return []byte(strings.Join(append(e.GitHub(), ""), "\n")), nil
	}
	var b bytes.Buffer
	safe := stream.New(&b) // as a file is printed by somebody, too
	if e.text != nil {
		e.text(t, safe)
	}
	return b.Bytes(), nil
}

// repositoryDir is the folder of the specs relative to what CI has as the repository: the work tree of git, else what the
// runner names, else the working directory. It is the folder itself if it is in none of these.
func repositoryDir(c *config.Config) string {
	dir, err := filepath.EvalSymlinks(c.Dir)
	if err == nil {
		dir, err = filepath.Abs(dir)
	}
	if err != nil {
		return filepath.ToSlash(filepath.Clean(c.Dir))
	}
	github, _ := c.Getenv("GITHUB_WORKSPACE")
	gitlab, _ := c.Getenv("CI_PROJECT_DIR")
	working, _ := os.Getwd()
	for _, top := range []string{checkout.WorkTree(dir), github, gitlab, working} {
		if top, err = filepath.EvalSymlinks(top); err != nil || top == "" {
			continue
		}
		if rel, err := filepath.Rel(top, dir); err == nil && filepath.IsLocal(rel) {
			return filepath.ToSlash(rel)
		}
	}
	return filepath.ToSlash(filepath.Clean(c.Dir))
}

// writeFile writes a file that its owner alone can read. It replaces one of that name when the new one is complete; what is no
// file, such as a pipe, is written to.
func writeFile(name string, data []byte) (err error) {
	if info, err := os.Stat(name); err == nil && !info.Mode().IsRegular() && !info.IsDir() {
		return os.WriteFile(name, data, 0o600)
	}
	f, err := os.CreateTemp(filepath.Dir(name), "."+filepath.Base(name)+"-*") // of mode 0600
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(f.Name(), name)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return nil
}
