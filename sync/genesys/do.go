package genesys

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"sync"

	"usersyncd/spec"
	"usersyncd/state"
	"usersyncd/sync/apply"
	"usersyncd/sync/genesys/api"
	"usersyncd/sync/plan"
)

// A write is the request of a call, and what is known of the users after it: the fields of the call have the desired
// values, unless valueAfter or decode says otherwise.
type write struct {
	op    *api.Operation // nil: that of the step
	args  []string       // of the operation's path; nil for the user's id
	query url.Values
	body  any
	skip  bool // nothing has to be sent

	valueAfter func(c *plan.Change) spec.Value                      // of the field after the request
	decode     func(answer *api.Body, known []state.Observed) error // decodes the answer into what is known
	onResult   func(err error)                                      // called with the outcome of the request

	// onError completes the error of the request, or returns nil if nothing is left to do.
	onError func(ctx context.Context, err error) error
}

// Do implements apply.Writer. The request is made now, from what is now known of the users.
func (d *Directory) Do(ctx context.Context, call *apply.Call) ([]state.Observed, error) {
	seen, err := d.do(ctx, call)
	d.expect.done(call, err)
	if e := (*apply.CallError)(nil); err == nil || errors.As(err, &e) || ctx.Err() != nil {
		return seen, err
	}
	return nil, &apply.CallError{Kind: apply.ErrRefused, Op: call.Name, Err: err} // what cannot be sent is refused as the API would
}

func (d *Directory) do(ctx context.Context, c *apply.Call) ([]state.Observed, error) {
	s, ours := c.Op.(step)
	if !ours || len(c.Changes) == 0 || len(c.Changes) > 1 && (!s.shared || len(c.Changes) > s.op.Most) {
		return nil, errors.New("not a call that this directory compiled")
	}
	for _, ch := range c.Changes {
		if !c.Creates && (ch.Current == nil || ch.Current.ID == "") {
			return nil, errors.New("the user is not known to exist")
		}
	}
	w, err := s.prepare(ctx, d, c.Changes)
	if err != nil {
		return nil, err
	}
	known := w.assume(c)
	if w.skip {
		return known, nil
	}
	if w.args == nil && strings.Contains(s.op.Path, "{") {
		w.args = idsOf(c.Changes)
	}
	var decode func(*api.Body) error
	if w.decode != nil {
		decode = func(answer *api.Body) error { return w.decode(answer, known) }
	}
	c.CorrelationID, err = d.Send(ctx, &api.Request{Operation: cmp.Or(w.op, s.op), Args: w.args, Query: w.query, Body: w.body}, decode)
	if w.onResult != nil {
		w.onResult(err)
	}
	if err != nil && w.onError != nil {
		err = w.onError(ctx, err)
	}
	if err != nil {
		return nil, err
	}
	d.addresses.Learn(known...)
	return known, nil
}

// assume returns what is known of the users if the answer shows nothing.
func (w *write) assume(c *apply.Call) []state.Observed {
	known := make([]state.Observed, len(c.Changes))
	if c.Creates {
		return known
	}
	for i, ch := range c.Changes {
		known[i] = ch.Current.Observed
		known[i].Fields = make(spec.Fields, 0, len(c.Fields))
		for _, f := range c.Fields {
			known[i].Fields.Set(f, after(ch, f))
			if w.valueAfter != nil {
				known[i].Fields.Set(f, w.valueAfter(ch))
			}
		}
	}
	return known
}

// as is the same value for each user.
func as(v spec.Value) func(*plan.Change) spec.Value {
	return func(*plan.Change) spec.Value { return v }
}

func idsOf(users []*plan.Change) []string {
	ids := make([]string, len(users))
	for i, c := range users {
		ids[i] = c.Current.ID
	}
	return ids
}

// showsUser is for an answer that shows the user.
func (d *Directory) showsUser(answer *api.Body, known []state.Observed) (err error) {
	known[0], err = d.defaultReading.user(answer)
	return err
}

// showsField is for an answer that shows one field alone.
func showsField[T any](f spec.Field, value func(T) spec.Value) func(*api.Body, []state.Observed) error {
	return func(answer *api.Body, known []state.Observed) error {
		var v T
		err := answer.Decode(&v)
		known[0].Fields.Set(f, value(v))
		return err
	}
}

