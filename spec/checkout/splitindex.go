package checkout

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"path/filepath"
)

// readIndex calls each for every entry of an index file, not always in order. Whether it is a split index is known only
// from the extensions, which follow the entries.
func readIndex(name string, format objectFormat, each func(e *record)) error {
	r, err := openIndex(name, format)
	if err != nil {
		return err
	}
	if err := r.read(filepath.Dir(name), each); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}

func (r *indexReader) read(dir string, each func(e *record)) error {
	begin := r.at
	if err := r.entries(func(int, *record) error { return nil }); err != nil {
		return err
	}
	link, err := r.link()
	if err != nil {
		return err
	}
	var own []record
	r.at, r.path = begin, nil
	err = r.entries(func(_ int, e *record) error {
		if link == nil {
			each(e)
			return nil
		}
		own = append(own, *e)
		own[len(own)-1].path = bytes.Clone(e.path)
		return nil
	})
	if err != nil || link == nil {
		return err
	}
	return readShared(dir, link, own, r.format, each)
}

func openIndex(name string, format objectFormat) (*indexReader, error) {
	data, err := readFile(name, maxIndex)
	if errors.Is(err, errTooLarge) {
		return nil, fmt.Errorf("%s: %w: more than %d MiB", name, err, maxIndex>>20)
	}
	if err == nil {
		var r *indexReader
		if r, err = newIndexReader(data, format); err == nil {
			return r, nil
		}
	}
	return nil, fmt.Errorf("%s: %w", name, err)
}

// readShared reads the file that a split index is based on. link names it and holds two bitmaps: which of its entries are
// deleted, and which are replaced by own entries without a path, in order. The rest of own is new.
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
	if !bytes.Equal(id, make([]byte, format.size)) { // all zero: it is based on none
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

// readBitmap reads a bitmap in EWAH, which compresses runs of equal words, and returns what follows it
// (https://github.com/git/git/blob/master/ewah, and gitformat-bitmap(5), "Appendix A").
func readBitmap(data []byte) (b bitmap, rest []byte, err error) {
	const longest = maxIndex / 64 // bits: more than the entries of any index
	if len(data) < 8 {
		return nil, nil, errDamaged
	}
	size, words := binary.BigEndian.Uint32(data), binary.BigEndian.Uint32(data[4:])
	data = data[8:]
	if size > longest || uint64(words)*8+4 > uint64(len(data)) {
		return nil, nil, errDamaged
	}
	rest = data[int(words)*8+4:] // after the position of the last marker
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
