package spec

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path"
	"slices"
)

// parsedDefaults is one _defaults.yaml.
type parsedDefaults struct {
	hash     [sha256.Size]byte
	node     *node // nil if the file is unusable
	problems []Problem
}

// inherited is what the _defaults.yaml files above a user say, merged.
type inherited struct {
	node   *node  // nil if there are none
	digest string // of the files; "" if there are none
	bad    bool   // one of them has a problem, so nobody below is what was meant
}

// folders knows what each folder inherits.
type folders struct {
	files  map[string]file // its _defaults.yaml, by folder
	parsed map[string]parsedDefaults
	known  map[string]inherited
}

// loadDefaults reads every _defaults.yaml.
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
			in.node = merge(in.node, p.node)
		}
	}
	f.known[folder] = in
	return in
}

// readDefaults reads a _defaults.yaml for its problems; its node is what users inherit.
func readDefaults(file string, docs []*node) (*node, []Problem) {
	var r reader
	docs = slices.DeleteFunc(docs, isNothing)
	if len(docs) == 0 {
		return nil, []Problem{{Pos: Pos{file, 1, 1}, Message: "sets nothing; delete the file"}}
	}
	for _, doc := range docs[1:] {
		r.problem(doc, "a _defaults.yaml has one document; merge this one into the first")
	}
	doc := *docs[0]
	entries, _ := r.mapping(&doc, "{department: Support}")
	doc.entries = nil
	for _, e := range entries {
		switch info, ok := Lookup(Field(e.key.text)); {
		case info.PerUser, e.key.text == keyID, e.key.text == keyPreviousEmail:
			r.problem(e.key, "belongs to one user and cannot be a default; move it into the user's file")
		case !ok:
			r.known(e.key, defaultKeys)
		default:
			r.field(info, e.value)
			doc.entries = append(doc.entries, e)
		}
	}
	return &doc, r.problems
}
