package checkout

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
)

// An index is what matters of an index file. Paths are relative to the folder, or in a submodule to its work tree.
type index struct {
	file          os.FileInfo
	format        objectFormat
	folder, mount string
	wanted        func(name string, folder bool) bool

	entries    []entry     // of files, by path
	submodules []submodule // by path
	sparse     []string    // folders that are not checked out; "." is the folder itself or one around it
}

// A submodule is one that an index names, and the commit that it is to stand at.
type submodule struct {
	path   string
	commit objectID
}

func (x *index) read(name string) error {
	err := readIndex(name, x.format, func(n int) { x.entries, x.submodules, x.sparse = make([]entry, 0, n), nil, nil }, x.add)
	if errors.Is(err, errTooLarge) {
		err = fmt.Errorf("%w: more than %d MiB", err, maxIndex>>20)
	}
	if err != nil {
		return err
	}
	slices.SortStableFunc(x.entries, func(a, b entry) int { return cmp.Compare(a.path, b.path) })              // a split index is not in order
	x.entries = slices.Clone(slices.CompactFunc(x.entries, func(a, b entry) bool { return a.path == b.path })) // versions of what is unmerged
	slices.SortFunc(x.submodules, func(a, b submodule) int { return cmp.Compare(a.path, b.path) })
	slices.Sort(x.sparse)
	return nil
}

// add takes what matters of an entry.
func (x *index) add(e *record) {
	below, ok := x.relative(e.path)
	if !ok {
		return
	}
	name := string(below)
	switch e.mode & typeMask {
	case typeFile:
		if name != "." && x.wanted(pathBelow(x.mount, name), false) {
			e.entry.path = name
			x.entries = append(x.entries, e.entry)
		}
	case typeDir:
		if x.wanted(pathBelow(x.mount, name), true) {
			x.sparse = append(x.sparse, name)
		}
	case typeGit:
		if x.wanted(pathBelow(x.mount, name), true) {
			x.submodules = append(x.submodules, submodule{name, e.id})
		}
	}
}

// relative is a path relative to the folder; "." for the folder and those around it.
func (x *index) relative(name []byte) ([]byte, bool) {
	name = bytes.TrimSuffix(name, []byte("/")) // of a sparse folder
	if x.folder == "" {
		return name, len(name) > 0
	}
	if len(name) > len(x.folder) {
		return name[len(x.folder)+1:], name[len(x.folder)] == '/' && string(name[:len(x.folder)]) == x.folder
	}
	return []byte("."), x.folder == string(name) || strings.HasPrefix(x.folder, string(name)) && x.folder[len(name)] == '/'
}
