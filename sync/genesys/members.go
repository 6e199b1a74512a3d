package genesys

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"sync"

	"usersyncd/spec"
	"usersyncd/sync/apply"
	"usersyncd/sync/genesys/api"
	"usersyncd/sync/genesys/names"
	"usersyncd/sync/plan"
	"usersyncd/sync/plan/access"
)

// What many users may be put into with one call: a division, queues, groups.

func divisionValue(division named) spec.Value {
	if division.Name == "" {
		return ""
	}
	return spec.Text(division.Name)
}

func encodeDivision(ctx context.Context, d *Directory, _ *plan.Change, v spec.Value) (any, error) {
	name, err := spec.Decode[string](v)
	if err != nil {
		return nil, err
	}
	return d.idOf(ctx, spec.KindDivision, name)
}

func divisionSteps(_, want spec.Value) []step {
	return []step{{op: &moveUsers, shared: true, target: want.Text(), prepare: func(ctx context.Context, d *Directory, users []*plan.Change) (*write, error) {
		id, err := d.idOf(ctx, spec.KindDivision, want.Text())
		if err != nil {
			return nil, fmt.Errorf("division: %w", err)
		}
		return &write{args: []string{id}, body: idsOf(users)}, nil
	}}}
}

func queueSteps(have, want spec.Value) []step {
	return membership{spec.Queues, spec.KindQueue, &leaveQueue, &joinQueue}.steps(have, want)
}

func groupSteps(have, want spec.Value) []step {
	return membership{spec.Groups, spec.KindGroup, &leaveGroup, &joinGroup}.steps(have, want)
}

// membership is how users leave and join what has members.
type membership struct {
	field       spec.Field
	kind        spec.RefKind
	leave, join *api.Operation
}

// steps leaves and joins what differs.
func (m membership) steps(have, want spec.Value) (steps []step) {
	for _, name := range access.AddedNames(want, have) {
		steps = append(steps, m.step(m.leave, name))
	}
	for _, name := range access.AddedNames(have, want) {
		steps = append(steps, m.step(m.join, name))
	}
	return steps
}

func (m membership) step(op *api.Operation, name string) step {
	s := step{op: op, shared: true, target: name}
	if m.kind == spec.KindGroup {
		s.object = "group " + name // its version counts up with each
	}
	s.prepare = func(ctx context.Context, d *Directory, users []*plan.Change) (*write, error) {
		find := d.idOf
		if op == m.leave {
			find = d.idToRemove
		}
		id, err := find(ctx, m.kind, name)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", m.field, err)
		}
		now := func(c *plan.Change) spec.Value {
			list, _ := spec.Decode[[]string](c.Current.Fields.Get(m.field))
			list = slices.DeleteFunc(list, func(n string) bool { return n == name })
			if op == m.join {
				list = append(list, name)
			}
			return spec.Strings(list)
		}
		w := &write{args: []string{id}, skip: id == "", valueAfter: now}
		ids := idsOf(users)
		if !w.skip {
			err = d.addMembers(ctx, w, op, ids)
		}
		return w, err
	}
	return s
}

// addMembers puts users into a request that changes members.
func (d *Directory) addMembers(ctx context.Context, w *write, op *api.Operation, ids []string) error {
	group := w.args[0]
	switch op {
	case &leaveGroup:
		w.query = url.Values{"ids": {strings.Join(ids, ",")}}
	case &joinGroup:
		version, err := d.groups.version(ctx, d.Client, group)
		if err != nil {
			return err
		}
		w.body = map[string]any{"memberIds": ids, "version": version}
	default:
		members := make([]reference, len(ids))
		for i, id := range ids {
			members[i] = reference{id}
		}
		w.body = members
		return nil
	}
	w.onResult = func(err error) { d.groups.changed(group, op, ids, err) }
	return nil
}

func groupsValue(x *names.Index, list []named) spec.Value {
	labels := make([]string, len(list))
	for i, g := range list {
		labels[i] = x.Label(g.ID, g.Name)
	}
	return spec.Strings(labels)
}

// individuals are those of one group (UserEntityListing, which has no pages here).
type individuals struct {
	Entities []reference `json:"entities"`
	Total    int         `json:"total"`
}

// Individuals implements usersync.Reader. A group is read once in a pass, unless its members are changed.
func (d *Directory) Individuals(ctx context.Context, group string) ([]string, error) {
	id, err := d.idToRemove(ctx, spec.KindGroup, group)
	if err != nil {
		return nil, err
	}
	if id == "" {
		return nil, fmt.Errorf("no group is called %s", spec.Text(group).Display())
	}
	if known, ok := d.groups.individuals.Load(id); ok {
		return known.([]string), nil
	}
	list, err := api.ReadList(ctx, d.Client, &api.Request{Operation: &listIndividuals, Args: []string{id}},
		func(l individuals) bool { return l.Entities != nil && len(l.Entities) >= l.Total })
	if err != nil {
		return nil, err
	}
	ids := make([]string, len(list.Entities))
	for i, u := range list.Entities {
		ids[i] = u.ID
	}
	d.groups.individuals.Store(id, ids)
	return ids, nil
}