// prepareCreate sends what POST takes and what is desired and not empty. The state is always sent: the API's default is
// inactive unless it sends an invitation.
func prepareCreate(ctx context.Context, d *Directory, users []*plan.Change) (*write, error) {
	c, body := users[0], map[string]any{}
	for _, f := range d.fields {
		v := c.Desired.Get(f.Field)
		if f.Field == spec.State {
			v = after(c, spec.State)
		}
		if f.post == "" || v == "" || v == spec.Text("") || spec.IsEmpty(f.Field, v) {
			continue
		}
		var err error
		if body[f.post], err = f.encode(ctx, d, c, v); err != nil {
			return nil, fmt.Errorf("%s: %w", f.Field, err)
		}
	}
	if body["email"] == nil || body["name"] == nil {
		return nil, errors.New("a user cannot be created without email and name")
	}
	return &write{body: body, decode: d.showsUser}, nil
}

func prepareDelete(context.Context, *Directory, []*plan.Change) (*write, error) {
	return &write{valueAfter: as(spec.Text(state.Deleted))}, nil
}

// updateStep sends fields that a user itself has, with its version.
func updateStep(op *api.Operation, c *plan.Change, fields ...spec.Field) step {
	return step{op: op, change: c, fields: fields, prepare: func(ctx context.Context, d *Directory, users []*plan.Change) (*write, error) {
		c, err := d.withContacts(ctx, users[0], fields)
		if err != nil {
			return nil, err
		}
		body := map[string]any{"version": c.Current.Version}
		for _, name := range fields {
			f := d.fields.of(name)
			if body[f.patch], err = f.encode(ctx, d, c, after(c, name)); err != nil {
				return nil, fmt.Errorf("%s: %w", name, err)
			}
		}
		return &write{body: body, decode: d.showsUser}, nil
	}}
}

// bulkStep sends a field that the API takes for many users at once. It carries no version, and the answer shows the new
// ones.
func bulkStep(f *field) step {
	return step{op: &updateUsers, shared: true, prepare: func(ctx context.Context, d *Directory, users []*plan.Change) (_ *write, err error) {
		items := make([]map[string]any, len(users))
		for i, c := range users {
			items[i] = map[string]any{"id": c.Current.ID}
			if items[i][f.patch], err = f.encode(ctx, d, c, after(c, f.Field)); err != nil {
				return nil, err
			}
		}
		shown := func(answer *api.Body, known []state.Observed) error {
			list, err := d.defaultReading.users(answer)
			for i := range known {
				for _, u := range list {
					if u.ID == known[i].ID {
						known[i] = u
					}
				}
			}
			return err
		}
		return &write{body: items, decode: shown}, nil
	}}
}

// expectation counts the requests still to come, for the limiter: the calls of each change as last
// compiled, and the pages of a listing.
type expectation struct {
	limiter api.Limiter

	mu            sync.Mutex
	calls         map[*plan.Change][]*apply.Call
	refs          map[*apply.Call]int // how many changes still count on a call
	expectedReads int
}

// change changes what is expected, and tells the limiter.
func (e *expectation) change(change func()) {
	e.mu.Lock()
	defer e.mu.Unlock()
	change()
	e.limiter.Expect(len(e.refs) + e.expectedReads)
}

// reset begins a pass; what the last one left undone is not to come.
func (e *expectation) reset() {
	e.change(func() { e.calls, e.refs, e.expectedReads = map[*plan.Change][]*apply.Call{}, map[*apply.Call]int{}, 0 })
}

// expectReads sets how many pages are still to come.
func (e *expectation) expectReads(pages int) { e.change(func() { e.expectedReads = max(pages, 0) }) }

// compiled replaces what was expected of each change. Listings are over by then.
func (e *expectation) compiled(changes []*plan.Change, calls []*apply.Call) {
	e.change(func() {
		e.expectedReads = 0
		for _, c := range changes {
			e.drop(c)
		}
		for _, call := range calls {
			for _, c := range call.Changes {
				e.calls[c] = append(e.calls[c], call)
			}
			e.refs[call] = len(call.Changes)
		}
	})
}

// done counts a call as made. After an error the rest of its changes is compiled again, if at all; but one that
// is made again as it is still comes.
func (e *expectation) done(call *apply.Call, err error) {
	e.change(func() {
		switch {
		case err == nil:
			delete(e.refs, call)
		case !call.Repeatable:
			for _, c := range call.Changes {
				e.drop(c)
			}
		}
	})
}

// drop takes back what a change counted on.
func (e *expectation) drop(c *plan.Change) {
	for _, call := range e.calls[c] {
		if e.refs[call]--; e.refs[call] <= 0 {
			delete(e.refs, call)
		}
	}
	delete(e.calls, c)
}
