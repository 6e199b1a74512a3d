package genesys

import (
	"context"
	"encoding/json"
	"errors"
	"net/url"
	"slices"
	"strings"

	"usersyncd/sync/apply"
	"usersyncd/sync/genesys/api"
)

// What the OAuth client may do, found without writing: from its roles' policies, or where it may not see
// those, by reading a little of everything.

// Met says whether the client has what a need takes.
type Met int

// The answers.
const (
	Unknown Met = iota // it is to write, and the roles cannot be seen; or no answer came
	Missing
	Partly  // in some divisions only, or under a condition
	Granted // in all divisions; where the roles cannot be seen, in one at least
)

// A Finding is what was found of one need.
type Finding struct {
	Need
	Met  Met
	Note string // why it is unknown, or what the API said
}

// Access is what is known of the OAuth client's permissions.
type Access struct {
	Client   string // its name, "" if that is not told
	Roles    []string
	ByRoles  bool // found from the roles; otherwise by reading
	Findings []Finding
}

// roleDivision is one grant of an OAuth client, and of a RoleDivisionGrants.
type roleDivision struct {
	Role     string `json:"roleId"`
	Division string `json:"divisionId"`
}

// oauthClient is OrgOAuthClient, or OAuthClient, as far as it is looked at.
type oauthClient struct {
	Name  string         `json:"name"`
	Roles []roleDivision `json:"roleDivisions"`
}

type tokenInfo struct {
	Client oauthClient `json:"OAuthClient"`
}

// orgRole is DomainOrganizationRole.
type orgRole struct {
	Name     string `json:"name"`
	Policies []struct {
		Domain    string          `json:"domain"`
		Entity    string          `json:"entityName"`
		Actions   []string        `json:"actionSet"`
		Condition json.RawMessage `json:"resourceConditionNode"`
	} `json:"permissionPolicies"`
}

// TokenURL is where the login service gives out access tokens.
func (d *Directory) TokenURL() string { return d.client.TokenURL() }

// Login fetches an access token, in one attempt, unless there is a valid one.
func (d *Directory) Login(ctx context.Context) error { return d.client.Login(ctx) }

// Organization reads the organization's id and name.
func (d *Directory) Organization(ctx context.Context) (id, name string, err error) {
	me, err := api.Call[named](ctx, d.client, &api.Request{Operation: &getOrganization})
	return me.ID, me.Name, err
}

// Access finds out which needs are met. The error is of a call without a usable answer, after which nothing
// is known.
func (d *Directory) Access(ctx context.Context, needs []Need) (Access, error) {
	a := Access{}
	grants, known, err := d.ownGrants(ctx, &a)
	if err != nil {
		return a, err
	}
	var held []policy
	if known {
		if held, err = d.policies(ctx, grants, &a); err != nil && !api.IsDenied(err) {
			return a, err
		}
		a.ByRoles = err == nil
	}
	err = nil // roles that cannot be seen are no failure
	try := trial{Directory: d}
	for _, n := range needs {
		f := Finding{Need: n}
		switch {
		case a.ByRoles:
			f.Met = met(held, n)
			if f.Met == Missing && !n.Writes { // the API does not check it everywhere; its answer counts
				err = try.read(ctx, &f)
			}
		case n.Writes:
			f.Note = "only writing would show it"
		default:
			err = try.read(ctx, &f)
		}
		if err != nil {
			return a, err
		}
		a.Findings = append(a.Findings, f)
	}
	return a, nil
}

// ownGrants asks three places for the client's roles. Whether the first tells them is not known for sure; the
// others need a permission each that a client for users does not need otherwise.
func (d *Directory) ownGrants(ctx context.Context, a *Access) (grants []roleDivision, known bool, err error) {
	me, err := api.Call[tokenInfo](ctx, d.client, &api.Request{Operation: &getToken})
	if err != nil && !api.IsDenied(err) {
		return nil, false, err
	}
	a.Client = me.Client.Name
	if len(me.Client.Roles) > 0 {
		return me.Client.Roles, true, nil
	}
	own := []string{d.client.Options().ClientID}
	client, err := api.Call[oauthClient](ctx, d.client, &api.Request{Operation: &getOAuthClient, Args: own})
	if err == nil {
		a.Client = client.Name
		return client.Roles, true, nil
	}
	if !api.IsDenied(err) {
		return nil, false, err
	}
	s, err := api.Call[subject](ctx, d.client, &api.Request{Operation: &getGrants, Args: own})
	if err != nil {
		if api.IsDenied(err) {
			err = nil
		}
		return nil, false, err
	}
	for _, g := range s.Grants {
		grants = append(grants, roleDivision{g.Role.ID, g.Division.ID})
	}
	return grants, true, nil
}

