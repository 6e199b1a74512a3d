package spec

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path"
	"slices"

	"usersyncd/spec/schema"
	"usersyncd/spec/strictyaml"
)

// parsedDefaults is the result of reading a _defaults.yaml.
type parsedDefaults struct {
	hash     [sha256.Size]byte
	node     *strictyaml.Node // nil if the file is unusable
	problems []Problem
}

// inherited is the content of the _defaults.yaml files above a user, merged.
type inherited struct {
	node   *strictyaml.Node // nil if there are none
	digest string           // of the files; "" if there are none
	bad    bool             // one of them has a problem, so no user below can be applied
}

// folders holds the defaults of each folder.
type folders struct {
	files  map[string]file // its _defaults.yaml, by folder
	parsed map[string]parsedDefaults
	known  map[string]inherited
}

// loadDefaults reads the _defaults.yaml files.
func (l *Loader) loadDefaults(root *os.Root, files []file, t *Tree) (*folders, error) {
	o := newOpener(root)
	defer o.close()
	out := &folders{files: map[string]file{}, parsed: map[string]parsedDefaults{}, known: map[string]inherited{}}
	cache := make(map[string]parsedDefaults, len(files))
	for _, f := range files {
		folder := path.Dir(f.path)
		if _, second := out.files[folder]; second || f.bad {
			out.files[folder], out.parsed[folder] = f, parsedDefaults{}
			continue
		}
		out.files[folder] = f
		p, hit := l.defaults[f.path]
		if !hit || p.hash != f.hash {
			var err error
			if p, err = parseDefaults(o, &f); err != nil {
				return nil, err
			}
			t.Parsed++
		}
		cache[f.path], out.parsed[folder] = p, p
		t.Problems = append(t.Problems, p.problems...)
	}
	l.defaults = cache
	return out, nil
}

func parseDefaults(o *opener, f *file) (parsedDefaults, error) {
	p := parsedDefaults{hash: f.hash}
	docs, problems, err := parseFile(o, f)
	if err != nil {
		return p, err
	}
	p.problems = problems
	if len(docs) > 0 || len(problems) == 0 {
		p.node, problems = readDefaults(f.path, docs)
		p.problems = append(p.problems, problems...)
	}
	return p, nil
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
	if file, ok := f.files[folder]; ok {
		p := f.parsed[folder]
		in.bad = in.bad || p.node == nil || len(p.problems) > 0
		sum := sha256.Sum256(fmt.Appendf(nil, "%s %q %x %t", in.digest, file.path, file.hash, in.bad))
		in.digest = hex.EncodeToString(sum[:])
		if p.node != nil {
			in.node = strictyaml.Merge(in.node, p.node)
		}
	}
	f.known[folder] = in
	return in
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
		case info.PerUser, e.Key.Text == KeyID, e.Key.Text == KeyPreviousEmail:
			r.Problem(e.Key, "belongs to one user and cannot be a default; move it into the user's file")
		case !ok:
			r.Known(e.Key, defaultKeys)
		default:
			info.kind.Parse(&r, e.Value)
			doc.Entries = append(doc.Entries, e)
		}
	}
	return &doc, r.Problems
}
