package sync

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"usersyncd/spec"
	"usersyncd/state"
	"usersyncd/sync/plan"
)

// Directory is the organization's user directory as a pass needs it. Order and meaning are the
// pass's; names and ids, batching and the wire are the directory's. Every error of a request is a
// *CallError. Methods are safe for concurrent use.
type Directory interface {
	// Open begins a pass: it tells which users are known, so that a manager's address can be turned
	// into an id and back, and returns the organization's id ("" where it may not be read).
	// It costs one request in the life of the directory.
	Open(ctx context.Context, known map[string]*state.User) (org string, err error)

	// Authorize asks the API whether it accepts the credentials by now. It costs one request.
	Authorize(ctx context.Context) error

	// List reads every active and inactive user, with those of the fields that a listing can show. ErrListing.
	List(ctx context.Context, fields ...spec.Field) (Listing, error)

	// Get reads one user, deleted ones included, with the fields. ErrNotFound. Like the other reads, it
	// tries again by itself what had no usable answer, so that ErrUncertain is its last word.
	Get(ctx context.Context, id string, fields ...spec.Field) (state.Observed, error)

	// Read reads users by id, deleted ones included, with those of the fields that a listing can show: up to 100
	// in one request, and one by one whom that does not show. Who is not found, without an error, exists nowhere.
	// If only some cannot be read, err tells of each of them, and found is all others. The order is that of the ids.
	Read(ctx context.Context, ids []string, fields ...spec.Field) (found []state.Observed, err error)

	// Find looks a user up by e-mail address, deleted ones included. The search index behind it
	// lags, so ErrNotFound shortly after a write proves nothing.
	Find(ctx context.Context, email string, fields ...spec.Field) (state.Observed, error)

	// Search looks up who has one of the addresses, deleted users included: up to 50 addresses in one request. It
	// shows the fields that need not be asked for. Unlike Find it reads nobody again, so that a result may be out of
	// date, and who is not found may exist: it is for telling what is likely, and no write may follow from it. Users
	// come in the order of the addresses, for each of these deleted ones last. ErrListing if some are missing.
	Search(ctx context.Context, emails []string) (found []state.Observed, err error)

	// Details reads the fields that are asked for of each user, by id, in the fewest requests. It hands
	// over what it has read as it comes, one call of got at a time; a user that cannot be read comes with
	// an error instead. An error of got ends it. What it hands over has the user's version, as Get does, if
	// the user itself had to be read, and otherwise only the id and the fields.
	Details(ctx context.Context, want map[string][]spec.Field, got func(now state.Observed, err error) error) error

	// Check says what is wrong with each name, in words for whoever wrote it; "" is nothing.
	Check(ctx context.Context, refs []spec.Ref) (map[spec.Ref]string, error)

	// Holders returns the ids of all users who have one of the roles, through a group or not. A role that
	// does not exist has none. ErrListing if some are missing.
	Holders(ctx context.Context, roles []string) ([]string, error)

	// Compile turns changes into the fewest calls. The calls of one user stand in the order in which
	// they must be made; apart from that the order of the changes is kept. Calls that serve several users
	// stand in the same order for all of them. It sends nothing.
	Compile(changes []*plan.Change) []*Call

	// Do makes a call once: 429 and an expired token are dealt with inside, everything else is
	// returned. It returns what is now known of each of the call's users, in their order.
	Do(ctx context.Context, call *Call) ([]state.Observed, error)
}

// Listing is a reading of the whole organization.
type Listing struct {
	Users []state.Observed
	Gap   string // what the API counts and does not show, for people; "" for nothing
	Cap   string // why users beyond the API's cap of one state are not listed, for people; "" if they are, or there are none
}

// Complete reports whether no user is missing. Otherwise who is not listed may exist all the same.
func (l Listing) Complete() bool { return l.Gap == "" && l.Cap == "" }

// TooFew reports whether a list shows so much less than was expected that it is wrong: more than 10 entries and more
// than 5 % are missing. So many are counted and not shown, or known and not shown, while others write.
func TooFew(shown, expected int) bool {
	const floor, percent = 10, 5
	return expected-shown > max(floor, expected*percent/100)
}

// A Call is one API request that writes. It is the unit of pacing, of retry and of commit.
type Call struct {
	Name    string         // for people, such as "PATCH /users/{id}"
	Changes []*plan.Change // whom it serves: one user, or more where the API can batch
	Fields  []spec.Field   // what it settles for them, unless a later call of theirs has the same field
	Creates bool           // it makes a new user, and is never sent again before the address is looked up
	// Repeatable calls do the same again when they are sent again: they carry no version, and set what
	// they set whatever was before.
	Repeatable bool
	Object     string // calls with the same object, if it is not "", never overlap
	Op         any    // the directory's own note to itself
	// CorrelationID is that of the last answer to it, which Do notes; "" if there was none.
	CorrelationID string

	at               time.Time // not sent before
	intended         time.Time // when its intents were last recorded
	attempts, rounds int       // sent without a usable answer; refused as stale
}

// What came of a call, for errors.Is.
var (
	// ErrNotFound is returned when the user does not exist.
	ErrNotFound = errors.New("not found")
	// ErrConflict is returned when the version sent is not the current one, or when a value that must be unique is taken.
	ErrConflict = errors.New("conflict")
	// ErrUncertain is returned when no trustworthy answer came (timeout, reset, 408, 5xx):
	// the call may have been carried out.
	ErrUncertain = errors.New("outcome unknown")
	// ErrForbidden is returned when the OAuth client lacks a permission.
	ErrForbidden = errors.New("forbidden")
	// ErrRefused is returned when the API says that the call is wrong; sending it again will not help.
	ErrRefused = errors.New("refused")
	// ErrUnauthorized is returned when the credentials are dead: no call can succeed.
	ErrUnauthorized = errors.New("credentials refused")
	// ErrUnreachable is returned when no access token is to be had, for want of an answer: no call can be made.
	ErrUnreachable = errors.New("unreachable")
	// ErrListing is returned when a list that the API shows contradicts itself, twice in a row: it has pages
	// without entries, or far fewer entries than it says. Nothing follows from such a list.
	ErrListing = errors.New("the list contradicts itself")
	// ErrThrottled is returned when the API asks for a longer pause than we are willing to wait.
	ErrThrottled = errors.New("throttled")
)

// CallError says what was tried and what the API answered. It unwraps to one of the errors above and to Err.
type CallError struct {
	Kind          error  // one of the errors above
	Op            string // what was tried, such as "PATCH /api/v2/users/3f0c"
	Status        int    // HTTP status; 0 if no answer came
	Code          string // the API's own code, such as "general.conflict"
	Message       string // the API's own words
	CorrelationID string // what the vendor's support asks for
	RetryAfter    time.Duration
	Err           error // the transport's error, if any
}

func (e *CallError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %v", e.Op, e.Kind)
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

// Unwrap makes errors.Is find the kind as well as the cause.
func (e *CallError) Unwrap() []error { return []error{e.Kind, e.Err} }
