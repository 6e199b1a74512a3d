package spec

// GitDir is the repository of the checkout that a folder is in: its .git, or what that names in a worktree
// or submodule. It is "" outside git, and where it cannot be told, which a scan says.
func GitDir(dir string) string {
	c, err := findCheckout(dir)
	if err != nil {
		return ""
	}
	return c.gitDir
}
