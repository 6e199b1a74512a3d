package spec_test

import (
	"os"
	"path/filepath"
	"testing"

	"usersyncd/spec"
)

const origin = "git@git.example.com:agents/users.git"

// identity is what a folder's checkout is called.
func identity(t *testing.T, dir string) string {
	t.Helper()
	return load(t, spec.NewLoader(dir)).Checkout
}

// One repository is one checkout, however and wherever it is checked out; another folder of it is another one.
func TestTheSameCheckout(t *testing.T) {
	r := teams(t)
	r.git("remote", "add", "origin", origin)
	const want = "git.example.com/agents/users//users"
	if got := identity(t, filepath.Join(r.dir, "users")); got != want {
		t.Fatal(got)
	}
	base := t.TempDir()
	at := func(name string) string { return filepath.Join(base, name) }
	r.git("worktree", "add", "--quiet", "--detach", at("linked"))
	r.git("clone", "--quiet", "--depth=1", "file://"+r.dir, at("shallow"))
	r.git("clone", "--quiet", "--bare", r.dir, at("bare"))
	bare := repository{t, at("bare")}
	bare.git("remote", "set-url", "origin", origin)
	bare.git("worktree", "add", "--quiet", at("of-bare"), "main")
	for name, url := range map[string]string{"https": "https://token:x@git.example.com/agents/users", "ssh": "ssh://git@GIT.example.com:22/agents/users.git/"} {
		r.git("clone", "--quiet", r.dir, at(name))
		repository{t, at(name)}.git("remote", "set-url", "origin", url)
	}
	repository{t, at("shallow")}.git("remote", "set-url", "origin", origin)
	must(t, os.Symlink(at("https/users"), at("link")))
	must(t, os.CopyFS(at("copy"), os.DirFS(r.dir)))
	t.Chdir(at("https"))
	for _, dir := range []string{at("linked/users"), at("shallow/users"), at("of-bare/users"), at("https/users"), at("ssh/users"), at("link"), at("copy/users"),
		"users", "./users/", "../ssh/users/eu/.."} {
		if got := identity(t, dir); got != want {
			t.Errorf("%s: %s", dir, got)
		}
	}
	for dir, want := range map[string]string{"users/eu": want + "/eu", ".": "git.example.com/agents/users", "other": "git.example.com/agents/users//other"} {
		if got := identity(t, dir); got != want {
			t.Errorf("%s: %s", dir, got)
		}
	}
	// So it is for somebody who came there through a link.
	must(t, os.Symlink(at("https/users"), at("way")))
	t.Chdir(at("way"))
	if got := identity(t, "eu"); got != want+"/eu" {
		t.Errorf("through a link: %s", got)
	}
	// A submodule is a repository of its own.
	outer := teams(t)
	outer.git("remote", "add", "origin", "https://git.example.com/agents/all")
	inner := outer.submodule("users/more")
	inner.git("remote", "set-url", "origin", origin)
	if got := identity(t, filepath.Join(inner.dir, "users")); got != want {
		t.Errorf("a submodule: %s", got)
	}
	if got := identity(t, filepath.Join(outer.dir, "users")); got != "git.example.com/agents/all//users" {
		t.Errorf("around a submodule: %s", got)
	}
}

// Whoever publishes by moving a link, as git-sync does, publishes one checkout, with and without a remote.
func TestTheSameCheckoutBehindAMovingLink(t *testing.T) {
	for name, remote := range map[string]string{"git.example.com/agents/users//users": origin, "": ""} {
		r := teams(t)
		if remote != "" {
			r.git("remote", "add", "origin", remote)
		}
		link := filepath.Join(t.TempDir(), "current")
		dir := filepath.Join(link, "users")
		if name == "" {
			name = dir
		}
		l := spec.NewLoader(dir)
		for range 3 {
			r.write("users/a.yaml", "email: a@x.example\ntitle: "+r.git("rev-parse", "HEAD")+"\n")
			r.git("commit", "--quiet", "--all", "--message", "next")
			commit := r.git("rev-parse", "HEAD")
			tree := filepath.Join(r.dir, ".worktrees", commit)
			r.git("worktree", "add", "--quiet", "--detach", tree)
			must(t, os.WriteFile(filepath.Join(tree, ".git"), []byte("gitdir: ../../.git/worktrees/"+commit+"\n"), 0o644))
			must(t, os.Symlink(tree, link+".new"))
			must(t, os.Rename(link+".new", link))
			if s := load(t, l); s.Checkout != name || s.Revision != commit || len(s.NotCompared)+len(s.Incomplete) > 0 {
				t.Errorf("%s at %s: %+v", s.Checkout, s.Revision, s.State)
			}
		}
	}
}

// Without a remote, outside git, and where git's configuration cannot be read, it is the folder's path.
func TestCheckoutWithoutARemote(t *testing.T) {
	r := teams(t)
	dir := filepath.Join(r.dir, "users")
	check := func(what, dir, want string) {
		t.Helper()
		if got := identity(t, dir); got != want {
			t.Errorf("%s: %s, not %s", what, got, want)
		}
	}
	check("no remote", dir, dir)
	r.git("remote", "add", "upstream", origin)
	check("another remote", dir, dir)
	t.Chdir(r.dir)
	here, err := os.Getwd()
	must(t, err)
	check("a relative path", "users/../users", filepath.Join(here, "users"))
	link := filepath.Join(t.TempDir(), "link")
	must(t, os.Symlink(dir, link))
	check("a link", link, link)
	r.git("remote", "add", "origin", origin)
	must(t, os.WriteFile(filepath.Join(r.dir, ".git/config"), []byte("[core\n"), 0o600))
	check("broken configuration", dir, dir)
	must(t, os.RemoveAll(filepath.Join(r.dir, ".git")))
	check("outside git", dir, dir)
}
