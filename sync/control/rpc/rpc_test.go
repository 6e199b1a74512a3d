package rpc_test

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/user"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"usersyncd/state"
	usersync "usersyncd/sync"
	"usersyncd/sync/apply"
	"usersyncd/sync/control"
	"usersyncd/sync/control/rpc"
	"usersyncd/sync/plan"
)

// A fake is a daemon that answers what the test says, and notes what it is asked.
type fake struct {
	mu    sync.Mutex
	asked []any
	res   *usersync.Result
	err   error
	state string        // the file
	block chan struct{} // Sync waits for it, or for its context
}

func (f *fake) note(v ...any) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.asked = append(f.asked, v...)
}

func (f *fake) Status() control.Status {
	return control.Status{Schema: control.StatusSchema, PID: 7, Status: usersync.Status{Users: 3}, Holds: []plan.Hold{{ID: "p-1"}}}
}
func (f *fake) Plan() []plan.Change { return nil }
func (f *fake) History(q state.Query) ([]state.Event, error) {
	f.note(q)
	return []state.Event{{Email: q.Email, Fields: []state.FieldEvent{{Field: "title", Before: `"<a>"`, After: ""}}}}, f.err
}
func (f *fake) Explain(_ context.Context, email string) (*usersync.Explanation, error) {
	f.note(email)
	return &usersync.Explanation{Email: email, Status: "in sync"}, f.err
}
func (f *fake) Sync(ctx context.Context, refresh bool) (*usersync.Result, error) {
	f.note(refresh)
	if f.block != nil {
		select {
		case <-f.block:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	return f.res, f.err
}
func (f *fake) CopyState(begin func(rpc.StateFile) (io.Writer, error)) error {
	if f.err != nil {
		return f.err
	}
	w, err := begin(rpc.StateFile{Path: "/x.db", Size: int64(len(f.state)), Settings: map[string]string{"create": "true"}})
	if err == nil {
		_, err = io.Copy(w, strings.NewReader(f.state))
	}
	return err
}
func (f *fake) Pause(by, reason string) error  { f.note(by, reason); return f.err }
func (f *fake) Resume(by string) (bool, error) { f.note(by); return true, f.err }
func (f *fake) Release(by, id string) (plan.Hold, error) {
	f.note(by, id)
	return plan.Hold{ID: id, Users: []string{"ana@example.com"}}, f.err
}
func (f *fake) Rollback(_ context.Context, rb plan.Rollback, agreed, by string) (*usersync.Result, error) {
	f.note(rb, agreed, by)
	return f.res, f.err
}

// socketPath is short enough for a socket, wherever the system has its temporary files.
func socketPath(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "ctl")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return filepath.Join(dir, "s")
}

func listen(t *testing.T, path string) *rpc.Socket {
	t.Helper()
	s, err := rpc.ListenSocket(t.Context(), path, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// serve answers at path until stop is called, or the test ends. stop returns what Serve did.
func serve(t *testing.T, path string, d rpc.Daemon) (stop func() error) {
	t.Helper()
	s := listen(t, path)
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- s.Serve(ctx, d) }()
	stop = sync.OnceValue(func() error { cancel(); return <-served })
	t.Cleanup(func() {
		if err := stop(); err != nil {
			t.Error(err)
		}
	})
	return stop
}

func dial(t *testing.T, path string) *rpc.Client {
	t.Helper()
	c, err := rpc.Dial(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func TestSocketIsMadeAndRemoved(t *testing.T) {
	path := socketPath(t)
	stop := serve(t, path, &fake{})
	info, err := os.Lstat(path)
	if err != nil || info.Mode() != fs.ModeSocket|0o660 {
		t.Errorf("%v, mode %v", err, info.Mode())
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
	left, err := os.ReadDir(filepath.Dir(path))
	if err != nil || len(left) > 0 {
		t.Errorf("%v; left behind: %v", err, left)
	}
	if _, err := rpc.Dial(t.Context(), path); !errors.Is(err, rpc.ErrNoDaemon) || !strings.Contains(err.Error(), path) {
		t.Errorf("a daemon that is gone: %v", err)
	}
	if _, err := rpc.Dial(t.Context(), "/"+strings.Repeat("x", 120)); !errors.Is(err, rpc.ErrNoDaemon) {
		t.Errorf("a path that no socket can have: %v", err)
	}
}

// What was left behind by a daemon that was killed is replaced, whether it died before or after the rename.
func TestSocketReplacesAStaleOne(t *testing.T) {
	path := socketPath(t)
	for _, name := range []string{path, path + ".new"} {
		l, err := net.ListenUnix("unix", &net.UnixAddr{Name: name, Net: "unix"})
		if err != nil {
			t.Fatal(err)
		}
		l.SetUnlinkOnClose(false)
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := rpc.Dial(t.Context(), path); !errors.Is(err, rpc.ErrNoDaemon) {
		t.Errorf("a stale socket: %v", err)
	}
	serve(t, path, &fake{})
	if s, err := dial(t, path).Status(t.Context()); err != nil || s.PID != 7 {
		t.Errorf("%v: %+v", err, s)
	}
}

func TestSocketRefuses(t *testing.T) {
	path := socketPath(t)
	serve(t, path, &fake{})
	refused := func(path, want string) {
		t.Helper()
		_, err := rpc.ListenSocket(t.Context(), path, slog.New(slog.DiscardHandler))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", path, err)
		}
	}
	if _, err := rpc.ListenSocket(t.Context(), path, slog.New(slog.DiscardHandler)); !errors.Is(err, rpc.ErrRunning) || !strings.Contains(err.Error(), path) {
		t.Errorf("another one answers: %v", err)
	}
	if _, err := dial(t, path).Status(t.Context()); err != nil {
		t.Errorf("the first one is disturbed: %v", err)
	}
	file := path + ".txt"
	if err := os.WriteFile(file, []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	refused(file, "is not a socket")
	if text, err := os.ReadFile(file); err != nil || string(text) != "mine" {
		t.Errorf("the file is %q, %v", text, err)
	}
	link := path + ".link"
	if err := os.Symlink(path, link); err != nil {
		t.Fatal(err)
	}
	refused(link, "is not a socket")
	long := filepath.Join(filepath.Dir(path), strings.Repeat("x", 100))
	refused(long, "give a shorter one with --socket")
	refused(filepath.Join(filepath.Dir(path), "none", "s"), "no such file")
}

// Each command arrives as it was given, with who gave it, and its answer comes back.
func TestCommandsCross(t *testing.T) {
	path := socketPath(t)
	me, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	since := time.Date(2026, 11, 24, 3, 0, 0, 5, time.UTC)
	f := &fake{res: &usersync.Result{Schema: "usersyncd.result/v1", Plan: "p-1", Applied: 3}}
	serve(t, path, f)
	c, ctx := dial(t, path), t.Context()
	status, err1 := c.Status(ctx)
	explained, err2 := c.Explain(ctx, "ana+x&y@example.com")
	events, err3 := c.History(ctx, state.Query{Email: "ana@example.com", ID: "1", Revision: "3f", Since: since, Limit: 9})
	_, err4 := c.History(ctx, state.Query{})
	synced, err5 := c.Sync(ctx, true)
	err6 := c.Pause(ctx, "incident <4711>\n")
	was, err7 := c.Resume(ctx)
	released, err8 := c.Release(ctx, "p-2")
	rolledBack, err9 := c.Rollback(ctx, plan.Rollback{Since: since}, "p-3")
	if err := errors.Join(err1, err2, err3, err4, err5, err6, err7, err8, err9); err != nil {
		t.Fatal(err)
	}
	want := []any{
		"ana+x&y@example.com", state.Query{Email: "ana@example.com", ID: "1", Revision: "3f", Since: since, Limit: 9},
		state.Query{Limit: 50_000}, true, me.Username, "incident <4711>\n", me.Username, me.Username, "p-2",
		plan.Rollback{Since: since}, "p-3", me.Username,
	}
	if !reflect.DeepEqual(f.asked, want) {
		t.Errorf("it was asked\n%v, not\n%v", f.asked, want)
	}
	if status.Users != 3 || status.Holds[0].ID != "p-1" || explained.Status != "in sync" || synced.Applied != 3 || !was || released.Users[0] != "ana@example.com" || rolledBack.Plan != "p-1" {
		t.Errorf("the answers are %+v %+v %+v %v %+v %+v", status, explained, synced, was, released, rolledBack)
	}
	if len(events) != 1 || events[0].Fields[0].Before != `"<a>"` {
		t.Errorf("the history is %+v", events)
	}
}

// An error is on the other side what it was on this one.
func TestErrorsCross(t *testing.T) {
	path := socketPath(t)
	f := &fake{}
	serve(t, path, f)
	c, ctx := dial(t, path), t.Context()
	for _, kind := range []error{
		rpc.ErrNotHeld, usersync.ErrNothingToRollBack, usersync.ErrPlanChanged, plan.ErrAmbiguous, apply.ErrThrottled,
		apply.ErrUnauthorized, usersync.ErrProblems, nil,
	} {
		f.err = errors.New("the disk is full")
		if kind != nil {
			f.err = errors.Join(kind, errors.New("in particular"))
		}
		_, released := c.Release(ctx, "p-1")
		_, rolledBack := c.Rollback(ctx, plan.Rollback{}, "")
		for _, err := range []error{released, rolledBack} {
			if err == nil || err.Error() != f.err.Error() || kind != nil && !errors.Is(err, kind) {
				t.Errorf("%v arrived as %v", f.err, err)
			}
			if other := rpc.ErrStopping; errors.Is(err, other) {
				t.Errorf("%v is no %v", err, other)
			}
		}
	}
	// What was done before it failed comes with it.
	f.res = &usersync.Result{Applied: 2}
	if res, err := c.Sync(ctx, false); res == nil || res.Applied != 2 || err == nil {
		t.Errorf("a pass that ended early: %+v, %v", res, err)
	}
}

func TestQuestionsThatAreNone(t *testing.T) {
	path := socketPath(t)
	f := &fake{}
	serve(t, path, f)
	h := &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", path)
	}}}
	t.Cleanup(h.CloseIdleConnections)
	for _, tt := range []struct{ method, route, body, want string }{
		{"POST", "/v1/explain", `""`, `\"\" is not an email address`},
		{"POST", "/v1/explain", `"ana"`, `\"ana\" is not an email address`},
		{"POST", "/v1/history", `{"Since":"yesterday"}`, "another version"},
		{"POST", "/v1/history", `{"Limit":"many"}`, "another version"},
		{"POST", "/v1/history", `{"Limit":1,"Until":"tomorrow"}`, `unknown field \"Until\"`},
		{"POST", "/v1/pause", `"x`, "another version"},
		{"POST", "/v1/pause", ``, "another version"},
		{"POST", "/v1/release", `7`, "another version"},
		{"POST", "/v1/pause", `"` + strings.Repeat("x", 70_000) + `"`, "too large"},
		{"GET", "/v1/pause", "", "Method Not Allowed"},
		{"POST", "/v2/status", "", "not found"},
	} {
		req, err := http.NewRequestWithContext(t.Context(), tt.method, "http://usersyncd"+tt.route, strings.NewReader(tt.body))
		if err != nil {
			t.Fatal(err)
		}
		resp, err := h.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		var text strings.Builder
		if _, err := copyClose(&text, resp); err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(text.String(), tt.want) {
			t.Errorf("%s %s %.40s: %s: %s", tt.method, tt.route, tt.body, resp.Status, text.String())
		}
	}
	if len(f.asked) > 0 {
		t.Errorf("the daemon was asked %v all the same", f.asked)
	}
}

// Whoever asks a daemon that has gone since it was found hears so.
func TestDaemonThatHasGone(t *testing.T) {
	path := socketPath(t)
	stop := serve(t, path, &fake{})
	c := dial(t, path)
	if err := stop(); err != nil {
		t.Error(err)
	}
	if _, err := c.Sync(t.Context(), false); !errors.Is(err, rpc.ErrEnded) {
		t.Error(err)
	}
}

// The state file comes with what it is, whole or with an error.
func TestCopyState(t *testing.T) {
	for size, f := range map[int]*fake{3 << 20: {state: strings.Repeat("\n{\x00", 1<<20)}, 0: {err: state.ErrDamaged}} {
		path := socketPath(t)
		stop := serve(t, path, f)
		c, body, err := dial(t, path).CopyState(t.Context())
		if f.err != nil {
			if err == nil || err.Error() != f.err.Error() {
				t.Errorf("%v, not %v", err, f.err)
			}
		} else {
			got, failed := io.ReadAll(body)
			if err := errors.Join(err, failed, body.Close()); err != nil || string(got) != f.state || len(got) != size {
				t.Errorf("%d bytes, %v", len(got), err)
			}
			if c.File.Path != "/x.db" || c.File.Size != int64(size) || c.File.Settings["create"] != "true" || c.Status.PID != 7 || len(c.Status.Holds) != 1 {
				t.Errorf("%+v", c)
			}
		}
		if err := stop(); err != nil {
			t.Error(err)
		}
	}
}
