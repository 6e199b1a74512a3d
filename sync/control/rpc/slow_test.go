package rpc

import (
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	usersync "usersyncd/sync"
)

// A patient makes passes of an hour.
type patient struct{ Daemon }

func (patient) Sync(ctx context.Context, _ bool) (*usersync.Result, error) {
	select {
	case <-time.After(time.Hour):
		return &usersync.Result{}, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// one is a listener with one connection.
type one chan net.Conn

func (l one) Accept() (net.Conn, error) {
	if c, ok := <-l; ok {
		return c, nil
	}
	return nil, net.ErrClosed
}
func (l one) Close() error   { return nil }
func (l one) Addr() net.Addr { return &net.UnixAddr{} }

// A client that does not send all of its request, or does not take the response, holds a connection for seconds; one that
// waits for a pass, for as long as that takes.
func TestSlowClients(t *testing.T) {
	const post = "POST /v1/sync HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: "
	for name, c := range map[string]struct {
		sent  string
		takes bool
		lasts time.Duration
	}{
		"nothing":                    {"", true, 5 * time.Second},
		"half a header":              {"POST /v1/sync HT", true, 5 * time.Second},
		"half a body":                {post + "100\r\n\r\n{", true, bodyTimeout},
		"all of it":                  {post + "5\r\n\r\nfalse", true, time.Hour},
		"all, and takes no response": {post + "5\r\n\r\nfalse", false, time.Hour + writeTimeout},
	} {
		synctest.Test(t, func(t *testing.T) {
			ours, theirs := net.Pipe()
			l := make(one, 1)
			l <- theirs
			server := newServer(t.Context(), patient{}, slog.New(slog.DiscardHandler))
			gone := make(chan time.Duration, 1)
			server.ConnState = func(_ net.Conn, s http.ConnState) {
				if s == http.StateClosed {
					gone <- time.Since(time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)) // when the bubble began
				}
			}
			go func() { _ = server.Serve(l) }()
			if _, err := io.WriteString(ours, c.sent); err != nil {
				t.Error(name, err)
			}
			if c.takes {
				go func() { _, _ = io.Copy(io.Discard, ours) }()
			}
			if lasted := <-gone; lasted < c.lasts || lasted > c.lasts+time.Second {
				t.Errorf("%s: the connection lasts %v", name, lasted)
			}
			close(l)
			_ = ours.Close()
			synctest.Wait()
		})
	}
}

// A turned is a daemon with an address that turns the direction of a text around.
type turned struct{ Daemon }

func (turned) Explain(context.Context, string) (*usersync.Explanation, error) {
	return &usersync.Explanation{Email: "a\u202eb@example.com"}, nil
}

// A response shows no character that cannot be seen.
func TestResponseIsPrintable(t *testing.T) {
	w := httptest.NewRecorder()
	r := httptest.NewRequest(http.MethodPost, routes+"explain", strings.NewReader(`"a@example.com"`))
	handler(turned{}, slog.New(slog.DiscardHandler)).ServeHTTP(w, r)
	if body := w.Body.String(); w.Code != http.StatusOK || !strings.Contains(body, `a\u202eb@example.com`) || strings.Contains(body, "\u202e") {
		t.Errorf("%d %q", w.Code, body)
	}
}
