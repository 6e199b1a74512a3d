package state_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"usersyncd/state"
)

// A writerFunc is an io.Writer.
type writerFunc func([]byte) (int, error)

func (w writerFunc) Write(p []byte) (int, error) { return w(p) }

// A copy is the file as it was when it began, whatever is committed meanwhile; it costs the writer a few pages of memory, and
// its reader a file that nobody else sees. It keeps the original's name, and leaves what is there alone.
func TestCopy(t *testing.T) {
	path := tempFile(t)
	st := open(t, path)
	var users []*state.User
	for i := range 300 {
		u := user(i, 1)
		u.Opaque = json.RawMessage(`"` + strings.Repeat("x", 20_000) + `"`)
		users = append(users, u)
	}
	mustCommit(t, st, state.Commit{Users: users, AddReleases: []string{"p-1"}, Events: []state.Event{{At: now, Email: "a@example.com"}}})
	want := mustSnapshot(t, st)

	var data bytes.Buffer
	var size int64
	during := func(p []byte) (int, error) {
		if data.Len() == 0 {
			mustCommit(t, st, state.Commit{Forget: []string{users[0].ID}})
		}
		return data.Write(p)
	}
	var before, after runtime.MemStats
	err := st.WriteCopy(func(n int64) (io.Writer, error) {
		size = n
		data.Grow(int(n) + bytes.MinRead)
		runtime.ReadMemStats(&before)
		return writerFunc(during), nil
	})
	runtime.ReadMemStats(&after)
	if err != nil || size < 6_000_000 || int64(data.Len()) != size {
		t.Fatalf("%d of %d bytes: %v", data.Len(), size, err)
	}
	if n := after.TotalAlloc - before.TotalAlloc; n > 1<<20 {
		t.Errorf("the copy of %d bytes allocated %d", size, n)
	}
	if n := len(mustSnapshot(t, st).Users); n != 299 {
		t.Errorf("the commit during the copy left %d users", n)
	}

	temp := t.TempDir()
	t.Setenv("TMPDIR", temp)
	beside := names(t, filepath.Dir(path))
	c, err := state.OpenCopy(bytes.NewReader(data.Bytes()), size, path, state.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if d := diff(want, mustSnapshot(t, c)); d != "" {
		t.Error(d)
	}
	if events, err := c.History(state.Query{}); len(events) != 1 || err != nil {
		t.Errorf("history: %v, %v", events, err)
	}
	if err := c.Commit(state.Commit{Forget: []string{"x"}}); !errors.Is(err, state.ErrReadOnly) || !c.ReadOnly() {
		t.Errorf("commit: %v", err)
	}
	if c.Path() != path || len(names(t, temp)) != 0 {
		t.Errorf("path %s, files %v", c.Path(), names(t, temp))
	}
	mustClose(t, c)
	if got := names(t, filepath.Dir(path)); diff(beside, got) != "" {
		t.Errorf("beside the original were %v, and now are %v", beside, got)
	}

	untrusted, err := state.OpenCopy(bytes.NewReader(data.Bytes()), size, path, state.Options{Untrusted: true})
	if err != nil || len(mustSnapshot(t, untrusted).Releases) != 0 {
		t.Errorf("releases: %v", err)
	}
	mustClose(t, untrusted)
}

// What is cut short or damaged is refused, and leaves nothing behind.
func TestBrokenCopies(t *testing.T) {
	path := tempFile(t)
	st := open(t, path)
	mustCommit(t, st, state.Commit{Users: []*state.User{user(1, 1), user(2, 1)}})
	var data bytes.Buffer
	if err := st.WriteCopy(func(int64) (io.Writer, error) { return &data, nil }); err != nil {
		t.Fatal(err)
	}
	full := errors.New("no space left")
	if err := st.WriteCopy(func(int64) (io.Writer, error) { return nil, full }); !errors.Is(err, full) {
		t.Error(err)
	}
	temp := t.TempDir()
	t.Setenv("TMPDIR", temp)
	size := int64(data.Len())
	damaged := bytes.ReplaceAll(data.Bytes(), []byte(`"version"`), []byte(`"version'`))
	for name, broken := range map[string]struct {
		data []byte
		want error
	}{"cut short": {data.Bytes()[:size/2], io.EOF}, "damaged": {damaged, state.ErrDamaged}} {
		c, err := state.OpenCopy(bytes.NewReader(broken.data), size, path, state.Options{})
		if !errors.Is(err, broken.want) || c != nil || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: %v, %v", name, c, err)
		}
	}
	if left := names(t, temp); len(left) != 0 {
		t.Error("left behind: ", left)
	}
	t.Setenv("TMPDIR", filepath.Join(temp, "none"))
	if _, err := state.OpenCopy(&data, size, path, state.Options{}); !errors.Is(err, os.ErrNotExist) || !strings.Contains(err.Error(), "TMPDIR") {
		t.Error(err)
	}
}
