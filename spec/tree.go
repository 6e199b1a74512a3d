package spec

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"

	"usersyncd/spec/checkout"
	"usersyncd/spec/specfile"
	"usersyncd/spec/strictyaml"
	"usersyncd/spec/text"
)

// Pos is a place in a spec file; File is relative to the tree's root.
type Pos = strictyaml.Pos

// Problem is one thing that is wrong with a spec, in words that tell its author what to change.
type Problem = strictyaml.Problem

// A ProblemList has the first problems of a tree, and counts the others.
type ProblemList struct {
	Problems        []Problem `json:"problems,omitempty"`        // by file, line, column
	ProblemsLeftOut int       `json:"problemsLeftOut,omitempty"` // 0 if Problems is empty
}

// ProblemCount is how many problems there are.
func (l ProblemList) ProblemCount() int { return len(l.Problems) + l.ProblemsLeftOut }

// limit leaves out problems beyond so many.
func (l *ProblemList) limit(most int) {
	if n := len(l.Problems) - most; n > 0 {
		l.Problems = slices.Clone(l.Problems[:most]) // the others are not kept in memory
		l.ProblemsLeftOut += n
	}
}

// Warnings are what is probably a mistake, but keeps no user from being applied.
type Warnings struct {
	First []Problem // at most maxWarnings, by place
	Count int       // of all
}

const maxWarnings = 20

func (w *Warnings) add(all ...Problem) {
	w.Count += len(all)
	w.First = append(slices.Clip(w.First), all[:min(len(all), maxWarnings-len(w.First))]...)
}

// Lines are the warnings as sentences. The last one counts those that are left out.
func (w *Warnings) Lines() []string {
	var lines []string
	for _, p := range w.First {
		lines = append(lines, p.String())
	}
	if n := w.Count - len(w.First); n > 0 {
		lines = append(lines, "and "+text.Plural(n, "more warning")+" in the specs")
	}
	return lines
}

// Notes are what qualifies the tree: what of the commit is missing, and the warnings.
func (s *Scan) Notes() []string { return append(s.Gaps(), s.Warnings.Lines()...) }

// Notes are those of the scan, and the warnings about the content of files.
func (t *Tree) Notes() []string { return append(t.Gaps(), t.Warnings.Lines()...) }

// Tree is what a folder of specs declares.
type Tree struct {
	Digest   string   // hash of every file's path and content
	Revision string   // see Scan.Revision
	Misnamed []string // see Scan.Misnamed
	Warnings Warnings
	checkout.State
	Users       []*User // the users without problems, by Key
	Leavers     []*User // users with problems who are certainly to be inactive, by Key; they only have email and state
	ProblemList         // if there are any, Users is incomplete
	Files       int     // spec files, _defaults.yaml included
	Parsed      int     // of them, those that were parsed: the rest was cached
}

// dirty is the end of a revision whose files differ from the commit.
const dirty = "-dirty"

// revision is the commit, or outside git the digest.
func revision(commit string, differs bool, digest string) string {
	switch {
	case commit == "":
		return digest
	case differs:
		return commit + dirty
	}
	return commit
}

// CutDirty splits "-dirty" from a revision.
func CutDirty(revision string) (commit string, isDirty bool) {
	return strings.CutSuffix(revision, dirty)
}

// IsDirty reports whether files differed from the commit.
func IsDirty(revision string) bool { return strings.HasSuffix(revision, dirty) }

// ShortRevision is a revision with a short commit id.
func ShortRevision(revision string) string {
	commit, _ := CutDirty(revision)
	if strings.Trim(commit, "0123456789abcdef") != "" { // not a revision, such as the time of a rollback
		return revision
	}
	return commit[:min(len(commit), 12)] + revision[len(commit):]
}

// User returns the user with a key; nil if none is declared, or it has a problem.
func (t *Tree) User(key string) *User {
	i, ok := slices.BinarySearchFunc(t.Users, key, func(u *User, key string) int { return cmp.Compare(u.Key, key) })
	if !ok {
		return nil
	}
	return t.Users[i]
}

// Fields returns the fields of the user with a key; nil if there is none.
func (t *Tree) Fields(key string) Fields {
	if u := t.User(key); u != nil {
		return u.Fields
	}
	return nil
}

// User is one declared user, defaults applied.
type User struct {
	Key            string    // the e-mail address, lower case and NFC: the identity within a tree
	Pos            Pos       // of the user's first line
	Ordinal        int       // position among the users of the file, from 1; 0 if the file declares one user
	ID             string    // pinned Genesys id, or ""
	PreviousEmails []string  // the former addresses, as keys, in the order of the spec
	Fields         Fields    // what is managed; always holds Email
	At             Positions // where each field was set, which may be a _defaults.yaml
	OwnParts       Fields    // of maps that are merged with an inherited one: the user's own part
}

// Hash is the SHA-256, in hex, of the user's fields, id and former addresses. If it changes, a user that the API refused
// is tried again.
func (u *User) Hash() string {
	sum := sha256.Sum256([]byte(u.Fields.Hash() + "\x00" + u.ID + "\x00" + strings.Join(u.PreviousEmails, "\x00")))
	return hex.EncodeToString(sum[:])
}

// Own reports whether a field was set in the user's own mapping, and not only in a _defaults.yaml.
func (u *User) Own(f Field) bool {
	at, ok := u.At.Of(f)
	return ok && !specfile.IsDefaults(at.File)
}

// OwnHash is Hash without what is inherited: an edit of the user's own mapping changes it, an edit of a _defaults.yaml
// does not.
func (u *User) OwnHash() string {
	own := User{ID: u.ID, PreviousEmails: u.PreviousEmails, Fields: make(Fields, 0, len(u.Fields))}
	for f, v := range u.Fields.All() {
		if part, merged := u.OwnParts.Lookup(f); merged {
			v = part
		}
		if u.Own(f) {
			own.Fields.Set(f, v)
		}
	}
	return own.Hash()
}

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