// A policy is one permission that the client has; a part of it may be "*".
type policy struct {
	part       [3]string
	everywhere bool // in all divisions, and under no condition
}

// policies reads the roles that were granted.
func (d *Directory) policies(ctx context.Context, grants []roleDivision, a *Access) ([]policy, error) {
	divisions := map[string][]string{}
	var order []string
	for _, g := range grants {
		if divisions[g.Role] == nil {
			order = append(order, g.Role)
		}
		divisions[g.Role] = append(divisions[g.Role], g.Division)
	}
	var held []policy
	for _, id := range order {
		role, err := api.Call[orgRole](ctx, d.client, &api.Request{Operation: &getRole, Args: []string{id}})
		if errors.Is(err, apply.ErrNotFound) {
			continue // deleted: it grants nothing
		}
		if err != nil {
			return nil, err
		}
		a.Roles = append(a.Roles, role.Name)
		everywhere := slices.Contains(divisions[id], allDivisions)
		for _, p := range role.Policies {
			free := len(p.Condition) == 0 || string(p.Condition) == "null"
			for _, action := range p.Actions {
				held = append(held, policy{[3]string{p.Domain, p.Entity, action}, everywhere && free})
			}
		}
	}
	return held, nil
}

// met is the best that the policies give a need.
func met(held []policy, n Need) Met {
	best := Missing
	for _, permission := range n.alternatives() {
		want := strings.SplitN(permission, ":", 3)
		for _, p := range held {
			fits := true
			for i, part := range p.part {
				fits = fits && (part == "*" || strings.EqualFold(part, want[i]))
			}
			switch {
			case fits && p.everywhere:
				return Granted
			case fits:
				best = Partly
			}
		}
	}
	return best
}

// A trial reads a little to see whether it may.
type trial struct {
	*Directory
	user  string // whom it reads, once one was found
	asked bool
}

// read sends the first request that a need to read is for, in a small form. The error is one after which nothing more
// can be tried.
func (t *trial) read(ctx context.Context, f *Finding) error {
	r := api.Request{Operation: f.op, Query: url.Values{"pageSize": {"1"}}}
	ofUser := strings.Contains(f.op.Path, "{")
	if ofUser || f.op == &queryUsers {
		id, err := t.somebody(ctx)
		switch {
		case err != nil:
			return err
		case ofUser && id == "":
			f.Note = "there is no user to try it on"
			return nil
		case ofUser:
			r.Args, r.Query = []string{id}, nil
		}
	}
	_, err := t.client.Do(ctx, &r, nil) // the status alone counts
	switch {
	case err == nil:
		f.Met = Granted
	case errors.Is(err, apply.ErrForbidden) && f.op == &queryUsers && t.user != "": // all divisions were asked for
		f.Met = Partly
	case errors.Is(err, apply.ErrForbidden):
		f.Met = Missing
	case api.IsDenied(err):
		f.Note = err.Error()
	default:
		return err
	}
	return nil
}

// somebody is the id of a user; "" if none can be seen.
func (t *trial) somebody(ctx context.Context) (id string, err error) {
	if t.asked {
		return t.user, nil
	}
	users, err := t.users(ctx, t.alwaysShown(), &api.Request{Operation: &listUsers, Query: url.Values{"pageSize": {"1"}}})
	if err != nil && !api.IsDenied(err) {
		return "", err
	}
	t.asked = true
	if len(users) > 0 {
		t.user = users[0].ID
	}
	return t.user, nil
}
