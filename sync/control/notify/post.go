package notify

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"
)

const (
	postTimeout  = 10 * time.Second // of one try
	maxAnswer    = 4 << 10          // bytes of an answer that are read
	longestAfter = 5 * time.Minute  // that a receiver may ask us to wait
)

// DeliveryError is a message that a receiver did not take. Its text holds nothing of the URL but the host.
type DeliveryError struct {
	Host   string
	Status int    // of the answer; 0: none came
	Code   string // what the receiver calls it, if it does
	Fix    string
	reason string
	again  bool          // another try may go well
	after  time.Duration // and not before
}

func (e *DeliveryError) Error() string { return e.Host + " " + e.reason }

// newTransport returns a transport for a message now and then: no connection is kept.
func newTransport() *http.Transport {
	var protocols http.Protocols
	protocols.SetHTTP1(true)
	return &http.Transport{
		Proxy:                  http.ProxyFromEnvironment,
		DialContext:            (&net.Dialer{Timeout: 5 * time.Second}).DialContext,
		TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12},
		TLSHandshakeTimeout:    postTimeout,
		MaxResponseHeaderBytes: 64 << 10,
		DisableKeepAlives:      true,
		Protocols:              &protocols,
	}
}

// A poster sends messages, one try each.
type poster struct {
	target  Target
	client  *http.Client
	version string
}

// An answer is what came back for a message that was taken.
type answer struct {
	status int
	code   string
}

// post makes one try. Its errors are a *DeliveryError, or that of a ctx that ended.
func (p *poster) post(ctx context.Context, body []byte) (answer, error) {
	limited, cancel := context.WithTimeout(ctx, postTimeout)
	defer cancel()
	r, err := http.NewRequestWithContext(limited, http.MethodPost, p.target.u.String(), bytes.NewReader(body))
	if err != nil { // the URL has been parsed before, so there is nothing of it to explain
		return answer{}, &DeliveryError{Host: p.target.Host(), reason: "cannot be asked: its URL makes no request"}
	}
	r.Header.Set("Content-Type", "application/json; charset=utf-8")
	r.Header.Set("User-Agent", "usersyncd/"+p.version)
	resp, err := p.client.Do(r)
	if err != nil {
		if ctx.Err() != nil {
			return answer{}, ctx.Err()
		}
		return answer{}, p.silence(err)
	}
	defer func() { _ = resp.Body.Close() }()
	text, _ := io.ReadAll(io.LimitReader(resp.Body, maxAnswer)) // only its code is of interest, if that
	a := answer{status: resp.StatusCode, code: p.code(text)}
	if a.status >= 200 && a.status < 300 {
		return a, nil
	}
	return a, p.refused(a, resp.Header)
}

// silence explains why no answer came.
func (p *poster) silence(err error) *DeliveryError {
	e := &DeliveryError{Host: p.target.Host(), again: true, Fix: "see whether this machine reaches it (DNS, firewall, HTTPS_PROXY)"}
	if wrapped, ok := errors.AsType[*url.Error](err); ok {
		err = wrapped.Err // the rest of it is the URL
	}
	certificate := (*tls.CertificateVerificationError)(nil)
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		e.reason = fmt.Sprintf("did not answer within %s", postTimeout)
	case errors.As(err, &certificate):
		e.again = false
		e.reason, e.Fix = "has a certificate that is not trusted: "+p.target.scrub(err.Error()), "install the certificate authority, or fix the receiver"
	default:
		e.reason = "did not answer: " + clean(p.target.scrub(err.Error()), maxExample)
	}
	return e
}

// refused explains an answer that is no success.
func (p *poster) refused(a answer, h http.Header) *DeliveryError {
	e := &DeliveryError{Host: p.target.Host(), Status: a.status, Code: a.code, reason: fmt.Sprintf("answered %d", a.status)}
	if a.code != "" {
		e.reason += " (" + a.code + ")"
	}
	switch {
	case a.status >= 300 && a.status < 400:
		e.reason += ", a redirect, which is not followed"
		e.Fix = "configure the URL that it leads to"
	case a.status == http.StatusTooManyRequests:
		e.again, e.Fix = true, "it is asked too often: wait, or use a webhook of its own"
	case a.status >= 500, a.status == http.StatusRequestTimeout, a.status == http.StatusTooEarly:
		e.again, e.Fix = true, "the receiver has trouble: try again later"
	case a.status == http.StatusBadRequest, a.status == http.StatusUnsupportedMediaType, a.status == http.StatusUnprocessableEntity:
		e.Fix = "it does not take this format, or the webhook is of another kind: look at --notify-format and the URL"
	case a.status == http.StatusUnauthorized, a.status == http.StatusForbidden, a.status == http.StatusNotFound, a.status == http.StatusGone:
		e.Fix = "the URL is wrong, or the webhook was removed or disabled: make a new one, and configure its URL"
	default:
		e.Fix = "look at the URL and at the receiver's log"
	}
	if e.again {
		e.after = retryAfter(h, time.Now())
	}
	return e
}

// word is how receivers name what is wrong: invalid_payload (Slack), WorkflowTriggerIsNotEnabled (Teams).
func word() *regexp.Regexp { return regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_.-]{0,59}$`) }

// code finds the receiver's word in an answer. The rest is not shown: it may repeat what it was sent.
func (p *poster) code(text []byte) string {
	var body struct {
		Error json.RawMessage `json:"error"`
	}
	found := strings.TrimSpace(string(text))
	if json.Unmarshal(text, &body) == nil && len(body.Error) > 0 {
		var inner struct {
			Code string `json:"code"`
		}
		found = ""
		if json.Unmarshal(body.Error, &inner) == nil {
			found = inner.Code
		} else if err := json.Unmarshal(body.Error, &found); err != nil {
			found = ""
		}
	}
	if !word().MatchString(found) || strings.Contains(p.target.u.String(), found) {
		return ""
	}
	return found
}

// retryAfter reads the header in either form, within bounds; 0 where there is none or it makes no sense.
func retryAfter(h http.Header, now time.Time) time.Duration {
	v := h.Get("Retry-After")
	if n, err := strconv.Atoi(v); err == nil {
		return time.Duration(min(max(n, 0), int(longestAfter.Seconds()))) * time.Second
	}
	if at, err := http.ParseTime(v); err == nil {
		return min(max(at.Sub(now), 0), longestAfter)
	}
	return 0
}
