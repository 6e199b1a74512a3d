package web

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"
	"time"

	usersync "usersyncd/sync"
	"usersyncd/sync/control"
)

// A watcher is a client of the stream.
type watcher struct {
	status int
	header http.Header
	*bufio.Reader
	leave func() error
}

// watch opens the stream of a server.
func watch(t *testing.T, origin string) watcher {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, origin+"/events", nil)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := new(http.Client).Do(r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = answer.Body.Close() })
	return watcher{answer.StatusCode, answer.Header, bufio.NewReader(answer.Body), answer.Body.Close}
}

// next reads one event: its lines, without the empty one that ends it.
func next(t *testing.T, r watcher) string {
	t.Helper()
	var event strings.Builder
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			t.Fatalf("after %q: %v", event.String(), err)
		}
		if line == "\n" {
			return event.String()
		}
		event.WriteString(line)
	}
}

func TestStream(t *testing.T) {
	src := &script{status: control.Status{Status: usersync.Status{Users: 5, InSync: 5}, Limiter: control.Limiter{Sent: 10}}}
	l := page(t, src)
	server := httptest.NewServer(l)
	t.Cleanup(server.Close)
	body := watch(t, server.URL)
	if got := body.header.Get("Content-Type"); body.status != http.StatusOK || !strings.HasPrefix(got, "text/event-stream") {
		t.Fatalf("%d, %s", body.status, got)
	}
	if got := next(t, body); got != "retry: 2000\n" {
		t.Errorf("the stream begins with %q", got)
	}
	began := time.Now()
	for seq := 1; seq <= 3; seq++ {
		if err := l.step(began.Add(time.Duration(seq) * time.Second)); err != nil {
			t.Fatal(err)
		}
		event := next(t, body)
		_, data, ok := strings.Cut(event, "\ndata: ")
		if !ok || strings.Count(event, "\n") != 2 {
			t.Fatalf("not one event: %q", event)
		}
		var got struct {
			Build  string
			Sample Sample
			Status struct {
				Users int
				Lines []control.Line
			}
		}
		if err := json.Unmarshal([]byte(data), &got); err != nil {
			t.Fatal(err)
		}
		if got.Build != l.assets.build || got.Sample.Seq != uint64(seq) || got.Status.Users != 5 || len(got.Status.Lines) == 0 {
			t.Errorf("step %d: %+v", seq, got)
		}
	}
}

// A page that comes late gets the newest frame at once.
func TestStreamBeginsWithTheNewest(t *testing.T) {
	l := page(t, &script{status: control.Status{Status: usersync.Status{Revision: "old"}}})
	for range 2 {
		if err := l.step(time.Now()); err != nil {
			t.Fatal(err)
		}
	}
	server := httptest.NewServer(l)
	t.Cleanup(server.Close)
	body := watch(t, server.URL)
	next(t, body)
	if got := next(t, body); !strings.HasPrefix(got, "id: 2\n") {
		t.Errorf("the first event is %.40q", got)
	}
}

func TestStreamHeartbeat(t *testing.T) {
	l := page(t, &script{})
	l.heartbeat = time.Millisecond
	server := httptest.NewServer(l)
	t.Cleanup(server.Close)
	body := watch(t, server.URL)
	next(t, body)
	for range 3 {
		if got := next(t, body); got != ": heartbeat\n" {
			t.Errorf("a heartbeat is %q", got)
		}
	}
}

func TestStreamsAreLimited(t *testing.T) {
	l := page(t, &script{})
	server := httptest.NewServer(l)
	t.Cleanup(server.Close)
	var last watcher
	for range maxStreams {
		body := watch(t, server.URL)
		if body.status != http.StatusOK {
			t.Fatal(body.status)
		}
		next(t, body)
		last = body
	}
	body := watch(t, server.URL)
	text, _ := io.ReadAll(body)
	if body.status != http.StatusServiceUnavailable || body.header.Get("Retry-After") == "" || !strings.Contains(string(text), "16 status pages are open") {
		t.Errorf("one too many: %d, %s", body.status, text)
	}
	// One that goes makes room.
	_ = last.leave()
	for len(l.streams) == maxStreams {
		runtime.Gosched()
	}
	if again := watch(t, server.URL); again.status != http.StatusOK {
		t.Errorf("after one is closed: %d", again.status)
	}
}

// A client that does not read is dropped, and keeps nobody waiting.
func TestStuckClientIsDropped(t *testing.T) {
	l := page(t, &script{status: control.Status{Notes: []string{strings.Repeat("x", longestText)}, Error: strings.Repeat("y", longestText)}})
	l.stall = 20 * time.Millisecond
	server := httptest.NewServer(l)
	t.Cleanup(server.Close)
	c, err := new(net.Dialer).DialContext(t.Context(), "tcp", server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	if _, err := c.Write([]byte("GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n")); err != nil {
		t.Fatal(err)
	}
	for len(l.streams) == 0 {
		runtime.Gosched()
	}
	for frames := 0; len(l.streams) > 0; frames++ {
		if err := l.step(time.Now()); err != nil {
			t.Fatal(err)
		}
		if frames > 2_000_000 {
			t.Fatal("the client is still served")
		}
	}
}

// The end of the daemon is the end of its streams: nothing waits for a page that stays open.
func TestStreamsEndWithTheListener(t *testing.T) {
	l, stop := serving(t, &script{})
	l.streams <- struct{}{} // of a page that was there before
	body := watch(t, "http://"+l.Addr().String())
	next(t, body)
	if got := next(t, body); !strings.HasPrefix(got, "id: ") {
		t.Errorf("the listener samples nothing by itself: %q", got)
	}
	began := time.Now()
	stop()
	if took := time.Since(began); took > endTimeout/2 {
		t.Errorf("it took %s to end", took)
	}
	if _, err := io.ReadAll(body); err != nil {
		t.Errorf("the stream does not end as one should: %v", err)
	}
	if _, err := new(net.Dialer).DialContext(context.WithoutCancel(t.Context()), "tcp", l.Addr().String()); err == nil {
		t.Error("the socket is still open")
	}
}
