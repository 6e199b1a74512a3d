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

// repo is where a work tree and its repository are.
type repo struct {
	workTree  string // the folder that has .git, without links
	gitDir    string // "" outside git
	commonDir string // where refs and config are; not gitDir in a linked worktree
}

// GitDir is the repository of the checkout that a folder is in: its .git, or what that names in a worktree
// or submodule. It is "" outside git, and where it cannot be told, which [Reader.Open] says.
func GitDir(dir string) string {
	dir, err := realPath(dir)
	if err != nil {
		return ""
	}
	r, err := find(dir)
	if err != nil {
		return ""
	}
	return r.gitDir
}

// realPath is an absolute path without links. A relative one may be relative to a link: the shell says where it is.
func realPath(dir string) (string, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	return filepath.EvalSymlinks(dir)
}

// find walks up from dir, a real path, to the first .git. Without one the repo is empty.
func find(dir string) (repo, error) {
	for {
		gitDir, found, err := gitDirOf(dir)
		switch {
		case err != nil:
			return repo{}, err
		case gitDir != "":
			r := repo{workTree: dir, gitDir: gitDir, commonDir: gitDir}
			if common := firstLine(filepath.Join(gitDir, "commondir")); common != "" {
				r.commonDir = within(gitDir, common)
			}
			return r, nil
		case found || dir == filepath.Dir(dir):
			return repo{}, nil
		}
		dir = filepath.Dir(dir)
	}
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

// firstLine is a small file's first line, or "".
func firstLine(name string) string {
	text, err := readFile(name, 4096)
	if err != nil && !errors.Is(err, errTooLarge) {
		return ""
	}
	line, _, _ := strings.Cut(string(text), "\n")
	return strings.TrimSpace(line)
}

var errTooLarge = errors.New("too large")

// readFile reads a file of at most limit bytes. Of a larger one it returns the beginning, and errTooLarge. Its errors do
// not name the file.
func readFile(name string, limit int64) ([]byte, error) {
	f, err := os.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0) // a FIFO must not make us wait
	if err != nil {
		return nil, cause(err)
	}
	defer func() { _ = f.Close() }()
	size := 0
	if info, err := f.Stat(); err == nil {
		size = int(min(info.Size(), limit))
	}
	data := make([]byte, 0, size+512)
	for int64(len(data)) <= limit {
		if len(data) == cap(data) {
			data = append(data, 0)[:len(data)]
		}
		n, err := f.Read(data[len(data):cap(data)])
		data = data[:len(data)+n]
		if errors.Is(err, io.EOF) {
			return data, nil
		}
		if err != nil {
			return nil, cause(err)
		}
	}
	return data[:limit], errTooLarge
}

// cause is an error without the path, which the caller says.
func cause(err error) error {
	if at, ok := errors.AsType[*fs.PathError](err); ok {
		return at.Err
	}
	return err
}

// errUnreadable: without its .git a checkout cannot be told to be still.
var errUnreadable = errors.New("may not be read by the user that usersyncd runs as, so it cannot tell whether git is at work in the checkout; change its permissions")

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
