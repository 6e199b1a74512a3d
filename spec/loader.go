package spec

import (
	"context"
	"crypto/sha256"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"sync"
	"sync/atomic"

	"usersyncd/spec/checkout"
	"usersyncd/spec/specfile"
	"usersyncd/spec/strictyaml"
)

// Loader reads one tree of specs repeatedly, and parses only what changed in between. It is safe for concurrent use.
type Loader struct {
	Branch string // the branch that the checkout must be on; "": any. It must not be changed during a call

	mu     sync.Mutex
	large  sync.Mutex // held while a large file is parsed, as its nodes take much memory
	dir    string
	git    *checkout.Reader
	parsed map[string]parsedFile // by path

	uncached int       // files that were parsed since the cache file was written
	loaded   string    // Scan.Digest of the last Load
	warnings []Problem // about what it read
}

// parsedFile is the result of reading a file under what it inherited then.
type parsedFile struct {
	hash         [sha256.Size]byte
	inherited    string           // inherited.digest
	declarations []declaration    // of a file of users
	defaults     *strictyaml.Node // of a _defaults.yaml; nil if the file is unusable
	problems     ProblemList
	warnings     []Problem
}

// How many problems are kept: a committer can make a million of them.
const (
	MaxProblems     = 200    // of a tree
	maxFileProblems = 20     // of a file
	maxKept         = 20_000 // of all files, and then one of each
)

// NewLoader makes a loader for the folder, which may be a symbolic link to one.
func NewLoader(dir string) *Loader {
	return &Loader{dir: dir, git: checkout.NewReader(specfile.IsPath)}
}

// Dir is the folder.
func (l *Loader) Dir() string { return l.dir }

// ScanAndLoad is Scan, and Load of what it finds.
func (l *Loader) ScanAndLoad(ctx context.Context) (*Tree, error) {
	s, err := l.Scan(ctx)
	if err != nil {
		return nil, err
	}
	return l.Load(ctx, s)
}

// Load parses the files whose content or inherited defaults changed since the last Load, and checks all files together.
// What is wrong with the specs is in Tree.Problems. The error is ErrTreeChanged if a file is no longer as it was
// scanned, or says why the tree could not be read.
//
// Users of unchanged files are the same pointers in every Tree, and must not be changed.
func (l *Loader) Load(ctx context.Context, s *Scan) (*Tree, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	t, _, err := l.load(ctx, s)
	if err != nil {
		return nil, fmt.Errorf("loading %s: %w", l.dir, err)
	}
	return t, nil
}

func (l *Loader) load(ctx context.Context, s *Scan) (*Tree, *folders, error) {
	root, err := specfile.OpenRoot(s.root)
	if err != nil {
		return nil, nil, err
	}
	defer func() { _ = root.Close() }()

	var users, defaults []file
	for _, f := range s.files {
		if specfile.IsDefaults(f.path) {
			defaults = append(defaults, f)
		} else {
			users = append(users, f)
		}
	}
	t := &Tree{Digest: s.Digest, Revision: s.Revision, Misnamed: s.Misnamed, Warnings: s.names, State: s.State, Files: s.Files}
	t.Problems = append(t.Problems, s.problems...)
	next := make(map[string]parsedFile, len(s.files))
	if err := l.read(ctx, root, defaults, make([]inherited, len(defaults)), next, t); err != nil {
		return nil, nil, err
	}
	inherit := newFolders(defaults, next)
	above := make([]inherited, len(users))
	for i, f := range users {
		above[i] = inherit.above(path.Dir(f.path))
	}
	if err := l.read(ctx, root, users, above, next, t); err != nil {
		return nil, nil, err
	}
	l.parsed, l.loaded, l.warnings = next, s.Digest, nil
	for _, f := range s.files {
		l.warnings = append(l.warnings, next[f.path].warnings...)
	}
	t.Warnings.add(l.warnings...)
	var all []declaration
	for _, f := range users {
		all = append(all, next[f.path].declarations...)
	}
	t.check(all)
	return t, inherit, nil
}

