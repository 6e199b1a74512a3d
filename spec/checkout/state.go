package checkout

import (
	"bytes"
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
	main := git.modules[0]
	s := State{Checkout: text.Escape(main.identity(main.config, main.folder, git.given))}
	dirty := c.differing(&s)
	var sparse, hidden, uninitialised []string
	for _, e := range c.missing {
		switch {
		case !git.gone(e.path): // it exists and was not read, which is a problem of its own
		case e.flags&skipWorktree != 0:
			sparse = append(sparse, e.path)
		case e.flags&assumed != 0:
			hidden = append(hidden, e.path)
		default:
			dirty = append(dirty, e.path)
		}
	}
	commits := map[string]string{} // of submodules, by path
	for _, m := range git.modules {
		commits[m.mount] = m.at.commit
	}
	for _, m := range git.modules {
		if m.why != "" {
			s.NotCompared = append(s.NotCompared, text.Escape(m.why))
		}
		if m.index == nil {
			continue
		}
		sparse = append(sparse, m.index.sparse...)
		for _, sub := range m.index.submodules {
			if commit, ok := commits[sub.path]; !ok {
				uninitialised = append(uninitialised, sub.path)
			} else if commit != hex.EncodeToString(sub.commit[:])[:len(commit)] {
				dirty = append(dirty, sub.path)
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
	var converted []string
	for i := range c.files {
		f := &c.files[i]
		if !f.differs {
			continue
		}
		m, may := f.module, none
		if f.entry != nil && f.entry.flags&unmerged == 0 {
			if m.rules == nil {
				m.rules = newAttributes(m.repo, m.config)
			}
			may = m.rules.of(m.inTree(f.entry.path))
		}
		switch {
		case may == anything:
			converted = append(converted, c.paths[i])
		case may == lineBreaks && f.onlyLineEnds: // git does not show it
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

// gone reports whether a file is not on disk.
func (c *Checkout) gone(name string) bool {
	_, err := os.Lstat(filepath.Join(c.dir, name))
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR)
}

// IsPointer reports whether a file is a Git LFS pointer: it stands for a file that is stored elsewhere.
func IsPointer(content []byte) bool {
	return bytes.HasPrefix(content, []byte("version https://git-lfs.github.com/spec/"))
}
