package spec

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"usersyncd/spec/checkout"
	"usersyncd/spec/strictyaml"
)

// Loader reads one tree of specs again and again, and parses only what changed in between.
// Several goroutines may use it, and wait for each other.
type Loader struct {
	Branch string // the one that the checkout must be on; "": any. It may be changed while nobody uses the loader

	mu       sync.Mutex
	dir      string
	git      *checkout.Reader
	users    map[string]parsedUsers    // by path
	defaults map[string]parsedDefaults // by path
}

// parsedUsers is a file of users as it was read under what it then inherited.
type parsedUsers struct {
	hash         [sha256.Size]byte
	inherited    string // inherited.digest
	declarations []declaration
	problems     []Problem
}

// NewLoader makes a loader for the folder, which may be a symbolic link to one.
func NewLoader(dir string) *Loader { return &Loader{dir: dir, git: checkout.NewReader(ofSpecs)} }

// Load parses the files whose content, or whose inherited defaults, changed since the last Load, and
// checks the whole. What is wrong with the specs is in Tree.Problems; the error says that the tree
// could not be read at all, or is ErrTreeChanged if a file is no longer what the scan saw.
//
// Users of unchanged files are the same pointers in every Tree: they are not to be written to.
func (l *Loader) Load(ctx context.Context, s *Scan) (*Tree, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	t, err := l.load(ctx, s)
	if err != nil {
		return nil, fmt.Errorf("loading %s: %w", l.dir, err)
	}
	return t, nil
}

func (l *Loader) load(ctx context.Context, s *Scan) (*Tree, error) {
	root, err := l.open(s)
	if err != nil {
		return nil, err
	}
	defer func() { _ = root.Close() }()

	var users, defaults []file
	for _, f := range s.files {
		if IsDefaults(f.path) {
			defaults = append(defaults, f)
		} else {
			users = append(users, f)
		}
	}
	t := &Tree{Digest: s.Digest, Revision: s.Revision, State: s.State, Files: s.Files}
	t.Problems = append(t.Problems, s.problems...)
	inherit, err := l.loadDefaults(root, defaults, t)
	if err != nil {
		return nil, err
	}
	all, err := l.loadUsers(ctx, root, users, inherit, t)
	if err != nil {
		return nil, err
	}
	t.check(all)
	return t, nil
}

// open opens the folder that was scanned.
func (l *Loader) open(s *Scan) (*os.Root, error) {
	root, err := os.OpenRoot(s.root)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s vanished: %w", s.root, ErrTreeChanged)
	}
	return root, err
}

func (l *Loader) loadUsers(ctx context.Context, root *os.Root, files []file, inherit *folders, t *Tree) ([]declaration, error) {
	above := make([]inherited, len(files)) // worked out before the goroutines start
	for i, f := range files {
		above[i] = inherit.above(path.Dir(f.path))
	}
	read := make([]parsedUsers, len(files))
	var parsed atomic.Int64
	err := inChunks(ctx, len(files), root, func(o *opener, i int) (err error) {
		f := &files[i]
		old, hit := l.users[f.path]
		switch {
		case f.bad:
		case hit && old.hash == f.hash && old.inherited == above[i].digest:
			read[i] = old
		default:
			parsed.Add(1)
			read[i], err = parseUsers(o, f, above[i])
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	t.Parsed += int(parsed.Load())

	var all []declaration
	l.users = make(map[string]parsedUsers, len(files)) // files that are gone are forgotten
	for i, f := range files {
		l.users[f.path] = read[i]
		t.Problems = append(t.Problems, read[i].problems...)
		all = append(all, read[i].declarations...)
	}
	return all, nil
}

func parseUsers(o *opener, f *file, above inherited) (parsedUsers, error) {
	p := parsedUsers{hash: f.hash, inherited: above.digest}
	docs, problems, err := parseFile(o, f)
	if err != nil {
		return p, err
	}
	p.problems = problems
	if len(docs) > 0 || len(problems) == 0 {
		p.declarations, problems = readUsers(f.path, docs, above)
		p.problems = append(p.problems, problems...)
	}
	return p, nil
}

// parseFile parses a file that must still be what was scanned.
func parseFile(o *opener, f *file) (docs []*strictyaml.Node, problems []Problem, err error) {
	content, err := readUnmoved(o, f)
	if err != nil {
		return nil, nil, err
	}
	docs, problems = strictyaml.Parse(f.path, content)
	return docs, problems, nil
}

// readUnmoved reads a file that must still be what was scanned.
func readUnmoved(o *opener, f *file) ([]byte, error) {
	content, err := o.read(f.path)
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w", f.path, whyUnread(err), ErrTreeChanged)
	}
	if sha256.Sum256(content) != f.hash {
		return nil, fmt.Errorf("%s changed: %w", f.path, ErrTreeChanged)
	}
	return content, nil
}

// Find loads the part of a tree that is about one user: the files in which the address (User.Key) stands, and
// the _defaults.yaml files. It reads every file and parses few, so that it takes a second where Load takes
// many. The tree's other users are missing from it, so it says nothing about who is declared but this one. An
// address that is written with escapes is not found.
func (l *Loader) Find(ctx context.Context, key string) (*Tree, error) {
	own := NewLoader(l.dir) // what l has parsed stays as it is, and nobody waits for l
	s, err := own.Scan(ctx)
	if err != nil {
		return nil, err
	}
	if s.files, err = own.mentioning(ctx, s, key); err != nil {
		return nil, err
	}
	return own.Load(ctx, s)
}

// mentioning returns the files in which a text stands, in whatever case, and those of defaults.
func (l *Loader) mentioning(ctx context.Context, s *Scan, text string) ([]file, error) {
	root, err := l.open(s)
	if err != nil {
		return nil, err
	}
	defer func() { _ = root.Close() }() // only read from
	want := []byte(strings.ToLower(text))
	has := make([]bool, len(s.files))
	err = inChunks(ctx, len(s.files), root, func(o *opener, i int) error {
		f := &s.files[i]
		if has[i] = IsDefaults(f.path); has[i] || f.bad {
			return nil
		}
		content, err := readUnmoved(o, f)
		has[i] = bytes.Contains(bytes.ToLower(content), want)
		return err
	})
	if err != nil {
		return nil, err
	}
	i := -1
	return slices.DeleteFunc(slices.Clone(s.files), func(file) bool { i++; return !has[i] }), nil
}

// Place finds where a name stands inside a field, for a message about that name: at is where the field
// was set (see User.At), which may be in a _defaults.yaml. The file is read again, so it is not for hot paths.
// Where the name cannot be found, because the file changed or the name comes from elsewhere, it returns at.
func (l *Loader) Place(at Pos, name string) Pos {
	dir, err := filepath.EvalSymlinks(l.dir)
	if err != nil {
		return at
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return at
	}
	defer func() { _ = root.Close() }() // only read from
	o := newOpener(root)
	defer o.close()
	content, err := o.read(at.File)
	if err != nil {
		return at
	}
	docs, _ := strictyaml.Parse(at.File, content)
	for _, doc := range docs {
		if value := doc.ValueAt(at); value != nil {
			if found := value.Named(strictyaml.Clean(name)); found != nil {
				return found.Pos
			}
		}
	}
	return at
}
