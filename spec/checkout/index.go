package checkout

import (
	"bytes"
	"crypto/sha1" // what git names its objects by
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
)

// Limits of an index: 256 MiB is more than two million files. Version 4 shortens paths, usually to more than a third.
const (
	maxIndex  = 256 << 20
	maxPath   = 1 << 14 // bytes
	maxLonger = 8       // of all paths together, compared with the file
)

var errDamaged = errors.New("damaged")

// An objectID identifies the content of a file: SHA-1 or SHA-256, the rest zero.
type objectID [sha256.Size]byte

// An objectFormat is the hash that a repository uses.
type objectFormat struct {
	size int
	new  func() hash.Hash
}

func sha1Format() objectFormat   { return objectFormat{sha1.Size, sha1.New} }
func sha256Format() objectFormat { return objectFormat{sha256.Size, sha256.New} }

// blob is the id of a file's content.
func (f objectFormat) blob(content []byte) (id objectID) {
	h := f.new()
	fmt.Fprintf(h, "blob %d\x00", len(content))
	h.Write(content)
	h.Sum(id[:0])
	return id
}

// Modes of entries.
const (
	typeMask = 0o170000
	typeFile = 0o100000
	typeDir  = 0o040000 // of a sparse index: a folder that is not checked out
	typeGit  = 0o160000 // a submodule
)

// An entry describes one path.
type entry struct {
	path      string
	id        objectID
	sec, nsec uint32 // modification time of the file when the entry was written
	size      uint32 // in bytes, modulo 2^32
	flags     flags
}

type flags uint8

const (
	skipWorktree flags = 1 << iota // not checked out
	assumed                        // assume-unchanged: git does not compare it
	unmerged                       // in conflict: there are several versions
)

// A record is an entry as it is read. Its path is overwritten by the next one.
type record struct {
	entry
	path  []byte
	mode  uint32
	stage byte // 0 unless unmerged
}

// An indexReader parses an index file (gitformat-index(5)).
type indexReader struct {
	data    []byte // without the checksum
	at      int
	version uint32
	count   uint32
	format  objectFormat
	path    []byte
}

func newIndexReader(data []byte, format objectFormat) (*indexReader, error) {
	const header = 12
	end := len(data) - format.size
	if end < header || string(data[:4]) != "DIRC" {
		return nil, errDamaged
	}
	r := &indexReader{data: data[:end], at: header, format: format, version: binary.BigEndian.Uint32(data[4:]), count: binary.BigEndian.Uint32(data[8:])}
	if r.version < 2 || r.version > 4 {
		return nil, fmt.Errorf("version %d is not supported", r.version)
	}
	if sum := data[end:]; !bytes.Equal(sum, make([]byte, format.size)) { // all zero: index.skipHash
		h := format.new()
		h.Write(r.data)
		if !bytes.Equal(h.Sum(nil), sum) {
			return nil, errDamaged
		}
	}
	return r, nil
}

// entries calls each for every entry, in order. In a split index, the first ones may have no path.
func (r *indexReader) entries(each func(i int, e *record) error) error {
	var e record
	var before []byte
	stage, paths := byte(0), 0
	for i := range int(r.count) {
		if err := r.entry(&e); err != nil {
			return err
		}
		if paths += len(e.path); paths > maxLonger*len(r.data) {
			return errDamaged
		}
		if len(e.path) > 0 {
			if c := bytes.Compare(before, e.path); c > 0 || c == 0 && stage >= e.stage {
				return errDamaged // not sorted
			}
			before, stage = append(before[:0], e.path...), e.stage
		} else if len(before) > 0 {
			return errDamaged
		}
		if err := each(i, &e); err != nil {
			return err
		}
	}
	return nil
}

func (r *indexReader) entry(e *record) error {
	fixed := 40 + r.format.size + 2
	begin := r.at
	if len(r.data)-begin < fixed {
		return errDamaged
	}
	raw := r.data[begin:]
	*e = record{mode: binary.BigEndian.Uint32(raw[24:]),
		entry: entry{sec: binary.BigEndian.Uint32(raw[8:]), nsec: binary.BigEndian.Uint32(raw[12:]), size: binary.BigEndian.Uint32(raw[36:])}}
	copy(e.id[:], raw[40:40+r.format.size])
	bits := binary.BigEndian.Uint16(raw[fixed-2:])
	if bits&0x8000 != 0 {
		e.flags |= assumed
	}
	e.stage = byte(bits >> 12 & 3)
	if bits&0x4000 != 0 {
		if r.version < 3 || len(raw) < fixed+2 {
			return errDamaged
		}
		if binary.BigEndian.Uint16(raw[fixed:])&0x4000 != 0 {
			e.flags |= skipWorktree
		}
		fixed += 2
	}
	if e.stage != 0 {
		e.flags |= unmerged
	}
	r.at += fixed
	if r.version == 4 {
		strip, err := r.varint()
		if err != nil || strip > uint64(len(r.path)) {
			return errDamaged
		}
		r.path = r.path[:len(r.path)-int(strip)]
	} else {
		r.path = r.path[:0]
	}
	n := bytes.IndexByte(r.data[r.at:], 0)
	if n < 0 || len(r.path)+n > maxPath {
		return errDamaged
	}
	r.path = append(r.path, r.data[r.at:r.at+n]...)
	if long := bits & 0xfff; long != 0xfff && int(long) != len(r.path) {
		return errDamaged
	}
	r.at += n + 1
	if r.version < 4 { // padded with zeros to a multiple of eight
		r.at = begin + (r.at-begin+7)&^7
		if r.at > len(r.data) {
			return errDamaged
		}
	}
	e.path = r.path
	return nil
}

// varint reads a number in the offset encoding of pack files, which version 4 uses.
func (r *indexReader) varint() (n uint64, err error) {
	for range 5 { // 35 bits
		if r.at >= len(r.data) {
			break
		}
		b := r.data[r.at]
		r.at++
		n = n<<7 | uint64(b&127)
		if b&128 == 0 {
			return n, nil
		}
		n++
	}
	return 0, errDamaged
}

// link reads the extensions, and returns the one that makes it a split index; nil if there is none. An extension whose
// name does not begin with a capital letter changes the meaning of the index.
func (r *indexReader) link() (link []byte, err error) {
	for r.at < len(r.data) {
		if len(r.data)-r.at < 8 {
			return nil, errDamaged
		}
		name, size := string(r.data[r.at:r.at+4]), binary.BigEndian.Uint32(r.data[r.at+4:])
		r.at += 8
		if uint64(size) > uint64(len(r.data)-r.at) {
			return nil, errDamaged
		}
		content := r.data[r.at : r.at+int(size)]
		r.at += int(size)
		switch {
		case name == "link":
			link = content
		case name == "sdir": // entries may be folders, as their mode shows
		case name[0] < 'A' || name[0] > 'Z':
			return nil, fmt.Errorf("extension %q is not supported", name)
		}
	}
	return link, nil
}
