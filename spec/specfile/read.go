package specfile

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"runtime"
	"sync/atomic"
	"syscall"

	"golang.org/x/sync/errgroup"

	"usersyncd/spec/checkout"
	"usersyncd/spec/strictyaml"
	"usersyncd/spec/text"
)

// Why a file is not read, in words that follow its name.
var (
	ErrTooLarge      = fmt.Errorf("is larger than %d MiB; split it into several files", strictyaml.MaxFileSize>>20)
	ErrLargeDefaults = fmt.Errorf("is larger than %d KiB, which is too much for what every user below has; move some of it to the users", strictyaml.LargeFile>>10)
	ErrPointer       = errors.New("is a Git LFS pointer, not the file itself; run git lfs pull in the checkout")
	errNotRegular    = errors.New("is not a regular file; put the file itself there")
)

// OpenRoot opens a folder that was there a moment ago.
func OpenRoot(dir string) (*os.Root, error) {
	root, err := os.OpenRoot(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s vanished: %w", dir, checkout.ErrTreeChanged)
	}
	return root, err
}

// Opener reads files below a root. It keeps the folder of the last file open, which saves the walk from the root, and
// one buffer. It is not safe for concurrent use.
type Opener struct {
	Info fs.FileInfo // of the file that was read last

	root   *os.Root
	folder string
	open   *os.Root // of folder; nil at first
	buf    []byte
}

// NewOpener returns an opener of files below root, which stays open until the opener is closed.
func NewOpener(root *os.Root) *Opener {
	return &Opener{root: root, buf: make([]byte, strictyaml.LargeFile)}
}

// Close closes what is open, except the root.
func (o *Opener) Close() {
	if o.open != nil {
		_ = o.open.Close() // only read from
	}
}

// Read returns a file's content, which the next read overwrites. A symbolic link, FIFO or device is an error, and does not
// block.
func (o *Opener) Read(name string) (content []byte, err error) {
	if folder := path.Dir(name); o.open == nil || folder != o.folder {
		open, err := o.root.OpenRoot(folder)
		if err != nil {
			return nil, err
		}
		o.Close()
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
	o.Info = info
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

// chunk is how many files a worker takes at a time.
const chunk = 128

// InChunks calls do for 0..n-1 from one goroutine per core, each with its own opener, and waits for them. Consecutive
// numbers go to the same goroutine.
func InChunks(ctx context.Context, n int, root *os.Root, do func(o *Opener, i int) error) error {
	var next atomic.Int64
	g, ctx := errgroup.WithContext(ctx)
	for range min(runtime.GOMAXPROCS(0), (n+chunk-1)/chunk) {
		g.Go(func() error {
			o := NewOpener(root)
			defer o.Close()
			for {
				end := int(next.Add(chunk))
				if end-chunk >= n {
					return nil
				}
				if err := ctx.Err(); err != nil {
					return err
				}
				for i := end - chunk; i < min(end, n); i++ {
					if err := do(o, i); err != nil {
						return err
					}
				}
			}
		})
	}
	return g.Wait()
}

// WhyUnread says what to do about a file that could not be read.
func WhyUnread(err error) string {
	switch {
	case errors.Is(err, errNotRegular), errors.Is(err, ErrTooLarge), errors.Is(err, ErrPointer), errors.Is(err, ErrLargeDefaults):
		return err.Error()
	case errors.Is(err, fs.ErrPermission):
		return "may not be read by the user that usersyncd runs as; change its permissions"
	}
	if at, ok := errors.AsType[*fs.PathError](err); ok {
		err = at.Err // the path is in the problem already
	}
	return "cannot be read: " + text.Escape(err.Error())
}
