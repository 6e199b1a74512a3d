package api

import (
	"fmt"
	"net"
	"net/http"
	"time"
)

// newTransport returns a transport of our own: the default one waits for ever for a header. HTTP/1
// only: at ten requests a second HTTP/2 gains nothing, and a dead connection of it can swallow
// requests for minutes.
func newTransport(o Options) *http.Transport {
	var protocols http.Protocols
	protocols.SetHTTP1(true)
	dialer := &net.Dialer{Timeout: 5 * time.Second, KeepAlive: 15 * time.Second}
	return &http.Transport{
		Proxy:                  o.Proxy,
		DialContext:            dialer.DialContext,
		TLSClientConfig:        o.TLS,
		TLSHandshakeTimeout:    10 * time.Second,
		ResponseHeaderTimeout:  20 * time.Second,
		ExpectContinueTimeout:  time.Second,
		IdleConnTimeout:        45 * time.Second, // load balancers close at 60 s, and a request may be lost in that moment
		MaxConnsPerHost:        o.MaxConns,
		MaxIdleConnsPerHost:    o.MaxConns,
		MaxResponseHeaderBytes: 64 << 10,
		Protocols:              &protocols,
	}
}

// newHTTPClient returns a client that follows no redirect: it would carry the token to another host.
func newHTTPClient(t http.RoundTripper) *http.Client {
	return &http.Client{
		Transport:     t,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// readOnly refuses every request that could change something before a byte of it leaves.
type readOnly struct {
	next  http.RoundTripper
	posts map[string]bool // the URLs where a POST only asks
}

func (t readOnly) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Method == http.MethodGet || r.Method == http.MethodPost && t.posts[r.URL.String()] {
		return t.next.RoundTrip(r)
	}
	if r.Body != nil {
		_ = r.Body.Close() // a RoundTripper must; nothing was read
	}
	return nil, fmt.Errorf("%w (%s)", ErrReadOnly, r.Method)
}

// basicAuth puts the OAuth client's credentials into the header as the vendor's SDK does: as they are. x/oauth2 escapes
// them as a form first, as the RFC asks, which is not what this service expects.
type basicAuth struct {
	next    http.RoundTripper
	options Options
}

func (t basicAuth) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.SetBasicAuth(t.options.ClientID, string(t.options.ClientSecret))
	r.Header.Set("User-Agent", t.options.userAgent())
	r.Header.Set("Accept", "application/json")
	began, status := time.Now(), 0
	resp, err := t.next.RoundTrip(r)
	if err == nil {
		status = resp.StatusCode
	}
	t.options.Logger.DebugContext(r.Context(), "request", "method", http.MethodPost, "path", tokenPath, "status", status, "ms", time.Since(began).Milliseconds())
	return resp, err
}
