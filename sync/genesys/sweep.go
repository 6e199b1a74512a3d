package genesys

import (
	"context"
	"errors"
	"maps"
	"net/url"
	"slices"

	"usersyncd/spec"
	"usersyncd/state"
	"usersyncd/sync/apply"
)

const (
	grantsPage  = 500 // of a division's grants: the most, says the vendor's SDK
	membersPage = 100 // of a queue's members: the most, says the vendor's provider
)

// asking counts the users whose field is asked for.
func asking(want map[string][]spec.Field, f spec.Field) int {
	n := 0
	for _, fields := range want {
		if slices.Contains(fields, f) {
			n++
		}
	}
	return n
}

// sweepRoles reads every grant of every division, if that is less than asking for each user. It is not
// done where the grants of all divisions together are not shown, since then some would be missed.
func (d *Directory) sweepRoles(ctx context.Context, want map[string][]spec.Field, out map[string]spec.Fields) (done bool, err error) {
	n := asking(want, spec.Roles)
	if n < 10 {
		return false, nil
	}
	divisions, err := d.catalogue(ctx, spec.KindDivision)
	if err != nil {
		return false, err
	}
	if cost := len(divisions.byID) + 1 + 2*d.index.size()/grantsPage; n <= cost {
		return false, nil
	}
	bySubject := map[string][]authzGrant{}
	for _, id := range append([]string{allDivisions}, slices.Sorted(maps.Keys(divisions.byID))...) {
		grants, err := readPages[authzGrant](ctx, d.client, source{path: shelfOf(spec.KindDivision).path + "/{id}/grants", values: []string{id},
			needs: mayViewGrants, noun: "grants", size: grantsPage})
		if isClosed(err) || errors.Is(err, apply.ErrListing) { // asking for each user may still do
			return false, nil
		}
		if err != nil {
			return false, err
		}
		for _, g := range grants {
			if out[g.Subject] != nil {
				bySubject[g.Subject] = append(bySubject[g.Subject], g)
			}
		}
	}
	for id, fields := range want {
		if slices.Contains(fields, spec.Roles) {
			if out[id][spec.Roles], err = d.roles(ctx, bySubject[id], id); err != nil {
				return false, err
			}
		}
	}
	return true, nil
}

// sweepQueues reads the members of every queue, if that is less than asking for each user.
func (d *Directory) sweepQueues(ctx context.Context, want map[string][]spec.Field, out map[string]spec.Fields) (done bool, err error) {
	n := asking(want, spec.Queues)
	if n < 10 {
		return false, nil
	}
	queues, err := d.catalogue(ctx, spec.KindQueue)
	if err != nil {
		return false, err
	}
	cost := 0
	for _, q := range queues.byID {
		cost++
		if q.Users != nil {
			cost += *q.Users / membersPage
		}
	}
	if 2*n <= cost { // a user takes two
		return false, nil
	}
	names := map[string][]string{}
	for _, id := range slices.Sorted(maps.Keys(queues.byID)) {
		if q := queues.byID[id]; q.Users != nil && *q.Users == 0 {
			continue
		}
		members, err := d.members(ctx, id)
		switch {
		case errors.Is(err, apply.ErrNotFound): // removed since the queues were listed
		case isClosed(err), errors.Is(err, apply.ErrListing):
			return false, nil
		case err != nil:
			return false, err
		}
		for _, user := range members {
			if out[user] != nil {
				names[user] = append(names[user], queues.label(id, ""))
			}
		}
	}
	for id, fields := range want {
		if slices.Contains(fields, spec.Queues) {
			out[id][spec.Queues] = spec.Strings(names[id])
		}
	}
	return true, nil
}

// members reads who is a member of a queue, and not through a group.
func (d *Directory) members(ctx context.Context, queue string) ([]string, error) {
	list, err := readPages[reference](ctx, d.client, source{path: shelfOf(spec.KindQueue).path + "/{id}/members", values: []string{queue},
		query: url.Values{"memberBy": {"user"}}, needs: mayViewQueues, noun: "members of the queue", size: membersPage, noCounts: true})
	var all []string
	for _, m := range list {
		all = append(all, m.ID)
	}
	return all, err
}

// queuesOf reads the queues of one user: those it is joined to, and those it is not. Where a queue has members
// through groups, it is looked whether the user is one.
func (d *Directory) queuesOf(ctx context.Context, id string) (spec.Value, error) {
	queues, err := d.catalogue(ctx, spec.KindQueue)
	if err != nil {
		return "", err
	}
	var names []string
	for _, joined := range []string{"true", "false"} {
		list, err := readPages[entity](ctx, d.client, source{path: oneUser + "/queues", values: []string{id},
			query: url.Values{"joined": {joined}}, needs: mayViewQueues, noun: "queues of the user", size: 100})
		if err != nil {
			return "", err
		}
		for _, q := range list {
			if e := queues.byID[q.ID]; e != nil && e.Members != nil && e.Users != nil && *e.Members != *e.Users {
				direct, err := d.members(ctx, q.ID)
				if err != nil {
					return "", err
				}
				if !slices.Contains(direct, id) {
					continue
				}
			}
			names = append(names, queues.label(q.ID, q.Name))
		}
	}
	return spec.Strings(names), nil
}

// labels are the catalogues that a reading of the fields needs.
func (d *Directory) labels(ctx context.Context, fields []spec.Field) (reading, error) {
	r := reading{fields: fields, labels: map[spec.Kind]*catalogue{}}
	for f, kind := range map[spec.Field]spec.Kind{
		spec.Skills: spec.KindSkill, spec.Languages: spec.KindLanguage, spec.Groups: spec.KindGroup, spec.Locations: spec.KindLocation,
	} {
		if !slices.Contains(fields, f) {
			continue
		}
		c, err := d.catalogue(ctx, kind)
		switch {
		case isClosed(err): // what cannot be named is not known; whoever declares it hears of it
			d.client.log.Warn("a field cannot be read, for want of the names", "field", f, "error", err)
			r.fields = slices.DeleteFunc(slices.Clone(r.fields), func(g spec.Field) bool { return g == f })
		case err != nil:
			return r, err
		default:
			r.labels[kind] = c
		}
	}
	return r, nil
}

// isClosed reports whether an answer says that something is not to be had, as opposed to no answer.
func isClosed(err error) bool {
	return errors.Is(err, apply.ErrForbidden) || errors.Is(err, apply.ErrRefused) || errors.Is(err, apply.ErrNotFound)
}

// withDetails adds the fields to what was read of a user that no listing shows.
func (d *Directory) withDetails(ctx context.Context, now state.Observed, fields []spec.Field) (state.Observed, error) {
	if now.Fields[spec.State] == spec.Text("deleted") {
		return now, nil
	}
	for _, f := range fields {
		v, err := d.detail(ctx, now.ID, f)
		if err != nil {
			return now, err
		}
		if v != "" {
			now.Fields[f] = v
		}
	}
	return now, nil
}
