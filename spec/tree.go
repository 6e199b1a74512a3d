package spec

import (
	"fmt"

	"usersyncd/spec/checkout"
)

// Pos is a place in a spec file; File is relative to the tree's root, Line and Column count from 1.
type Pos struct {
	File   string `json:"file"`
	Line   int    `json:"line"`
	Column int    `json:"column"`
}

func (p Pos) String() string { return fmt.Sprintf("%s:%d:%d", p.File, p.Line, p.Column) }

// A Problem is one thing that is wrong with a spec, in words that tell its author what to change.
type Problem struct {
	Pos
	Field   string `json:"field,omitempty"` // the path inside the document, such as "phones[1].number"; empty for the whole file
	Message string `json:"message"`
}

func (p Problem) String() string {
	if p.Field == "" {
		return p.Pos.String() + ": " + p.Message
	}
	return p.Pos.String() + ": " + p.Field + ": " + p.Message
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
			return Pos{fp.File, int(fp.Line), int(fp.Column)}, true
		}
	}
	return Pos{}, false
}

// Add notes where a field was set.
func (p Positions) Add(f Field, at Pos) Positions {
	return append(p, FieldPos{f, at.File, int32(at.Line), int32(at.Column)})
}

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
