package spec

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"path"
	"slices"

	"usersyncd/spec/schema"
	"usersyncd/spec/strictyaml"
)

// inherited is the content of the _defaults.yaml files above a user, merged.
type inherited struct {
	node   *strictyaml.Node // nil if there are none
	values Fields           // those of its entries that can be read
	digest string           // of the files and their names; "" if there are none
	bad    bool             // one of them has a problem, so no user below can be applied
}

// folders holds the defaults of each folder.
type folders struct {
	parsed map[string]parsedFile // its _defaults.yaml, by folder
	names  map[string]string     // of these files, by folder
	known  map[string]inherited
}

func newFolders(files []file, parsed map[string]parsedFile) *folders {
	out := &folders{parsed: map[string]parsedFile{}, names: map[string]string{}, known: map[string]inherited{}}
	for _, f := range files {
		folder := path.Dir(f.path)
		out.names[folder] = f.path
		if _, second := out.parsed[folder]; second {
			out.parsed[folder] = parsedFile{} // which of them counts is not certain
		} else {
			out.parsed[folder] = parsed[f.path]
		}
	}
	return out
}

// above merges the defaults of a folder over those of the folders above it.
func (f *folders) above(folder string) inherited {
	if in, ok := f.known[folder]; ok {
		return in
	}
	var in inherited
	if folder != "." {
		in = f.above(path.Dir(folder))
	}
	if p, ok := f.parsed[folder]; ok {
		in.bad = in.bad || p.defaults == nil || len(p.problems.Problems) > 0
		sum := sha256.Sum256(fmt.Appendf(nil, "%s %q %x %t", in.digest, f.names[folder], p.hash, in.bad))
		in.digest = hex.EncodeToString(sum[:])
		in.node = cut(strictyaml.Merge(in.node, p.defaults))
		in.values = readValues(in.node)
	}
	f.known[folder] = in
	return in
}

// cut shortens the maps that are too long: they stay too long, which is a problem, and merging takes no time in proportion to them.
func cut(n *strictyaml.Node) *strictyaml.Node {
	if n == nil || n.Kind != strictyaml.Mapping {
		return n
	}
	out := *n
	out.Entries = slices.Clone(n.Entries[:min(len(n.Entries), schema.MaxEntries+1)])
	for i, e := range out.Entries {
		out.Entries[i].Value = cut(e.Value)
	}
	return &out
}

// readValues reads the entries of a mapping, without those that have a problem.
func readValues(n *strictyaml.Node) Fields {
	values := Fields{}
	if n == nil {
		return values
	}
	for _, e := range n.Entries {
		var r schema.Reader
		if info, known := Lookup(Field(e.Key.Text)); known {
			if v, ok := info.typ.Parse(&r, e.Value); ok {
				values.Set(info.Field, v)
			}
		}
	}
	return values
}

// readDefaults checks a _defaults.yaml, and returns the mapping that users inherit.
func readDefaults(file string, docs []*strictyaml.Node) (*strictyaml.Node, []Problem) {
	var r schema.Reader
	docs = slices.DeleteFunc(docs, isNothing)
	if len(docs) == 0 {
		return nil, []Problem{{Pos: Pos{File: file, Line: 1, Column: 1}, Message: "sets nothing; delete the file"}}
	}
	for _, doc := range docs[1:] {
		r.Problem(doc, "a _defaults.yaml has one document; merge this one into the first")
	}
	doc := *docs[0]
	if r.Present(&doc, schema.EmptyMap) {
		r.Mapping(&doc, "{department: Support}")
	}
	doc.Entries = nil
	for _, e := range docs[0].Entries {
		switch info, ok := Lookup(Field(e.Key.Text)); {
		case info.NoDefault, e.Key.Text == KeyID, e.Key.Text == KeyPreviousEmail:
			r.Problem(e.Key, "belongs to one user and cannot be a default; move it into the user's file")
		case !ok:
			r.Known(e.Key, defaultKeys)
		default:
			info.typ.Parse(&r, e.Value)
			doc.Entries = append(doc.Entries, e)
		}
	}
	return &doc, r.Problems
}
