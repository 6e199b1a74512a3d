package state

import (
	"bytes"
	"encoding/binary"
	"hash/fnv"
	"io"
)

// bbolt trusts its file: a page id beyond the end is a fault that no recover catches, a wrong page
// type is a panic, and its own Check runs on the same unchecked pointers. So a file is read here
// first, in bounds, and bbolt sees only what has passed: every page that the newest meta page leads
// to exists, is of the right type, is referenced once, has its elements inside it and its keys in
// order; and every other page is free. bbolt packs the data of a page's elements without a gap, behind
// all of them, so that a page which lost an element to a wrong count is noticed too.
//
// The layout is bbolt's file format version 2 (go.etcd.io/bbolt internal/common), in the machine's
// byte order:
//
//	page      id u64, flags u16, count u16, overflow u32; then count elements or one meta
//	meta      magic u32, version u32, page size u32, flags u32, root u64, sequence u64,
//	          freelist u64, high-water mark u64, transaction u64, FNV-1a of all this u64
//	branch    position from here u32, key size u32, child u64
//	leaf      flags u32, position from here u32, key size u32, value size u32
//	bucket    root u64 (0: the page follows here), sequence u64; the value of a leaf with flag 1
//	freelist  ids u64; a count of 0xffff says that the first is the count
const (
	pageHead   = 16
	elemSize   = 16
	metaSize   = 64
	bucketHead = 16

	branchPage   = 0x01
	leafPage     = 0x02
	metaPage     = 0x04
	freelistPage = 0x10
	bucketLeaf   = 0x01

	boltMagic   = 0xED0CDAED
	boltVersion = 2
	minPageSize = 1 << 10
	maxPageSize = 1 << 24
	maxDepth    = 32 // a billion users would need 10
)

var order = binary.NativeEndian

type boltMeta struct {
	page                                 uint64 // id in the page's head, which the checksum leaves out
	flags                                uint16
	pageSize, root, freelist, high, txid uint64
}

// verify returns *damage if the size bytes of r are not a sound bbolt database. halfMeta says that
// only one of its two meta pages is valid, and so that the last commit may be missing.
func verify(r io.ReaderAt, size int64) (halfMeta bool, err error) {
	m, halfMeta, err := newestMeta(r, size)
	if err != nil {
		return false, err
	}
	if m.high < 4 || m.high > uint64(size)/m.pageSize {
		return false, damagef("%d pages of %d bytes expected, the file has %d bytes", m.high, m.pageSize, size)
	}
	v := &verifier{r: r, meta: m, seen: make([]bool, m.high), pages: make([][]byte, maxDepth)}
	v.seen[0], v.seen[1] = true, true
	if err := v.tree(m.root, 0, nil, nil); err != nil {
		return false, err
	}
	if err := v.freelist(); err != nil {
		return false, err
	}
	for id, seen := range v.seen {
		if !seen {
			return false, damagef("page %d is neither used nor free", id)
		}
	}
	return halfMeta, nil
}

// newestMeta finds the meta page that bbolt will use. Like bbolt it learns the page size from the
// first, and looks for the second at every possible size if the first is invalid.
func newestMeta(r io.ReaderAt, size int64) (newest boltMeta, half bool, err error) {
	first, ok0 := readMeta(r, 0)
	at := int64(first.pageSize)
	second, ok1 := readMeta(r, at)
	if !ok0 {
		for at, ok1 = minPageSize, false; !ok1 && at <= maxPageSize && at < size; at *= 2 {
			second, ok1 = readMeta(r, at)
		}
		at /= 2
	}
	if !ok0 && !ok1 {
		return boltMeta{}, false, damagef("no valid meta page in %d bytes", size)
	}
	newest, half = first, !ok0 || !ok1
	if !ok0 || (ok1 && second.txid > first.txid) {
		newest = second
	}
	if p := newest.pageSize; p != uint64(at) || p < minPageSize || p > maxPageSize || p&(p-1) != 0 || (!half && first.pageSize != second.pageSize) {
		return boltMeta{}, false, damagef("a page size of %d bytes", p)
	}
	if (ok0 && (first.page != 0 || first.flags != metaPage)) || (ok1 && (second.page != 1 || second.flags != metaPage)) {
		return boltMeta{}, false, damagef("the head of a meta page is wrong")
	}
	return newest, half, nil
}

