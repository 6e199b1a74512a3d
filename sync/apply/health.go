package apply

import (
	"errors"
	"fmt"
)

const (
	maxUnanswered = 30 // users in a row without a usable answer: the API has failed
	maxForbidden  = 10 // requests in a row without the permission: the client has lost a role
)

// Health counts failures in a row, to distinguish an API that fails from users that fail. The zero value is ready to use.
type Health struct {
	unanswered map[string]bool // users without a usable answer
	forbidden  int             // requests without the permission
}

// Reset starts again after a request with a result, except for the kind of failure that the result is.
func (h *Health) Reset(err error) {
	if !errors.Is(err, ErrUncertain) {
		clear(h.unanswered)
	}
	if !errors.Is(err, ErrForbidden) {
		h.forbidden = 0
	}
}

// Note counts the result of a request for a user. It returns an error if no other request would succeed, or none is wanted.
// final is whether a request without a usable answer is not sent again: users count at once, but end a run only then.
func (h *Health) Note(user string, err error, final bool) error {
	switch {
	case errors.Is(err, ErrUncertain):
		if h.unanswered == nil {
			h.unanswered = map[string]bool{}
		}
		if h.unanswered[user] = true; final && h.Failing() {
			return fmt.Errorf("the API gives no usable answer, for %d users in a row: %w", len(h.unanswered), err)
		}
	case errors.Is(err, ErrForbidden):
		if h.forbidden++; h.forbidden >= maxForbidden {
			return fmt.Errorf("%d requests in a row lacked a permission: %w", h.forbidden, err)
		}
	case errors.Is(err, ErrUnauthorized), errors.Is(err, ErrThrottled), errors.Is(err, ErrUnreachable), IsCancelled(err):
		return err
	}
	return nil
}

// Forget removes a user that did not fail because of the API.
func (h *Health) Forget(user string) { delete(h.unanswered, user) }

// Failing reports whether no further users are to be started.
func (h *Health) Failing() bool { return len(h.unanswered) >= maxUnanswered }
