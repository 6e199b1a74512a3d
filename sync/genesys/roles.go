package genesys

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"usersyncd/spec"
	"usersyncd/sync/apply"
	"usersyncd/sync/genesys/api"
	"usersyncd/sync/genesys/names"
	"usersyncd/sync/plan"
)

// allDivisions is the id of every division together, in a grant. It is what specs call them, too.
const allDivisions = spec.AllDivisions

// subject is an AuthzSubject; the grants that come with a group are among its own.
type subject struct {
	Grants []grant `json:"grants"`
}

type grant struct {
	Subject  string `json:"subjectId"`
	Division named  `json:"division"`
	Role     named  `json:"role"`
}

// Key implements api.Entry.
func (g grant) Key() string { return g.Subject + " " + g.Division.ID + " " + g.Role.ID }

func rolesOf(ctx context.Context, d *Directory, id string) (spec.Value, error) {
	s, err := api.ReadList(ctx, d.Client, &api.Request{Operation: &getGrants, Args: []string{id}}, func(s subject) bool { return s.Grants != nil })
	if err != nil {
		return "", err
	}
	return d.roles(ctx, s.Grants, id)
}

// rolesOfMany reads every grant of every division, if that is less than asking for each user. It is not
// done where the grants of all divisions together are not shown, since then some would be missed.
func rolesOfMany(ctx context.Context, d *Directory, ids []string) (map[string]spec.Value, bool, error) {
	divisions, err := d.namesOf(ctx, spec.KindDivision)
	if err != nil {
		return nil, false, err
	}
	if cost := len(divisions.ByID) + 1 + 2*d.addresses.Len()/listGrants.Most; len(ids) <= cost {
		return nil, false, nil
	}
	bySubject := map[string][]grant{}
	for _, id := range ids {
		bySubject[id] = nil
	}
	for _, id := range append([]string{allDivisions}, slices.Sorted(maps.Keys(divisions.ByID))...) {
		grants, err := api.ReadAll(ctx, d.Client, api.Listing{Request: api.Request{Operation: &listGrants, Args: []string{id}}}, api.Same[grant])
		if api.IsDenied(err) || errors.Is(err, apply.ErrListing) { // asking for each user may still succeed
			return nil, false, nil
		}
		if err != nil {
			return nil, false, err
		}
		for _, g := range grants {
			if _, asked := bySubject[g.Subject]; asked {
				bySubject[g.Subject] = append(bySubject[g.Subject], g)
			}
		}
	}
	values := make(map[string]spec.Value, len(ids))
	for id, grants := range bySubject {
		if values[id], err = d.roles(ctx, grants, id); err != nil {
			return nil, false, err
		}
	}
	return values, true, nil
}

// roles turns the grants of one subject into a value. Those that come with a group name the group.
func (d *Directory) roles(ctx context.Context, grants []grant, id string) (spec.Value, error) {
	divisions, home, err := d.divisions(ctx)
	if err != nil {
		return "", err
	}
	roles, err := d.namesOf(ctx, spec.KindRole)
	if err != nil {
		return "", err
	}
	var list []spec.Role
	for _, g := range grants {
		if g.Subject != id {
			continue
		}
		r := spec.Role{Name: roles.Label(g.Role.ID, g.Role.Name)}
		switch g.Division.ID {
		case home:
		case allDivisions:
			r.Divisions = []string{allDivisions}
		default:
			r.Divisions = []string{divisions.Label(g.Division.ID, g.Division.Name)}
		}
		list = append(list, r)
	}
	return spec.RoleList(list), nil
}

// divisions returns the index of the divisions, and the id of the home division.
func (d *Directory) divisions(ctx context.Context) (x *names.Index, home string, err error) {
	x, err = d.namesOf(ctx, spec.KindDivision)
	if err != nil {
		return nil, "", err
	}
	if x.Home != "" {
		return x, x.Home, nil
	}
	e, err := api.Call[names.Entity](ctx, d.Client, &api.Request{Operation: &getHomeDivision})
	return x, e.ID, err
}

func roleSteps(_, _ spec.Value) []step { return []step{{op: &replaceGrants, prepare: prepareGrants}} }

// prepareGrants replaces a user's own grants. Those that come with a group stay.
func prepareGrants(ctx context.Context, d *Directory, users []*plan.Change) (*write, error) {
	c := users[0]
	if c.Current.ID == d.Options().ClientID {
		return nil, errors.New("these are the roles of usersyncd's own OAuth client, which it never changes")
	}
	roles, err := spec.Decode[[]spec.Role](after(c, spec.Roles))
	if err != nil {
		return nil, err
	}
	grants := []roleDivision{}
	for _, r := range roles {
		role, err := d.idOf(ctx, spec.KindRole, r.Name)
		if err != nil {
			return nil, err
		}
		_, home, err := d.divisions(ctx)
		if err != nil {
			return nil, err
		}
		if len(r.Divisions) == 0 {
			grants = append(grants, roleDivision{role, home})
		}
		for _, name := range r.Divisions {
			division, err := d.idOf(ctx, spec.KindDivision, name)
			if err != nil {
				return nil, err
			}
			if division == home {
				return nil, fmt.Errorf("%q is the home division: leave divisions out for it, as the role reads back so", name)
			}
			grants = append(grants, roleDivision{role, division})
		}
	}
	return &write{body: map[string]any{"grants": grants}}, nil
}

// Holders implements usersync.Reader. It is asked each time: the last answer may be from before a write. It must be complete:
// who is not shown would count as no administrator.
func (d *Directory) Holders(ctx context.Context, roles []string) ([]string, error) {
	x, err := d.namesOf(ctx, spec.KindRole)
	if err != nil {
		return nil, err
	}
	all, found := map[string]bool{}, false
	for _, name := range roles {
		for _, role := range x.ByName[name] {
			found = true
			users, err := api.ReadAll(ctx, d.Client, api.Listing{Request: api.Request{Operation: &listRoleUsers, Args: []string{role.ID}},
				What: listRoleUsers.Lists + " " + spec.Text(name).Display(), Complete: true}, api.Same[reference])
			if err != nil {
				return nil, err
			}
			for _, u := range users {
				all[u.ID] = true
			}
		}
	}
	if !found {
		return nil, &apply.CallError{Kind: apply.ErrRefused, Op: (&api.Request{Operation: &listRoles}).String(),
			Message: fmt.Sprintf("no role is called %s; say with --admin-roles what they are called, or --min-admins 0", strings.Join(roles, " or "))}
	}
	return slices.Sorted(maps.Keys(all)), nil
}
