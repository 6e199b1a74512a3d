package genesys

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/url"

	"usersyncd/spec"
	"usersyncd/state"
	"usersyncd/sync/apply"
	"usersyncd/sync/genesys/api"
	"usersyncd/sync/plan"
)

// A write is the one request of a call that writes.
type write struct {
	op    *api.Operation // another one than the step's; nil for that
	args  []string       // of the operation's path
	query url.Values
	body  any
	skip  bool // nothing has to be sent

	// What is then known of the users, in their order: as the answer shows it or, where that shows nothing, as it was written.
	shown   func(answer []byte) ([]state.Observed, error)
	assumed []state.Observed

	sent func(err error) // is told what came of it; may be nil
}

// Do implements apply.Writer. The request is made now, from what is now known of the users.
func (d *Directory) Do(ctx context.Context, call *apply.Call) ([]state.Observed, error) {
	now, err := d.do(ctx, call)
	d.expect.done(call, err)
	if e := (*apply.CallError)(nil); err == nil || errors.As(err, &e) || ctx.Err() != nil {
		return now, err
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
	if w.skip {
		return w.assumed, nil
	}
	op, known := cmp.Or(w.op, s.op), w.assumed
	var decode func([]byte) error
	if w.shown != nil {
		decode = func(answer []byte) (err error) {
			known, err = w.shown(answer)
			return err
		}
	}
	c.CorrelationID, err = d.client.Do(ctx, &api.Request{Operation: op, Args: w.args, Query: w.query, Body: w.body}, decode)
	if w.sent != nil {
		w.sent(err)
	}
	if err != nil {
		return nil, err
	}
	d.addresses.Learn(known...)
	return known, nil
}

// written is what is known of users after a write whose answer shows nothing: that one field has a value.
func written(users []*plan.Change, f spec.Field, value func(c *plan.Change) spec.Value) []state.Observed {
	now := make([]state.Observed, len(users))
	for i, c := range users {
		now[i] = c.Current.Observed
		now[i].Fields = spec.Fields{f: value(c)}
	}
	return now
}

// as is the same value for whichever user.
func as(v spec.Value) func(*plan.Change) spec.Value {
	return func(*plan.Change) spec.Value { return v }
}

// desired is the value that a field is to have.
func desired(f spec.Field) func(*plan.Change) spec.Value {
	return func(c *plan.Change) spec.Value { return after(c, f) }
}

// shownUser decodes an answer that shows the user.
func (d *Directory) shownUser(answer []byte) ([]state.Observed, error) {
	now, err := d.alwaysShown().user(answer)
	return []state.Observed{now}, err
}

// prepareCreate sends what POST takes and what is desired and not empty. The state is always sent: the API's default is
// inactive unless it sends an invitation.
func prepareCreate(ctx context.Context, d *Directory, users []*plan.Change) (*write, error) {
	c, body := users[0], map[string]any{}
	for _, f := range d.fields {
		v := c.Desired[f.Field]
		if f.Field == spec.State {
			v = after(c, spec.State)
		}
		if f.post == "" || v == "" || spec.IsEmpty(f.Field, v) {
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
	return &write{body: body, shown: d.shownUser}, nil
}

func prepareDelete(_ context.Context, _ *Directory, users []*plan.Change) (*write, error) {
	return &write{args: []string{users[0].Current.ID}, assumed: written(users, spec.State, as(spec.Text("deleted")))}, nil
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
		return &write{args: []string{c.Current.ID}, body: body, shown: d.shownUser}, nil
	}}
}

// prepareBulk sets the one field that the API takes for many users at once. It carries no version, and the answer shows
// the new ones.
func prepareBulk(_ context.Context, d *Directory, users []*plan.Change) (*write, error) {
	type item struct {
		ID            string `json:"id"`
		ACDAutoAnswer bool   `json:"acdAutoAnswer"`
	}
	items := make([]item, len(users))
	for i, c := range users {
		on, err := spec.Decode[bool](after(c, spec.ACDAutoAnswer))
		if err != nil {
			return nil, err
		}
		items[i] = item{c.Current.ID, on}
	}
	shown := func(answer []byte) ([]state.Observed, error) {
		list, err := d.alwaysShown().users(answer)
		now := written(users, spec.ACDAutoAnswer, desired(spec.ACDAutoAnswer))
		for i := range now {
			for _, u := range list {
				if u.ID == now[i].ID {
					now[i] = u
				}
			}
		}
		return now, err
	}
	return &write{body: items, shown: shown}, nil
}
