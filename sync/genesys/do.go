package genesys

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"

	"usersyncd/spec"
	"usersyncd/state"
	"usersyncd/sync/apply"
	"usersyncd/sync/plan"
)

// Do implements apply.Writer. The body is made now, from what is now known of the users.
func (d *Directory) Do(ctx context.Context, call *apply.Call) ([]state.Observed, error) {
	now, err := d.do(noting(ctx, &call.CorrelationID), call)
	d.expect.done(call, err)
	if e := (*apply.CallError)(nil); err == nil || errors.As(err, &e) || ctx.Err() != nil {
		return now, err
	}
	return nil, &apply.CallError{Kind: apply.ErrRefused, Op: call.Name, Err: err} // what cannot be sent is refused as the API would
}

func (d *Directory) do(ctx context.Context, c *apply.Call) ([]state.Observed, error) {
	o, ours := c.Op.(op)
	if !ours || len(c.Changes) == 0 || len(c.Changes) > o.kind.most() {
		return nil, errors.New("not a call that this directory compiled")
	}
	if o.kind == opCreate {
		return one(d.create(ctx, c.Changes[0]))
	}
	for _, ch := range c.Changes {
		if ch.Current == nil || ch.Current.ID == "" {
			return nil, errors.New("the user is not known to exist")
		}
	}
	ch := c.Changes[0]
	switch o.kind {
	case opDelete:
		return one(d.delete(ctx, ch))
	case opState, opFields:
		return one(d.patch(ctx, ch, c.Fields))
	case opRoles:
		return one(d.putRoles(ctx, ch))
	case opSkills:
		return one(d.putSkills(ctx, ch, o))
	case opLanguages:
		return one(d.addRated(ctx, ch, spec.Languages, spec.KindLanguage, http.MethodPatch, o.names))
	case opSkillGone:
		return one(d.dropRated(ctx, ch, spec.Skills, spec.KindSkill, o.target))
	case opLanguageGone:
		return one(d.dropRated(ctx, ch, spec.Languages, spec.KindLanguage, o.target))
	case opProfileSkills:
		return one(d.putProfileSkills(ctx, ch))
	case opUtilization:
		return one(d.putUtilization(ctx, ch))
	case opVoicemail:
		return one(d.patchVoicemail(ctx, ch))
	case opExternal:
		return one(d.addExternal(ctx, ch, o))
	case opExternalGone:
		return one(d.dropExternal(ctx, ch, o))
	case opAutoAnswer:
		return d.bulkAutoAnswer(ctx, c.Changes)
	}
	return d.shared(ctx, c.Changes, o)
}

// noteKey is where a request's context says who wants to know the correlation id of its answer. A call is
// made of one request that writes, deep below, whose answer is otherwise nothing but what it tells of users.
type noteKey struct{}

func noting(ctx context.Context, id *string) context.Context {
	return context.WithValue(ctx, noteKey{}, id)
}

// note leaves the correlation id of an answer to a write for who has asked for it.
func note(ctx context.Context, r *request, a answer) {
	if id, ok := ctx.Value(noteKey{}).(*string); ok && r.writes {
		*id = correlationID(a.header, errorBody{})
	}
}

func one(u state.Observed, err error) ([]state.Observed, error) {
	if err != nil {
		return nil, err
	}
	return []state.Observed{u}, nil
}

func (d *Directory) create(ctx context.Context, c *plan.Change) (state.Observed, error) {
	division := ""
	if name, err := spec.Decode[string](c.Desired[spec.Division]); err == nil {
		if division, err = d.idOf(ctx, spec.KindDivision, name); err != nil {
			return state.Observed{}, fmt.Errorf("division: %w", err)
		}
	}
	body, err := creation(c, division)
	if err != nil {
		return state.Observed{}, err
	}
	u, err := call[user](ctx, d.client, &request{method: http.MethodPost, path: usersPath, body: body, writes: true, needs: mayAdd})
	if err != nil {
		return state.Observed{}, err
	}
	return d.seen(u, reading{}), nil
}

