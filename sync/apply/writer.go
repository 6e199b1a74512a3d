package apply

import (
	"context"
	"time"

	"usersyncd/spec"
	"usersyncd/state"
	"usersyncd/sync/plan"
)

// Writer is the organization's user directory as the engine needs it. The engine decides what is written and in which order;
// the directory knows ids, batching and the wire. Every error of a request is a *CallError. Methods are safe for concurrent use.
type Writer interface {
	// Compile turns changes into the fewest calls. The calls of one user are in the order in which they must be made;
	// otherwise they are in the order of the changes. Calls that serve several users are in the same order for all of them. It
	// sends nothing.
	Compile(changes []*plan.Change) []*Call

	// Do makes a call once: it handles 429 and an expired token, and returns every other error, ErrRequestThrottled included. It
	// returns what is now known of each of the call's users, in their order. When ctx ends, a call that waits for the limiter
	// is not sent, and one that was sent is awaited for at most 20 seconds: after that ErrUncertain.
	Do(ctx context.Context, call *Call) ([]state.Observed, error)

	// Get reads one user, deleted ones included, with the fields. ErrNotFound. It sends a request without a usable answer
	// again itself, so its ErrUncertain is final.
	Get(ctx context.Context, id string, fields ...spec.Field) (state.Observed, error)

	// Find looks a user up by e-mail address, deleted ones included, and retries as Get does. Its search index lags, so
	// ErrNotFound shortly after a write proves nothing.
	Find(ctx context.Context, email string, fields ...spec.Field) (state.Observed, error)
}

// A Call is one API request that writes. It is the unit of pacing and of retry, and its result is recorded in one commit.
type Call struct {
	Name    string         // for people, such as "PATCH /users/{id}"
	Changes []*plan.Change // of the users that it serves: one, or more where the API can batch
	Fields  []spec.Field   // that it writes for them; a field is complete with the last call that has it
	Creates bool           // it creates a user, and is not sent again before the address was looked up
	// Repeatable calls have the same effect when they are sent again: they carry no version, and do not depend on what was
	// before.
	Repeatable bool
	Object     string // calls with the same object, if it is not "", never overlap
	Op         any    // for the directory
	// CorrelationID is that of the last answer, which Do sets; "" if there was none.
	CorrelationID string

	intended               time.Time // when its intents were last recorded
	lostAnswers, conflicts int       // of a repeatable call: how often it was sent without a usable answer, and refused as stale
}
