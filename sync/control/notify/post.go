package notify

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"

	"usersyncd/spec/text"
)

const (
	postTimeout   = 10 * time.Second // of one try
	maxResponse   = 4 << 10          // bytes of a response that are read
	maxRetryAfter = 5 * time.Minute  // that a receiver may ask for
)

// DeliveryError says why a message was not delivered. Its text has nothing of the URL but the host.
type DeliveryError struct {
	Fix   string
	text  string
	retry bool          // another try may succeed
	after time.Duration // and not before
}

func (e *DeliveryError) Error() string { return e.text }

// post makes one try, and returns the status and the error code of the response. Its error is a *DeliveryError, or that of
// ctx.
func (n *Notifier) post(ctx context.Context, m *Message) (status int, code string, err error) {
	m.Name = n.opts.Name
	body, err := render(m.finish(), n.opts.Format)
	if err != nil {
		return 0, "", err
	}
	limited, cancel := context.WithTimeout(ctx, postTimeout)
	defer cancel()
	target := n.opts.Target
	r := &http.Request{
		Method: http.MethodPost, URL: target.u, Body: io.NopCloser(bytes.NewReader(body)), ContentLength: int64(len(body)),
		Header: http.Header{"Content-Type": {"application/json; charset=utf-8"}, "User-Agent": {"usersyncd/" + n.opts.Version}},
	}
	resp, err := n.client.Do(r.WithContext(limited))
	switch {
	case ctx.Err() != nil && err != nil:
		return 0, "", ctx.Err()
	case err != nil:
		return 0, "", unreachable(target, err)
	}
	defer func() { _ = resp.Body.Close() }()
	text, _ := io.ReadAll(io.LimitReader(resp.Body, maxResponse)) // the code may be missing then
	code = target.errorCode(text)
	if resp.StatusCode/100 != 2 {
		err = rejected(target, code, resp)
	}
	return resp.StatusCode, code, err
}

// unreachable explains an error of the network.
func unreachable(t Target, err error) *DeliveryError {
	if wrapped, ok := errors.AsType[*url.Error](err); ok {
		err = wrapped.Err // the rest of it is the URL
	}
	text := clean(t.scrub(err.Error()), maxExample)
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return &DeliveryError{text: t.Host() + " has a certificate that is not trusted: " + text, Fix: "install the certificate authority, or fix the receiver"}
	}
	if errors.Is(err, context.DeadlineExceeded) {
		text = "timeout after " + postTimeout.String()
	}
	return &DeliveryError{text: t.Host() + " did not respond: " + text, retry: true, Fix: "check that this machine can reach it (DNS, firewall, HTTPS_PROXY)"}
}

// rejected explains a response that is no success.
func rejected(t Target, code string, resp *http.Response) *DeliveryError {
	e := &DeliveryError{text: fmt.Sprintf("%s responded %d%s", t.Host(), resp.StatusCode, text.Enclose(" (", code, ")"))}
	if seconds, _ := strconv.Atoi(resp.Header.Get("Retry-After")); seconds > 0 {
		e.after = time.Duration(min(seconds, int(maxRetryAfter.Seconds()))) * time.Second
	}
	switch s := resp.StatusCode; {
	case s >= 300 && s < 400:
		e.text, e.Fix = e.text+", a redirect, which is not followed", "configure the URL that it redirects to"
	case s == http.StatusTooManyRequests:
		e.retry, e.Fix = true, "it is called too often: wait, or use a separate webhook"
	case s >= 500, s == http.StatusRequestTimeout, s == http.StatusTooEarly:
		e.retry, e.Fix = true, "the receiver fails: try again later"
	case s == http.StatusBadRequest, s == http.StatusUnsupportedMediaType, s == http.StatusUnprocessableEntity:
		e.Fix = "it does not accept this format, or is another kind of webhook: check --notify-format and the URL"
	case s == http.StatusUnauthorized, s == http.StatusForbidden, s == http.StatusNotFound, s == http.StatusGone:
		e.Fix = "the URL is wrong, or the webhook was removed or disabled: create a new one, and configure its URL"
	default:
		e.Fix = "check the URL and the receiver's log"
	}
	return e
}

// errorCode is a receiver's name of an error: invalid_payload (Slack), WorkflowTriggerIsNotEnabled (Teams). The rest of the
// response is not shown: it may repeat what was sent.
func (t Target) errorCode(text []byte) string {
	code := strings.TrimSpace(string(text))
	var body struct{ Error any }
	if json.Unmarshal(text, &body) == nil {
		object, _ := body.Error.(map[string]any)
		if code, _ = object["code"].(string); code == "" {
			code, _ = body.Error.(string)
		}
	}
	if ok, _ := regexp.MatchString(`^[A-Za-z][A-Za-z0-9_.-]{0,59}$`, code); !ok || strings.Contains(t.u.String(), code) {
		return ""
	}
	return code
}
