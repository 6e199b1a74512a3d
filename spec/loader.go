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

// Loader reads one tree of specs repeatedly, and parses only what changed in between. It is safe for concurrent use.
type Loader struct {
	Branch string // the branch that the checkout must be on; "": any. It must not be changed during a call

	mu       sync.Mutex
	dir      string
	git      *checkout.Reader
	users    map[string]parsedUsers    // by path
	defaults map[string]parsedDefaults // by path
}

// parsedUsers is the result of reading a file under what it inherited then.
type parsedUsers struct {
	hash         [sha256.Size]byte
	inherited    string // inherited.digest
	declarations []declaration
	problems     []Problem
}

// NewLoader makes a loader for the folder, which may be a symbolic link to one.
func NewLoader(dir string) *Loader { return &Loader{dir: dir, git: checkout.NewReader(isSpecPath)} }

// Load parses the files whose content or inherited defaults changed since the last Load, and checks all files together.
// What is wrong with the specs is in Tree.Problems. The error is ErrTreeChanged if a file is no longer as it was
// scanned, or says why the tree could not be read.
//
// Users of unchanged files are the same pointers in every Tree, and must not be changed.
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
	above := make([]inherited, len(files)) // before the goroutines start, as it is cached
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
	l.users = make(map[string]parsedUsers, len(files))
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

// parseFile parses a file.
func parseFile(o *opener, f *file) (docs []*strictyaml.Node, problems []Problem, err error) {
	content, err := readScanned(o, f)
	if err != nil {
		return nil, nil, err
	}
	docs, problems = strictyaml.Parse(f.path, content)
	return docs, problems, nil
}

// readScanned reads a file. The error is ErrTreeChanged if it is not as it was scanned.
func readScanned(o *opener, f *file) ([]byte, error) {
	content, err := o.read(f.path)
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w", f.path, whyUnread(err), ErrTreeChanged)
	}
	if sha256.Sum256(content) != f.hash {
		return nil, fmt.Errorf("%s changed: %w", f.path, ErrTreeChanged)
	}
	return content, nil
}

// Find loads only the files that contain an address (User.Key), and the _defaults.yaml files. It reads every file and
// parses few, so it takes a second where Load takes many. Most other users are missing from the tree. An address that is
// written with escapes is not found.
func (l *Loader) Find(ctx context.Context, key string) (*Tree, error) {
	own := NewLoader(l.dir) // its own, so that l keeps its cache and is not blocked
	s, err := own.Scan(ctx)
	if err != nil {
		return nil, err
	}
	if s.files, err = own.mentioning(ctx, s, key); err != nil {
		return nil, err
	}
	return own.Load(ctx, s)
}

// mentioning returns the files that contain a text, in any case, and those of defaults.
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
		content, err := readScanned(o, f)
		has[i] = bytes.Contains(bytes.ToLower(content), want)
		return err
	})
	if err != nil {
		return nil, err
	}
	i := -1
	return slices.DeleteFunc(slices.Clone(s.files), func(file) bool { i++; return !has[i] }), nil
}

// Place returns the position of a name inside a field, for a message about that name: at is where the field
// was set (see User.At), which may be in a _defaults.yaml. The file is read again. If the name is not found, because the
// file changed or the name is inherited, Place returns at.
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
