package genesys

import (
	"sync"

	usersync "usersyncd/sync"
)

// expectation counts the requests still to come, for the limiter: the calls of each change as last
// compiled, and the pages of a listing.
type expectation struct {
	limiter Limiter

	mu    sync.Mutex
	calls map[*usersync.Change]int
	total int
	pages int
}

// reset begins a pass; what the last one left undone is not to come.
func (e *expectation) reset() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.calls, e.total, e.pages = map[*usersync.Change]int{}, 0, 0
	e.tell()
}

// compiled replaces what was expected of each change. Listings are over by then.
func (e *expectation) compiled(changes []*usersync.Change, calls []*usersync.Call) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.pages = 0
	for _, c := range changes {
		e.drop(c)
	}
	for _, call := range calls {
		for _, c := range call.Changes {
			e.calls[c]++
			e.total++
		}
	}
	e.tell()
}

// done counts a call as made. After an error the rest of its changes is compiled anew, if at all.
func (e *expectation) done(call *usersync.Call, err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, c := range call.Changes {
		if err != nil {
			e.drop(c)
		} else if e.calls[c] > 0 {
			e.total--
			if e.calls[c]--; e.calls[c] == 0 {
				delete(e.calls, c)
			}
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

func (e *expectation) drop(c *usersync.Change) {
	e.total -= e.calls[c]
	delete(e.calls, c)
}

func (e *expectation) tell() { e.limiter.Expect(e.total + e.pages) }
