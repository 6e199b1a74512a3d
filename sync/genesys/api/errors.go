package api

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"usersyncd/spec/text"
	"usersyncd/sync/apply"
)

// ErrReadOnly is why a write was not sent: the client was made with Options.ReadOnly.
var ErrReadOnly = errors.New("read-only: the request was not sent")

// errorBody is the API's answer to what went wrong, as far as it is of use (the vendor's SDK, errorbody.go).
type errorBody struct {
	Message   string `json:"message"`
	Code      string `json:"code"`
	ContextID string `json:"contextId"`
	Details   []struct {
		ErrorCode string `json:"errorCode"`
		FieldName string `json:"fieldName"`
	} `json:"details"`
	Errors []errorBody `json:"errors"`
}

// decodeError reads an error's body. It never fails: a gateway's HTML page, half an answer or none at
// all leave the fields empty, and a member of an unexpected type leaves that member empty.
func decodeError(body []byte) errorBody {
	var e errorBody
	_ = json.Unmarshal(body, &e) // what cannot be read stays empty
	for i := 0; e.Message == "" && i < len(e.Errors); i++ {
		e.Message = e.Errors[i].Message
		if e.Code == "" {
			e.Code = e.Errors[i].Code
		}
	}
	var fields []string
	for _, d := range e.Details {
		if d.FieldName != "" && !strings.Contains(e.Message, d.FieldName) {
			fields = append(fields, strings.TrimSpace(d.FieldName+" "+d.ErrorCode))
		}
	}
	if len(fields) > 0 {
		e.Message = strings.TrimSpace(e.Message + " (" + strings.Join(fields, ", ") + ")")
	}
	e.Message, e.Code = foreign(e.Message, 500), foreign(e.Code, 100)
	return e
}

// foreign makes the text of a service fit for one line of a terminal or a log, of so many bytes at most.
func foreign(s string, limit int) string { return cut(text.Escape(text.OneLine(s)), limit) }

// cut is the beginning of a text, of so many bytes at most.
func cut(s string, limit int) string {
	if len(s) > limit {
		return strings.ToValidUTF8(s[:limit], "")
	}
	return s
}

// statusError is the error of an answer that is not 2xx.
func statusError(r *Request, a answer) *apply.CallError {
	body := decodeError(a.body)
	e := &apply.CallError{
		Kind: kindOf(r.Operation, a.status, body.Code, body.Message), Op: r.String(), Status: a.status, Code: body.Code, Message: body.Message,
		CorrelationID: correlationID(a.header, body.ContextID), RetryAfter: retryAfter(a.header, time.Now()),
	}
	if e.Message == "" {
		e.Message = http.StatusText(a.status)
	}
	e.Message += hint(r, a.status, body.Code, e.Message)
	if a.status >= 300 && a.status < 400 {
		e.Message = "redirects are not followed, they would carry the token elsewhere; correct the API URL" + target(a.header)
	}
	return e
}

// throttledError is the error of a request that the limiter does not let out. last is the API's last 429 to it, if any.
func throttledError(r *Request, last answer, err error) *apply.CallError {
	e := &apply.CallError{Op: r.String()}
	if own := (interface{ RetryAfter() time.Duration })(nil); errors.As(err, &own) {
		if last.status != 0 {
			e = statusError(r, last)
		}
		if e.Kind, e.RetryAfter = apply.ErrRequestThrottled, own.RetryAfter(); e.RetryAfter == 0 {
			e.Kind = apply.ErrRefused
		}
	} else {
		e.Kind = apply.ErrThrottled
	}
	e.Err = err
	return e
}

// answerError is the error of a request without an answer, or with a 2xx that cannot be read. Whether it
// was carried out is not known.
func answerError(op string, a answer, err error) *apply.CallError {
	if u := (*url.Error)(nil); errors.As(err, &u) {
		err = u.Err // its text repeats the method and the whole URL
	}
	e := &apply.CallError{Kind: apply.ErrUncertain, Op: op, Status: a.status, Err: err, CorrelationID: correlationID(a.header, "")}
	switch {
	case errors.Is(err, ErrReadOnly):
		e.Kind = apply.ErrRefused
	case isCertificate(err):
		e.Kind, e.Message = apply.ErrUnreachable, "the server's certificate is not trusted; if a proxy inspects TLS, set SSL_CERT_FILE to the file of its CA"
	case errors.Is(err, context.DeadlineExceeded):
		e.Err = timeoutError{err}
	}
	return e
}

// A timeoutError is an error of the network package, without its words.
type timeoutError struct{ error }

func (timeoutError) Error() string   { return "no answer in time" }
func (e timeoutError) Unwrap() error { return e.error }

// isCertificate reports whether a server could not prove who it is: nothing was sent to it.
func isCertificate(err error) bool {
	_, is := errors.AsType[*tls.CertificateVerificationError](err)
	return is
}

// IsDenied reports whether an answer says that something cannot be had, as opposed to no usable answer.
func IsDenied(err error) bool {
	return errors.Is(err, apply.ErrForbidden) || errors.Is(err, apply.ErrRefused) || errors.Is(err, apply.ErrNotFound)
}

// correlationID is that of the header or, if it has none, of the body.
func correlationID(h http.Header, body string) string {
	for _, id := range []string{h.Get("ININ-Correlation-Id"), body} {
		if isID(id) {
			return id
		}
	}
	return ""
}

// isID reports whether a text can be a correlation id. Whatever else a gateway puts there, an echoed
// token for one, must not get into a log.
func isID(s string) bool {
	return len(s) <= 64 && s != "" && strings.Trim(s, "0123456789abcdefABCDEF-") == ""
}

func target(h http.Header) string {
	u, err := url.Parse(h.Get("Location"))
	if err != nil || u.Host == "" {
		return ""
	}
	return fmt.Sprintf(" (it points to %q)", u.Scheme+"://"+u.Host)
}

// retryAfter reads the header in either form; 0 where there is none or it makes no sense.
func retryAfter(h http.Header, now time.Time) time.Duration {
	v := h.Get("Retry-After")
	if n, err := strconv.Atoi(v); err == nil {
		return time.Duration(min(max(n, 0), 24*60*60)) * time.Second
	}
	if at, err := http.ParseTime(v); err == nil {
		return min(max(at.Sub(now), 0), 24*time.Hour)
	}
	return 0
}
