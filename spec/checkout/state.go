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

// mostNamed is how many of the files that differ are named; all are counted.
const mostNamed = 20

// State is what a checkout's files are, compared with its commit.
type State struct {
	// Checkout says which checkout it is, alike for every clone and worktree of a repository: the URL of the remote
	// origin without scheme, user and ".git", and behind "//" the folder within the work tree, as in
	// "github.com/example/users//emea". Without a remote, or outside git, it is the path of the folder.
	Checkout string
	// Dirty are spec files that are not as in the index: changed, not in it, or missing from disk; the first of them, by
	// path relative to the folder. There are none where no commit can be told.
	Dirty      []string
	DirtyFiles int // how many there are
	// Incomplete is what of the commit is not on disk. While there is something, a user who is not declared may only be
	// one whose file is missing.
	Incomplete []Gap
	// Unjudged says, a sentence each, what could not be compared, and why.
	Unjudged []string
}

// A Gap is something of the commit that is not on disk.
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

// State sums up, when all files have been compared. pointers are the files that hold what Git LFS keeps in place of
// a file, by path.
func (c *Comparison) State(pointers []string) State {
	c.remember()
	git := c.checkout
	s := State{Checkout: git.identity(git.config, git.folder, git.given)}
	dirty := c.differing(&s)
	var sparse, hidden []string
	for _, u := range c.missing {
		name := pathBelow(u.mount, u.path)
		switch {
		case !u.gone(): // what is there and was not read is a problem of its own
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
			s.Unjudged = append(s.Unjudged, m.why)
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

// differing are the files that are not as in the index. One that git may have converted is not judged, unless the
// conversion is known: that of line breaks.
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
		case may == lineBreaks && f.result == differsByLineEnds: // to git it is the same
		default:
			dirty = append(dirty, c.paths[i])
		}
	}
	if len(converted) > 0 {
		s.Unjudged = append(s.Unjudged, fmt.Sprintf("%s, as git may have converted what is in them (filter, ident, working-tree-encoding): %s",
			text.Count(len(converted), "file is not compared", "files are not compared"), someOf(converted)))
	}
	return dirty
}

// incomplete adds a gap, if anything is not on disk.
func (s *State) incomplete(names []string, one, more, fix string) {
	if len(names) == 0 {
		return
	}
	slices.Sort(names)
	s.Incomplete = append(s.Incomplete, Gap{text.Count(len(names), one, more) + ": " + someOf(names), fix})
}

// someOf names as many files as a sentence has room for.
func someOf(names []string) string { return text.List(names, 5, len(names)) }

// submodule is the work tree of a submodule; nil if it is not initialised.
func (m *module) submodule(sub submodule) *module {
	for _, s := range m.below {
		if s.mount == pathBelow(m.mount, sub.path) {
			return s
		}
	}
	return nil
}

// text is an id as a commit is written, as long as another one.
func (id objectID) text(like string) string { return hex.EncodeToString(id[:])[:len(like)] }

// gone reports whether a wanted entry's file is not on disk.
func (u unmatched) gone() bool {
	_, err := os.Lstat(filepath.Join(u.workTree, filepath.FromSlash(u.folder), filepath.FromSlash(u.path)))
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR)
}

// IsPointer reports whether a file is what Git LFS keeps in place of a file that is kept elsewhere.
func IsPointer(content []byte) bool {
	const begins = "version https://git-lfs.github.com/spec/"
	return len(content) >= len(begins) && string(content[:len(begins)]) == begins
}
