package checkout

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// repo is the place of a work tree and its repository.
type repo struct {
	workTree  string // the folder that has .git, links resolved
	gitDir    string // "" outside git
	commonDir string // where refs and config are; not gitDir in a linked worktree
}

// GitDir is the git directory of the checkout that a folder is in: its .git, or what that names in a worktree or
// submodule. It is "" outside git, and where it cannot be read, for which [Reader.Open] returns an error.
func GitDir(dir string) string { return repoOf(dir).gitDir }

// WorkTree is the work tree that a folder is in, links resolved; "" outside git.
func WorkTree(dir string) string { return repoOf(dir).workTree }

// repoOf is the repository that a folder is in, empty if there is none that can be read.
func repoOf(dir string) repo {
	dir, err := realPath(dir)
	if err != nil {
		return repo{}
	}
	r, err := find(dir)
	if err != nil {
		return repo{}
	}
	return r
}

// realPath is an absolute path with links resolved.
func realPath(dir string) (string, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	return filepath.EvalSymlinks(dir)
}

// find walks up from dir, a real path, to the first .git. Outside git the repo is empty.
func find(dir string) (repo, error) {
	for {
		gitDir, found, err := gitDirOf(dir)
		switch {
		case err != nil:
			return repo{}, err
		case gitDir != "":
			r := repo{workTree: dir, gitDir: gitDir, commonDir: gitDir}
			if common, _ := firstLine(filepath.Join(gitDir, "commondir")); common != "" {
				r.commonDir = within(gitDir, common)
			}
			return r, nil
		case found || dir == filepath.Dir(dir):
			return repo{}, nil
		}
		dir = filepath.Dir(dir)
	}
}

// gitDirOf reads dir/.git, which is a folder, or in a worktree or submodule a file that names one. If what it names is
// missing, as after a worktree was copied elsewhere, found is true: then dir does not belong to a repository further up
// either.
func gitDirOf(dir string) (gitDir string, found bool, err error) {
	git := filepath.Join(dir, ".git")
	info, err := os.Stat(git)
	if err != nil {
		return "", false, nil //nolint:nilerr // it does not exist for us
	}
	if !info.IsDir() {
		line, err := firstLine(git)
		to, isLink := strings.CutPrefix(line, "gitdir: ")
		if err != nil || !isLink {
			return "", false, err
		}
		found, git = true, within(dir, to)
	}
	line, err := firstLine(filepath.Join(git, "HEAD"))
	if err != nil || line == "" {
		return "", found, err
	}
	return git, true, nil
}

// firstLine is the first line of a small file; "" if there is none. The error is errUnreadable if it may not be read.
func firstLine(name string) (string, error) {
	text, err := readFile(name, 4096)
	switch {
	case errors.Is(err, fs.ErrPermission):
		return "", fmt.Errorf("%s %w", name, errUnreadable)
	case err != nil && !errors.Is(err, errTooLarge):
		return "", nil
	}
	line, _, _ := strings.Cut(string(text), "\n")
	return strings.TrimSpace(line), nil
}

var errTooLarge = errors.New("too large")

// readFile reads a file. Of one larger than limit bytes it returns the beginning, and errTooLarge. Its errors do not name
// the file.
func readFile(name string, limit int64) ([]byte, error) {
	f, err := os.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0) // a FIFO does not block
	if err != nil {
		return nil, cause(err)
	}
	defer func() { _ = f.Close() }()
	data, err := io.ReadAll(io.LimitReader(f, limit+1))
	switch {
	case err != nil:
		return nil, cause(err)
	case int64(len(data)) > limit:
		return data[:limit], errTooLarge
	}
	return data, nil
}

// cause is an error without its path, which the caller adds.
func cause(err error) error {
	if at, ok := errors.AsType[*fs.PathError](err); ok {
		return at.Err
	}
	return err
}

var errUnreadable = errors.New("may not be read by the user that usersyncd runs as, so it cannot tell whether git is at work in the checkout; change its permissions")

func within(dir, name string) string {
	if filepath.IsAbs(name) {
		return name
	}
	return filepath.Join(dir, name)
}
