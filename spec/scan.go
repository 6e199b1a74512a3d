package spec

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"usersyncd/spec/checkout"
	"usersyncd/spec/specfile"
	"usersyncd/spec/strictyaml"
)

// Errors of a scan and of an [Overlay].
var (
	// ErrTreeChanged is returned if the tree changed while it was read. The caller scans again.
	ErrTreeChanged = checkout.ErrTreeChanged
	// ErrBranch is returned if the checkout is not on Loader.Branch.
	ErrBranch = checkout.ErrBranch
	// ErrNoSpecs is returned if there is no spec file: the folder is probably the wrong one.
	ErrNoSpecs = errors.New("no spec file")
	// ErrTooLarge is returned for a spec file that is larger than the limit.
	ErrTooLarge = specfile.ErrTooLarge
)

// Scan is the state of the files of a tree. Two scans of an unchanged tree have the same Digest.
type Scan struct {
	Digest   string   // SHA-256, in hex, of every spec file's path and content
	Revision string   // git commit of HEAD, with "-dirty" if files differ from it; Digest outside git, or if the commit is unknown
	Files    int      // spec files, _defaults.yaml included
	Misnamed []string // files that are not read, and whose names are nearly those of spec files; relative to the root
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

// Scan lists, reads and hashes every spec file; it parses nothing. The error is ErrTreeChanged, ErrBranch, ErrNoSpecs, or
// says why the folder cannot be read.
func (l *Loader) Scan(ctx context.Context) (*Scan, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	s, err := l.scan(ctx)
	if err == nil && !slices.ContainsFunc(s.files, func(f file) bool { return !specfile.IsDefaults(f.path) }) && len(s.problems) == 0 {
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
	root, err := specfile.OpenRoot(dir)
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
	listing, err := specfile.List(ctx, root)
	if err != nil {
		return nil, err
	}
	s := &Scan{root: dir, files: make([]file, len(listing.Paths)), problems: listing.Problems}
	for i, name := range listing.Paths {
		s.files[i].path = name
	}
	s.Misnamed = listing.Misnamed
	for _, name := range listing.Misnamed {
		s.names.add(specfile.Problem(name, "is not read, as its name does not end in .yaml or .yml; rename it, or move it elsewhere"))
	}
	compared := git.Compare(listing.Paths)
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

// hash reads every file, on all cores, and compares it with the commit. It returns the files that are Git LFS pointers.
func (s *Scan) hash(ctx context.Context, root *os.Root, compared *checkout.Comparison) (pointers []string, err error) {
	why := make([]error, len(s.files))
	err = specfile.InChunks(ctx, len(s.files), root, func(o *specfile.Opener, i int) error {
		f := &s.files[i]
		content, err := o.Read(f.path)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return fmt.Errorf("%s vanished: %w", f.path, ErrTreeChanged)
		case err != nil:
			f.bad, why[i] = true, err
		default:
			switch {
			case checkout.IsPointer(content):
				f.bad, why[i] = true, specfile.ErrPointer
			case specfile.IsDefaults(f.path) && len(content) > strictyaml.LargeFile:
				f.bad, why[i] = true, specfile.ErrLargeDefaults
			}
			f.hash = sha256.Sum256(content)
			compared.File(i, o.Info, content, f.hash)
		}
		return nil
	})
	for i, err := range why {
		if err != nil {
			s.problems = append(s.problems, specfile.Problem(s.files[i].path, specfile.WhyUnread(err)))
		}
		if errors.Is(err, specfile.ErrPointer) {
			pointers = append(pointers, s.files[i].path)
		}
	}
	return pointers, err
}

// mentioning returns the files that contain a text, in any case, those with further paths, and those of defaults.
func (s *Scan) mentioning(ctx context.Context, text string, further []string) ([]file, error) {
	root, err := specfile.OpenRoot(s.root)
	if err != nil {
		return nil, err
	}
	defer func() { _ = root.Close() }() // only read from
	want := []byte(strings.ToLower(text))
	has := make([]bool, len(s.files))
	err = specfile.InChunks(ctx, len(s.files), root, func(o *specfile.Opener, i int) error {
		f := &s.files[i]
		if has[i] = specfile.IsDefaults(f.path) || slices.Contains(further, f.path); has[i] || f.bad {
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
