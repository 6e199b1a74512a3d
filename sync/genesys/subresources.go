package genesys

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"usersyncd/spec"
	"usersyncd/state"
	"usersyncd/sync/apply"
	"usersyncd/sync/plan"
)

// What hangs under a user: skills, languages, profile skills, roles, utilization, voicemail, external ids.
// Each of these writes sets what it sets whatever was before, and carries no version.

const (
	mayAssign = "routing:skill:assign"
	mayGrant  = "authorization:grant:add, authorization:grant:delete"
)

type ratedPost struct {
	ID          string  `json:"id"`
	Proficiency float64 `json:"proficiency"`
}

// putSkills replaces a user's skills by the first of those desired, or adds some.
func (d *Directory) putSkills(ctx context.Context, c *plan.Change, o op) (state.Observed, error) {
	if !o.replace {
		return d.addRated(ctx, c, spec.Skills, spec.KindSkill, http.MethodPatch, o.names)
	}
	emptied := *c
	current := *c.Current
	current.Fields = maps.Clone(current.Fields)
	delete(current.Fields, spec.Skills)
	emptied.Current = &current
	return d.addRated(ctx, &emptied, spec.Skills, spec.KindSkill, http.MethodPut, o.names)
}

// addRated sends the desired proficiencies of the names given; method PUT replaces all others.
func (d *Directory) addRated(ctx context.Context, c *plan.Change, f spec.Field, kind spec.Kind, method string, names []string) (state.Observed, error) {
	want, err := spec.Decode[map[string]float64](after(c, f))
	if err != nil {
		return state.Observed{}, err
	}
	have, _ := spec.Decode[map[string]float64](c.Current.Fields[f])
	now := maps.Clone(have)
	if now == nil {
		now = map[string]float64{}
	}
	items := make([]ratedPost, len(names))
	for i, name := range names {
		id, err := d.idOf(ctx, kind, name)
		if err != nil {
			return state.Observed{}, err
		}
		items[i], now[name] = ratedPost{id, want[name]}, want[name]
	}
	rest := ratedPath(kind) + "/bulk"
	if err := d.send(ctx, &request{method: method, path: oneUser + rest, values: []string{c.Current.ID}, body: items, needs: mayAssign}); err != nil {
		return state.Observed{}, err
	}
	return became(c, f, spec.Proficiencies(now)), nil
}

func ratedPath(kind spec.Kind) string {
	if kind == spec.KindLanguage {
		return "/routinglanguages"
	}
	return "/routingskills"
}

// dropRated takes a skill or language away, and is content if it is gone already.
func (d *Directory) dropRated(ctx context.Context, c *plan.Change, f spec.Field, kind spec.Kind, name string) (state.Observed, error) {
	id, err := d.left(ctx, kind, name)
	if err == nil && id != "" {
		err = d.send(ctx, &request{method: http.MethodDelete, path: oneUser + ratedPath(kind) + "/{id}",
			values: []string{c.Current.ID, id}, needs: mayAssign})
	}
	if err != nil && !errors.Is(err, apply.ErrNotFound) {
		return state.Observed{}, err
	}
	now, _ := spec.Decode[map[string]float64](c.Current.Fields[f])
	delete(now, name)
	return became(c, f, spec.Proficiencies(now)), nil
}

// texts is a bare list, as profile skills are sent and answered.
type texts []string

func (texts) check() error { return nil }

func (d *Directory) putProfileSkills(ctx context.Context, c *plan.Change) (state.Observed, error) {
	want, err := spec.Decode[[]string](after(c, spec.ProfileSkills))
	if err != nil {
		return state.Observed{}, err
	}
	now, err := call[texts](ctx, d.client, &request{method: http.MethodPut, path: oneUser + "/profileskills",
		values: []string{c.Current.ID}, body: want, writes: true, needs: "directory:userProfile:edit"})
	return became(c, spec.ProfileSkills, spec.Strings(now)), err
}

// putRoles replaces a user's own grants. Those that come with a group stay.
func (d *Directory) putRoles(ctx context.Context, c *plan.Change) (state.Observed, error) {
	if c.Current.ID == d.clientID {
		return state.Observed{}, errors.New("these are the roles of usersyncd's own OAuth client, which it never changes")
	}
	roles, err := spec.Decode[[]spec.Role](after(c, spec.Roles))
	if err != nil {
		return state.Observed{}, err
	}
	grants := []roleDivision{}
	for _, r := range roles {
		role, err := d.idOf(ctx, spec.KindRole, r.Name)
		if err != nil {
			return state.Observed{}, err
		}
		if len(r.Divisions) == 0 {
			home, err := d.home(ctx)
			if err != nil {
				return state.Observed{}, err
			}
			grants = append(grants, roleDivision{role, home})
		}
		for _, name := range r.Divisions {
			division, err := d.idOf(ctx, spec.KindDivision, name)
			if err != nil {
				return state.Observed{}, err
			}
			if home, err := d.home(ctx); err != nil || division == home {
				return state.Observed{}, errors.Join(err, fmt.Errorf("%q is the home division: leave divisions out for it, as the role reads back so", name))
			}
			grants = append(grants, roleDivision{role, division})
		}
	}
	err = d.send(ctx, &request{
		method: http.MethodPost, path: subjectsPath + "/bulkreplace", values: []string{c.Current.ID},
		query: url.Values{"subjectType": {"PC_USER"}}, body: map[string]any{"grants": grants}, needs: mayGrant,
	})
	return became(c, spec.Roles, after(c, spec.Roles)), err
}

