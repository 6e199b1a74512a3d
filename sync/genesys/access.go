package genesys

import (
	"context"
	"encoding/json"
	"errors"
	"net/url"
	"path"
	"slices"
	"strings"

	"usersyncd/spec"
	"usersyncd/sync/apply"
	"usersyncd/sync/genesys/api"
)

// What a role of the OAuth client must allow follows from the rows of the fields and of the operations. README.md shows it
// as a table, and a test holds the two together.

// Usage is what is made use of.
type Usage struct {
	Fields []spec.Field
	Create bool // users are created
	Delete bool // those who are no longer declared are deleted
	Admins bool // the holders of a role are counted
}

// A Need is a permission that something in use takes.
type Need struct {
	Permission string   // or several with " or " between them: any of them is enough
	For        []string // the fields, and what else it is for
	Writes     bool     // it is to write; only a role's policies can show whether it is there

	accepts []string       // permissions that replace it for all of these
	op      *api.Operation // the first that takes it
}

// Needs lists what a use takes, each permission once, in the order of the fields.
func (u Usage) Needs() []Need {
	var needs []Need
	add := func(what string, op *api.Operation) {
		for _, permission := range op.Needs {
			i := slices.IndexFunc(needs, func(n Need) bool { return n.Permission == permission })
			if i < 0 {
				i = len(needs)
				needs = append(needs, Need{Permission: permission, Writes: op.Writes(), accepts: slices.Clone(op.Accepts), op: op})
			}
			n := &needs[i]
			n.accepts = slices.DeleteFunc(n.accepts, func(other string) bool { return !slices.Contains(op.Accepts, other) })
			if !slices.Contains(n.For, what) {
				n.For = append(n.For, what)
			}
		}
	}
	add("reading users", &queryUsers)
	if u.Create {
		add("creating users", &createUser)
	}
	if u.Delete {
		add("--on-removal delete", &deleteUser)
	}
	rows := fields()
	for _, name := range u.Fields {
		for _, op := range rows.of(name).operations() {
			add(string(name), op)
		}
	}
	if u.Admins {
		add("--min-admins", &listRoleUsers)
	}
	return needs
}

// operations lists those that a field takes, apart from creating and deleting users.
func (f *field) operations() (all []*api.Operation) {
	if f.user != "" {
		all = append(all, &listUsers)
	}
	if f.kind != "" {
		all = append(all, listOf(f.kind))
	}
	all = append(all, f.reads...)
	if f.patch != "" {
		all = append(all, &updateUser)
	}
	return append(all, f.writes...)
}

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
	Met Met
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

// Organization reads the organization's id and name.
func (d *Directory) Organization(ctx context.Context) (id, name string, err error) {
	me, err := api.Call[named](ctx, d.Client, &api.Request{Operation: &getOrganization})
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
		a.ByRoles = err == nil // roles that cannot be seen are no failure
	}
	try := trial{Directory: d}
	for _, n := range needs {
		f := Finding{Need: n}
		if a.ByRoles {
			f.Met = met(held, n)
		}
		// The API does not check each permission everywhere, so its answer counts. What is to write only a write would show.
		if f.Met < Partly && !n.Writes {
			if err := try.read(ctx, &f); err != nil {
				return a, err
			}
		}
		a.Findings = append(a.Findings, f)
	}
	return a, nil
}

// ownGrants asks three places for the client's roles. Whether the first tells them is not known for sure; the
// others need a permission each that a client for users does not need otherwise.
func (d *Directory) ownGrants(ctx context.Context, a *Access) (grants []roleDivision, known bool, err error) {
	own := []string{d.Options().ClientID}
	type tokenInfo struct {
		Client oauthClient `json:"OAuthClient"`
	}
	me, err := api.Call[tokenInfo](ctx, d.Client, &api.Request{Operation: &getToken})
	a.Client = me.Client.Name
	if len(me.Client.Roles) > 0 || err != nil && !api.IsDenied(err) {
		return me.Client.Roles, err == nil, err
	}
	client, err := api.Call[oauthClient](ctx, d.Client, &api.Request{Operation: &getOAuthClient, Args: own})
	if err == nil {
		a.Client = client.Name
	}
	if err == nil || !api.IsDenied(err) {
		return client.Roles, err == nil, err
	}
	s, err := api.Call[subject](ctx, d.Client, &api.Request{Operation: &getGrants, Args: own})
	for _, g := range s.Grants {
		grants = append(grants, roleDivision{g.Role.ID, g.Division.ID})
	}
	if api.IsDenied(err) {
		return nil, false, nil
	}
	return grants, err == nil, err
}

// A policy is one permission that the client has, or a pattern of several, such as directory:*:*.
type policy struct {
	pattern    string
	everywhere bool // in all divisions, and under no condition
}

// policies reads the roles that were granted.
func (d *Directory) policies(ctx context.Context, grants []roleDivision, a *Access) (held []policy, err error) {
	var roles []string
	for _, g := range grants {
		roles = append(roles, g.Role)
	}
	for _, id := range unique(roles) {
		role, err := api.Call[orgRole](ctx, d.Client, &api.Request{Operation: &getRole, Args: []string{id}})
		if errors.Is(err, apply.ErrNotFound) {
			continue // deleted: it grants nothing
		}
		if err != nil {
			return nil, err
		}
		a.Roles = append(a.Roles, role.Name)
		everywhere := slices.Contains(grants, roleDivision{id, allDivisions})
		for _, p := range role.Policies {
			free := len(p.Condition) == 0 || string(p.Condition) == "null"
			for _, action := range p.Actions {
				held = append(held, policy{strings.ToLower(p.Domain + ":" + p.Entity + ":" + action), everywhere && free})
			}
		}
	}
	return held, nil
}

// met is the best that the policies give a need.
func met(held []policy, n Need) Met {
	best := Missing
	// Nobody must have what is accepted as well, but who has it is not told that a permission is missing.
	for _, permission := range append(strings.Split(n.Permission, " or "), n.accepts...) {
		for _, p := range held {
			switch fits, _ := path.Match(p.pattern, strings.ToLower(permission)); {
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
			return nil // there is no user to try it on
		case ofUser:
			r.Args, r.Query = []string{id}, nil
		}
	}
	_, err := t.Send(ctx, &r, nil) // the status alone counts
	switch {
	case err == nil:
		f.Met = Granted
	case errors.Is(err, apply.ErrForbidden) && f.op == &queryUsers && t.user != "": // all divisions were asked for
		f.Met = Partly
	case errors.Is(err, apply.ErrForbidden):
		f.Met = Missing
	case !api.IsDenied(err):
		return err
	}
	return nil
}

// somebody is the id of a user; "" if none can be seen.
func (t *trial) somebody(ctx context.Context) (id string, err error) {
	if t.asked {
		return t.user, nil
	}
	users, err := t.users(ctx, t.defaultReading, &api.Request{Operation: &listUsers, Query: url.Values{"pageSize": {"1"}}})
	if err != nil && !api.IsDenied(err) {
		return "", err
	}
	t.asked = true
	if len(users) > 0 {
		t.user = users[0].ID
	}
	return t.user, nil
}
