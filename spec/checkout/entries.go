package checkout

import (
	"bytes"
	"cmp"
	"os"
	"slices"
	"strings"
)

// An index holds the wanted entries of an index file. Paths are relative to the folder that is read.
type index struct {
	file          os.FileInfo
	format        objectFormat
	folder, mount string
	wanted        func(name string, folder bool) bool

	entries    []entry     // of files, by path
	submodules []submodule // by path
	sparse     []string    // folders that are not checked out; "./" is the folder itself or a parent of it
}

// A submodule is a path of the index that is to be checked out at a commit of its own.
type submodule struct {
	path   string
	commit objectID
}

func (x *index) read(name string) error {
	if err := readIndex(name, x.format, x.add); err != nil {
		return err
	}
	slices.SortStableFunc(x.entries, func(a, b entry) int { return cmp.Compare(a.path, b.path) })              // a split index is not sorted
	x.entries = slices.Clone(slices.CompactFunc(x.entries, func(a, b entry) bool { return a.path == b.path })) // an unmerged path has several
	slices.SortFunc(x.submodules, func(a, b submodule) int { return cmp.Compare(a.path, b.path) })
	slices.Sort(x.sparse)
	return nil
}

// add keeps an entry if it is wanted.
func (x *index) add(e *record) {
	below, ok := x.relative(e.path)
	if !ok {
		return
	}
	name := pathBelow(x.mount, string(below))
	switch e.mode & typeMask {
	case typeFile:
		if name != "." && x.wanted(name, false) {
			e.entry.path = name
			x.entries = append(x.entries, e.entry)
		}
	case typeDir:
		if x.wanted(name, true) {
			x.sparse = append(x.sparse, name+"/")
		}
	case typeGit:
		if x.wanted(name, true) {
			x.submodules = append(x.submodules, submodule{name, e.id})
		}
	}
}

// relative makes a path relative to the folder; "." for the folder and its parents.
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
