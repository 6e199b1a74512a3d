package apply

import (
	"errors"
	"fmt"
)

const (
	// MaxUnanswered is for how many users in a row there may be no trustworthy answer before no other is begun,
	// and the pass ends if reading them fails too: then it is the API that fails, and not a user.
	MaxUnanswered = 30
	// MaxForbidden is the same for answers that a permission is missing: then a role was lost.
	MaxForbidden = 10
)

// health tells an API that fails from users who do.
type health struct {
	unanswered map[*job]bool // without a trustworthy answer since the last call that had one
	forbidden  int           // calls in a row that lacked a permission
}

// note takes an answer in. An error ends the pass: no other call would fare better, or none is wanted. last says that a
// request without a usable answer is not made again.
func (h *health) note(ans answer, last bool) error {
	uncertain, forbidden := errors.Is(ans.err, ErrUncertain), errors.Is(ans.err, ErrForbidden)
	if ans.state == toCall && !uncertain {
		clear(h.unanswered)
	}
	if ans.state == toCall && !forbidden {
		h.forbidden = 0
	}
	switch {
	case uncertain: // a write is uncertain at once; it counts when what it did cannot be found out either
		if h.unanswered[ans.job] = true; last && h.failing() {
			return fmt.Errorf("the API gives no usable answer, for %d users in a row: %w", len(h.unanswered), ans.err)
		}
	case forbidden:
		if h.forbidden++; h.forbidden >= MaxForbidden {
			return fmt.Errorf("%d calls in a row lacked a permission: %w", h.forbidden, ans.err)
		}
	case errors.Is(ans.err, ErrUnauthorized), errors.Is(ans.err, ErrThrottled), errors.Is(ans.err, ErrUnreachable), IsCancelled(ans.err):
		return ans.err
	}
	return nil
}

// failing reports whether nobody else is to be begun.
func (h *health) failing() bool { return len(h.unanswered) >= MaxUnanswered }
