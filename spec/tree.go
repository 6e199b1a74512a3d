package spec

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"

	"usersyncd/spec/checkout"
	"usersyncd/spec/strictyaml"
)

// Pos is a place in a spec file; File is relative to the tree's root.
type Pos = strictyaml.Pos

// Problem is one thing that is wrong with a spec, in words that tell its author what to change.
type Problem = strictyaml.Problem

// Tree is a whole checkout, read.
type Tree struct {
	Digest   string // hash of every file's path and content
	Revision string // git commit of the checkout, with "-dirty" behind it if files differ from it, or Digest outside git
	checkout.State
	Users    []*User   // the users without problems, by Key
	Leavers  []*User   // users with problems who are certainly to be inactive, by Key; they have email and state alone
	Problems []Problem // by file, line, column; not empty means that Users is not all that was meant
	Files    int       // spec files, _defaults.yaml included
	Parsed   int       // of them, those that had to be parsed: the rest was known already
}

// dirty ends the revision of files that are not as in the commit before it.
const dirty = "-dirty"

// revision names the state of a tree: its commit, or what is in it.
func revision(commit string, differs bool, digest string) string {
	switch {
	case commit == "":
		return digest
	case differs:
		return commit + dirty
	}
	return commit
}

// CutDirty takes the mark off a revision whose files were not as in its commit, and reports whether it had one.
func CutDirty(revision string) (commit string, is bool) { return strings.CutSuffix(revision, dirty) }

// IsDirty reports whether a revision's files were not as in its commit.
func IsDirty(revision string) bool { return strings.HasSuffix(revision, dirty) }

// ShortRevision is enough of a revision to know it by, and the mark.
func ShortRevision(revision string) string {
	commit, is := CutDirty(revision)
	commit = commit[:min(len(commit), 12)]
	if is {
		return commit + dirty
	}
	return commit
}

// User is one declared user, defaults applied.
type User struct {
	Key            string    // the e-mail address, lower case and NFC: the identity within a tree
	Pos            Pos       // of the user's first line
	Ordinal        int       // place among the users of the file, from 1; 0 if the file declares one user
	ID             string    // pinned Genesys id, or ""
	PreviousEmails []string  // the former addresses, as keys, in the order of the spec
	Fields         Fields    // what is managed; always holds Email
	At             Positions // where each field was set, which may be a _defaults.yaml
	OwnParts       Fields    // of maps that are merged with an inherited one: what the user's own mapping says
}

// Positions are places of fields. (A map of so few would take three times the room, for each user.)
type Positions []FieldPos

// FieldPos is the place of one field.
type FieldPos struct {
	Field        Field
	File         string
	Line, Column int32
}

// Of returns where a field was set.
func (p Positions) Of(f Field) (at Pos, ok bool) {
	for _, fp := range p {
		if fp.Field == f {
			return Pos{File: fp.File, Line: int(fp.Line), Column: int(fp.Column)}, true
		}
	}
	return Pos{}, false
}

// Add notes where a field was set.
func (p Positions) Add(f Field, at Pos) Positions {
	return append(p, FieldPos{f, at.File, int32(at.Line), int32(at.Column)})
}

// Hash is the SHA-256, in hex, of all that is desired of the user, and of what it is found by. It changes
// whenever there is a reason to try a user again that the API refused.
func (u *User) Hash() string {
	sum := sha256.Sum256([]byte(u.Fields.Hash() + "\x00" + u.ID + "\x00" + strings.Join(u.PreviousEmails, "\x00")))
	return hex.EncodeToString(sum[:])
}

// Own reports whether a field was set in the user's own mapping, and not inherited from a _defaults.yaml.
// A map that is set in both is the user's own.
func (u *User) Own(f Field) bool {
	at, ok := u.At.Of(f)
	return ok && !IsDefaults(at.File)
}

// OwnHash is Hash of what the user's own mapping says alone: an edit of it changes the hash, an edit of a
// _defaults.yaml does not. Formatting and comments do not count, as in Hash.
func (u *User) OwnHash() string {
	own := User{ID: u.ID, PreviousEmails: u.PreviousEmails, Fields: make(Fields, len(u.Fields))}
	for f, v := range u.Fields {
		if part, merged := u.OwnParts[f]; merged {
			v = part
		}
		if u.Own(f) {
			own.Fields[f] = v
		}
	}
	return own.Hash()
}
