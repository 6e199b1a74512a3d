package checkout

import (
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"syscall"

	"usersyncd/spec/text"
)

// mostNamed is how many of the dirty files are named; all are counted.
const mostNamed = 20

// State compares a checkout's files with its commit.
type State struct {
	// Checkout names the repository and the folder, the same for every clone and worktree: the URL of the remote origin
	// without scheme, user and ".git", and after "//" the folder within the work tree, as in
	// "github.com/example/users//emea". Without a remote, or outside git, it is the path of the folder.
	Checkout string
	// Dirty names the first of the spec files that are not as in the index: changed, not in it, or missing from disk; by
	// path relative to the folder. It is empty if the commit is unknown.
	Dirty      []string
	DirtyFiles int // how many there are in all
	// Incomplete is what of the commit is not on disk. If there is anything, a user may seem undeclared only because its
	// file is missing.
	Incomplete []Gap
	// NotCompared is what could not be compared, and why: a sentence each.
	NotCompared []string
}

// A Gap is a part of the commit that is not on disk.
type Gap struct {
	What string // which files, such as "1 submodule is not initialised: more"
	Fix  string // the command that completes the checkout
}

func (g Gap) String() string { return g.What + "; to complete the checkout: " + g.Fix }

// Gaps returns Incomplete as a sentence each.
func (s *State) Gaps() []string {
	var sentences []string
	for _, g := range s.Incomplete {
		sentences = append(sentences, g.String())
	}
	return sentences
}

// State returns the result, after File was called for all files. pointers are the paths of files that are Git LFS
// pointers.
func (c *Comparison) State(pointers []string) State {
	c.remember()
	git := c.checkout
	s := State{Checkout: text.Escape(git.identity(git.config, git.folder, git.given))}
	dirty := c.differing(&s)
	var sparse, hidden []string
	for _, u := range c.missing {
		name := pathBelow(u.mount, u.path)
		switch {
		case !u.gone(): // it exists and was not read, which is a problem of its own
		case u.flags&skipWorktree != 0:
			sparse = append(sparse, name)
		case u.flags&assumed != 0:
			hidden = append(hidden, name)
		default:
			dirty = append(dirty, name)
		}
	}
	var uninitialised []string
	for _, m := range git.all() {
		if m.why != "" {
			s.NotCompared = append(s.NotCompared, text.Escape(m.why))
		}
		if m.index == nil {
			continue
		}
		for _, folder := range m.index.sparse {
			sparse = append(sparse, pathBelow(m.mount, folder)+"/")
		}
		for _, sub := range m.index.submodules {
			below := m.submodule(sub)
			switch name := pathBelow(m.mount, sub.path); {
			case below == nil:
				uninitialised = append(uninitialised, name)
			case below.at.commit != sub.commit.text(below.at.commit):
				dirty = append(dirty, name)
			}
		}
	}
	s.incomplete(sparse, "path of the commit is not checked out (sparse checkout)", "paths of the commit are not checked out (sparse checkout)", "git sparse-checkout disable")
	s.incomplete(hidden, "file is missing, which git status does not show (assume-unchanged)", "files are missing, which git status does not show (assume-unchanged)",
		"git update-index --no-assume-unchanged FILE, and git checkout -- FILE")
	s.incomplete(pointers, "file is only a Git LFS pointer", "files are only Git LFS pointers", "git lfs pull")
	s.incomplete(uninitialised, "submodule is not initialised", "submodules are not initialised", "git submodule update --init --recursive")
	if git.Commit() != "" {
		slices.Sort(dirty)
		s.DirtyFiles = len(dirty)
		s.Dirty = slices.Clip(dirty[:min(len(dirty), mostNamed)])
	}
	return s
}

// differing returns the files that are not as in the index. A file that git may have converted is not compared, unless
// the conversion is that of line breaks.
func (c *Comparison) differing(s *State) (dirty []string) {
	rules := map[*module]*attributes{}
	var converted []string
	for i := range c.files {
		f := &c.files[i]
		if f.result != differs && f.result != differsByLineEnds {
			continue
		}
		m, may := f.module, none
		if f.entry != nil && f.entry.flags&unmerged == 0 {
			if rules[m] == nil {
				rules[m] = newAttributes(m.repo, m.config)
			}
			may = rules[m].of(pathBelow(m.folder, f.entry.path))
		}
		switch {
		case may == anything:
			converted = append(converted, c.paths[i])
		case may == lineBreaks && f.result == differsByLineEnds: // git does not show it
		default:
			dirty = append(dirty, c.paths[i])
		}
	}
	if len(converted) > 0 {
		s.NotCompared = append(s.NotCompared, fmt.Sprintf("%s, because git may have converted it (filter, ident, working-tree-encoding): %s",
			text.Count(len(converted), "file is not compared", "files are not compared"), someOf(converted)))
	}
	return dirty
}

// incomplete adds a gap, if there are names.
func (s *State) incomplete(names []string, one, more, fix string) {
	if len(names) == 0 {
		return
	}
	slices.Sort(names)
	s.Incomplete = append(s.Incomplete, Gap{text.Count(len(names), one, more) + ": " + someOf(names), fix})
}

// someOf names the first five.
func someOf(names []string) string { return text.Escape(text.List(names, 5, len(names))) }

// submodule is the work tree of a submodule; nil if it is not initialised.
func (m *module) submodule(sub submodule) *module {
	for _, s := range m.below {
		if s.mount == pathBelow(m.mount, sub.path) {
			return s
		}
	}
	return nil
}

// text is an id in hex, as long as another one.
func (id objectID) text(like string) string { return hex.EncodeToString(id[:])[:len(like)] }

// gone reports whether the file of an entry is not on disk.
func (u missing) gone() bool {
	_, err := os.Lstat(filepath.Join(u.workTree, filepath.FromSlash(u.folder), filepath.FromSlash(u.path)))
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR)
}

// IsPointer reports whether a file is a Git LFS pointer: it stands for a file that is stored elsewhere.
func IsPointer(content []byte) bool {
	const begins = "version https://git-lfs.github.com/spec/"
	return len(content) >= len(begins) && string(content[:len(begins)]) == begins
}
