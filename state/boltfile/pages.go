package boltfile

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/fnv"
	"io"
)

// The file format version 2 of bbolt (go.etcd.io/bbolt internal/common), in the machine's byte order:
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

type meta struct {
	pageSize, root, freelist, high, txid uint64
}

// newestMeta finds the meta page that bbolt uses. Like bbolt it takes the page size from the first, and looks for the
// second at every possible size if the first is invalid. one says that only one of the two is valid.
func newestMeta(r io.ReaderAt, size int64) (newest meta, one bool, err error) {
	first, ok0 := readMetaPage(r, 0)
	second, ok1 := meta{}, false
	if ok0 {
		second, ok1 = readMetaPage(r, int64(first.pageSize))
	}
	for at := int64(minPageSize); !ok0 && !ok1 && at <= maxPageSize && at < size; at *= 2 {
		second, ok1 = readMetaPage(r, at)
	}
	switch {
	case !ok0 && !ok1:
		return meta{}, false, fmt.Errorf("no valid meta page in %d bytes", size)
	case !ok0 || ok1 && second.txid > first.txid:
		return second, !ok0, nil
	}
	return first, !ok1, nil
}

// readMetaPage reads the meta page at an offset, and reports whether it is valid and belongs there.
func readMetaPage(r io.ReaderAt, at int64) (meta, bool) {
	var page [pageHead + metaSize]byte
	if _, err := r.ReadAt(page[:], at); err != nil {
		return meta{}, false
	}
	b := page[pageHead:]
	h := fnv.New64a()
	_, _ = h.Write(b[:metaSize-8]) // never fails
	m := meta{
		pageSize: uint64(order.Uint32(b[8:])),
		root:     order.Uint64(b[16:]),
		freelist: order.Uint64(b[32:]),
		high:     order.Uint64(b[40:]),
		txid:     order.Uint64(b[48:]),
	}
	self, want := order.Uint64(page[0:]), uint64(0)
	if at > 0 {
		want = 1
	}
	return m, order.Uint32(b[0:]) == boltMagic && order.Uint32(b[4:]) == boltVersion && order.Uint64(b[56:]) == h.Sum64() &&
		self == want && order.Uint16(page[8:]) == metaPage && // which the checksum leaves out
		m.pageSize >= minPageSize && m.pageSize <= maxPageSize && m.pageSize&(m.pageSize-1) == 0 && (at == 0 || uint64(at) == m.pageSize)
}

// use is what a page is used for.
type use byte

const (
	unknown use = iota
	used
	free
)

// pages reads the pages of a file, within bounds.
type pages struct {
	r             io.ReaderAt
	meta          meta
	uses          []use    // by page id
	buffers       [][]byte // one per level of the tree
	freeUncertain bool     // not all free pages may be known: the tree refers to one, or the list is not as bbolt writes it
}

// newPages returns those of the pages counted in the meta page that the file has.
func newPages(r io.ReaderAt, size int64, m meta) *pages {
	uses := make([]use, max(2, min(m.high, uint64(size)/m.pageSize)))
	uses[0], uses[1] = used, used
	return &pages{r: r, meta: m, uses: uses, buffers: make([][]byte, maxDepth)}
}

// read reads a page with its overflow, marks it as used, and returns it with its flags and count.
// The bytes are valid until the next page of the same depth is read.
func (v *pages) read(id uint64, depth int) (p []byte, flags, count uint16, err error) {
	high := uint64(len(v.uses))
	if id < 2 || id >= high {
		return nil, 0, 0, fmt.Errorf("page %d is out of range", id)
	}
	if depth >= maxDepth {
		return nil, 0, 0, fmt.Errorf("page %d is too deep", id)
	}
	var head [pageHead]byte
	at := int64(id * v.meta.pageSize)
	if _, err := v.r.ReadAt(head[:], at); err != nil {
		return nil, 0, 0, fmt.Errorf("page %d: %w", id, err)
	}
	last := id + uint64(order.Uint32(head[12:]))
	if self := order.Uint64(head[0:]); self != id {
		return nil, 0, 0, fmt.Errorf("page %d says that it is page %d", id, self)
	}
	if last >= high {
		return nil, 0, 0, fmt.Errorf("page %d has overflow up to page %d, out of range", id, last)
	}
	for i := id; i <= last; i++ {
		if err := v.mark(i, used); err != nil {
			return nil, 0, 0, err
		}
	}
	size := int((last - id + 1) * v.meta.pageSize)
	if cap(v.buffers[depth]) < size {
		v.buffers[depth] = make([]byte, size)
	}
	p = v.buffers[depth][:size]
	if _, err := v.r.ReadAt(p, at); err != nil {
		return nil, 0, 0, fmt.Errorf("page %d: %w", id, err)
	}
	return p, order.Uint16(p[8:]), order.Uint16(p[10:]), nil
}

func (v *pages) mark(id uint64, as use) error {
	if v.uses[id] != unknown {
		v.freeUncertain = v.freeUncertain || v.uses[id] == free
		return fmt.Errorf("page %d is used twice", id)
	}
	v.uses[id] = as
	return nil
}

// readFreelist marks the free pages. It continues after a damaged entry, and returns the first damage. bbolt writes the
// list in order, with nothing behind it.
func (v *pages) readFreelist() error {
	v.freeUncertain = true
	p, flags, count16, err := v.read(v.meta.freelist, 0)
	if err != nil {
		return err
	}
	if flags != freelistPage {
		return fmt.Errorf("page %d of type %#x is the freelist", v.meta.freelist, flags)
	}
	ids, count := p[pageHead:], uint64(count16)
	if count == 0xffff {
		count = order.Uint64(ids)
		ids = ids[8:]
	}
	if count > uint64(len(ids)/8) {
		return fmt.Errorf("the freelist claims %d pages", count)
	}
	var first error
	inOrder, previous := true, uint64(0)
	for i := range count {
		id := order.Uint64(ids[i*8:])
		inOrder, previous = inOrder && id > previous, id
		err := error(nil)
		if id < 2 || id >= uint64(len(v.uses)) || id == v.meta.root {
			err = fmt.Errorf("page %d cannot be free", id)
		} else {
			err = v.mark(id, free)
		}
		if first == nil {
			first = err
		}
	}
	v.freeUncertain = first != nil || !inOrder || len(bytes.Trim(ids[count*8:], "\x00")) > 0
	return first
}
