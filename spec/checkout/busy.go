package checkout

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

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
			return fmt.Errorf("%w: %s (%s exists since %s; %s)", ErrTreeChanged, u.what, name, info.ModTime().Format(time.RFC3339), u.end)
		case errors.Is(err, fs.ErrPermission):
			return fmt.Errorf("%s %w", name, errUnreadable)
		}
	}
	return nil
}
