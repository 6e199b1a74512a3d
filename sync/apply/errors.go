package apply

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
)

// The results of a request, for errors.Is.
var (
	// ErrNotFound is returned when the user does not exist.
	ErrNotFound = errors.New("not found")
	// ErrConflict is returned when the version sent is not the current one, or a value that must be unique is taken.
	ErrConflict = errors.New("conflict")
	// ErrUncertain is returned when there was no usable answer (timeout, reset, 408, 5xx): a call may have been carried out.
	ErrUncertain = errors.New("outcome unknown")
	// ErrForbidden is returned when the OAuth client lacks a permission.
	ErrForbidden = errors.New("forbidden")
	// ErrRefused is returned when the API rejects the request; sending it again will not help.
	ErrRefused = errors.New("refused")
	// ErrUnauthorized is returned when the credentials are refused: no request can succeed.
	ErrUnauthorized = errors.New("credentials refused")
	// ErrUnreachable is returned when the login service does not answer: without an access token no request can be made.
	ErrUnreachable = errors.New("unreachable")
	// ErrListing is returned when a list contradicts itself, twice in a row: it has pages without entries, or far fewer
	// entries than it counts. Nothing may be derived from it.
	ErrListing = errors.New("the list contradicts itself")
	// ErrThrottled is returned when the API asks for a longer pause than usersyncd waits.
	ErrThrottled = errors.New("throttled")
	// ErrRequestThrottled is an ErrThrottled of one request: the API refuses it and accepts others. It was not carried out, and
	// is to be sent again after CallError.RetryAfter.
	ErrRequestThrottled = fmt.Errorf("%w: this request alone", ErrThrottled)
)

// noWait is the key of a context whose requests do not wait for their own pauses.
type noWait struct{}

// WithoutWaiting returns a context whose requests return an ErrRequestThrottled instead of waiting: whoever made them has
// others to make meanwhile.
func WithoutWaiting(ctx context.Context) context.Context {
	return context.WithValue(ctx, noWait{}, true)
}

// Waits reports whether a request waits for its own pause: not with a context of WithoutWaiting, and not for long.
func Waits(ctx context.Context, pause time.Duration) bool {
	return ctx.Value(noWait{}) == nil && pause <= LongestPause
}

// LongestPause is the longest pause of a single request that is waited for.
const LongestPause = 10 * time.Minute

// CallError has the request and the API's answer. It unwraps to one of the errors above and to Err.
type CallError struct {
	Kind          error  // one of the errors above
	Op            string // the request, such as "PATCH /api/v2/users/3f0c"
	Status        int    // HTTP status; 0 if no answer came
	Code          string // the API's own code, such as "general.conflict"
	Message       string // the API's
	CorrelationID string // what the vendor's support asks for
	RetryAfter    time.Duration
	Err           error // the transport's error, if any
}

func (e *CallError) Error() string {
	kind := e.Kind.Error()
	if errors.Is(e.Kind, ErrUncertain) && strings.HasPrefix(e.Op, "GET ") {
		kind = "no usable answer" // it changes nothing
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s", e.Op, kind)
	if e.Status != 0 {
		fmt.Fprintf(&b, ": %d", e.Status)
	}
	if e.Code != "" {
		fmt.Fprintf(&b, " %s", e.Code)
	}
	if e.Message != "" {
		fmt.Fprintf(&b, ": %s", e.Message)
	}
	if e.Err != nil {
		fmt.Fprintf(&b, ": %v", e.Err)
	}
	if e.CorrelationID != "" {
		fmt.Fprintf(&b, " (correlation id %s)", e.CorrelationID)
	}
	return b.String()
}

// RetryAfter returns the pause that the API asks for; 0 if none.
func RetryAfter(err error) time.Duration {
	if e := (*CallError)(nil); errors.As(err, &e) {
		return e.RetryAfter
	}
	return 0
}

// Unwrap returns the kind and the cause.
func (e *CallError) Unwrap() []error { return []error{e.Kind, e.Err} }

// IsCancelled reports whether an error is of a request that was cancelled.
func IsCancelled(err error) bool {
	return errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}

// IsTruncated reports whether a list shows so much less than was expected that it is wrong: more than 10 entries and more
// than 5 % are missing. So many are counted and not shown, or known and not shown, while others write.
func IsTruncated(shown, expected int) bool {
	const floor, percent = 10, 5
	return expected-shown > max(floor, expected*percent/100)
}
