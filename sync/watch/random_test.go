package watch_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"pgregory.net/rapid"

	"usersyncd/sync/watch"
)

// Whatever happens to a tree, whoever reads it at every hint ends with what is there.
func TestReaderEndsWithWhatIsThere(t *testing.T) {
	t.Parallel()
	base := t.TempDir()
	run := 0
	rapid.Check(t, func(t *rapid.T) {
		run++
		err := readerConverges(t, filepath.Join(base, fmt.Sprint(run)))
		if err != nil {
			t.Fatal(err)
		}
	})
}

func readerConverges(t *rapid.T, base string) (err error) {
	dir := filepath.Join(base, "current")
	if err := errors.Join(os.MkdirAll(filepath.Join(base, "v0"), 0o755), os.Symlink("v0", dir)); err != nil {
		return err
	}
	w := watch.New(dir, watch.Options{
		Quiet: 2 * time.Millisecond, MaxDelay: 20 * time.Millisecond, Resync: time.Hour, Poll: time.Hour,
	})
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	done := make(chan error, 1)
	go func() { done <- w.Run(ctx) }()

	seen, reader := make(chan string), make(chan struct{})
	go func() {
		defer close(reader)
		for {
			select {
			case <-w.Changes():
			case <-ctx.Done():
				return
			}
			select {
			case seen <- read(dir):
			case <-ctx.Done():
				return
			}
		}
	}()
	defer func() {
		cancel()
		<-reader
		err = errors.Join(err, <-done)
	}()

	last := <-seen // the first hint: everything stands
	for i := range rapid.IntRange(1, 8).Draw(t, "steps") {
		if err := step(t, base, dir, i); err != nil {
			return err
		}
		if !rapid.Bool().Draw(t, "pause") {
			continue
		}
		for want := read(dir); last != want; {
			select {
			case last = <-seen:
			case <-ctx.Done():
				return fmt.Errorf("after step %d: the reader saw\n%s\nbut there is\n%s", i, last, want)
			}
		}
	}
	for want := read(dir); last != want; {
		select {
		case last = <-seen:
		case <-ctx.Done():
			return fmt.Errorf("at the end: the reader saw\n%s\nbut there is\n%s", last, want)
		}
	}
	return nil
}

// step does one thing to the tree that is watched through the link dir.
func step(t *rapid.T, base, dir string, i int) error {
	text := []byte(fmt.Sprintf("title: %d", i))
	place := func(label string) string {
		name := dir
		for range rapid.IntRange(0, 3).Draw(t, label+" depth") {
			name = filepath.Join(name, rapid.SampledFrom([]string{"a", "b", ".h"}).Draw(t, label))
		}
		return name
	}
	target, err := os.Readlink(dir)
	if err != nil {
		return err
	}
	root := filepath.Join(base, target)
	switch rapid.SampledFrom([]string{"write", "write", "replace", "move", "remove", "root", "away", "swap"}).Draw(t, "do") {
	case "write":
		in := place("in")
		return errors.Join(os.MkdirAll(in, 0o755), os.WriteFile(filepath.Join(in, "x.yaml"), text, 0o644))
	case "replace":
		in := place("in")
		tmp := filepath.Join(in, ".tmp")
		return errors.Join(os.MkdirAll(in, 0o755), os.WriteFile(tmp, text, 0o644), os.Rename(tmp, filepath.Join(in, "y.yaml")))
	case "move":
		from, to := place("from"), place("to")
		if from == dir || to == dir {
			return nil
		}
		_ = os.MkdirAll(filepath.Dir(to), 0o755)
		_ = os.Rename(from, to) // may not exist, or be the other's parent: then nothing happens
		return nil
	case "remove":
		if name := place("in"); name != dir {
			return os.RemoveAll(name)
		}
		return nil
	case "root":
		return errors.Join(os.RemoveAll(root), os.MkdirAll(filepath.Join(root, "a"), 0o755),
			os.WriteFile(filepath.Join(root, "a", "z.yaml"), text, 0o644))
	case "away":
		return errors.Join(os.Rename(root, fmt.Sprintf("%s-old-%d", root, i)), os.MkdirAll(root, 0o755),
			os.WriteFile(filepath.Join(root, "z.yaml"), text, 0o644))
	default: // swap
		next := fmt.Sprintf("v%d", i+1)
		tmp := filepath.Join(base, "tmp")
		return errors.Join(os.MkdirAll(filepath.Join(base, next, "b"), 0o755),
			os.WriteFile(filepath.Join(base, next, "b", "w.yaml"), text, 0o644),
			os.Symlink(next, tmp), os.Rename(tmp, dir))
	}
}
