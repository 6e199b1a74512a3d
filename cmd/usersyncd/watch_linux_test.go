package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"usersyncd/spec/checkout/gittest"
	"usersyncd/sync/genesys/sim"
)

// In these tests the daemon would look by itself once an hour, so whatever it applies it has heard of, or
// has looked for because it knew that it could not hear.
const onlyEvents = "--resync-interval=1h"

// newWatching makes an organization whose daemon has made its first pass.
func newWatching(t *testing.T, args ...string) *running {
	t.Helper()
	r := newRunning(t, sim.Options{Users: 6})
	r.declare(mei, "Captain")
	r.start(append(args, onlyEvents)...)
	r.waitFor("the first pass", func() bool { return r.title(mei) == "Captain" })
	return r
}

// heard edits both users' specs in place, one after the other, and waits for each.
func (r *running) heard(what string) {
	r.Helper()
	for _, email := range []string{ana, mei} {
		r.declare(email, what)
		r.waitFor(what+": "+email, func() bool { return r.title(email) == what })
	}
}

// More happens than the kernel keeps for a daemon that does not come to read it, and the rest is lost:
// here an edit, and a folder that is not watched therefore.
func TestDaemonAfterAnOverflow(t *testing.T) {
	r := newWatching(t)
	text, err := os.ReadFile("/proc/sys/fs/inotify/max_queued_events")
	if err != nil {
		t.Fatal(err)
	}
	most, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		t.Fatal(err)
	}
	r.signal(syscall.SIGSTOP)
	r.waitFor("it has stopped", func() bool { // until then it reads what is to be too much
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", r.cmd.Process.Pid))
		return err == nil && strings.Contains(string(stat), ") T ")
	})
	noise := [2]string{filepath.Join(r.specs, "noise.txt"), filepath.Join(r.specs, "more.txt")}
	for n := range most + 100 { // of one file in a row they would be one event
		if err := os.WriteFile(noise[n%2], nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	r.declare(ana, "Pilot")
	u, _ := r.sim.User(mei)
	folder := filepath.Join(r.specs, "new", "folder")
	write(t, filepath.Join(folder, "mei.yaml"), fmt.Sprintf("email: %s\ntitle: Major\n", mei))
	if err := os.Remove(specPath(r.specs, u)); err != nil {
		t.Fatal(err)
	}
	r.signal(syscall.SIGCONT)
	r.waitFor("what was lost is found", func() bool { return r.title(ana) == "Pilot" && r.title(mei) == "Major" })
	const loss = "file events were lost; the tree is read again" // told by another goroutine than the one that reads it
	r.waitFor("the loss is told", func() bool { return r.lines(loss) > 0 })
	if n := r.lines(loss); n != 1 {
		t.Errorf("the loss was told %d times", n)
	}
	write(t, filepath.Join(folder, "mei.yaml"), fmt.Sprintf("email: %s\ntitle: General\n", mei))
	r.waitFor("the new folder is watched", func() bool { return r.title(mei) == "General" })
}

// The folder is replaced by another one, in each of the ways that leave a watch on the one that is gone.
func TestDaemonAfterTheTreeWasReplaced(t *testing.T) {
	for name, replace := range map[string]func(next, specs string) error{
		"renamed": func(next, specs string) error {
			if err := os.Rename(specs, specs+".old"); err != nil {
				return err
			}
			return os.Rename(next, specs)
		},
		"removed": func(next, specs string) error {
			if err := os.RemoveAll(specs); err != nil {
				return err
			}
			return os.Rename(next, specs)
		},
		"a link now": func(next, specs string) error {
			if err := os.Rename(specs, specs+".old"); err != nil {
				return err
			}
			return os.Symlink(next, specs)
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := newWatching(t, "--on-removal=deactivate")
			next := filepath.Join(t.TempDir(), "next")
			if err := writeSpecs(r.Context(), next, r.sim.Users()); err != nil {
				t.Fatal(err)
			}
			u, _ := r.sim.User(ana)
			write(t, specPath(next, u), fmt.Sprintf("email: %s\ntitle: Pilot\n", ana))
			if err := replace(next, r.specs); err != nil {
				t.Fatal(err)
			}
			r.waitFor("the other tree is applied", func() bool { return r.title(ana) == "Pilot" })
			r.heard("Major")
			r.nobodyLeft()
		})
	}
}

