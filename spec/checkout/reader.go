package checkout

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// A Reader reads the checkout that a folder is in, repeatedly. It is not safe for concurrent use.
type Reader struct {
	wanted  func(name string, folder bool) bool
	indexes map[string]*index              // by git directory
	ids     map[[sha256.Size]byte]objectID // of files that had to be hashed, by the SHA-256 of their content
}

// NewReader makes a reader. wanted selects the files to compare and the folders that may hold some, by slash-separated
// path relative to the folder that is read; "." is that folder itself.
func NewReader(wanted func(name string, folder bool) bool) *Reader {
	return &Reader{wanted: wanted}
}

// A Checkout is the state of a checkout at one moment.
type Checkout struct {
	reader     *Reader
	dir, given string    // the folder, as passed to Open
	modules    []*module // the work tree of the folder, and the submodules below the folder, each after its parent
}

// A module is a work tree: that of the folder, or a submodule below it.
type module struct {
	repo
	at     head
	folder string // the folder's path in the work tree; "" if it is that
	mount  string // the work tree's path in the folder; "" if it is not below it
	config config
	index  *index // nil if it cannot be read
	why    string // the reason for that
	rules  *attributes
}

// Open reads the checkout that dir is in; given is the path before links were resolved, for people. The error is
// ErrTreeChanged while a git command is unfinished there, or says which part of .git may not be read.
func (r *Reader) Open(dir, given string) (*Checkout, error) {
	dir, err := realPath(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w: %w", err, ErrTreeChanged)
	} else if err != nil {
		return nil, err
	}
	repo, err := find(dir)
	if err != nil {
		return nil, err
	}
	m := &module{repo: repo}
	if m.at, err = repo.head(); err != nil {
		return nil, err
	}
	if folder, err := filepath.Rel(repo.workTree, dir); err == nil && folder != "." { // find has walked up from dir
		m.folder = folder
	}
	c := &Checkout{r, dir, given, []*module{m}}
	used := map[string]*index{}
	for i := 0; i < len(c.modules) && repo.gitDir != ""; i++ {
		if err := c.open(c.modules[i], used); err != nil {
			return nil, err
		}
	}
	r.indexes = used
	return c, nil
}

// open reads a work tree's configuration and index, and adds its submodules below the folder.
func (c *Checkout) open(m *module, used map[string]*index) (err error) {
	if m.config, err = m.readConfig(); err != nil {
		m.why = err.Error()
	} else {
		m.index, m.why = c.reader.readIndex(m)
	}
	if m.index == nil {
		return nil
	}
	used[m.gitDir] = m.index
	for _, sub := range m.index.submodules {
		if sub.path == "." {
			continue // the folder is in a submodule that is not initialised
		}
		dir := filepath.Join(c.dir, sub.path)
		gitDir, _, err := gitDirOf(dir)
		if err != nil {
			return err
		}
		if gitDir == "" || used[gitDir] != nil {
			continue
		}
		s := &module{repo: repo{workTree: dir, gitDir: gitDir, commonDir: gitDir}, mount: sub.path}
		if s.at, err = s.head(); err != nil {
			return err
		}
		c.modules = append(c.modules, s)
	}
	return nil
}

// inTree is the path in the work tree of a path relative to the folder.
func (m *module) inTree(name string) string {
	if m.mount != "" {
		return strings.TrimPrefix(name, m.mount+"/")
	}
	return pathBelow(m.folder, name)
}

// readIndex reads a work tree's index, unless it is cached. If it cannot be read, why is the reason.
func (r *Reader) readIndex(m *module) (x *index, why string) {
	format := sha1Format()
	switch name := m.config.last("extensions.objectformat"); strings.ToLower(name) {
	case "", "sha1":
	case "sha256":
		format = sha256Format()
	default:
		return nil, fmt.Sprintf("%s uses the object format %s, which is not supported", m.gitDir, name)
	}
	if tree := m.config.last("core.worktree"); tree != "" && m.gitDir == m.commonDir && !sameFolder(within(m.gitDir, tree), m.workTree) {
		return nil, fmt.Sprintf("%s has another work tree (core.worktree is %s)", m.gitDir, tree)
	}
	switch {
	case m.at.index == nil:
		return nil, m.indexPath() + " does not exist: git never checked anything out"
	case !m.at.index.Mode().IsRegular():
		return nil, m.indexPath() + " is not a regular file"
	}
	if old := r.indexes[m.gitDir]; old != nil && old.folder == m.folder && old.mount == m.mount && sameFile(old.file, m.at.index) {
		return old, ""
	}
	x = &index{file: m.at.index, format: format, folder: m.folder, mount: m.mount, wanted: r.wanted}
	if err := x.read(m.indexPath()); err != nil {
		return nil, err.Error()
	}
	return x, ""
}

func (r repo) indexPath() string { return filepath.Join(r.gitDir, "index") }

func sameFolder(a, b string) bool {
	is, err := os.Stat(a)
	other, err2 := os.Stat(b)
	return err == nil && err2 == nil && os.SameFile(is, other)
}

// Commit is the commit of HEAD: "" outside git, before the first commit, and if it is unknown.
func (c *Checkout) Commit() string { return c.modules[0].at.commit }

// OnBranch returns ErrBranch unless the checkout is on a branch.
func (c *Checkout) OnBranch(name string) error { return c.modules[0].at.onBranch(name) }

// Unchanged returns ErrTreeChanged if git has changed something since Open, or is about to.
func (c *Checkout) Unchanged() error {
	for _, m := range c.modules {
		switch now, err := m.head(); {
		case err != nil:
			return err
		case !m.at.same(now):
			return fmt.Errorf("git changed it: %w", ErrTreeChanged)
		}
	}
	return nil
}

// pathBelow joins two slash-separated paths; above may be "".
func pathBelow(above, name string) string {
	if above == "" {
		return name
	}
	return above + "/" + name
}
