package rpc

import (
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"usersyncd/sync/control"
)

// A sender is a daemon that sends a file without end.
type sender struct {
	Daemon
	failed chan error
}

func (sender) Status() control.Status { return control.Status{} }

func (s sender) CopyState(begin func(StateFile) (io.Writer, error)) error {
	w, err := begin(StateFile{Size: 1 << 40})
	for err == nil {
		time.Sleep(time.Second) // slow, and never stalled
		_, err = io.WriteString(w, strings.Repeat("x", 1<<16))
	}
	s.failed <- err
	return err
}

// oneConn is a listener with one connection.
type oneConn struct{ conns chan net.Conn }

func (oneConn) Close() error   { return nil }
func (oneConn) Addr() net.Addr { return &net.UnixAddr{} }

func (l oneConn) Accept() (net.Conn, error) {
	c, ok := <-l.conns
	if !ok {
		return nil, http.ErrServerClosed
	}
	return c, nil
}

// A copy takes as long as it needs, and ends soon when nobody reads it any more: a commit may wait for it.
func TestStalledCopy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := sender{failed: make(chan error, 1)}
		client, server := net.Pipe()
		l := oneConn{conns: make(chan net.Conn, 1)}
		l.conns <- server
		go func() {
			_ = (&http.Server{Handler: handler(d, slog.New(slog.DiscardHandler)), WriteTimeout: time.Second}).Serve(l)
		}()
		if _, err := io.WriteString(client, "POST /v1/state HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nnull"); err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		if _, err := io.CopyN(io.Discard, client, 20<<16); err != nil || time.Since(began) < 19*time.Second {
			t.Fatalf("read for %v: %v", time.Since(began), err)
		}
		began = time.Now()
		if err := <-d.failed; !errors.Is(err, os.ErrDeadlineExceeded) || time.Since(began) > stallTimeout+2*time.Second {
			t.Errorf("after %v: %v", time.Since(began), err)
		}
		_ = client.Close()
		close(l.conns)
		synctest.Wait()
	})
}
