package checkout

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"io/fs"
	"os"
	"slices"
	"strings"
	"time"
)

// A Comparison compares the files of a folder with the index.
type Comparison struct {
	checkout *Checkout
	paths    []string
	files    []compared

	missing []*entry // wanted entries without a file
}

// compared is one file.
type compared struct {
	module       *module // the work tree that it belongs to
	entry        *entry  // nil: not in the index
	differs      bool
	onlyLineEnds bool              // it would not differ with LF in place of each CR LF
	id           objectID          // of its content, if that was hashed
	digest       [sha256.Size]byte // SHA-256 of its content, if that was hashed
}

// Compare finds files in the index. paths are relative to the folder, slash-separated and sorted.
func (c *Checkout) Compare(paths []string) *Comparison {
	all := &Comparison{checkout: c, paths: paths, files: make([]compared, len(paths))}
	for _, m := range c.modules { // a submodule after its parent, whose files it is not one of
		begin, end := 0, len(paths)
		if m.mount != "" {
			begin, _ = slices.BinarySearch(paths, m.mount+"/")
			end, _ = slices.BinarySearch(paths, m.mount+"0") // "0" follows "/"
		}
		all.pair(m, begin, end)
	}
	return all
}

// pair finds the entries of a work tree's files. Both are sorted.
func (c *Comparison) pair(m *module, begin, end int) {
	for i := begin; i < end; i++ {
		c.files[i] = compared{module: m}
	}
	if m.index == nil {
		return
	}
	i := begin
	for k := range m.index.entries {
		e := &m.index.entries[k]
		for i < end && c.paths[i] < e.path {
			i++
		}
		if i < end && c.paths[i] == e.path {
			c.files[i].entry = e
			i++
		} else {
			c.missing = append(c.missing, e)
		}
	}
}

// File compares the file paths[i]; digest is the SHA-256 of its content. It may be called from several goroutines.
func (c *Comparison) File(i int, info fs.FileInfo, content []byte, digest [sha256.Size]byte) {
	f := &c.files[i]
	index := f.module.index
	switch {
	case index == nil:
		return
	case f.entry == nil || f.entry.flags&unmerged != 0:
		f.differs = true
		return
	case f.entry.unchanged(info, index.file):
		return
	}
	id, known := c.checkout.reader.ids[digest]
	if !known {
		id = index.format.blob(content)
	}
	f.id, f.digest = id, digest
	if f.differs = id != f.entry.id; f.differs {
		withLF := bytes.ReplaceAll(content, []byte("\r\n"), []byte("\n"))
		f.onlyLineEnds = len(withLF) < len(content) && index.format.blob(withLF) == f.entry.id
	}
}

// unchanged reports whether a file has the size and the time of its entry. A file that is not older than the index may
// have changed afterwards in the same tick of the clock (git calls such an entry racy).
func (e *entry) unchanged(info, index os.FileInfo) bool {
	recorded := time.Unix(int64(e.sec), int64(e.nsec))
	return e.size == uint32(info.Size()) && uint32(info.ModTime().Unix()) == e.sec && uint32(info.ModTime().Nanosecond()) == e.nsec &&
		recorded.Before(index.ModTime())
}

// remember caches the ids of what was hashed for the next comparison.
func (c *Comparison) remember() {
	ids := map[[sha256.Size]byte]objectID{}
	for i := range c.files {
		if f := &c.files[i]; f.id != (objectID{}) {
			ids[f.digest] = f.id
		}
	}
	c.checkout.reader.ids = ids
}

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
