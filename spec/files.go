package spec

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"syscall"
	"unicode"
	"unicode/utf8"

	"usersyncd/spec/strictyaml"
	"usersyncd/spec/text"
)

// ErrTooLarge is returned for a spec file that is larger than the limit.
var ErrTooLarge = fmt.Errorf("is larger than %d MiB; split it into several files", strictyaml.MaxFileSize>>20)

var (
	errLargeDefaults = fmt.Errorf("is larger than %d KiB, which is too much for what every user below has; move some of it to the users", strictyaml.LargeFile>>10)
	errNotRegular    = errors.New("is not a regular file; put the file itself there")
	errPointer       = errors.New("is a Git LFS pointer, not the file itself; run git lfs pull in the checkout")
)

// opener reads files below a root. It keeps the folder of the last file open, which saves the walk from the root, and
// one buffer. It is not safe for concurrent use.
type opener struct {
	root   *os.Root
	folder string
	open   *os.Root // of folder; nil at first
	buf    []byte
	info   fs.FileInfo // of the file that was read last
}

func newOpener(root *os.Root) *opener {
	return &opener{root: root, buf: make([]byte, strictyaml.LargeFile)}
}

func (o *opener) close() {
	if o.open != nil {
		_ = o.open.Close() // only read from
	}
}

// read returns a file's content, which the next read overwrites. The error is errNotRegular for a symbolic link, FIFO or
// device, which does not block.
func (o *opener) read(name string) (content []byte, err error) {
	if folder := path.Dir(name); o.open == nil || folder != o.folder {
		open, err := o.root.OpenRoot(folder)
		if err != nil {
			return nil, err
		}
		o.close()
		o.open, o.folder = open, folder
	}
	// The scan refused links. One that appeared since is refused, or, as os.Root does in spite of O_NOFOLLOW, followed
	// if it stays below the root: then it only repeats a part of the tree.
	f, err := o.open.OpenFile(path.Base(name), os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }() // only read from
	info, err := f.Stat()
	switch {
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular():
		return nil, errNotRegular
	case info.Size() > strictyaml.MaxFileSize:
		return nil, ErrTooLarge
	}
	o.info = info
	if int(info.Size()) >= len(o.buf) { // one byte more shows that the file has grown
		o.buf = make([]byte, strictyaml.MaxFileSize+1)
	}
	n, err := io.ReadAtLeast(f, o.buf, int(info.Size()))
	switch {
	case err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF):
		return nil, err
	case n > strictyaml.MaxFileSize:
		return nil, ErrTooLarge
	}
	return o.buf[:n], nil
}

// isSpecFile reports whether a file of this name is a spec file. Case does not count, as on many file systems.
func isSpecFile(name string) bool {
	ext := path.Ext(name)
	return !isHidden(name) && (strings.EqualFold(ext, ".yaml") || strings.EqualFold(ext, ".yml"))
}

// isSpecPath reports whether a path, relative to the root, is that of a spec file, or of a folder that may have some.
func isSpecPath(name string, folder bool) bool {
	if name == "." {
		return folder
	}
	return (folder || isSpecFile(path.Base(name))) && !isHidden(name) && !strings.Contains(name, "/.")
}

func isHidden(name string) bool { return strings.HasPrefix(name, ".") }

// IsDefaults reports whether a file of the tree is a _defaults.yaml, whose fields others inherit.
func IsDefaults(name string) bool {
	base := path.Base(name)
	return isSpecFile(base) && strings.EqualFold(stem(base), defaultsName)
}

const defaultsName = "_defaults"

// stem is a name without its extension.
func stem(name string) string { return strings.TrimSuffix(name, path.Ext(name)) }

// safeName reports whether a name has only visible characters.
func safeName(name string) bool {
	_, hidden := strictyaml.Hidden(name)
	return !hidden && utf8.ValidString(name) && !strings.ContainsFunc(name, func(r rune) bool {
		return !unicode.IsPrint(r) && !unicode.Is(unicode.Join_Control, r)
	})
}

// whyUnread says what to do about a file that could not be read.
func whyUnread(err error) string {
	switch {
	case errors.Is(err, errNotRegular), errors.Is(err, ErrTooLarge), errors.Is(err, errPointer), errors.Is(err, errLargeDefaults):
		return err.Error()
	case errors.Is(err, fs.ErrPermission):
		return "may not be read by the user that usersyncd runs as; change its permissions"
	}
	if at, ok := errors.AsType[*fs.PathError](err); ok {
		err = at.Err // the path is in the problem already
	}
	return "cannot be read: " + text.Escape(err.Error())
}

// insteadOfLink says what to do about a symbolic link. In a volume that Kubernetes makes of a ConfigMap every
// name is a link into the folder ..data, itself a link that moves when the ConfigMap changes.
func insteadOfLink(root *os.Root, name, kind string) string {
	if to, err := root.Readlink(name); err == nil && strings.HasPrefix(path.Clean(to), "..data/") {
		return "in a Kubernetes volume, give the folder " + text.Escape(filepath.Join(root.Name(), "..data")) + " instead of " + text.Escape(root.Name())
	}
	return "put the " + kind + " itself there"
}

// leadsToFolder reports whether a symbolic link, which may lead anywhere, ends at a folder.
func leadsToFolder(root *os.Root, name string) bool {
	info, err := os.Stat(filepath.Join(root.Name(), name))
	return err == nil && info.IsDir()
}