// read parses files, unless neither they nor what they inherit have changed, and adds them to next and to the tree.
func (l *Loader) read(ctx context.Context, root *os.Root, files []file, above []inherited, next map[string]parsedFile, t *Tree) error {
	read := make([]parsedFile, len(files))
	var parsed, kept atomic.Int64
	err := specfile.InChunks(ctx, len(files), root, func(o *specfile.Opener, i int) (err error) {
		f := &files[i]
		old, hit := l.parsed[f.path]
		switch {
		case f.bad:
		case hit && old.hash == f.hash && old.inherited == above[i].digest:
			read[i] = old
		default:
			parsed.Add(1)
			read[i], err = l.parseFile(o, f, above[i])
		}
		if kept.Add(int64(len(read[i].problems.Problems))) > maxKept {
			read[i].problems.limit(1)
		}
		return err
	})
	if err != nil {
		return err
	}
	t.Parsed += int(parsed.Load())
	l.uncached += int(parsed.Load())
	for i, f := range files {
		next[f.path] = read[i]
		t.Problems = append(t.Problems, read[i].problems.Problems...)
		t.ProblemsLeftOut += read[i].problems.ProblemsLeftOut
	}
	return nil
}

func (l *Loader) parseFile(o *specfile.Opener, f *file, above inherited) (parsedFile, error) {
	p := parsedFile{hash: f.hash, inherited: above.digest}
	content, err := readScanned(o, f)
	if err != nil {
		return p, err
	}
	if len(content) > strictyaml.LargeFile {
		l.large.Lock()
		defer l.large.Unlock()
	}
	docs, problems := strictyaml.Parse(f.path, content)
	p.warnings = leftovers(content, docs)
	var more []Problem
	switch {
	case len(docs) == 0 && len(problems) > 0: // it is unusable
	case specfile.IsDefaults(f.path):
		p.defaults, more = readDefaults(f.path, docs)
	default:
		p.declarations, more = readUsers(f.path, docs, above)
	}
	p.problems.Problems = append(problems, more...)
	strictyaml.SortProblems(p.problems.Problems)
	p.problems.limit(maxFileProblems)
	return p, nil
}

// readScanned reads a file. The error is ErrTreeChanged if it is not as it was scanned.
func readScanned(o *specfile.Opener, f *file) ([]byte, error) {
	content, err := o.Read(f.path)
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w", f.path, specfile.WhyUnread(err), ErrTreeChanged)
	}
	if sha256.Sum256(content) != f.hash {
		return nil, fmt.Errorf("%s changed: %w", f.path, ErrTreeChanged)
	}
	return content, nil
}

// Find loads only the files that contain an address (User.Key), those with further paths, and the _defaults.yaml files. It reads every file and
// parses few, so it takes a second where Load takes many. Most other users are missing from the tree. An address that is
// written with escapes is not found.
func (l *Loader) Find(ctx context.Context, key string, further ...string) (*Tree, error) {
	own := NewLoader(l.dir) // its own, so that l keeps its cache and is not blocked
	s, err := own.Scan(ctx)
	if err != nil {
		return nil, err
	}
	if s.files, err = s.mentioning(ctx, key, further); err != nil {
		return nil, err
	}
	return own.Load(ctx, s)
}

// Placer returns a function that returns the position of a name inside a field, for a message about that name: at is where
// the field was set (see User.At), which may be in a _defaults.yaml. The file is read again, once for names in a row. If the
// name is not found, because the file changed or the name is inherited, the position is at.
func (l *Loader) Placer() func(at Pos, name string) Pos {
	var file string
	var docs []*strictyaml.Node
	return func(at Pos, name string) Pos {
		if at.File != file {
			file, docs = at.File, l.parse(at.File)
		}
		for _, doc := range docs {
			if value := doc.ValueAt(at); value != nil {
				if found := value.Named(strictyaml.Clean(name)); found != nil {
					return found.Pos
				}
			}
		}
		return at
	}
}

// parse parses a file as it is now; nil if it cannot be read.
func (l *Loader) parse(file string) []*strictyaml.Node {
	dir, err := filepath.EvalSymlinks(l.dir)
	if err != nil {
		return nil
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil
	}
	defer func() { _ = root.Close() }() // only read from
	o := specfile.NewOpener(root)
	defer o.Close()
	content, err := o.Read(file)
	if err != nil {
		return nil
	}
	docs, _ := strictyaml.Parse(file, content)
	return docs
}
