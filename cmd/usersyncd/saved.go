package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"time"

	"usersyncd/cmd/usersyncd/internal/config"
	"usersyncd/spec/text"
	usersync "usersyncd/sync"
	"usersyncd/sync/plan"
	"usersyncd/sync/plan/saved"
)

// largestPlan is the largest file of a plan that is read, in bytes: one of 100,000 users with every field has less.
const largestPlan = 1 << 30

// planIDs are the ids and the digests of plans. Everything else that names a plan is a file.
const planIDs = `^(p-[0-9a-f]{8}|sha256:[0-9a-f]{64})$`

// savePlan writes a plan to a file, and says so.
func (a *app) savePlan(ctx context.Context, c *config.Config, p process, res *usersync.Result, name string, values bool) error {
	id, orgName, err := a.genesys.Identify(ctx)
	if err != nil {
		return err
	}
	s := saved.New(plan.Effects(res.Changes, res.Holds))
	s.Created, s.Program, s.Dir, s.Revision, s.Settings = time.Now().UTC().Truncate(time.Second), version(), c.Dir, res.Revision, c.Decisive()
	s.Org = saved.Org{ID: id, Name: orgName, API: a.API}
	for _, h := range res.Holds {
		s.Holds = append(s.Holds, saved.Hold{ID: h.ID, Guard: h.Guard, Users: h.Users, Reason: h.Reason})
	}
	s.Calls, s.Seconds = res.Estimate.Calls, res.Estimate.Seconds
	if !values {
		s = s.WithoutValues()
	}
	data, err := s.Encode()
	if err == nil {
		err = errors.Join(replaceable(name), writeFile(name, data))
	}
	if err != nil {
		return fmt.Errorf("the plan is not saved: %w", err)
	}
	p.end.after = func(w io.Writer) {
		if ci, _ := c.Getenv("CI"); ci == "true" { // another job does it, without a terminal to ask on
			fmt.Fprintf(w, "Saved in %s\n", text.Escape(name))
			return
		}
		fmt.Fprintf(w, "Saved in %s. To carry it out: usersyncd apply%s %s\n", text.Escape(name), c.SamePass(), text.ShellWord(name))
	}
	return nil
}

// apart refuses an output that is written to the file of a plan, and keeps what is in it.
func apart(c *config.Config, plan string) error {
	for i, o := range c.Outputs {
		if o.File != "" && filepath.Clean(o.File) == filepath.Clean(plan) {
			c.Outputs = slices.Delete(c.Outputs, i, i+1)
			return usage("--out: %s and the plan are both written to %s: give one of them another file", o.Format, o.File)
		}
	}
	return nil
}

// replaceable refuses the name of a file that is there and is no plan.
func replaceable(name string) error {
	if info, err := os.Stat(filepath.Dir(name)); err != nil || !info.IsDir() {
		return usage("%s: the folder does not exist", name)
	}
	info, err := os.Lstat(name)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return nil
	case err != nil:
		return usage("%w", err)
	case !info.Mode().IsRegular():
		return usage("%s is no file that a plan could replace: give another name", name)
	case info.Size() == 0: // such as mktemp makes
		return nil
	}
	if data, err := readFile(name); err != nil {
		return err
	} else if !saved.IsPlan(data) {
		return usage("%s exists, and is no plan of usersyncd: give another name, or remove it", name)
	}
	return nil
}

func readFile(name string) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, usage("%w", err)
	}
	defer func() { _ = f.Close() }()
	data, err := io.ReadAll(io.LimitReader(f, largestPlan+1))
	switch {
	case err != nil:
		return nil, usage("%w", err)
	case len(data) > largestPlan:
		return nil, usage("%s: %w: it is larger than any", name, saved.ErrFormat)
	}
	return data, nil
}

// readPlan reads a file of plan --out.
func readPlan(name string) (*saved.Plan, error) {
	if _, err := os.Stat(name); errors.Is(err, os.ErrNotExist) {
		return nil, usage("--plan %s: no such file or directory: give a file of plan --out, or the id or digest of a plan", name)
	}
	data, err := readFile(name)
	if err != nil {
		return nil, err
	}
	s, err := saved.Parse(data)
	if err != nil {
		return nil, usage("%s: %w", name, err)
	}
	return s, nil
}

func isPlanID(name string) bool { return regexp.MustCompile(planIDs).MatchString(name) }

// dirOfPlan makes the directory that a file of a plan names, if it is given one, that of the specs, unless another one is given.
func dirOfPlan(args []string, c *config.Config, name string) error {
	if name == "" || isPlanID(name) || len(args) > 0 || c.Dir != "" {
		return nil
	}
	s, err := readPlan(name)
	if err == nil {
		c.Dir = s.Dir
	}
	return err
}

// approved returns what is limited to by a name: the plan of a file, which may be carried out by this run, or an id or a digest.
func (a *app) approved(ctx context.Context, c *config.Config, name string) (approved *plan.Approved, id string, err error) {
	if name == "" {
		return nil, "", nil
	}
	if isPlanID(name) {
		return nil, name, nil
	}
	s, err := readPlan(name)
	if err != nil {
		return nil, "", err
	}
	if err := s.CheckAge(time.Now(), c.PlanMaxAge); err != nil {
		return nil, "", &exitError{code: exitHeld, err: fmt.Errorf("%s %w", name, err)}
	}
	orgID, orgName, err := a.genesys.Identify(ctx)
	if err != nil {
		return nil, "", err
	}
	if err := s.CheckOrg(saved.Org{ID: orgID, Name: orgName, API: a.API}); err != nil {
		return nil, "", usage("%s %w", name, err)
	}
	if err := s.CheckSettings(c.Decisive()); err != nil {
		return nil, "", usage("%s: %w", name, err)
	}
	return &plan.Approved{Plan: s, Name: name, Released: c.Release}, "", nil
}
