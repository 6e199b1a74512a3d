package spec

import (
	"cmp"
	"context"
	"crypto/sha256"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"slices"

	"usersyncd/spec/specfile"
	"usersyncd/spec/strictyaml"
)

// InvalidError is returned where specs have problems and may not have any.
type InvalidError struct{ ProblemList }

func (e *InvalidError) Error() string {
	if e.ProblemCount() == 1 {
		return e.Problems[0].String()
	}
	return fmt.Sprintf("%s (and %d more problems)", e.Problems[0], e.ProblemCount()-1)
}

// An Overlay is a folder of specs in which some files are replaced in memory, to check them before they are written.
type Overlay struct {
	Root  *os.Root
	Users []*User // as declared on disk, by Key

	loader  *Loader // has parsed the replaced files as well
	scan    *Scan
	opener  *specfile.Opener
	inherit *folders
}

// OpenOverlay reads the folder of a loader, which may be without specs, and must not be used by others until the overlay is
// closed. The error is an [InvalidError] if the specs have problems.
func OpenOverlay(ctx context.Context, l *Loader) (o *Overlay, err error) {
	o = &Overlay{loader: l}
	if o.scan, err = l.scan(ctx); err != nil {
		return nil, err
	}
	tree, inherit, err := l.load(ctx, o.scan)
	if err != nil {
		return nil, err
	}
	if len(tree.Problems) > 0 {
		return nil, &InvalidError{tree.ProblemList}
	}
	o.Users, o.inherit = tree.Users, inherit
	if o.Root, err = os.OpenRoot(o.scan.root); err != nil {
		return nil, err
	}
	o.opener = specfile.NewOpener(o.Root)
	return o, nil
}

// Close closes the folder.
func (o *Overlay) Close() {
	o.opener.Close()
	_ = o.Root.Close() // only read from
}

// Read returns the content of a file on disk. The error is [ErrTreeChanged] if it is no longer what was scanned.
func (o *Overlay) Read(name string) ([]byte, error) {
	i, ok := slices.BinarySearchFunc(o.scan.files, name, func(f file, name string) int { return cmp.Compare(f.path, name) })
	if !ok {
		return nil, fmt.Errorf("%s: %w", name, fs.ErrNotExist)
	}
	content, err := readScanned(o.opener, &o.scan.files[i])
	return slices.Clone(content), err
}

// Defaults is what the _defaults.yaml files set for users of a folder; nil if there are none.
func (o *Overlay) Defaults(folder string) *strictyaml.Node { return o.inherit.above(folder).node }

// Declared are the users of a file, in order.
func (o *Overlay) Declared(name string) (users []*User) {
	for _, d := range o.loader.parsed[name].declarations {
		users = append(users, d.user)
	}
	return users
}

// Replace puts a text in place of a file, if it has no problems by itself; else the error is an [InvalidError].
func (o *Overlay) Replace(name, content string) error {
	if len(content) > strictyaml.MaxFileSize {
		return ErrTooLarge
	}
	docs, problems := strictyaml.Parse(name, []byte(content))
	if len(problems) > 0 {
		return &InvalidError{ProblemList{Problems: problems}}
	}
	above := o.inherit.above(path.Dir(name))
	p := parsedFile{hash: sha256.Sum256([]byte(content)), inherited: above.digest, warnings: leftovers([]byte(content), docs)}
	if p.declarations, problems = readUsers(name, docs, above); len(problems) > 0 {
		return &InvalidError{ProblemList{Problems: problems}}
	}
	o.loader.parsed[name] = p
	o.loader.uncached++
	return nil
}

// Check checks all files together.
func (o *Overlay) Check() error {
	var all []declaration
	for _, name := range slices.Sorted(maps.Keys(o.loader.parsed)) {
		all = append(all, o.loader.parsed[name].declarations...) // none of a _defaults.yaml
	}
	var tree Tree
	if tree.check(all); len(tree.Problems) > 0 {
		return &InvalidError{tree.ProblemList}
	}
	return nil
}
