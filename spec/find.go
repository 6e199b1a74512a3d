package spec

import (
	"bytes"
	"context"
	"slices"
	"strings"
)

// Find loads the part of a tree that is about one user: the files in which the address (User.Key) stands, and
// the _defaults.yaml files. It reads every file and parses few, so that it takes a second where Load takes
// many. The tree's other users are missing from it, so it says nothing about who is declared but this one. An
// address that is written with escapes is not found.
func (l *Loader) Find(ctx context.Context, key string) (*Tree, error) {
	own := NewLoader(l.dir) // what l has parsed stays as it is, and nobody waits for l
	s, err := own.Scan(ctx)
	if err != nil {
		return nil, err
	}
	if s.files, err = own.mentioning(ctx, s, key); err != nil {
		return nil, err
	}
	return own.Load(ctx, s)
}

// mentioning returns the files in which a text stands, in whatever case, and those of defaults.
func (l *Loader) mentioning(ctx context.Context, s *Scan, text string) ([]file, error) {
	root, err := l.open(s)
	if err != nil {
		return nil, err
	}
	defer func() { _ = root.Close() }() // only read from
	want := []byte(strings.ToLower(text))
	has := make([]bool, len(s.files))
	err = inChunks(ctx, len(s.files), root, func(o *opener, i int) error {
		f := &s.files[i]
		if has[i] = IsDefaults(f.path); has[i] || f.bad {
			return nil
		}
		content, err := readUnmoved(o, f)
		has[i] = bytes.Contains(bytes.ToLower(content), want)
		return err
	})
	if err != nil {
		return nil, err
	}
	i := -1
	return slices.DeleteFunc(slices.Clone(s.files), func(file) bool { i++; return !has[i] }), nil
}
