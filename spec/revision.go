package spec

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
)

// checkout is the git repository that a folder is in, read from its files. Git itself is never run:
// a repository's own configuration can make it execute anything.
type checkout struct {
	gitDir    string // "" outside git
	commonDir string // where the refs are; not gitDir in a linked worktree
}

// head is what a checkout stands at.
type head struct {
	value  string      // of HEAD: a ref or a commit
	commit string      // "" if it cannot be told: no commit yet, or a ref store other than files
	index  os.FileInfo // nil if there is none: nothing was ever checked out
}

// findCheckout walks up from dir to the first .git. Without one the checkout is empty.
func findCheckout(dir string) (checkout, error) {
	dir, err := filepath.Abs(dir)
	for err == nil {
		gitDir, found, bad := gitDirOf(dir)
		switch {
		case bad != nil:
			return checkout{}, bad
		case gitDir != "":
			c := checkout{gitDir: gitDir, commonDir: gitDir}
			if common := firstLine(filepath.Join(gitDir, "commondir")); common != "" {
				c.commonDir = within(gitDir, common)
			}
			return c, nil
		case found || dir == filepath.Dir(dir):
			return checkout{}, nil
		}
		dir = filepath.Dir(dir)
	}
	return checkout{}, err
}

// gitDirOf reads dir/.git, which is a folder, or in a worktree or submodule a file that names one. What it
// names may be missing, as with a worktree that was copied elsewhere: then dir belongs to no repository
// that can be found, and not to one further up either.
func gitDirOf(dir string) (gitDir string, found bool, err error) {
	git := filepath.Join(dir, ".git")
	info, err := os.Stat(git)
	if err != nil {
		return "", false, nil //nolint:nilerr // what we cannot reach is not there for us
	}
	if !info.IsDir() {
		if err := mayRead(git); err != nil {
			return "", false, err
		}
		to, names := strings.CutPrefix(firstLine(git), "gitdir: ")
		if !names {
			return "", false, nil
		}
		found, git = true, within(dir, to)
	}
	name := filepath.Join(git, "HEAD")
	if err := mayRead(name); err != nil {
		return "", false, err
	}
	if firstLine(name) == "" {
		return "", found, nil
	}
	return git, true, nil
}

// head reads the commit. It is ErrMoved while git works in the checkout, as the files are then of two commits.
func (c checkout) head() (head, error) {
	if c.gitDir == "" {
		return head{}, nil
	}
	if err := c.busy(); err != nil {
		return head{}, err
	}
	value := firstLine(filepath.Join(c.gitDir, "HEAD"))
	h := head{value: value, commit: c.resolve(value)}
	if info, err := os.Lstat(filepath.Join(c.gitDir, "index")); err == nil {
		h.index = info
	}
	return h, nil
}

var (
	commitID = regexp.MustCompile(`^([0-9a-f]{40}|[0-9a-f]{64})$`)
	refName  = regexp.MustCompile(`^refs(/[^/.][^/]*)+$`)
)

// resolve follows symbolic refs to a commit.
func (c checkout) resolve(value string) string {
	for range 5 { // git's own limit
		name, symbolic := strings.CutPrefix(value, "ref: ")
		if !symbolic {
			break
		}
		if name = strings.TrimSpace(name); !refName.MatchString(name) {
			return ""
		}
		value = firstLine(filepath.Join(c.gitDir, name))
		if value == "" {
			value = firstLine(filepath.Join(c.commonDir, name))
		}
		if value == "" {
			value = c.packed(name)
		}
	}
	if !commitID.MatchString(value) {
		return ""
	}
	return value
}

// packed finds a ref in packed-refs, whose lines are "<commit> <name>".
func (c checkout) packed(name string) string {
	text, err := os.ReadFile(filepath.Join(c.commonDir, "packed-refs"))
	if err != nil {
		return ""
	}
	for line := range strings.Lines(string(text)) {
		if commit, found := strings.CutSuffix(strings.TrimRight(line, "\r\n"), " "+name); found {
			return commit
		}
	}
	return ""
}

// firstLine is a small file's first line, or "".
func firstLine(name string) string {
	f, err := os.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0) // a FIFO must not make us wait
	if err != nil {
		return ""
	}
	defer func() { _ = f.Close() }()
	text, err := io.ReadAll(io.LimitReader(f, 4096))
	if err != nil {
		return ""
	}
	line, _, _ := strings.Cut(string(text), "\n")
	return strings.TrimSpace(line)
}

// mayRead is errUnreadable if a file may not be read. That it is missing is another matter.
func mayRead(name string) error {
	f, err := os.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	switch {
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("%s %w", name, errUnreadable)
	case err == nil:
		_ = f.Close() // only looked at
	}
	return nil
}

func within(dir, name string) string {
	if filepath.IsAbs(name) {
		return name
	}
	return filepath.Join(dir, name)
}