// home is the id of the home division.
func (d *Directory) home(ctx context.Context) (string, error) {
	c, err := d.catalogue(ctx, spec.KindDivision)
	if err != nil {
		return "", err
	}
	if c.home != "" {
		return c.home, nil
	}
	path := shelfOf(spec.KindDivision).path + "/home"
	e, err := call[entity](ctx, d.client, &request{method: http.MethodGet, path: path})
	return e.ID, err
}

func (d *Directory) patchVoicemail(ctx context.Context, c *plan.Change) (state.Observed, error) {
	v := after(c, spec.Voicemail)
	policy, err := call[voicemail](ctx, d.client, &request{method: http.MethodPatch, path: voicemailPath, values: []string{c.Current.ID},
		body: json.RawMessage(v), writes: true, needs: mayEditVoicemail})
	return became(c, spec.Voicemail, spec.VoicemailOf(spec.VoicemailPolicy(policy))), err
}

func (d *Directory) addExternal(ctx context.Context, c *plan.Change, o op) (state.Observed, error) {
	err := d.send(ctx, &request{method: http.MethodPost, path: oneUser + "/externalid", values: []string{c.Current.ID},
		body: map[string]string{"authorityName": o.target, "externalKey": o.key}, needs: mayEdit})
	if err != nil {
		return state.Observed{}, err
	}
	now, _ := spec.Decode[map[string]string](c.Current.Fields[spec.ExternalIDs])
	if now == nil {
		now = map[string]string{}
	}
	now[o.target] = strings.TrimPrefix(now[o.target]+keySeparator+o.key, keySeparator)
	return became(c, spec.ExternalIDs, spec.ExternalIDMap(now)), nil
}

// dropExternal removes one key, and is content if it is gone already.
func (d *Directory) dropExternal(ctx context.Context, c *plan.Change, o op) (state.Observed, error) {
	err := d.send(ctx, &request{method: http.MethodDelete, path: oneUser + "/externalid/{authority}/{key}",
		values: []string{c.Current.ID, o.target, o.key}, needs: mayEdit})
	if err != nil && !errors.Is(err, apply.ErrNotFound) {
		return state.Observed{}, err
	}
	now, _ := spec.Decode[map[string]string](c.Current.Fields[spec.ExternalIDs])
	keys := slices.DeleteFunc(strings.Split(now[o.target], keySeparator), func(key string) bool { return key == o.key })
	if now[o.target] = strings.Join(keys, keySeparator); len(keys) == 0 {
		delete(now, o.target)
	}
	return became(c, spec.ExternalIDs, spec.ExternalIDMap(now)), nil
}

// shared makes the calls whose target several users share: a division, a queue, a group.
func (d *Directory) shared(ctx context.Context, changes []*plan.Change, o op) ([]state.Observed, error) {
	ids := make([]string, len(changes))
	for i, c := range changes {
		ids[i] = c.Current.ID
	}
	field, kind := spec.Queues, spec.KindQueue
	switch o.kind {
	case opDivision:
		field, kind = spec.Division, spec.KindDivision
	case opGroupJoin, opGroupLeave:
		field, kind = spec.Groups, spec.KindGroup
	}
	find := d.idOf
	if o.kind == opQueueLeave || o.kind == opGroupLeave {
		find = d.left
	}
	target, err := find(ctx, kind, o.target)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", field, err)
	}
	if target != "" {
		if err := d.sendShared(ctx, target, ids, o.kind); err != nil {
			return nil, err
		}
	}
	now := make([]state.Observed, len(changes))
	for i, c := range changes {
		if field == spec.Division {
			now[i] = became(c, field, after(c, field))
			continue
		}
		names, _ := spec.Decode[[]string](c.Current.Fields[field])
		names = slices.DeleteFunc(names, func(n string) bool { return n == o.target })
		if o.kind == opQueueJoin || o.kind == opGroupJoin {
			names = append(names, o.target)
		}
		now[i] = became(c, field, spec.Strings(names))
	}
	return now, nil
}

func (d *Directory) sendShared(ctx context.Context, target string, ids []string, kind opKind) error {
	r := &request{method: http.MethodPost, values: []string{target}, body: ids}
	switch kind {
	case opDivision:
		r.path, r.needs = shelfOf(spec.KindDivision).path+"/{id}/objects/USER", mayEdit
		return d.send(ctx, r)
	case opQueueJoin, opQueueLeave:
		members := make([]reference, len(ids))
		for i, id := range ids {
			members[i] = reference{id}
		}
		r.path, r.needs, r.body = shelfOf(spec.KindQueue).path+"/{id}/members", "routing:queue:edit", members
		if kind == opQueueLeave {
			r.query = url.Values{"delete": {"true"}}
		}
		return d.send(ctx, r)
	}
	r.path, r.needs = shelfOf(spec.KindGroup).path+"/{id}/members", "directory:group:edit"
	if kind == opGroupLeave {
		r.method, r.body, r.query = http.MethodDelete, nil, url.Values{"ids": {strings.Join(ids, ",")}}
		err := d.send(ctx, r)
		d.groups.changed(target, err)
		return err
	}
	version, err := d.groups.version(ctx, d.client, target)
	if err != nil {
		return err
	}
	r.body = map[string]any{"memberIds": ids, "version": version}
	err = d.send(ctx, r)
	d.groups.changed(target, err)
	return err
}
