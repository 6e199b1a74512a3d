package state

import (
	"bytes"
	"io"
)

// verify returns *damage if the size bytes of r are not a sound bbolt database. If one of its two meta pages is
// invalid, the last commit may be missing, and bbolt may go by the other one.
//
// bbolt trusts its file: a page id beyond the end is a fault that no recover catches, a wrong page
// type is a panic, and its own Check runs on the same unchecked pointers. So a file is read here
// first, in bounds, and bbolt sees only what has passed: every page that the newest meta page leads
// to exists, is of the right type, is referenced once, has its elements inside it and its keys in
// order; and every other page is free. bbolt packs the data of a page's elements without a gap, behind
// all of them, so that a page which lost an element to a wrong count is noticed too.
func verify(r io.ReaderAt, size int64) error {
	m, half, err := newestMeta(r, size)
	if err != nil {
		return err
	}
	if half {
		return damagef("one of two meta pages is invalid")
	}
	if m.high < 4 || m.high > uint64(size)/m.pageSize {
		return damagef("%d pages of %d bytes expected, the file has %d bytes", m.high, m.pageSize, size)
	}
	w := &walk{pages: newPages(r, size, m)}
	if err := w.freelist(); err != nil {
		return err
	}
	if err := w.tree(m.root, 0, nil, nil); err != nil {
		return err
	}
	for id, use := range w.uses {
		if use == unknown {
			return damagef("page %d is neither used nor free", id)
		}
	}
	return nil
}

// readDamaged calls visit with every record that can be read of a damaged file, and returns how many pages were left out
// as damaged. Key and record are valid until visit returns. Nothing is read of free pages: what they hold was replaced or
// deleted. A page that the tree no longer leads to, because the page above it is damaged, is read all the same if all free
// pages are known.
func readDamaged(r io.ReaderAt, size int64, visit func(key, record []byte)) (damaged int) {
	m, _, err := newestMeta(r, size)
	if err != nil {
		return 1
	}
	w := &walk{pages: newPages(r, size, m), visit: visit}
	_ = w.skip(w.freelist())
	_ = w.skip(w.tree(m.root, 0, nil, nil))
	if w.doubt || w.damaged == 0 {
		return w.damaged
	}
	for id, use := range w.uses {
		if use == unknown && w.uses[id] == unknown { // not by the overflow of one before
			w.orphan(uint64(id))
		}
	}
	return w.damaged
}

// walk goes through the tree of buckets.
type walk struct {
	*pages
	visit   func(key, record []byte) // nil: the walk ends at the first damage
	damaged int                      // pages that were left out, in whole or in part
}

// skip counts what is damaged and is left out, unless the walk ends there.
func (w *walk) skip(err error) error {
	if err == nil || w.visit == nil {
		return err
	}
	w.damaged++
	return nil
}

// orphan reads a page that is in use and to which no page leads any more. Its keys may be any.
func (w *walk) orphan(id uint64) {
	p, flags, count, err := w.read(id, 0)
	if err == nil && flags == leafPage {
		err = w.leaf(p, int(count), id, 0, nil, nil)
	}
	_ = w.skip(err)
}

// tree reads a page and all below it. Its keys must be at least low and less than high; nil is no bound.
func (w *walk) tree(id uint64, depth int, low, high []byte) error {
	p, flags, count, err := w.read(id, depth)
	if err != nil {
		return err
	}
	switch {
	case flags == leafPage:
		return w.leaf(p, int(count), id, depth, low, high)
	case flags != branchPage:
		return damagef("page %d of type %#x is in the tree", id, flags)
	case count == 0:
		return damagef("branch page %d is empty", id)
	}
	data := packed(p, int(count))
	keys := make([][]byte, count, int(count)+1)
	for i := range keys {
		at := pageHead + i*elemSize
		if at+elemSize > len(p) {
			return damagef("page %d claims %d elements", id, count)
		}
		var ok bool
		if keys[i], ok = data.next(at, order.Uint32(p[at:]), order.Uint32(p[at+4:])); !ok || len(keys[i]) == 0 {
			return damagef("page %d: key %d is out of range", id, i)
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
func (w *walk) leaf(p []byte, count int, id uint64, depth int, low, high []byte) error {
	data := packed(p, count)
	var prev []byte
	for i := range count {
		at := pageHead + i*elemSize
		if at+elemSize > len(p) {
			return damagef("page %d claims %d elements", id, count)
		}
		flags, pos := order.Uint32(p[at:]), order.Uint32(p[at+4:])
		key, okKey := data.next(at, pos, order.Uint32(p[at+8:]))
		value, okValue := data.next(at, pos+uint32(len(key)), order.Uint32(p[at+12:]))
		if !okKey || !okValue || len(key) == 0 || flags&^bucketLeaf != 0 {
			return damagef("page %d: element %d is out of range", id, i)
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

func (w *walk) bucket(value []byte, id uint64, depth int) error {
	if len(value) < bucketHead {
		return damagef("page %d: a bucket of %d bytes", id, len(value))
	}
	if root := order.Uint64(value); root != 0 {
		return w.tree(root, depth+1, nil, nil)
	}
	inline := value[bucketHead:]
	if len(inline) < pageHead || order.Uint16(inline[8:]) != leafPage {
		return damagef("page %d: an inline bucket that is not a leaf", id)
	}
	return w.leaf(inline, int(order.Uint16(inline[10:])), id, depth, nil, nil)
}

// packing hands out the data of a page's elements, which must come one behind the other.
type packing struct {
	page []byte
	end  int // of what was handed out
}

func packed(p []byte, count int) *packing {
	return &packing{page: p, end: pageHead + count*elemSize}
}

// next returns the n bytes that lie pos behind offset at, if they are inside the page and next in turn.
func (d *packing) next(at int, pos, n uint32) ([]byte, bool) {
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
		return damagef("page %d: key %q is out of order", id, key)
	}
	return nil
}
