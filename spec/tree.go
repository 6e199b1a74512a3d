package spec

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"

	"usersyncd/spec/checkout"
	"usersyncd/spec/strictyaml"
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

// Tree is what a folder of specs declares.
type Tree struct {
	Digest   string // hash of every file's path and content
	Revision string // see Scan.Revision
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
	return ok && !IsDefaults(at.File)
}

// OwnHash is Hash without what is inherited: an edit of the user's own mapping changes it, an edit of a _defaults.yaml
// does not.
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
