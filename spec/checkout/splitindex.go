package checkout

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"path/filepath"
)

// readIndex calls begin with about how many entries an index file has, and each for every one, not always in order. Of a
// split index most are in a file beside it, which shows only behind the entries: then it begins once more.
func readIndex(name string, format objectFormat, begin func(n int), each func(e *record)) error {
	r, err := openIndex(name, format)
	if err != nil {
		return err
	}
	entries := r.at
	begin(min(int(r.count), len(r.data)/smallestEntry))
	if err := r.entries(func(_ int, e *record) error { each(e); return nil }); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	link, err := r.link()
	if err == nil && link != nil {
		var own []record
		r.at, r.path = entries, nil
		begin(0)
		err = r.entries(func(_ int, e *record) error {
			own = append(own, *e)
			own[len(own)-1].path = bytes.Clone(e.path)
			return nil
		})
		if err == nil {
			err = readShared(filepath.Dir(name), link, own, format, each)
		}
	}
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}

func openIndex(name string, format objectFormat) (*indexReader, error) {
	data, err := readFile(name, maxIndex)
	if err == nil {
		var r *indexReader
		if r, err = newIndexReader(data, format); err == nil {
			return r, nil
		}
	}
	return nil, fmt.Errorf("%s: %w", name, err)
}

// readShared reads the file that a split index is a change of. link names it and says, each as a bitmap, which of its
// entries are deleted, and which are replaced: by own entries without a path, in order. The rest of own is new.
func readShared(dir string, link []byte, own []record, format objectFormat, each func(e *record)) error {
	if len(link) < format.size {
		return errDamaged
	}
	id, rest := link[:format.size], link[format.size:]
	var deleted, replaced bitmap
	if len(rest) > 0 {
		var err error
		if deleted, rest, err = readBitmap(rest); err != nil {
			return err
		}
		if replaced, _, err = readBitmap(rest); err != nil {
			return err
		}
	}
	if !bytes.Equal(id, make([]byte, format.size)) { // all zero: there is none
		shared, err := openIndex(filepath.Join(dir, "sharedindex."+hex.EncodeToString(id)), format)
		if err != nil {
			return err
		}
		err = shared.entries(func(i int, e *record) error {
			switch {
			case len(e.path) == 0:
				return errDamaged
			case deleted.has(i):
			case replaced.has(i):
				if len(own) == 0 || len(own[0].path) > 0 {
					return errDamaged
				}
				own[0].path = e.path
				each(&own[0])
				own = own[1:]
			default:
				each(e)
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	for i := range own {
		if len(own[i].path) == 0 {
			return errDamaged
		}
		each(&own[i])
	}
	return nil
}

// A bitmap is a set of positions.
type bitmap []uint64

func (b bitmap) has(i int) bool { return i/64 < len(b) && b[i/64]>>(i%64)&1 == 1 }

// readBitmap reads a bitmap in EWAH, in which runs of words that are alike are compressed, and returns what follows it
// (https://github.com/git/git/blob/master/ewah, and gitformat-bitmap(5), "Appendix A").
func readBitmap(data []byte) (b bitmap, rest []byte, err error) {
	const longest = maxIndex / 64 // bits: more entries than that fit in no index
	if len(data) < 8 {
		return nil, nil, errDamaged
	}
	size, words := binary.BigEndian.Uint32(data), binary.BigEndian.Uint32(data[4:])
	data = data[8:]
	if size > longest || uint64(words)*8+4 > uint64(len(data)) {
		return nil, nil, errDamaged
	}
	rest = data[int(words)*8+4:] // behind the position of the last marker
	data = data[:int(words)*8]
	most := (int(size) + 63) / 64
	for len(data) > 0 {
		marker := binary.BigEndian.Uint64(data)
		data = data[8:]
		alike, literals := marker>>1&0xffffffff, marker>>33
		if alike > uint64(most-len(b)) || literals > uint64(most-len(b))-alike || literals*8 > uint64(len(data)) {
			return nil, nil, errDamaged
		}
		for range alike {
			b = append(b, -(marker & 1))
		}
		for range literals {
			b = append(b, binary.BigEndian.Uint64(data))
			data = data[8:]
		}
	}
	return b, rest, nil
}
