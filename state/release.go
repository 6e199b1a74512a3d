package state

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// releaseSuffix begins the name of a request to release what a guard holds: STATE.release-PLAN. It is a
// file of its own because a running daemon has the state file's lock.
const releaseSuffix = ".release-"

// ErrPlanID is returned for a release of something that cannot be the id of a plan.
var ErrPlanID = errors.New("is not the id of a plan, such as p-1f3ac24e")

var planID = regexp.MustCompile(`^p-[0-9a-f]{1,64}$`)

// CheckPlanID returns ErrPlanID for what cannot be the id of a plan.
func CheckPlanID(plan string) error {
	if !planID.MatchString(plan) {
		return fmt.Errorf("%q %w", plan, ErrPlanID)
	}
	return nil
}

// Release asks the next pass that uses the state file at path to release what is held under a plan's id.
// The state file must exist, and be one that we could use; it is not opened.
func Release(path, plan string) error {
	if err := CheckPlanID(plan); err != nil {
		return err
	}
	if err := checkFile(path, os.O_RDONLY); err != nil {
		return fmt.Errorf("ask for a release: %w", err)
	}
	f, err := os.OpenFile(path+releaseSuffix+plan, os.O_CREATE|os.O_WRONLY|openFlags, 0o600)
	if err != nil {
		return fmt.Errorf("ask for a release: %w", err)
	}
	return errors.Join(f.Close(), syncDir(path))
}

// requests lists the plans whose release was asked for. What another user could have put there does not count.
func (s *Store) requests() ([]string, error) {
	if s.deaf {
		return nil, nil
	}
	path := s.path
	entries, err := os.ReadDir(filepath.Dir(path))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	} else if err != nil {
		return nil, err
	}
	var plans []string
	for _, e := range entries {
		plan, ok := strings.CutPrefix(e.Name(), filepath.Base(path)+releaseSuffix)
		if ok && planID.MatchString(plan) && trusted(path+releaseSuffix+plan) {
			plans = append(plans, plan)
		}
	}
	slices.Sort(plans)
	return plans, nil
}

// trusted reports whether a request was made by the state file's owner, or by root.
func trusted(path string) bool {
	info, err := os.Lstat(path)
	if err != nil || !info.Mode().IsRegular() || info.Mode().Perm()&0o022 != 0 {
		return false
	}
	uid, _, ok := ownerAndLinks(info)
	return !ok || uid == 0 || uid == os.Geteuid()
}

// Requested takes requests for release back, as they were dealt with. It must not be called on a store that
// was opened for reading.
func (s *Store) Requested(plans []string) error {
	if s.readOnly {
		return fmt.Errorf("state file %s: %w", s.path, ErrReadOnly)
	}
	var failed error
	for _, plan := range plans {
		if err := os.Remove(s.path + releaseSuffix + plan); err != nil && !errors.Is(err, fs.ErrNotExist) {
			failed = errors.Join(failed, err)
		}
	}
	return failed
}
