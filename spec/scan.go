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
	"strings"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"usersyncd/spec/checkout"
	"usersyncd/spec/strictyaml"
	"usersyncd/spec/text"
)

// Errors of a scan.
var (
	// ErrTreeChanged is returned if the tree changed while it was read. The caller scans again.
	ErrTreeChanged = checkout.ErrTreeChanged
	// ErrBranch is returned if the checkout is not on Loader.Branch.
	ErrBranch = checkout.ErrBranch
	// ErrNoSpecs is returned if there is no spec file: the folder is probably the wrong one.
	ErrNoSpecs = errors.New("no spec file")
)

// Scan is the state of the files of a tree. Two scans of an unchanged tree have the same Digest.
type Scan struct {
	Digest   string // SHA-256, in hex, of every spec file's path and content
	Revision string // git commit of HEAD, with "-dirty" if files differ from it; Digest outside git, or if the commit is unknown
	Files    int    // spec files, _defaults.yaml included
	Warnings Warnings
	checkout.State

	root     string // links resolved
	files    []file // by path
	problems []Problem
	names    Warnings // about names of files, which are part of Warnings
}

// file is one spec file.
type file struct {
	path string // slash-separated, relative to the root
	hash [sha256.Size]byte
	bad  bool // it cannot be read; a problem says why
}

// maxFolders is how deep folders may be nested: users inherit from all above them, and each is opened from the root.
const maxFolders = 50

// chunk is how many files a worker takes at a time.
const chunk = 128

// Scan lists, reads and hashes every spec file; it parses nothing. The error is ErrTreeChanged, ErrBranch, ErrNoSpecs, or
// says why the folder cannot be read.
func (l *Loader) Scan(ctx context.Context) (*Scan, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	s, err := l.scan(ctx)
	if err == nil && !slices.ContainsFunc(s.files, func(f file) bool { return !IsDefaults(f.path) }) && len(s.problems) == 0 {
		err = fmt.Errorf("%w: expected *.yaml or *.yml in it or below it", ErrNoSpecs)
		for _, note := range s.Notes() {
			err = fmt.Errorf("%w; %s", err, note)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("scanning %s: %w", l.dir, err)
	}
	return s, nil
}

// scan is Scan, also of a folder without specs.
func (l *Loader) scan(ctx context.Context) (*Scan, error) {
	dir, err := filepath.EvalSymlinks(l.dir) // git-sync publishes by moving a link
	if err != nil {
		return nil, err
	}
	root, err := openRoot(dir)
	if err != nil {
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
	if s.Warnings = s.names; s.Digest == l.loaded { // it is not loaded again
		s.Warnings.add(l.warnings...)
	}
	return s, nil
}

// stillLeadsTo reports whether the path leads to the folder that was read. If a deployment moved a link or replaced the
// folder, the old one is deleted, and some of its files may have been gone already.
func (l *Loader) stillLeadsTo(root *os.Root) bool {
	was, err := root.Stat(".")
	if err != nil {
		return false
	}
	is, err := os.Stat(l.dir)
	return err == nil && os.SameFile(was, is)
}

func (s *Scan) problem(name, format string, args ...any) {
	s.problems = append(s.problems, problemOf(name, fmt.Sprintf(format, args...)))
}

// problemOf is a problem of a file as a whole.
func problemOf(name, message string) Problem {
	return Problem{Pos: Pos{File: text.Escape(name), Line: 1, Column: 1}, Message: message}
}

// list collects the spec files of a folder and below. Hidden files and folders, such as .git, are skipped.
func (s *Scan) list(ctx context.Context, root *os.Root, folder string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	entries, err := fs.ReadDir(root.FS(), folder)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("%s vanished: %w", text.Escape(folder), ErrTreeChanged)
	case err != nil && folder == ".":
		return err
	case err != nil:
		s.problem(folder, "%s", whyUnread(err))
		return nil
	}
	defaults := ""
	for _, e := range entries {
		name := path.Join(folder, e.Name())
		switch {
		case isHidden(e.Name()):
		case !e.IsDir() && !isSpecFile(e.Name()):
			if e.Type()&fs.ModeSymlink != 0 && leadsToFolder(root, name) {
				s.problem(name, "is a symbolic link to a folder; %s", insteadOfLink(root, name, "folder"))
			} else if resemblesSpecFile(e.Name()) {
				s.names.add(problemOf(name, "is not read, as its name does not end in .yaml or .yml; rename it, or move it elsewhere"))
			}
		case !safeName(e.Name()):
			s.problem(name, "has invisible characters in its name; rename it")
		case e.IsDir() && isSpecFile(e.Name()):
			s.problem(name, "is a folder with the name of a spec file; rename it")
		case e.IsDir() && strings.Count(name, "/") >= maxFolders:
			s.problem(name, "is in more than %d folders, one in the other; move it up", maxFolders)
		case e.IsDir():
			if err := s.list(ctx, root, name); err != nil {
				return err
			}
		case e.Type()&fs.ModeSymlink != 0:
			s.problem(name, "is a symbolic link; %s", insteadOfLink(root, name, "file"))
		case !e.Type().IsRegular():
			s.problem(name, "%s", errNotRegular)
		case IsDefaults(name) && defaults != "":
			s.problem(name, "is beside %s; keep one of the two", defaults)
			s.files = append(s.files, file{path: name})
		case IsDefaults(name):
			defaults = e.Name()
			s.files = append(s.files, file{path: name})
		default:
			s.files = append(s.files, file{path: name})
		}
	}
	return nil
}

func (s *Scan) paths() []string {
	paths := make([]string, len(s.files))
	for i := range s.files {
		paths[i] = s.files[i].path
	}
	return paths
}

// hash reads every file, on all cores, and compares it with the commit. It returns the files that are Git LFS pointers.
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
			switch {
			case checkout.IsPointer(content):
				f.bad, why[i] = true, errPointer
			case IsDefaults(f.path) && len(content) > strictyaml.LargeFile:
				f.bad, why[i] = true, errLargeDefaults
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

// inChunks calls do for 0..n-1 from one goroutine per core, each with its own opener, and waits for them. Consecutive
// numbers go to the same goroutine.
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
	for _, p := range s.problems { // such as of files that cannot be read
		_, _ = io.WriteString(h, p.String()+"\x00")
	}
	return hex.EncodeToString(h.Sum(nil))
}
