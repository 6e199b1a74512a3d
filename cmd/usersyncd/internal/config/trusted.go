package config

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"

	"usersyncd/spec/text"
)

// maxTrusted bounds a file of settings or secrets, in bytes.
const maxTrusted = 1 << 20

// UntrustedError says why a file is not trusted.
type UntrustedError struct {
	Reason string
	verb   string // what to do with Fix: run it, or add it to the command line
	Fix    string
}

func (e *UntrustedError) Error() string { return fmt.Sprintf("%s: %s %q", e.Reason, e.verb, e.Fix) }

// readTrusted reads a file that decides what the program does or holds a secret: every file but the specs and the state
// file. It returns an *UntrustedError for one that anybody but its reader and root may have written, and for a private
// one that others can read. A group of the reader, and root's, may read it: Kubernetes passes secrets on in this way (fsGroup).
func readTrusted(path string, private bool) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }() // it was only read
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if st, ok := info.Sys().(*syscall.Stat_t); ok && info.Mode()&fs.ModeDevice == 0 { // what is written to /dev/null or a terminal is not read
		groups, err := os.Getgroups()
		if err == nil {
			owner, caller := ids{int(st.Uid), int(st.Gid)}, ids{os.Geteuid(), os.Getegid()}
			err = checkOwner(path, info.Mode().Perm(), owner, caller, groups, private)
		}
		if err != nil {
			return nil, err
		}
	}
	data, err := io.ReadAll(io.LimitReader(f, maxTrusted+1))
	if err == nil && len(data) > maxTrusted {
		err = fmt.Errorf("%s is larger than %d KiB", path, maxTrusted>>10)
	}
	return data, err
}

// ids are a user and a group, of a file or of a process.
type ids struct{ user, group int }

// checkOwner returns an *UntrustedError for the owner or the mode of a file that the caller, who also has other groups,
// reads; nil if they are right.
func checkOwner(path string, mode fs.FileMode, owner, caller ids, groups []int, private bool) error {
	word := text.ShellWord(path)
	chown := "chown " + strconv.Itoa(caller.user) + " " + word
	reason, fix, readers := "", "", fs.FileMode(0o077)
	if owner.group == 0 || owner.group == caller.group || slices.Contains(groups, owner.group) {
		readers = 0o037
	}
	switch {
	case owner.user != 0 && owner.user != caller.user:
		reason = fmt.Sprintf("%s belongs to user id %d, and usersyncd runs as %d", path, owner.user, caller.user)
		fix = chown
	case private && mode&readers != 0:
		reason, fix = "others can read "+path, "chmod 600 "+word
		if owner.user != caller.user { // who could not read it any more
			fix = chown + " && " + fix
		}
	case mode&0o002 != 0:
		reason, fix = "everybody can write "+path, "chmod o-w "+word
	case mode&0o020 != 0 && owner.group != caller.group:
		reason, fix = fmt.Sprintf("group id %d can write %s", owner.group, path), "chmod g-w "+word
	default:
		return nil
	}
	return &UntrustedError{reason, "run", fix}
}

// workTree is the root of the git work tree that a directory is in; "" outside of git. Unlike for a
// revision, git need not be able to use the repository: files of a checkout stay files of a checkout.
func workTree(dir string) (string, error) {
	dir, err := physical(dir)
	for err == nil {
		_, missing := os.Lstat(filepath.Join(dir, ".git"))
		switch parent := filepath.Dir(dir); {
		case missing == nil:
			return dir, nil
		case !errors.Is(missing, fs.ErrNotExist):
			return "", missing
		case parent == dir:
			return "", nil
		default:
			dir = parent
		}
	}
	return "", err
}

// within reports whether a file, or the link of that name, is in a directory, and returns where that is.
func within(file, dir string) (root string, in bool, err error) {
	root, err = physical(dir)
	target, wrong := physical(file)
	folder, unknown := physical(filepath.Dir(file))
	if err = errors.Join(err, wrong, unknown); err != nil {
		return "", false, err
	}
	for _, path := range []string{target, filepath.Join(folder, filepath.Base(file))} {
		rel, err := filepath.Rel(root, path)
		in = in || err == nil && filepath.IsLocal(rel)
	}
	return root, in, nil
}

// physical is the absolute path of what a path leads to, which need not be there yet.
func physical(path string) (string, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return "", err
	}
	found, err := filepath.EvalSymlinks(path)
	if parent := filepath.Dir(path); errors.Is(err, fs.ErrNotExist) && parent != path {
		found, err = physical(parent)
		found = filepath.Join(found, filepath.Base(path))
	}
	return found, err
}

// FilesInCheckout are the settings whose files decide what the program does and are in the checkout of c.Dir, where a
// commit can change them: flags with their values.
func (c *Config) FilesInCheckout() []string {
	var found []string
	state, _ := c.StatePath() // an error is reported where the file is opened
	for _, f := range []struct{ flag, path string }{{"--config", c.File}, {"--notify-url-file", c.NotifyURLFile}, {"--state", state}} {
		if InCheckout(f.path, c.Dir) {
			found = append(found, f.flag+" "+f.path)
		}
	}
	return found
}

// InCheckout reports whether a file is in the work tree of the folder of specs, or below that folder; dir is "" if no
// specs are read.
func InCheckout(file, dir string) bool {
	if file == "" || dir == "" {
		return false
	}
	root, err := workTree(dir)
	if err != nil || root == "" {
		root = dir
	}
	_, in, err := within(file, root)
	return err == nil && in
}
