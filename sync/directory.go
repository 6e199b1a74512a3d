package sync

import (
	"context"

	"usersyncd/spec"
	"usersyncd/state"
	"usersyncd/sync/apply"
	"usersyncd/sync/plan"
)

// Directory is the organization's user directory.
type Directory interface {
	Reader
	apply.Writer
}

// Reader is the organization's user directory as a pass needs it to plan. Names and ids, batching and the wire are the
// directory's. Every error of a request is an *apply.CallError. Methods are safe for concurrent use.
type Reader interface {
	// Limits says what the API cannot do.
	Limits() plan.Limits

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

	// Search looks up who has one of the addresses, deleted users included: up to 50 addresses in one request. It
	// shows the fields that need not be asked for. Unlike apply.Writer's Find it reads nobody again, so that a result may be out of
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
}

// Listing is a reading of the whole organization.
type Listing struct {
	Users []state.Observed
	Gap   string // what the API counts and does not show, for people; "" for nothing
	Cap   string // why users beyond the API's cap of one state are not listed, for people; "" if they are, or there are none
}

// Complete reports whether no user is missing. Otherwise who is not listed may exist all the same.
func (l Listing) Complete() bool { return l.Gap == "" && l.Cap == "" }
