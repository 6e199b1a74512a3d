package spec

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"slices"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"usersyncd/spec/checkout"
	"usersyncd/spec/strictyaml"
	"usersyncd/spec/text"
)

// What a caller can act on.
var (
	// ErrTreeChanged is returned when the checkout changed while it was read. Scan again.
	ErrTreeChanged = checkout.ErrTreeChanged
	// ErrBranch is returned when the checkout is not on the branch that is wanted.
	ErrBranch = checkout.ErrBranch
	// ErrNoSpecs is returned when there is no spec file at all: more likely a wrong folder than a wish to manage nobody.
	ErrNoSpecs = errors.New("no spec file")
)

// Scan is what the files of a tree were at one moment. Two scans of a tree that rests have the same Digest.
type Scan struct {
	Digest   string // SHA-256, in hex, of every spec file's path and content
	Revision string // git commit that HEAD stands at, with "-dirty" behind it if files differ from it; Digest outside git, or where it cannot be told
	Files    int    // spec files, _defaults.yaml included
	checkout.State

	root     string // links resolved
	files    []file // by path
	problems []Problem
}

// file is one spec file. Its content is not kept.
type file struct {
	path string // slash-separated, relative to the root
	hash [sha256.Size]byte
	bad  bool // it cannot be read; a problem says why
}

// chunk is how many files a worker takes at a time.
const chunk = 128

// Scan lists, reads and hashes every spec file; it parses nothing. Its cost is one read a file, which
// is all that a pass without changes costs. The error is ErrTreeChanged, ErrBranch, ErrNoSpecs, or says why the
// folder cannot be read.
func (l *Loader) Scan(ctx context.Context) (*Scan, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	s, err := l.scan(ctx)
	if err == nil && !slices.ContainsFunc(s.files, func(f file) bool { return !IsDefaults(f.path) }) && len(s.problems) == 0 {
		err = fmt.Errorf("%w: expected *.yaml or *.yml in it or below it", ErrNoSpecs)
		for _, gap := range s.Incomplete {
			err = fmt.Errorf("%w; %s", err, gap)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("scanning %s: %w", l.dir, err)
	}
	return s, nil
}

// scan takes a folder without specs too.
func (l *Loader) scan(ctx context.Context) (*Scan, error) {
	dir, err := filepath.EvalSymlinks(l.dir) // git-sync publishes by moving a link
	if err != nil {
		return nil, err
	}
	root, err := os.OpenRoot(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s vanished: %w", dir, ErrTreeChanged)
	} else if err != nil {
		return nil, err
	}
	defer func() { _ = root.Close() }()

	git, err := l.git.Open(dir, l.dir)
	if err != nil {
		return nil, err
	}
	if l.Branch != "" {
		if err := git.OnBranch(l.Branch); err != nil {
			return nil, err
		}
	}
	s := &Scan{root: dir}
	if err := s.list(ctx, root, "."); err != nil {
		return nil, err
	}
	slices.SortFunc(s.files, func(a, b file) int { return cmp.Compare(a.path, b.path) })
	compared := git.Compare(s.paths())
	pointers, err := s.hash(ctx, root, compared)
	if err != nil {
		return nil, err
	}
	s.State = compared.State(pointers)
	s.Checkout = text.Escape(s.Checkout)
	for i := range s.Incomplete {
		s.Incomplete[i].What = text.Escape(s.Incomplete[i].What) // it quotes paths
	}
	for i := range s.NotCompared {
		s.NotCompared[i] = text.Escape(s.NotCompared[i])
	}
	if err := git.Unchanged(); err != nil {
		return nil, err
	}
	if !l.stillLeadsTo(root) {
		return nil, fmt.Errorf("it was replaced by another folder: %w", ErrTreeChanged)
	}
	strictyaml.SortProblems(s.problems)
	s.Files = len(s.files)
	s.Digest = s.digest()
	s.Revision = revision(git.Commit(), s.DirtyFiles > 0, s.Digest)
	return s, nil
}

// stillLeadsTo reports whether the folder is the one that was read. Whoever publishes by moving a link, or
// by putting another folder in place, clears the old one away right after: it had only some of its files.
func (l *Loader) stillLeadsTo(root *os.Root) bool {
	was, err := root.Stat(".")
	if err != nil {
		return false
	}
	is, err := os.Stat(l.dir)
	return err == nil && os.SameFile(was, is)
}

func (s *Scan) problem(name, format string, args ...any) {
	s.problems = append(s.problems, Problem{Pos: Pos{File: text.Escape(name), Line: 1, Column: 1}, Message: fmt.Sprintf(format, args...)})
}

// list walks a folder and notes its spec files. Hidden files and folders, such as .git, are passed over.
func (s *Scan) list(ctx context.Context, root *os.Root, folder string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	entries, err := readDir(root, folder)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("%s vanished: %w", text.Escape(folder), ErrTreeChanged)
	case err != nil && folder == ".":
		return err
	case err != nil:
		s.problem(folder, "%s", whyUnread(err))
		return nil
	}
	defaults := 0
	for _, e := range entries {
		name := path.Join(folder, e.Name())
		switch {
		case isHidden(e.Name()):
		case !e.IsDir() && !isSpecFile(e.Name()):
			if e.Type()&fs.ModeSymlink != 0 && leadsToFolder(root, name) {
				s.problem(name, "is a symbolic link to a folder; %s", insteadOfLink(root, name, "folder"))
			}
		case !safeName(e.Name()):
			s.problem(name, "has invisible characters in its name; rename it")
		case e.IsDir() && isSpecFile(e.Name()):
			s.problem(name, "is a folder with the name of a spec file; rename it")
		case e.IsDir():
			if err := s.list(ctx, root, name); err != nil {
				return err
			}
		case e.Type()&fs.ModeSymlink != 0:
			s.problem(name, "is a symbolic link; %s", insteadOfLink(root, name, "file"))
		case !e.Type().IsRegular():
			s.problem(name, "%s", errNotRegular)
		case IsDefaults(name):
			defaults++
			s.files = append(s.files, file{path: name})
		default:
			s.files = append(s.files, file{path: name})
		}
	}
	if defaults > 1 {
		s.problem(path.Join(folder, "_defaults.yml"), "is beside a _defaults.yaml; keep one of the two")
	}
	return nil
}

