package spec

// GitDir is the repository of the checkout that a folder is in: its .git, or what that names in a worktree
// or submodule. It is "" outside git.
func GitDir(dir string) string { return findCheckout(dir).gitDir }
