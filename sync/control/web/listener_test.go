package web

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"usersyncd/state"
	"usersyncd/sync/control"
	"usersyncd/sync/plan"
)

// A script is a source that says what a test gives it.
type script struct {
	mu     sync.Mutex
	status control.Status
	plan   []plan.Change
	events []state.Event
	err    error
}

func (s *script) Status() control.Status {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.status
}
func (s *script) Plan() []plan.Change { return s.plan }
func (s *script) History(q state.Query) ([]state.Event, error) {
	return first(s.events, q.Limit), s.err
}

// page is a listener without a socket.
func page(t *testing.T, src control.Source, more ...string) *Listener {
	t.Helper()
	allowed, err := newHosts("127.0.0.1:8787", more)
	if err != nil {
		t.Fatal(err)
	}
	ok := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("ok\n")) })
	l, err := newListener(Options{Source: src, Log: slog.New(slog.DiscardHandler), Mount: map[string]http.Handler{"/metrics": ok, "/livez": ok}}, allowed)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func get(l *Listener, method, path, host string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, path, nil)
	r.Host = host
	w := httptest.NewRecorder()
	l.ServeHTTP(w, r)
	return w
}

func TestOnlyOurHosts(t *testing.T) {
	l := page(t, &script{status: control.Status{Schema: control.StatusSchema}}, "Status.Example.com", "10.0.0.7", "[2001:db8::7]")
	for host, want := range map[string]int{
		"127.0.0.1": 200, "127.0.0.1:8787": 200, "127.0.0.1:9000": 200, "localhost": 200, "LOCALHOST:8787": 200, "localhost.": 200,
		"[::1]": 200, "[::1]:8787": 200, "[0:0:0:0:0:0:0:1]:1": 200, "[::ffff:127.0.0.1]:1": 200,
		"status.example.com": 200, "STATUS.example.com.:443": 200, "10.0.0.7": 200, "[2001:db8::7]:80": 200,
		"evil.example": 421, "127.0.0.1.evil.example": 421, "localhost.evil.example:8787": 421, "status.example.com.evil.example": 421, "xlocalhost": 421,
		"127.0.0.2": 421, "192.168.1.1:8787": 421, "[::2]": 421, "[127.0.0.1]": 421, "": 421, ":8787": 421, "localhost:x": 421, "localhost:8787:8787": 421,
		"user@localhost": 421, "localhost/": 421, "local host": 421, "[::1%25lo]": 421, "0.0.0.0": 421, "2130706433": 421, "0x7f000001": 421, "lоcalhost": 421,
	} {
		w := get(l, http.MethodGet, "/api/status", host)
		if w.Code != want {
			t.Errorf("Host %q: %d, want %d", host, w.Code, want)
		}
		if want == 421 && strings.Contains(w.Body.String(), control.StatusSchema) {
			t.Errorf("Host %q is refused, and still answered: %s", host, w.Body)
		}
	}
	// Probes and scrapers name an address that need not be ours, as it cannot be rebound; a name can.
	for _, path := range []string{"/livez", "/metrics"} {
		for host, want := range map[string]int{"10.42.0.17:8787": 200, "[fd00::17]:8787": 200, "evil.example": 421, "[127.0.0.1]": 421, "": 421} {
			if w := get(l, http.MethodGet, path, host); w.Code != want {
				t.Errorf("%s at %q: %d, want %d", path, host, w.Code, want)
			}
		}
	}
	if said := get(l, http.MethodGet, "/", "evil.example:80").Body.String(); !strings.Contains(said, `"evil.example:80"`) || !strings.Contains(said, "--listen-hosts evil.example ") {
		t.Errorf("a refusal does not say what to set: %s", said)
	}
	if said := get(l, http.MethodGet, "/", "<b>\nx").Body.String(); !strings.Contains(said, `"<b>\nx"`) || strings.Contains(said, "--listen-hosts") {
		t.Errorf("a strange name is not quoted: %s", said)
	}
}

// The address that the connection came in on is one of ours: that of a machine which listens on all of its own.
func TestOwnAddress(t *testing.T) {
	l := page(t, &script{})
	local := &net.TCPAddr{IP: net.ParseIP("192.0.2.1"), Port: 8787}
	for host, want := range map[string]int{"192.0.2.1:8787": 200, "192.0.2.2:8787": 421, "evil.example": 421} {
		r := httptest.NewRequestWithContext(context.WithValue(t.Context(), http.LocalAddrContextKey, net.Addr(local)), http.MethodGet, "/api/samples", nil)
		r.Host = host
		w := httptest.NewRecorder()
		if l.ServeHTTP(w, r); w.Code != want {
			t.Errorf("Host %s on %s: %d, want %d", host, local, w.Code, want)
		}
	}
}

// everywhere is a path for each route, and some for none.
func everywhere(l *Listener) []string {
	paths := []string{"/nothing", "/assets/nothing.js", "/assets/", "/assets", "//", "/api/plan?limit=x", "/api/history?limit=0"}
	for path := range l.routes {
		switch path {
		case "/{$}":
			path = "/"
		case "/assets/":
			path = "/assets/app.js"
		}
		paths = append(paths, path)
	}
	return paths
}

