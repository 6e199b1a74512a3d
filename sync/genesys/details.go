package genesys

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"usersyncd/spec"
	"usersyncd/state"
	"usersyncd/sync/apply"
)

// What no listing of users shows: one request for each user and field, but for what can be swept.

const (
	subjectsPath  = "/api/v2/authorization/subjects/{id}"
	voicemailPath = "/api/v2/voicemail/userpolicies/{id}"
)

// voicemail is a VoicemailUserPolicy, as far as it is managed here.
type voicemail spec.VoicemailPolicy

// subject is an AuthzSubject; with groups' grants among its own.
type subject struct {
	Grants []authzGrant `json:"grants"`
}

type authzGrant struct {
	Subject  string `json:"subjectId"`
	Division named  `json:"division"`
	Role     named  `json:"role"`
}

// externalIDs is the list of a user's identifiers elsewhere.
type externalIDs []struct {
	Authority string `json:"authorityName"`
	Key       string `json:"externalKey"`
}

func (voicemail) check() error   { return nil }
func (subject) check() error     { return nil }
func (authzGrant) check() error  { return nil }
func (externalIDs) check() error { return nil }
func (g authzGrant) key() string { return g.Subject + " " + g.Division.ID + " " + g.Role.ID }

// Details implements usersync.Reader. Roles and queues of many users are swept, from the divisions' grants
// and the queues' members, where that takes fewer requests than asking for each user.
func (d *Directory) Details(ctx context.Context, want map[string][]spec.Field, got func(state.Observed, error) error) error {
	defer d.expect.listing(0)
	swept, done := map[string]spec.Fields{}, map[spec.Field]bool{}
	for id := range want {
		swept[id] = spec.Fields{}
	}
	for f, sweep := range map[spec.Field]func(context.Context, map[string][]spec.Field, map[string]spec.Fields) (bool, error){
		spec.Roles: d.sweepRoles, spec.Queues: d.sweepQueues,
	} {
		var err error
		if done[f], err = sweep(ctx, want, swept); err != nil {
			return err
		}
	}
	var mu sync.Mutex
	hand := func(now state.Observed, err error) error {
		mu.Lock()
		defer mu.Unlock()
		return got(now, err)
	}
	var left atomic.Int64
	rest := map[string][]spec.Field{}
	for id, fields := range want {
		rest[id] = slices.DeleteFunc(slices.Clone(fields), func(f spec.Field) bool { return done[f] })
		left.Add(int64(len(rest[id])))
	}
	d.expect.listing(int(left.Load()))
	g, group := errgroup.WithContext(ctx)
	g.SetLimit(d.atOnce)
	for _, id := range slices.Sorted(maps.Keys(want)) {
		if len(rest[id]) == 0 {
			if err := hand(state.Observed{ID: id, Fields: swept[id]}, nil); err != nil {
				return errors.Join(err, g.Wait())
			}
			continue
		}
		if group.Err() != nil {
			break
		}
		g.Go(func() error {
			now, err := d.apart(group, id, rest[id])
			d.expect.listing(int(left.Add(int64(-len(rest[id])))))
			if group.Err() != nil {
				return group.Err()
			}
			maps.Copy(now.Fields, swept[id])
			return hand(now, err)
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	return ctx.Err()
}

// apart reads fields of one user, each by a request of its own; the user itself is read if it has some of them.
func (d *Directory) apart(ctx context.Context, id string, fields []spec.Field) (state.Observed, error) {
	now := state.Observed{ID: id, Fields: spec.Fields{}}
	if slices.ContainsFunc(fields, func(f spec.Field) bool { return !slices.Contains(Limits().DetailFields, f) }) {
		u, err := d.get(ctx, id, fields, "", "deleted")
		if err != nil {
			return now, err
		}
		now = u
	}
	return d.withDetails(ctx, now, fields)
}

// detail reads one field of one user; "" for one that is not read alone.
func (d *Directory) detail(ctx context.Context, id string, f spec.Field) (spec.Value, error) {
	switch f {
	case spec.Roles:
		s, err := readList(ctx, d.client, &request{method: http.MethodGet, path: subjectsPath, values: []string{id},
			query: url.Values{"includeDuplicates": {"true"}}, needs: mayViewGrants}, func(s subject) bool { return s.Grants != nil })
		if err != nil {
			return "", err
		}
		return d.roles(ctx, s.Grants, id)
	case spec.Queues:
		return d.queuesOf(ctx, id)
	case spec.Utilization:
		u, err := readList(ctx, d.client, &request{method: http.MethodGet, path: utilizationPath, values: []string{id}, needs: mayUtilize}, utilization.told)
		if err != nil {
			return "", err
		}
		return d.utilization(ctx, u)
	case spec.Voicemail:
		v, err := call[voicemail](ctx, d.client, &request{method: http.MethodGet, path: voicemailPath, values: []string{id}, needs: mayViewVoicemail})
		if err != nil {
			return "", err
		}
		return spec.VoicemailOf(spec.VoicemailPolicy(v)), nil
	case spec.ExternalIDs:
		list, err := readList(ctx, d.client, &request{method: http.MethodGet, path: oneUser + "/externalid", values: []string{id},
			needs: mayView}, func(list externalIDs) bool { return list != nil })
		if err != nil {
			return "", err
		}
		byAuthority := map[string]string{}
		for _, e := range list {
			byAuthority[e.Authority] = strings.TrimPrefix(byAuthority[e.Authority]+keySeparator+e.Key, keySeparator)
		}
		return spec.ExternalIDMap(byAuthority), nil
	}
	return "", nil
}

// roles turns the grants of one subject into a value. Those that come with a group name the group.
func (d *Directory) roles(ctx context.Context, grants []authzGrant, id string) (spec.Value, error) {
	home, err := d.home(ctx)
	if err != nil {
		return "", err
	}
	divisions, err := d.catalogue(ctx, spec.KindDivision)
	if err != nil {
		return "", err
	}
	roles, err := d.catalogue(ctx, spec.KindRole)
	if err != nil {
		return "", err
	}
	var list []spec.Role
	for _, g := range grants {
		if g.Subject != id {
			continue
		}
		r := spec.Role{Name: roles.label(g.Role.ID, g.Role.Name)}
		switch g.Division.ID {
		case home:
		case allDivisions:
			r.Divisions = []string{allDivisions}
		default:
			r.Divisions = []string{divisions.label(g.Division.ID, g.Division.Name)}
		}
		list = append(list, r)
	}
	return spec.RoleList(list), nil
}

// Holders implements usersync.Reader. It is asked each time: the last answer may be of before a write. Nobody may be
// missing: who is not shown would count as no administrator.
func (d *Directory) Holders(ctx context.Context, roles []string) ([]string, error) {
	c, err := d.catalogue(ctx, spec.KindRole)
	if err != nil {
		return nil, err
	}
	all, found := map[string]bool{}, false
	base := shelfOf(spec.KindRole).path
	for _, name := range roles {
		for _, role := range c.byName[name] {
			found = true
			users, err := readPages[reference](ctx, d.client, source{path: base + "/{id}/users", values: []string{role.ID},
				needs: mayViewRoles, noun: "users of the role " + spec.Text(name).Display(), size: 100, complete: true})
			if err != nil {
				return nil, err
			}
			for _, u := range users {
				all[u.ID] = true
			}
		}
	}
	if !found {
		return nil, &apply.CallError{Kind: apply.ErrRefused, Op: "GET " + base,
			Message: fmt.Sprintf("no role is called %s; say with --admin-roles what they are called, or --min-admins 0", strings.Join(roles, " or "))}
	}
	return slices.Sorted(maps.Keys(all)), nil
}