// readMeta reads the meta page at an offset and says whether bbolt takes it for valid.
func readMeta(r io.ReaderAt, at int64) (boltMeta, bool) {
	var page [pageHead + metaSize]byte
	if _, err := r.ReadAt(page[:], at); err != nil {
		return boltMeta{}, false
	}
	b := page[pageHead:]
	h := fnv.New64a()
	_, _ = h.Write(b[:metaSize-8]) // never fails
	return boltMeta{
		page:     order.Uint64(page[0:]),
		flags:    order.Uint16(page[8:]),
		pageSize: uint64(order.Uint32(b[8:])),
		root:     order.Uint64(b[16:]),
		freelist: order.Uint64(b[32:]),
		high:     order.Uint64(b[40:]),
		txid:     order.Uint64(b[48:]),
	}, order.Uint32(b[0:]) == boltMagic && order.Uint32(b[4:]) == boltVersion && order.Uint64(b[56:]) == h.Sum64()
}

type verifier struct {
	r     io.ReaderAt
	meta  boltMeta
	seen  []bool   // by page id
	pages [][]byte // one buffer a level of the tree
}

// page reads a page with its overflow, marks it as seen, and returns it with its flags and count.
// The bytes are valid until the next page of the same depth is read.
func (v *verifier) page(id uint64, depth int) (p []byte, flags, count uint16, err error) {
	if id < 2 || id >= v.meta.high {
		return nil, 0, 0, damagef("page %d is out of range", id)
	}
	if depth >= maxDepth {
		return nil, 0, 0, damagef("page %d is too deep", id)
	}
	var head [pageHead]byte
	at := int64(id * v.meta.pageSize)
	if _, err := v.r.ReadAt(head[:], at); err != nil {
		return nil, 0, 0, damagef("page %d: %v", id, err)
	}
	last := id + uint64(order.Uint32(head[12:]))
	if self := order.Uint64(head[0:]); self != id {
		return nil, 0, 0, damagef("page %d says that it is page %d", id, self)
	}
	if last >= v.meta.high {
		return nil, 0, 0, damagef("page %d has overflow up to page %d, out of range", id, last)
	}
	for i := id; i <= last; i++ {
		if err := v.mark(i); err != nil {
			return nil, 0, 0, err
		}
	}
	size := int((last - id + 1) * v.meta.pageSize)
	if cap(v.pages[depth]) < size {
		v.pages[depth] = make([]byte, size)
	}
	p = v.pages[depth][:size]
	if _, err := v.r.ReadAt(p, at); err != nil {
		return nil, 0, 0, damagef("page %d: %v", id, err)
	}
	return p, order.Uint16(p[8:]), order.Uint16(p[10:]), nil
}

func (v *verifier) mark(id uint64) error {
	if v.seen[id] {
		return damagef("page %d is used twice", id)
	}
	v.seen[id] = true
	return nil
}

// tree checks a page and all below it. Its keys must be at least low and less than high; nil is no bound.
func (v *verifier) tree(id uint64, depth int, low, high []byte) error {
	p, flags, count, err := v.page(id, depth)
	if err != nil {
		return err
	}
	switch {
	case flags == leafPage:
		return v.leaf(p, int(count), id, depth, low, high)
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
		if err := v.tree(child, depth+1, key, keys[i+1]); err != nil {
			return err
		}
	}
	return nil
}

// leaf checks the elements of a leaf page, which may be one inside a bucket's value.
func (v *verifier) leaf(p []byte, count int, id uint64, depth int, low, high []byte) error {
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
		if flags&bucketLeaf != 0 {
			if err := v.bucket(value, id, depth); err != nil {
				return err
			}
		}
	}
	return nil
}

func (v *verifier) bucket(value []byte, id uint64, depth int) error {
	if len(value) < bucketHead {
		return damagef("page %d: a bucket of %d bytes", id, len(value))
	}
	if root := order.Uint64(value); root != 0 {
		return v.tree(root, depth+1, nil, nil)
	}
	inline := value[bucketHead:]
	if len(inline) < pageHead || order.Uint16(inline[8:]) != leafPage {
		return damagef("page %d: an inline bucket that is not a leaf", id)
	}
	return v.leaf(inline, int(order.Uint16(inline[10:])), id, depth, nil, nil)
}

// freelist checks the list of free pages. It comes last, when all used pages are known.
func (v *verifier) freelist() error {
	p, flags, count16, err := v.page(v.meta.freelist, 0)
	if err != nil {
		return err
	}
	if flags != freelistPage {
		return damagef("page %d of type %#x is the freelist", v.meta.freelist, flags)
	}
	ids, count := p[pageHead:], uint64(count16)
	if count == 0xffff {
		count = order.Uint64(ids)
		ids = ids[8:]
	}
	if count > uint64(len(ids)/8) {
		return damagef("the freelist claims %d pages", count)
	}
	for i := range count {
		id := order.Uint64(ids[i*8:])
		if id < 2 || id >= v.meta.high {
			return damagef("free page %d is out of range", id)
		}
		if err := v.mark(id); err != nil {
			return err
		}
	}
	return nil
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
