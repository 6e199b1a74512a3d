package checkout

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// ErrTreeChanged is returned when the checkout changed while it was read, or git has not finished what it does there.
// Look again.
var ErrTreeChanged = errors.New("the checkout is changing")

// unfinished is what git leaves in its directory while the files of a checkout are of no commit that
// anybody has chosen, and what ends that (gitrepository-layout(5), and what git status tells from).
// A linked worktree has its own of each.
var unfinished = []struct{ name, what, end string }{
	// First, as git has it beside each of the others. git holds it from before the first file is
	// written until after the last.
	{"index.lock", "git is at work, or was killed and left this behind", "remove it if no git is running there"},
	{"MERGE_HEAD", "a merge is not finished", "commit it, or undo it with git merge --abort"},
	{"rebase-merge", "a rebase is not finished", "git rebase --continue, or --abort"},
	{"rebase-apply", "a rebase or git am is not finished", "git rebase or git am, with --continue or --abort"},
	{"CHERRY_PICK_HEAD", "a cherry-pick is not finished", "git cherry-pick --continue, or --abort"},
	{"REVERT_HEAD", "a revert is not finished", "git revert --continue, or --abort"},
	{"sequencer", "a series of cherry-picks or reverts is not finished", "git cherry-pick or git revert, with --continue or --abort"},
	// Whole commits, but chosen by a search: nobody wants last year's users back because of it.
	{"BISECT_LOG", "a bisection is not finished", "git bisect reset"},
}

// A busyError says that git has not finished what it does in the checkout. It is ErrTreeChanged.
type busyError struct{ text string }

func (e *busyError) Error() string        { return e.text }
func (e *busyError) Is(target error) bool { return target == ErrTreeChanged }

// busy says what git has not finished, where that can be seen, and what ends it; nil if there is nothing.
func (r repo) busy() error {
	for _, u := range unfinished {
		name := filepath.Join(r.gitDir, u.name)
		switch info, err := os.Lstat(name); {
		case err == nil:
			return &busyError{fmt.Sprintf("%s: %s (%s is there since %s; %s)",
				ErrTreeChanged, u.what, name, info.ModTime().Format(time.RFC3339), u.end)}
		case errors.Is(err, fs.ErrPermission):
			return fmt.Errorf("%s %w", name, errUnreadable)
		}
	}
	return nil
}
