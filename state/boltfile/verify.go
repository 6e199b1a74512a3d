// Package boltfile reads the pages of a bbolt file itself, within bounds, so that a damaged file cannot crash the
// program. bbolt trusts its file: a page id beyond the end is a fault that no recover catches, a wrong page type is a
// panic, and its own Check follows the same unchecked pointers. So a file is verified here before bbolt opens it.
package boltfile

import (
	"bytes"
	"errors"
	"fmt"
	"io"
)

// Verify returns an error if the size bytes of r are not a sound bbolt database: if the newest meta page leads to a page
// that does not exist, is of the wrong type, is referenced twice, or has elements outside of it or keys out of order, or
// if a page is neither used nor free. bbolt packs the data of a page's elements without gaps, so that a page which lost
// an element to a wrong count is noticed, too. If one of the two meta pages is invalid, the last commit may be missing.
func Verify(r io.ReaderAt, size int64) error {
	m, one, err := newestMeta(r, size)
	if err != nil {
		return err
	}
	if one {
		return errors.New("one of two meta pages is invalid")
	}
	if m.high < 4 || m.high > uint64(size)/m.pageSize {
		return fmt.Errorf("%d pages of %d bytes expected, the file has %d bytes", m.high, m.pageSize, size)
	}
	w := &walker{pages: newPages(r, size, m)}
	if err := w.readFreelist(); err != nil {
		return err
	}
	if err := w.tree(m.root, 0, nil, nil); err != nil {
		return err
	}
	for id, use := range w.uses {
		if use == unknown {
			return fmt.Errorf("page %d is neither used nor free", id)
		}
	}
	return nil
}

// ReadDamaged calls visit with every record that can be read from a damaged file, and returns how many pages were skipped
// as damaged. Key and record are valid until visit returns. Free pages are not read: they hold what was replaced or
// deleted. Pages below a damaged page are read if all free pages are known.
func ReadDamaged(r io.ReaderAt, size int64, visit func(key, record []byte)) (damaged int) {
	m, _, err := newestMeta(r, size)
	if err != nil {
		return 1
	}
	w := &walker{pages: newPages(r, size, m), visit: visit}
	_ = w.skip(w.readFreelist())
	_ = w.skip(w.tree(m.root, 0, nil, nil))
	if w.freeUncertain || w.damaged == 0 {
		return w.damaged
	}
	for id, use := range w.uses {
		if use == unknown && w.uses[id] == unknown { // not part of an earlier orphan
			w.orphan(uint64(id))
		}
	}
	return w.damaged
}

// A walker goes through the tree of buckets.
type walker struct {
	*pages
	visit   func(key, record []byte) // nil: the walk ends at the first damage
	damaged int                      // pages that were skipped, in whole or in part
}

// skip counts a damaged page and returns nil, unless the walk ends at the first damage.
func (w *walker) skip(err error) error {
	if err == nil || w.visit == nil {
		return err
	}
	w.damaged++
	return nil
}

// orphan reads a page that is in use and no longer referenced. Its keys may be any.
func (w *walker) orphan(id uint64) {
	p, flags, count, err := w.read(id, 0)
	if err == nil && flags == leafPage {
		err = w.leaf(p, int(count), id, 0, nil, nil)
	}
	_ = w.skip(err)
}

// tree reads a page and all below it. Its keys must be at least low and less than high; nil is no bound.
func (w *walker) tree(id uint64, depth int, low, high []byte) error {
	p, flags, count, err := w.read(id, depth)
	if err != nil {
		return err
	}
	switch {
	case flags == leafPage:
		return w.leaf(p, int(count), id, depth, low, high)
	case flags != branchPage:
		return fmt.Errorf("page %d of type %#x is in the tree", id, flags)
	case count == 0:
		return fmt.Errorf("branch page %d is empty", id)
	}
	data := newPageData(p, int(count))
	keys := make([][]byte, count, int(count)+1)
	for i := range keys {
		at := pageHead + i*elemSize
		if at+elemSize > len(p) {
			return fmt.Errorf("page %d claims %d elements", id, count)
		}
		var ok bool
		if keys[i], ok = data.next(at, order.Uint32(p[at:]), order.Uint32(p[at+4:])); !ok || len(keys[i]) == 0 {
			return fmt.Errorf("page %d: key %d is out of range", id, i)
		}
	}
	keys = append(keys, high) // the end of the last child
	for i, key := range keys[:count] {
		var prev []byte
		if i > 0 {
			prev = keys[i-1]
		}
		if err := inOrder(key, prev, low, high, id); err != nil {
			return err
		}
		child := order.Uint64(p[pageHead+i*elemSize+8:])
		if err := w.skip(w.tree(child, depth+1, key, keys[i+1])); err != nil {
			return err
		}
	}
	return nil
}

// leaf reads the elements of a leaf page, which may be one inside a bucket's value.
func (w *walker) leaf(p []byte, count int, id uint64, depth int, low, high []byte) error {
	data := newPageData(p, count)
	var prev []byte
	for i := range count {
		at := pageHead + i*elemSize
		if at+elemSize > len(p) {
			return fmt.Errorf("page %d claims %d elements", id, count)
		}
		flags, pos := order.Uint32(p[at:]), order.Uint32(p[at+4:])
		key, okKey := data.next(at, pos, order.Uint32(p[at+8:]))
		value, okValue := data.next(at, pos+uint32(len(key)), order.Uint32(p[at+12:]))
		if !okKey || !okValue || len(key) == 0 || flags&^bucketLeaf != 0 {
			return fmt.Errorf("page %d: element %d is out of range", id, i)
		}
		if err := inOrder(key, prev, low, high, id); err != nil {
			return err
		}
		prev = key
		switch {
		case flags&bucketLeaf != 0:
			if err := w.skip(w.bucket(value, id, depth)); err != nil {
				return err
			}
		case w.visit != nil:
			w.visit(key, value)
		}
	}
	return nil
}

func (w *walker) bucket(value []byte, id uint64, depth int) error {
	if len(value) < bucketHead {
		return fmt.Errorf("page %d: a bucket of %d bytes", id, len(value))
	}
	if root := order.Uint64(value); root != 0 {
		return w.tree(root, depth+1, nil, nil)
	}
	inline := value[bucketHead:]
	if len(inline) < pageHead || order.Uint16(inline[8:]) != leafPage {
		return fmt.Errorf("page %d: an inline bucket that is not a leaf", id)
	}
	return w.leaf(inline, int(order.Uint16(inline[10:])), id, depth, nil, nil)
}

// pageData returns the data of a page's elements, which must be adjacent and in the elements' order.
type pageData struct {
	page []byte
	end  int // of what was returned
}

func newPageData(p []byte, count int) *pageData {
	return &pageData{page: p, end: pageHead + count*elemSize}
}

// next returns the n bytes at pos behind offset at, if they are inside the page and follow the previous ones.
func (d *pageData) next(at int, pos, n uint32) ([]byte, bool) {
	from := uint64(at) + uint64(pos)
	if from != uint64(d.end) || from+uint64(n) > uint64(len(d.page)) {
		return nil, false
	}
	d.end += int(n)
	return d.page[from:d.end], true
}

func inOrder(key, prev, low, high []byte, id uint64) error {
	if (prev != nil && bytes.Compare(prev, key) >= 0) ||
		(low != nil && bytes.Compare(key, low) < 0) ||
		(high != nil && bytes.Compare(key, high) >= 0) {
		return fmt.Errorf("page %d: key %q is out of order", id, key)
	}
	return nil
}