// nobodyLeft checks that no user counted as removed for a moment.
func (r *running) nobodyLeft() {
	r.Helper()
	for _, u := range r.sim.Users() {
		if u.State != "active" {
			r.Errorf("%s is %s", u.Email, u.State)
		}
	}
	if n := r.lines("user applied"); n == 0 {
		r.Error("the log says nothing of what was applied")
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, line := range r.log {
		if line["action"] == "deactivate" || line["msg"] == "user no longer managed" {
			r.Errorf("%v", line)
		}
	}
}

// git-sync publishes each commit in a worktree of its own, by moving a link, and clears the last one away.
func TestDaemonBehindGitSync(t *testing.T) {
	r := newRunning(t, sim.Options{Users: 6})
	root := filepath.Join(t.TempDir(), "git")
	if err := os.MkdirAll(root, 0o755); err != nil {
		t.Fatal(err)
	}
	upstream := filepath.Dir(r.specs)
	gittest.Run(t, upstream, "init", "--quiet", "--initial-branch=main")
	gittest.Run(t, root, "init", "--quiet")
	published := ""
	sync := func(title string) string {
		t.Helper()
		r.specs = filepath.Join(upstream, "users")
		r.declare(ana, title)
		gittest.Run(t, upstream, "add", "--all")
		gittest.Run(t, upstream, "commit", "--quiet", "--allow-empty", "--message", title)
		gittest.Run(t, root, "fetch", "--quiet", upstream, "main")
		commit := gittest.Run(t, root, "rev-parse", "FETCH_HEAD")
		tree := filepath.Join(root, ".worktrees", commit)
		gittest.Run(t, root, "worktree", "add", "--quiet", "--force", "--detach", tree, commit, "--no-checkout")
		if err := os.WriteFile(filepath.Join(tree, ".git"), []byte("gitdir: ../../.git/worktrees/"+commit+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
		gittest.Run(t, tree, "reset", "--quiet", "--hard", commit, "--")
		if err := os.Symlink(filepath.Join(".worktrees", commit), filepath.Join(root, "tmp-link")); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(filepath.Join(root, "tmp-link"), filepath.Join(root, "current")); err != nil {
			t.Fatal(err)
		}
		if published != "" {
			if err := os.RemoveAll(published); err != nil {
				t.Fatal(err)
			}
			gittest.Run(t, root, "worktree", "prune")
		}
		published = tree
		r.specs = filepath.Join(root, "current", "users")
		return commit
	}
	commits := []string{sync("Pilot")}
	r.start("--on-removal=deactivate", onlyEvents)
	r.waitFor("the first commit", func() bool { return r.title(ana) == "Pilot" })
	for _, title := range []string{"Major", "General"} {
		commits = append(commits, sync(title))
		r.waitFor("the commit "+title, func() bool { return r.title(ana) == title })
	}
	r.nobodyLeft()
	r.waitFor("the revision of each", func() bool {
		r.mu.Lock()
		defer r.mu.Unlock()
		n := 0
		for _, line := range r.log {
			if line["msg"] == "pass done" && n < len(commits) && line["revision"] == commits[n] {
				n++
			}
		}
		return n == len(commits)
	})
}

// A volume that Kubernetes makes of a ConfigMap changes by a move of its link ..data.
func TestDaemonInAConfigMap(t *testing.T) {
	r := newRunning(t, sim.Options{Users: 6})
	volume := filepath.Join(t.TempDir(), "volume")
	data := filepath.Join(volume, "..data")
	last := ""
	update := func(title string) {
		t.Helper()
		version := "..2026_" + title
		text := fmt.Sprintf("email: %s\ntitle: %s\n", ana, title)
		write(t, filepath.Join(volume, version, "ana.yaml"), text)
		if err := os.Symlink(version, data+"_tmp"); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(data+"_tmp", data); err != nil {
			t.Fatal(err)
		}
		if last != "" {
			if err := os.RemoveAll(filepath.Join(volume, last)); err != nil {
				t.Fatal(err)
			}
		}
		last = version
	}
	update("Pilot")
	r.specs = data
	r.start("--on-removal=deactivate", onlyEvents)
	r.waitFor("the first", func() bool { return r.title(ana) == "Pilot" })
	for _, title := range []string{"Major", "General"} {
		update(title)
		r.waitFor(title, func() bool { return r.title(ana) == title })
	}
	r.nobodyLeft()
}

// Where the kernel gives no more watches, or none at all, the daemon looks by itself, and says so. A user
// namespace has limits of its own, so that nobody else on this machine is touched.
func TestDaemonWithoutWatches(t *testing.T) {
	for name, c := range map[string]struct{ limit, reason string }{
		"no more watches":   {"echo 3 >/proc/sys/user/max_inotify_watches", "this user has no more inotify watches; raise fs.inotify.max_user_watches with sysctl"},
		"no more instances": {"echo 0 >/proc/sys/user/max_inotify_instances", "this user has no more inotify instances; raise fs.inotify.max_user_instances with sysctl"},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRunning(t, sim.Options{Users: 6})
			if out, err := limited(exec.Command("sh", "-c", c.limit)).CombinedOutput(); err != nil {
				t.Skipf("this kernel lets nobody make a namespace (kernel.unprivileged_userns_clone, kernel.apparmor_restrict_unprivileged_userns), "+
					"so only TestRunPollsWhereItCannotWatch of sync/watch shows the same: %v %s", err, out)
			}
			r.declare(mei, "Captain")
			r.launch(limited(exec.Command("sh", "-c", c.limit+` && exec usersyncd "$@"`, "sh", "--resync-interval=1s", r.specs)))
			r.waitFor("the first pass", func() bool { return r.title(mei) == "Captain" })
			r.heard("Pilot")
			u, _ := r.sim.User(ana)
			write(t, filepath.Join(r.specs, "new", "ana.yaml"), fmt.Sprintf("email: %s\ntitle: Major\n", ana))
			if err := os.Remove(specPath(r.specs, u)); err != nil {
				t.Fatal(err)
			}
			r.waitFor("a new folder", func() bool { return r.title(ana) == "Major" })
			r.mu.Lock()
			defer r.mu.Unlock()
			told := 0
			for _, line := range r.log {
				if line["msg"] == "cannot watch for changes; polling" {
					told++
					if reason, _ := line["reason"].(string); !strings.Contains(reason, c.reason) || line["every"] == nil {
						t.Errorf("%v", line)
					}
				}
			}
			if told != 1 {
				t.Errorf("told %d times", told)
			}
		})
	}
}

// limited makes a command run as root of a user namespace of its own.
func limited(cmd *exec.Cmd) *exec.Cmd {
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWUSER,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}},
	}
	return cmd
}
