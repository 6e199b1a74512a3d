package control_test

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"usersyncd/sync/control"
)

// A pipeListener accepts connections that are dialled in memory.
type pipeListener chan net.Conn

func (l pipeListener) Accept() (net.Conn, error) {
	if c, ok := <-l; ok {
		return c, nil
	}
	return nil, net.ErrClosed
}

func (l pipeListener) Close() error { close(l); return nil }

func (l pipeListener) Addr() net.Addr { return &net.UnixAddr{} }

func (l pipeListener) dial(t *testing.T) net.Conn {
	ours, theirs := net.Pipe()
	t.Cleanup(func() { _ = ours.Close() })
	l <- theirs
	synctest.Wait()
	return ours
}

// get returns the status of a response; 0 if the connection is closed.
func get(c net.Conn, path string) int {
	_ = c.SetDeadline(time.Now().Add(time.Minute))
	if _, err := io.WriteString(c, "GET "+path+" HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
		return 0
	}
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		return 0
	}
	_ = resp.Body.Close()
	return resp.StatusCode
}

// A further connection takes the place of the one that has been waiting the longest, and of none that is being served.
func TestIdleConnectionsGiveWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, release := make(pipeListener), make(chan struct{})
		mux := http.NewServeMux()
		mux.HandleFunc("/fast", func(http.ResponseWriter, *http.Request) {})
		mux.HandleFunc("/slow", func(http.ResponseWriter, *http.Request) { <-release })
		server := &http.Server{Handler: mux, ReadHeaderTimeout: time.Hour}
		control.LimitConnections(server, 3)
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- control.Serve(ctx, server, l, time.Second) }()

		served, silent, half := l.dial(t), l.dial(t), l.dial(t)
		slow := make(chan int, 3)
		go func() { slow <- get(served, "/slow") }()
		_, _ = io.WriteString(half, "GET /fast HT")
		synctest.Wait()
		fresh := l.dial(t) // silent gives way
		if got := get(fresh, "/fast"); got != 200 {
			t.Errorf("the fourth connection: %d", got)
		}
		if got := get(silent, "/fast"); got != 0 {
			t.Errorf("the one that waited the longest: %d", got)
		}
		again := l.dial(t) // half a request is none
		if got := get(half, "/fast"); got != 0 {
			t.Errorf("half a request: %d", got)
		}
		for _, c := range []net.Conn{fresh, again} {
			go func() { slow <- get(c, "/slow") }()
		}
		synctest.Wait()
		if got := get(l.dial(t), "/fast"); got != 0 {
			t.Errorf("one too many, while all are being served: %d", got)
		}
		close(release)
		for range 3 {
			if got := <-slow; got != 200 {
				t.Errorf("a connection that is being served: %d", got)
			}
		}
		if got := get(l.dial(t), "/fast"); got != 200 {
			t.Errorf("when they have been served: %d", got)
		}
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}