// delete is content with a user who is gone already.
func (d *Directory) delete(ctx context.Context, c *plan.Change) (state.Observed, error) {
	err := d.send(ctx, &request{method: http.MethodDelete, path: oneUser, values: []string{c.Current.ID}, needs: mayDelete})
	if err != nil && !errors.Is(err, apply.ErrNotFound) {
		return state.Observed{}, err
	}
	return became(c, spec.State, spec.Text("deleted")), nil
}

// patch sends what a user itself has: the given fields.
func (d *Directory) patch(ctx context.Context, c *plan.Change, fields []spec.Field) (state.Observed, error) {
	current, err := d.complete(ctx, c, fields)
	if err != nil {
		return state.Observed{}, err
	}
	body, err := update(c, current, fields, lookup{
		manager:  func(key string) (string, error) { return d.manager(ctx, key) },
		location: func(name string) (string, error) { return d.idOf(ctx, spec.KindLocation, name) },
	})
	if err != nil {
		return state.Observed{}, err
	}
	u, err := call[user](ctx, d.client, &request{
		method: http.MethodPatch, path: oneUser, values: []string{c.Current.ID}, body: body, writes: true, needs: mayEdit,
	})
	if err != nil {
		return state.Observed{}, err
	}
	return d.seen(u, reading{}), nil
}

// complete returns what is known of the user, read again if its contacts are to be written and not known:
// the list is replaced as a whole, so nobody's entries would be lost.
func (d *Directory) complete(ctx context.Context, c *plan.Change, fields []spec.Field) (state.Observed, error) {
	if slices.Contains(fields, spec.Phones) || slices.Contains(fields, spec.Emails) {
		if _, err := merge(c.Current.Opaque, nil, nil); err != nil {
			return d.Get(ctx, c.Current.ID)
		}
	}
	return c.Current.Observed, nil
}

// manager returns the id of the user with that address: one that is known, else one that a search finds.
func (d *Directory) manager(ctx context.Context, key string) (string, error) {
	if id := d.index.id(spec.Key(key)); id != "" {
		return id, nil
	}
	u, err := d.Find(ctx, key)
	if errors.Is(err, apply.ErrNotFound) {
		return "", fmt.Errorf("no user has the address %q; declare one, or correct the address", key)
	}
	return u.ID, err
}

// bulkAutoAnswer sets the one field that the API takes for many users at once. It carries no version, and
// tells the new ones.
func (d *Directory) bulkAutoAnswer(ctx context.Context, changes []*plan.Change) ([]state.Observed, error) {
	type item struct {
		ID            string `json:"id"`
		ACDAutoAnswer bool   `json:"acdAutoAnswer"`
	}
	items := make([]item, len(changes))
	for i, c := range changes {
		on, err := spec.Decode[bool](after(c, spec.ACDAutoAnswer))
		if err != nil {
			return nil, err
		}
		items[i] = item{c.Current.ID, on}
	}
	p, err := call[page[user]](ctx, d.client, &request{method: http.MethodPatch, path: usersPath + "/bulk", body: items, writes: true, needs: mayEdit})
	if err != nil {
		return nil, err
	}
	shown := make(map[string]user, len(p.Entities))
	for _, u := range p.Entities {
		shown[u.ID] = u
	}
	now := make([]state.Observed, len(changes))
	for i, c := range changes {
		if u, ok := shown[c.Current.ID]; ok {
			now[i] = d.seen(u, reading{})
		} else {
			now[i] = became(c, spec.ACDAutoAnswer, after(c, spec.ACDAutoAnswer))
		}
	}
	return now, nil
}

// became is what is known of a user after a write that tells nothing of it but that it was carried out.
func became(c *plan.Change, f spec.Field, v spec.Value) state.Observed {
	now := c.Current.Observed
	now.Fields = spec.Fields{f: v}
	return now
}

// send makes a request whose answer tells nothing.
func (d *Directory) send(ctx context.Context, r *request) error {
	r.writes = true
	return d.client.do(ctx, r, nil)
}
