package checkout

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

// ErrBranch is returned when the checkout is not on the branch that is wanted.
var ErrBranch = errors.New("the checkout is not on the wanted branch")

// head is what is checked out.
type head struct {
	value  string      // of HEAD: a ref or a commit
	commit string      // "" if it is unknown: no commit yet, or refs that are not stored as files
	index  os.FileInfo // nil if there is none: nothing was ever checked out
}

// head reads the commit. The error is ErrTreeChanged while a git command is unfinished, as files may be of two commits.
func (r repo) head() (head, error) {
	if r.gitDir == "" {
		return head{}, nil
	}
	if err := r.busy(); err != nil {
		return head{}, err
	}
	value, _ := firstLine(filepath.Join(r.gitDir, "HEAD"))
	h := head{value: value, commit: r.resolve(value)}
	if info, err := os.Lstat(r.indexPath()); err == nil {
		h.index = info
	}
	return h, nil
}

// same reports whether git has changed nothing between two reads. Every command that writes files replaces the index
// afterwards, even if HEAD stays the same: reset, stash, restore.
func (h head) same(later head) bool {
	return h.value == later.value && h.commit == later.commit && sameFile(h.index, later.index)
}

// sameFile reports whether two stats of a file, nil if it did not exist, are of the same content.
func sameFile(a, b os.FileInfo) bool {
	if a == nil || b == nil {
		return a == b
	}
	return os.SameFile(a, b) && a.ModTime().Equal(b.ModTime()) && a.Size() == b.Size()
}

const branches = "refs/heads/"

// maxRefs is how large packed-refs may be, in bytes: about a million refs.
const maxRefs = 64 << 20

// onBranch returns ErrBranch unless HEAD is the wanted branch.
func (h head) onBranch(wanted string) error {
	ref, symbolic := strings.CutPrefix(h.value, "ref: ")
	branch, isBranch := strings.CutPrefix(strings.TrimSpace(ref), branches)
	is := "is on branch " + branch
	switch {
	case symbolic && isBranch && branch == wanted:
		return nil
	case h.value == "":
		is = "is not in git"
	case !symbolic:
		is = "is at commit " + h.value[:min(len(h.value), 12)] + ", with a detached HEAD"
	case branch == ".invalid": // what HEAD holds if refs are not stored as files
		is = "is in a repository whose branch cannot be read (its refs are not stored as files)"
	case !isBranch:
		is = "is at " + ref
	}
	return fmt.Errorf("%w: it %s, and --branch is %s: run git switch %s, or change --branch", ErrBranch, is, wanted, wanted)
}

var (
	commitID = regexp.MustCompile(`^([0-9a-f]{40}|[0-9a-f]{64})$`)
	refName  = regexp.MustCompile(`^refs(/[^/.][^/]*)+$`)
)

// resolve follows symbolic refs to a commit.
func (r repo) resolve(value string) string {
	for range 5 { // git's own limit
		name, symbolic := strings.CutPrefix(value, "ref: ")
		if !symbolic {
			break
		}
		if name = strings.TrimSpace(name); !refName.MatchString(name) {
			return ""
		}
		value, _ = firstLine(filepath.Join(r.gitDir, name))
		if value == "" {
			value, _ = firstLine(filepath.Join(r.commonDir, name))
		}
		if value == "" {
			value = r.packed(name)
		}
	}
	if !commitID.MatchString(value) {
		return ""
	}
	return value
}

// packed finds a ref in packed-refs, whose lines are "<commit> <name>".
func (r repo) packed(name string) string {
	text, err := readFile(filepath.Join(r.commonDir, "packed-refs"), maxRefs)
	if err != nil {
		return ""
	}
	for line := range strings.Lines(string(text)) {
		if commit, found := strings.CutSuffix(strings.TrimRight(line, "\r\n"), " "+name); found {
			return commit
		}
	}
	return ""
}
