package spec

import (
	"fmt"
	"io"
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
	value  string // of HEAD: a ref or a commit
	commit string // "" if it cannot be told: no commit yet, or a ref store other than files
}

// findCheckout walks up from dir to the first .git.
func findCheckout(dir string) checkout {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return checkout{}
	}
	for {
		if gitDir, ok := gitDirOf(dir); ok {
			c := checkout{gitDir: gitDir, commonDir: gitDir}
			if common := firstLine(filepath.Join(gitDir, "commondir")); common != "" {
				c.commonDir = within(gitDir, common)
			}
			return c
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return checkout{}
		}
		dir = parent
	}
}

// gitDirOf reads dir/.git, which is a folder, or in a worktree or submodule a file that names one.
func gitDirOf(dir string) (gitDir string, ok bool) {
	git := filepath.Join(dir, ".git")
	info, err := os.Stat(git)
	if err != nil {
		return "", false
	}
	if !info.IsDir() {
		to, found := strings.CutPrefix(firstLine(git), "gitdir: ")
		if !found {
			return "", false
		}
		git = within(dir, to)
	}
	return git, firstLine(filepath.Join(git, "HEAD")) != ""
}

// head reads the commit. It is ErrMoved while git works in the checkout, as the files are then of two commits.
func (c checkout) head() (head, error) {
	if c.gitDir == "" {
		return head{}, nil
	}
	lock := filepath.Join(c.gitDir, "index.lock")
	if _, err := os.Lstat(lock); err == nil {
		return head{}, fmt.Errorf("git is at work in it, or left %s behind: %w", lock, ErrMoved)
	}
	value := firstLine(filepath.Join(c.gitDir, "HEAD"))
	return head{value: value, commit: c.resolve(value)}, nil
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

func within(dir, name string) string {
	if filepath.IsAbs(name) {
		return name
	}
	return filepath.Join(dir, name)
}
