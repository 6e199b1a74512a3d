package checkout

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"usersyncd/spec/text"
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

// ErrTreeChanged is returned when the checkout changed while it was read, or while a git command is unfinished there.
// The caller tries again.
var ErrTreeChanged = errors.New("the checkout is changing")

// unfinished are the files that git leaves in its directory while the files of the checkout may not be those of a commit
// that somebody chose, and the commands that end that (gitrepository-layout(5), and how git status knows).
// A linked worktree has its own of each.
var unfinished = []struct{ name, what, end string }{
	// First, as it exists beside each of the others. git holds it from before the first file is written until after
	// the last.
	{"index.lock", "git is running, or was killed and left its lock", "remove it if no git is running there"},
	{"MERGE_HEAD", "a merge is not finished", "commit it, or undo it with git merge --abort"},
	{"rebase-merge", "a rebase is not finished", "git rebase --continue, or --abort"},
	{"rebase-apply", "a rebase or git am is not finished", "git rebase or git am, with --continue or --abort"},
	{"CHERRY_PICK_HEAD", "a cherry-pick is not finished", "git cherry-pick --continue, or --abort"},
	{"REVERT_HEAD", "a revert is not finished", "git revert --continue, or --abort"},
	{"sequencer", "a series of cherry-picks or reverts is not finished", "git cherry-pick or git revert, with --continue or --abort"},
	// Whole commits, but chosen by a search: they must not bring last year's users back.
	{"BISECT_LOG", "a bisection is not finished", "git bisect reset"},
}

// busy returns ErrTreeChanged, with what is unfinished and how to end it, while a git command is unfinished.
func (r repo) busy() error {
	for _, u := range unfinished {
		name := filepath.Join(r.gitDir, u.name)
		switch info, err := os.Lstat(name); {
		case err == nil:
			return fmt.Errorf("%w: %s (%s exists since %s; %s)", ErrTreeChanged, u.what, name, text.Time(info.ModTime()), u.end)
		case errors.Is(err, fs.ErrPermission):
			return fmt.Errorf("%s %w", name, errUnreadable)
		}
	}
	return nil
}