func TestNothingCanBeChanged(t *testing.T) {
	l := page(t, &script{})
	for _, path := range everywhere(l) {
		for _, method := range []string{http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions, http.MethodTrace, http.MethodConnect, "PROPFIND"} {
			if w := get(l, method, path, "localhost"); w.Code != http.StatusMethodNotAllowed || w.Header().Get("Allow") != "GET, HEAD" {
				t.Errorf("%s %s: %d, Allow %q", method, path, w.Code, w.Header().Get("Allow"))
			}
		}
	}
}

func TestHeadersOnEveryAnswer(t *testing.T) {
	l := page(t, &script{})
	check := func(what string, w *httptest.ResponseRecorder, cached bool) {
		t.Helper()
		for name, want := range map[string]string{
			"Content-Security-Policy": policy, "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer", "Cross-Origin-Resource-Policy": "same-origin",
		} {
			if got := w.Header().Get(name); got != want {
				t.Errorf("%s: %s is %q", what, name, got)
			}
		}
		if got := w.Header().Get("Cache-Control"); !cached && got != "no-store" {
			t.Errorf("%s: Cache-Control is %q", what, got)
		}
		for name := range w.Header() {
			if strings.HasPrefix(name, "Access-Control-") || name == "Set-Cookie" || name == "Server" {
				t.Errorf("%s: sends %s", what, name)
			}
		}
	}
	if len(l.routes) < 9 {
		t.Fatalf("only %d routes", len(l.routes))
	}
	for _, path := range everywhere(l) {
		w := get(l, http.MethodHead, path, "localhost") // a GET of the stream does not end
		check(path, w, w.Code == 200 && strings.HasPrefix(path, "/assets/"))
		if path == "/events" {
			continue
		}
		if g := get(l, http.MethodGet, path, "localhost"); g.Code != w.Code {
			t.Errorf("%s: GET %d, HEAD %d", path, g.Code, w.Code)
		}
		check("POST "+path, get(l, http.MethodPost, path, "localhost"), false)
		check("foreign "+path, get(l, http.MethodGet, path, "evil.example"), false)
	}
	for _, forbidden := range []string{"unsafe", "http:", "https:", "data:", "blob:", "*"} {
		if strings.Contains(policy, forbidden) {
			t.Errorf("the policy allows %s", forbidden)
		}
	}
}

func TestWhatCannotBeServed(t *testing.T) {
	taken, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = taken.Close() }()
	for name, c := range map[string]struct {
		o    Options
		want string
	}{
		"no port":      {Options{Address: "localhost"}, "missing port"},
		"nothing":      {Options{}, "HOST:PORT"},
		"in use":       {Options{Address: taken.Addr().String()}, "address already in use"},
		"host URL":     {Options{Address: "127.0.0.1:0", Hosts: []string{"https://status.example.com"}}, "without http://"},
		"host port":    {Options{Address: "127.0.0.1:0", Hosts: []string{"status.example.com:443"}}, "--listen-hosts"},
		"host pattern": {Options{Address: "127.0.0.1:0", Hosts: []string{"*.example.com"}}, "--listen-hosts"},
		"path twice":   {Options{Address: "127.0.0.1:0", Mount: map[string]http.Handler{"/events": http.NotFoundHandler()}}, "has this path"},
		"path pattern": {Options{Address: "127.0.0.1:0", Mount: map[string]http.Handler{"GET /x": http.NotFoundHandler()}}, "not a plain path"},
	} {
		c.o.Source, c.o.Log = &script{}, slog.New(slog.DiscardHandler)
		l, err := Listen(t.Context(), c.o)
		if err == nil {
			_ = l.socket.Close()
			t.Errorf("%s: no error", name)
		} else if !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// serving runs a listener on a socket of its own until the test ends, or stop.
func serving(t *testing.T, src control.Source) (l *Listener, stop func()) {
	t.Helper()
	l, err := Listen(t.Context(), Options{Address: "127.0.0.1:0", Source: src, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- l.Run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Errorf("Run ended with %v", err)
		}
	})
	t.Cleanup(stop)
	return l, stop
}

// Too many connections do not take the daemon's descriptors, and idle ones do not keep others out, such as a health check.
func TestConnectionsAreLimited(t *testing.T) {
	l, _ := serving(t, &script{})
	var conns []net.Conn
	defer func() {
		for _, c := range conns {
			_ = c.Close()
		}
	}()
	for range control.MaxConnections + 1 {
		c, err := new(net.Dialer).DialContext(t.Context(), "tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		conns = append(conns, c)
	}
	answer := func(c net.Conn) string {
		_, _ = c.Write([]byte("GET /api/samples HTTP/1.1\r\nHost: localhost\r\n\r\n"))
		buf := make([]byte, 12)
		n, _ := c.Read(buf)
		return string(buf[:n])
	}
	if got := answer(conns[control.MaxConnections]); got != "HTTP/1.1 200" {
		t.Errorf("the last one is answered %q", got)
	}
	if got := answer(conns[0]); got != "" {
		t.Errorf("the first one, which has waited the longest, is answered %q", got)
	}
}