func readDir(root *os.Root, folder string) ([]fs.DirEntry, error) {
	f, err := root.Open(folder)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	return f.ReadDir(-1)
}

func (s *Scan) paths() []string {
	paths := make([]string, len(s.files))
	for i := range s.files {
		paths[i] = s.files[i].path
	}
	return paths
}

// hash reads every file, on all cores, each worker a run of neighbours, and compares it with the commit. It returns
// those that hold what Git LFS keeps in place of a file.
func (s *Scan) hash(ctx context.Context, root *os.Root, compared *checkout.Comparison) (pointers []string, err error) {
	why := make([]error, len(s.files))
	err = inChunks(ctx, len(s.files), root, func(o *opener, i int) error {
		f := &s.files[i]
		content, err := o.read(f.path)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return fmt.Errorf("%s vanished: %w", f.path, ErrTreeChanged)
		case err != nil:
			f.bad, why[i] = true, err
		default:
			if checkout.IsPointer(content) {
				f.bad, why[i] = true, errPointer
			}
			f.hash = sha256.Sum256(content)
			compared.File(i, o.info, content, f.hash)
		}
		return nil
	})
	for i, err := range why {
		if err != nil {
			s.problem(s.files[i].path, "%s", whyUnread(err))
		}
		if errors.Is(err, errPointer) {
			pointers = append(pointers, s.files[i].path)
		}
	}
	return pointers, err
}

// inChunks calls do for 0..n-1 from as many goroutines as there are cores, each with an opener of its
// own, and waits for them.
func inChunks(ctx context.Context, n int, root *os.Root, do func(o *opener, i int) error) error {
	var next atomic.Int64
	g, ctx := errgroup.WithContext(ctx)
	for range min(runtime.GOMAXPROCS(0), (n+chunk-1)/chunk) {
		g.Go(func() error {
			o := newOpener(root)
			defer o.close()
			for {
				end := int(next.Add(chunk))
				if end-chunk >= n {
					return nil
				}
				if err := ctx.Err(); err != nil {
					return err
				}
				for i := end - chunk; i < min(end, n); i++ {
					if err := do(o, i); err != nil {
						return err
					}
				}
			}
		})
	}
	return g.Wait()
}

func (s *Scan) digest() string {
	h := sha256.New()
	h.Write([]byte{formatVersion})
	for i := range s.files {
		_, _ = io.WriteString(h, s.files[i].path+"\x00") // a path holds no NUL
		h.Write(s.files[i].hash[:])
	}
	for _, p := range s.problems { // a file that cannot be read is part of what the tree is
		_, _ = io.WriteString(h, p.String()+"\x00")
	}
	return hex.EncodeToString(h.Sum(nil))
}
