package genesys

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"usersyncd/spec"
	"usersyncd/sync/apply"
)

// What the OAuth client may do, found without writing: from its roles' policies, or where it may not see
// those, by reading a little of everything.

const (
	tokenInfoPath = "/api/v2/tokens/me" // needs no permission
	clientsPath   = "/api/v2/oauth/clients/{id}"
)

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

func (oauthClient) check() error { return nil }
func (tokenInfo) check() error   { return nil }
func (orgRole) check() error     { return nil }
func (n named) check() error     { return nil }

// TokenURL is where the login service gives out access tokens.
func (d *Directory) TokenURL() string { return d.client.doors[0].login.config.TokenURL }

// Login fetches an access token, in one try, unless there is a good one.
func (d *Directory) Login(ctx context.Context) error {
	_, _, err := d.client.doors[0].Token(ctx)
	return err
}

// Organization reads the organization's id and name.
func (d *Directory) Organization(ctx context.Context) (id, name string, err error) {
	me, err := call[named](ctx, d.client, &request{method: http.MethodGet, path: orgPath})
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
		if held, err = d.policies(ctx, grants, &a); err != nil && !isClosed(err) {
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
			if f.Met == Missing && !n.Writes { // the API may not ask for it in every place; what it says counts
				err = try.reading(ctx, &f)
			}
		case n.Writes:
			f.Note = "only writing would show it"
		default:
			err = try.reading(ctx, &f)
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
	me, err := call[tokenInfo](ctx, d.client, &request{method: http.MethodGet, path: tokenInfoPath})
	if err != nil && !isClosed(err) {
		return nil, false, err
	}
	a.Client = me.Client.Name
	if len(me.Client.Roles) > 0 {
		return me.Client.Roles, true, nil
	}
	client, err := call[oauthClient](ctx, d.client, &request{method: http.MethodGet, path: clientsPath, values: []string{d.clientID}, needs: "oauth:client:view"})
	if err == nil {
		a.Client = client.Name
		return client.Roles, true, nil
	}
	if !isClosed(err) {
		return nil, false, err
	}
	s, err := call[subject](ctx, d.client, &request{method: http.MethodGet, path: subjectsPath, values: []string{d.clientID},
		query: url.Values{"includeDuplicates": {"true"}}, needs: mayViewGrants})
	if err != nil {
		if isClosed(err) {
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
	path, query := shelfOf(spec.KindRole).path+"/{id}", url.Values{"userCount": {"false"}}
	var held []policy
	for _, id := range order {
		role, err := call[orgRole](ctx, d.client, &request{method: http.MethodGet, path: path, values: []string{id}, query: query, needs: mayViewRoles})
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
