package apply

import (
	"context"
	"time"

	"usersyncd/spec"
	"usersyncd/state"
	"usersyncd/sync/plan"
)

// Writer is the organization's user directory as a plan that is carried out needs it. Order and meaning are the
// engine's; names and ids, batching and the wire are the directory's. Every error of a request is a *CallError. Methods
// are safe for concurrent use.
type Writer interface {
	// Compile turns changes into the fewest calls. The calls of one user stand in the order in which
	// they must be made; apart from that the order of the changes is kept. Calls that serve several users
	// stand in the same order for all of them. It sends nothing.
	Compile(changes []*plan.Change) []*Call

	// Do makes a call once: 429 and an expired token are dealt with inside, everything else is
	// returned. It returns what is now known of each of the call's users, in their order.
	Do(ctx context.Context, call *Call) ([]state.Observed, error)

	// Get reads one user, deleted ones included, with the fields. ErrNotFound. It tries again by itself what had no
	// usable answer, so that ErrUncertain is its last word.
	Get(ctx context.Context, id string, fields ...spec.Field) (state.Observed, error)

	// Find looks a user up by e-mail address, deleted ones included, and tries again as Get does. The search index
	// behind it lags, so ErrNotFound shortly after a write proves nothing.
	Find(ctx context.Context, email string, fields ...spec.Field) (state.Observed, error)
}

// A Call is one API request that writes. It is the unit of pacing and of retry; what came of it is recorded in one commit.
type Call struct {
	Name    string         // for people, such as "PATCH /users/{id}"
	Changes []*plan.Change // whom it serves: one user, or more where the API can batch
	Fields  []spec.Field   // what is done with it for them, unless a later call of theirs has the same field
	Creates bool           // it makes a new user, and is never sent again before the address is looked up
	// Repeatable calls do the same again when they are sent again: they carry no version, and set what
	// they set whatever was before.
	Repeatable bool
	Object     string // calls with the same object, if it is not "", never overlap
	Op         any    // the directory's own note to itself
	// CorrelationID is that of the last answer to it, which Do notes; "" if there was none.
	CorrelationID string

	intended              time.Time // when its intents were last recorded
	unanswered, conflicts int       // of a repeatable call: how often it was sent without a usable answer, and refused as stale
}
