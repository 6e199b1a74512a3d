package rpc_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"usersyncd/sync/control/rpc"
)

func copyClose(w io.Writer, resp *http.Response) (int64, error) {
	n, err := io.Copy(w, resp.Body)
	return n, errors.Join(err, resp.Body.Close())
}

// Somebody of another version answers on the socket, or somebody else altogether.
func TestAnswersThatAreNone(t *testing.T) {
	for _, tt := range []struct{ name, answer, want string }{
		{"an unknown route", "HTTP/1.1 404 Not Found\r\nContent-Length: 19\r\n\r\n404 page not found\n", "is it of another version?"},
		{"no JSON", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", "invalid character"},
		{"no HTTP", "SSH-2.0-OpenSSH_9.2\r\n", "malformed HTTP"},
		{"nothing", "", rpc.ErrEnded.Error()},
		{"half an answer", "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{", rpc.ErrEnded.Error()},
	} {
		path := socketPath(t)
		l, err := net.Listen("unix", path)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = l.Close() })
		go func() {
			for {
				c, err := l.Accept()
				if err != nil {
					return
				}
				_, _ = c.Read(make([]byte, 4096)) // the question, or nothing from who only looks
				_, _ = io.WriteString(c, tt.answer)
				_ = c.Close()
			}
		}()
		if _, err := dial(t, path).Status(t.Context()); err == nil || !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
}

// Clients that connect and say nothing, stop in the middle, or do not take their answer do not keep Serve.
func TestServeEndsInSpiteOfWhoHangs(t *testing.T) {
	path := socketPath(t)
	stop := serve(t, path, &fake{})
	for _, said := range []string{"", "GET /v1/st", "POST /v1/pause HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{", strings.Repeat("GET /v1/status HTTP/1.1\r\nHost: x\r\n\r\n", 3000)} {
		c, err := net.Dial("unix", path)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = c.Close() })
		_ = c.SetWriteDeadline(time.Now().Add(100 * time.Millisecond)) // by then the last one is stuck, as it is to be
		_, _ = io.WriteString(c, said)
	}
	if _, err := dial(t, path).Status(t.Context()); err != nil {
		t.Errorf("the others are kept waiting: %v", err)
	}
	began := time.Now()
	if err := stop(); err != nil {
		t.Error(err)
	}
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("it took %v", took)
	}
}

// Who waits for a pass hears that the daemon stops, and in no words of the program's own.
func TestStoppingIsTold(t *testing.T) {
	path := socketPath(t)
	f := &fake{block: make(chan struct{})}
	stop := serve(t, path, f)
	heard := make(chan error, 1)
	c := dial(t, path)
	go func() {
		_, err := c.Sync(context.Background(), false)
		heard <- err
	}()
	for asked := 0; asked == 0; {
		f.mu.Lock()
		asked = len(f.asked)
		f.mu.Unlock()
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
	if err := <-heard; !errors.Is(err, rpc.ErrStopping) || errors.Is(err, context.Canceled) {
		t.Errorf("who waits hears %v", err)
	}
}

// Who gives up has given up, whatever the daemon does.
func TestWhoGivesUp(t *testing.T) {
	path := socketPath(t)
	serve(t, path, &fake{block: make(chan struct{})})
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	if _, err := dial(t, path).Sync(ctx, false); !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
}
