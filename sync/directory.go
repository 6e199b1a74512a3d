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

// Reader is the organization's user directory as planning needs it. It knows ids, batching and the wire. Every error of a
// request is an *apply.CallError. Methods are safe for concurrent use.
type Reader interface {
	// Capabilities returns how the API treats fields.
	Capabilities() plan.Capabilities

	// Open begins a pass: it takes the known users, to convert a manager's address to an id and back, and returns the
	// organization's id ("" if it may not be read). It costs one request in the life of the directory.
	Open(ctx context.Context, known map[string]*state.User) (org string, err error)

	// Authorize asks the API whether it accepts the credentials. It costs one request.
	Authorize(ctx context.Context) error

	// List reads every active and inactive user, with those of the fields that a listing can show. It calls page with users as
	// it reads, one call at a time. A user may be there again, as it was then or with others of the fields: of two readings the
	// one with the higher version counts. ErrListing; after an error nothing counts.
	List(ctx context.Context, page func(users []state.Observed), fields ...spec.Field) (Listing, error)

	// Get reads one user, deleted ones included, with the fields. ErrNotFound. Like the other reads, it sends a request
	// without a usable answer again itself, so its ErrUncertain is final.
	Get(ctx context.Context, id string, fields ...spec.Field) (state.Observed, error)

	// Read reads users by id, deleted ones included, with those of the fields that a listing can show: up to 100 in one
	// request, and one by one those that it does not return. Without an error, a user that is not found does not exist. If
	// only some cannot be read, err is about these, and found has all others. They are in the order of the ids.
	Read(ctx context.Context, ids []string, fields ...spec.Field) (found []state.Observed, err error)

	// Deleted looks up the deleted users who have one of the addresses, with the fields that need not be requested. It does not
	// read them again, so a result may be outdated: no write may depend on it alone. ErrListing if some are missing.
	Deleted(ctx context.Context, emails []string) (found []state.Observed, err error)

	// Details reads the requested fields of each user, by id, in the fewest requests. It calls got as it reads, one call at a
	// time; a user that cannot be read comes with an error instead. An error of got ends it. now has the user's version, as
	// from Get, if the user itself had to be read, and otherwise only the id and the fields.
	Details(ctx context.Context, want map[string][]spec.Field, got func(seen state.Observed, err error) error) error

	// Check returns what is wrong with each name, for people; "" for nothing.
	Check(ctx context.Context, refs []spec.Ref) (map[spec.Ref]string, error)

	// Individuals returns the ids of the members of a group, by its name, whom a call can remove: not those whom it has by a
	// rule, or as owners. ErrListing if some are missing.
	Individuals(ctx context.Context, group string) ([]string, error)

	// Holders returns the ids of all users with one of the roles, directly or through a group. A role that does not exist
	// has none. ErrListing if some are missing.
	Holders(ctx context.Context, roles []string) ([]string, error)
}

// Listing is what is known of a reading of the whole organization, besides its users.
type Listing struct {
	Gap string // what the API counts and does not list, for people; "" for nothing
	Cap string // why users beyond the API's limit are not listed, for people; "" if there are none
}

// Complete reports whether no user is missing. Otherwise a user that is not listed may exist.
func (l Listing) Complete() bool { return l.Gap == "" && l.Cap == "" }
