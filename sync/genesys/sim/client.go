package sim

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
)

// Client returns an http.Client that reaches the server without a socket. Whatever host a URL names,
// it is this server.
func (s *Server) Client() *http.Client { return &http.Client{Transport: s.Transport()} }

// Transport returns what Client is made of. A request is served in the caller's goroutine, so that a
// testing/synctest bubble sees every wait; one whose context ends is given up as on a real connection.
func (s *Server) Transport() http.RoundTripper { return transport{s} }

type transport struct{ s *Server }

func (t transport) RoundTrip(r *http.Request) (*http.Response, error) {
	inner := r.Clone(r.Context())
	if inner.Body == nil {
		inner.Body = http.NoBody
	}
	defer func() { _ = inner.Body.Close() }()
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	inner.RequestURI = inner.URL.RequestURI()
	w := &recorder{header: http.Header{}}
	broken := w.serve(t.s, inner)
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	if broken && w.status == 0 {
		return nil, io.EOF // the connection was closed before an answer
	}
	w.WriteHeader(http.StatusOK) // as net/http does for a handler that wrote nothing
	var body io.Reader = &w.body
	if broken {
		body = io.MultiReader(body, failing{})
	}
	return &http.Response{
		Status: fmt.Sprint(w.status, " ", http.StatusText(w.status)), StatusCode: w.status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: w.header, Body: io.NopCloser(body), ContentLength: -1, Request: r,
	}, nil
}

// failing is the end of a connection that broke.
type failing struct{}

func (failing) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

// A recorder takes an answer in.
type recorder struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (w *recorder) Header() http.Header { return w.header }

func (w *recorder) WriteHeader(status int) {
	if w.status == 0 {
		w.status = status
	}
}

func (w *recorder) Write(p []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	return w.body.Write(p)
}

// serve reports whether the handler broke the connection.
func (w *recorder) serve(h http.Handler, r *http.Request) (broken bool) {
	defer func() {
		if p := recover(); p != nil {
			if err, ok := p.(error); !ok || !errors.Is(err, http.ErrAbortHandler) {
				panic(p)
			}
			broken = true
		}
	}()
	h.ServeHTTP(w, r)
	return false
}
