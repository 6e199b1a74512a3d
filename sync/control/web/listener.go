// Package web serves the status page over TCP, and what is mounted beside it. It reads, and changes nothing.
package web

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"usersyncd/spec/text"
	"usersyncd/sync/control"
)

// Limits of the listener: the daemon's memory and descriptors are for its work.
const (
	maxStreams   = 16
	readTimeout  = 10 * time.Second
	writeTimeout = 30 * time.Second // of a response; a stream has one for each write
	idleTimeout  = time.Minute
	endTimeout   = 5 * time.Second // for requests under way when the listener ends
	maxHeader    = 16 << 10
)

// policy allows our own files, and nothing else: no inline script or style, no other server, no frame around the page, and
// no text that becomes markup (trusted types).
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"

// Options are the address of a listener, and what it serves.
type Options struct {
	Address string   // host:port, as in --listen
	Hosts   []string // further host names of requests, as in --listen-hosts
	Source  control.Source
	Mount   map[string]http.Handler // by path: metrics and health
	Log     *slog.Logger
}

// A Listener serves the status page and what is mounted. It allows only GET and HEAD, and changes nothing.
type Listener struct {
	source  control.Source
	log     *slog.Logger
	socket  net.Listener
	hosts   hosts
	assets  *assets
	routes  map[string]http.Handler
	mounted map[string]bool
	mux     *http.ServeMux
	samples samples
	frame   atomic.Pointer[frame]
	streams chan struct{} // one element for each that is open

	every     time.Duration // between samples
	heartbeat time.Duration // of a stream without frames
	stall     time.Duration // for one write to a stream
}

// Listen opens the socket. Run serves it, and closes it.
func Listen(ctx context.Context, o Options) (*Listener, error) {
	allowed, err := newHosts(o.Address, o.Hosts)
	if err != nil {
		return nil, fmt.Errorf("%w (expected HOST:PORT, such as 127.0.0.1:8787)", err)
	}
	l, err := newListener(o, allowed)
	if err != nil {
		return nil, err
	}
	l.socket, err = new(net.ListenConfig).Listen(ctx, "tcp", o.Address)
	if err != nil {
		return nil, err // which names the address
	}
	if at, ok := l.socket.Addr().(*net.TCPAddr); ok && !at.IP.IsLoopback() {
		l.log.Warn("the status page is reachable from other machines, without authentication, and shows names and email addresses of users; "+
			"listen on 127.0.0.1, and put a proxy with authentication in front of it", "listen", l.socket.Addr().String())
	}
	return l, nil
}

// newListener is a listener without a socket.
func newListener(o Options, allowed hosts) (*Listener, error) {
	files, err := loadAssets()
	if err != nil {
		return nil, fmt.Errorf("files of the status page: %w", err)
	}
	l := &Listener{
		source: o.Source, log: o.Log, hosts: allowed, assets: files, mux: http.NewServeMux(), mounted: map[string]bool{},
		samples: samples{size: samplesKept}, streams: make(chan struct{}, maxStreams),
		every: sampleEvery, heartbeat: 15 * time.Second, stall: 5 * time.Second,
	}
	l.frame.Store(&frame{next: make(chan struct{})})
	l.routes = map[string]http.Handler{
		"/{$}":         http.HandlerFunc(files.page),
		"/assets/":     http.StripPrefix("/assets/", http.HandlerFunc(files.serve)),
		"/events":      http.HandlerFunc(l.serveEvents),
		"/api/status":  http.HandlerFunc(l.serveStatus),
		"/api/plan":    http.HandlerFunc(l.servePlan),
		"/api/history": http.HandlerFunc(l.serveHistory),
		"/api/samples": http.HandlerFunc(l.serveSamples),
	}
	for path, handler := range o.Mount {
		if !strings.HasPrefix(path, "/") || strings.ContainsAny(path, "{} ") {
			return nil, fmt.Errorf("mount %q: not a plain path", path)
		}
		if l.routes[path] != nil {
			return nil, fmt.Errorf("mount %q: the status page has this path", path)
		}
		l.routes[path], l.mounted[path] = handler, true
	}
	for path, handler := range l.routes {
		l.mux.Handle(path, handler)
	}
	return l, nil
}

// Addr is where the listener is, also if the port was 0.
func (l *Listener) Addr() net.Addr { return l.socket.Addr() }

// Run serves until ctx ends; streams end with it, and other requests get a few seconds. It returns the error of ctx, or why
// the listener has failed.
func (l *Listener) Run(ctx context.Context) error {
	sampling, stop := context.WithCancel(ctx)
	var sampler sync.WaitGroup
	sampler.Go(func() { l.sample(sampling) })
	defer sampler.Wait()
	defer stop()
	server := &http.Server{
		Handler:           l,
		BaseContext:       func(net.Listener) context.Context { return ctx },
		ReadHeaderTimeout: readTimeout, ReadTimeout: readTimeout, WriteTimeout: writeTimeout, IdleTimeout: idleTimeout,
		MaxHeaderBytes: maxHeader,
		ErrorLog:       slog.NewLogLogger(l.log.Handler(), slog.LevelDebug), // clients that went away
	}
	control.LimitConnections(server, control.MaxConnections)
	l.log.Info("serving status page, metrics and health checks", "url", "http://"+l.socket.Addr().String()+"/")
	if err := control.Serve(ctx, server, l.socket, endTimeout); err != nil {
		return fmt.Errorf("status page: %w", err)
	}
	return ctx.Err()
}

// ServeHTTP handles every request, whatever its path.
func (l *Listener) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Content-Security-Policy", policy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Cache-Control", "no-store")
	switch {
	case !l.hosts.allows(r, l.mounted[r.URL.Path]):
		l.hosts.refuse(w, r)
	case r.Method != http.MethodGet && r.Method != http.MethodHead:
		h.Set("Allow", "GET, HEAD")
		http.Error(w, "this page is read-only: use the command line on this machine, such as usersyncd sync, pause or release", http.StatusMethodNotAllowed)
	default:
		l.mux.ServeHTTP(w, r)
	}
}

func (l *Listener) reply(w http.ResponseWriter, v any, marshal func(any) ([]byte, error)) {
	body, err := marshal(v)
	if err != nil {
		l.log.Error("status page: cannot write a response as JSON", "error", err)
		http.Error(w, "internal error: see the log", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	_, _ = w.Write(append(text.EscapeJSON(body), '\n')) // the client may be gone
}
