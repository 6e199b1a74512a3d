package genesys

import (
	"sync"

	"usersyncd/sync/apply"
	"usersyncd/sync/genesys/api"
	"usersyncd/sync/plan"
)

// expectation counts the requests still to come, for the limiter: the calls of each change as last
// compiled, and the pages of a listing.
type expectation struct {
	limiter api.Limiter

	mu    sync.Mutex
	calls map[*plan.Change][]*apply.Call
	users map[*apply.Call]int // how many changes still count on a call
	pages int
}

// reset begins a pass; what the last one left undone is not to come.
func (e *expectation) reset() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.calls, e.users, e.pages = map[*plan.Change][]*apply.Call{}, map[*apply.Call]int{}, 0
	e.tell()
}

// compiled replaces what was expected of each change. Listings are over by then.
func (e *expectation) compiled(changes []*plan.Change, calls []*apply.Call) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.pages = 0
	for _, c := range changes {
		e.drop(c)
	}
	for _, call := range calls {
		for _, c := range call.Changes {
			e.calls[c] = append(e.calls[c], call)
		}
		e.users[call] = len(call.Changes)
	}
	e.tell()
}

// done counts a call as made. After an error the rest of its changes is compiled again, if at all; but one that
// is made again as it is still comes.
func (e *expectation) done(call *apply.Call, err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	switch {
	case err == nil:
		delete(e.users, call)
	case !call.Repeatable:
		for _, c := range call.Changes {
			e.drop(c)
		}
	}
	e.tell()
}

// listing sets how many pages are still to come.
func (e *expectation) listing(pages int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.pages = max(pages, 0)
	e.tell()
}

// drop takes back what a change counted on.
func (e *expectation) drop(c *plan.Change) {
	for _, call := range e.calls[c] {
		if e.users[call]--; e.users[call] <= 0 {
			delete(e.users, call)
		}
	}
	delete(e.calls, c)
}

func (e *expectation) tell() { e.limiter.Expect(len(e.users) + e.pages) }
