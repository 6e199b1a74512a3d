package spec

import "slices"

// Positions are where the fields of a user were set, in 8 bytes a field: there are a million of them for 50,000 users.
type Positions struct {
	files []string // they are few: the user's own, and the _defaults.yaml files above it
	at    []uint64 // from the highest bit on: line, column, index in files, index of the field in the table
}

// The bits of a position. A line or column is below 2^22, as a file is smaller; a path has less than 2^12 folders.
const (
	lineBits   = 22
	columnBits = 22
	fileBits   = 12
	fieldBits  = 8
)

// Set records where a field was set. What is not a field of the format is left out.
func (p *Positions) Set(f Field, pos Pos) {
	field := slices.IndexFunc(table, func(i FieldInfo) bool { return i.Field == f })
	if field < 0 {
		return
	}
	file := slices.Index(p.files, pos.File)
	if file < 0 {
		file, p.files = len(p.files), append(p.files, pos.File)
	}
	packed := clamp(pos.Line, lineBits)<<columnBits | clamp(pos.Column, columnBits)
	packed = packed<<fileBits | clamp(file, fileBits)
	p.at = append(p.at, packed<<fieldBits|uint64(field)) //nolint:gosec // an index
}

// Of returns where a field was set.
func (p Positions) Of(f Field) (at Pos, ok bool) {
	for _, packed := range p.at {
		if table[packed&(1<<fieldBits-1)].Field != f {
			continue
		}
		packed >>= fieldBits
		file := packed & (1<<fileBits - 1)
		packed >>= fileBits
		return Pos{File: p.files[file], Line: int(packed >> columnBits), Column: int(packed & (1<<columnBits - 1))}, true //nolint:gosec // 22 bits each
	}
	return Pos{}, false
}

// clamp is a number that is not negative, or the largest that so many bits hold.
func clamp(n, bits int) uint64 {
	return uint64(min(max(n, 0), 1<<bits-1)) //nolint:gosec // it is not negative
}