// groupVersions are the versions of groups by id, which adding a member needs. Ours count up with every write; one that
// is not certain is read again. Calls of one group never overlap.
type groupVersions struct {
	sync.Map
	individuals sync.Map // id of the group -> []string, in this pass
}

func (g *groupVersions) version(ctx context.Context, c *api.Client, id string) (int, error) {
	if v, ok := g.Load(id); ok {
		return v.(int), nil
	}
	e, err := api.Call[names.Entity](ctx, c, &api.Request{Operation: &getGroup, Args: []string{id}})
	if errors.Is(err, apply.ErrNotFound) {
		return 0, fmt.Errorf("the group does not exist any more: %v", err) //nolint:errorlint // it is not the user that is missing
	}
	if err == nil {
		g.Store(id, e.GroupVersion())
	}
	return e.GroupVersion(), err
}

// changed records what a write to a group says of its version and its individuals. After an error they are read again.
func (g *groupVersions) changed(id string, op *api.Operation, users []string, err error) {
	if known, ok := g.individuals.LoadAndDelete(id); ok && err == nil {
		rest := slices.DeleteFunc(slices.Clone(known.([]string)), func(user string) bool { return slices.Contains(users, user) })
		if op == &joinGroup {
			rest = append(rest, users...)
		}
		g.individuals.Store(id, rest)
	}
	if v, ok := g.Load(id); ok && err == nil {
		g.Store(id, v.(int)+1)
	} else {
		g.Delete(id)
	}
}

// queuesOf reads the queues of one user: those it is joined to, and those it is not. Where a queue has members
// through groups, its members tell whether the user is one without a group.
func queuesOf(ctx context.Context, d *Directory, id string) (spec.Value, error) {
	queues, err := d.namesOf(ctx, spec.KindQueue)
	if err != nil {
		return "", err
	}
	var list []string
	for _, joined := range []string{"true", "false"} {
		found, err := api.ReadAll(ctx, d.Client, api.Listing{Request: api.Request{Operation: &listUserQueues, Args: []string{id},
			Query: url.Values{"joined": {joined}}}}, api.Same[names.Entity])
		if err != nil {
			return "", err
		}
		for _, q := range found {
			if e := queues.ByID[q.ID]; e != nil && e.Members != nil && e.Users != nil && *e.Members != *e.Users {
				direct, err := d.queueMembers(ctx, q.ID)
				if err != nil && !errors.Is(err, apply.ErrNotFound) { // removed meanwhile
					return "", err
				}
				if !slices.Contains(direct, reference{id}) {
					continue
				}
			}
			list = append(list, queues.Label(q.ID, q.Name))
		}
	}
	return spec.Strings(list), nil
}

// queuesOfMany reads the members of every queue, if that is less than asking for each user.
func queuesOfMany(ctx context.Context, d *Directory, ids []string) (map[string]spec.Value, bool, error) {
	queues, err := d.namesOf(ctx, spec.KindQueue)
	if err != nil {
		return nil, false, err
	}
	cost := 0
	for _, q := range queues.ByID {
		cost++
		if q.Users != nil {
			cost += *q.Users / listQueueMembers.Most
		}
	}
	if 2*len(ids) <= cost { // a user takes two
		return nil, false, nil
	}
	labels := map[string][]string{}
	for _, id := range slices.Sorted(maps.Keys(queues.ByID)) {
		if q := queues.ByID[id]; q.Users != nil && *q.Users == 0 {
			continue
		}
		members, err := d.queueMembers(ctx, id)
		switch {
		case errors.Is(err, apply.ErrNotFound): // removed since the queues were listed
		case api.IsDenied(err), errors.Is(err, apply.ErrListing):
			return nil, false, nil
		case err != nil:
			return nil, false, err
		}
		for _, user := range members {
			labels[user.ID] = append(labels[user.ID], queues.Label(id, ""))
		}
	}
	values := make(map[string]spec.Value, len(ids))
	for _, id := range ids {
		values[id] = spec.Strings(labels[id])
	}
	return values, true, nil
}

// queueMembers reads who is a member of a queue, and not through a group.
func (d *Directory) queueMembers(ctx context.Context, queue string) ([]reference, error) {
	return api.ReadAll(ctx, d.Client, api.Listing{Request: api.Request{Operation: &listQueueMembers, Args: []string{queue}}}, api.Same[reference])
}
