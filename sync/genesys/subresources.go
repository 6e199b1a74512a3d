package genesys

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"usersyncd/spec"
	"usersyncd/state"
	"usersyncd/sync/apply"
	"usersyncd/sync/genesys/api"
	"usersyncd/sync/genesys/names"
	"usersyncd/sync/genesys/utilization"
	"usersyncd/sync/plan"
)

// Profile skills, voicemail, external ids and utilization.

func profileSkillSteps(_, _ spec.Value) []step {
	return []step{{op: &setProfileSkills, prepare: func(_ context.Context, _ *Directory, users []*plan.Change) (*write, error) {
		want, err := spec.Decode[[]string](after(users[0], spec.ProfileSkills))
		return &write{body: want, decode: showsField(spec.ProfileSkills, spec.Strings)}, err
	}}}
}

func voicemailOf(ctx context.Context, d *Directory, id string) (spec.Value, error) {
	policy, err := api.Call[spec.VoicemailPolicy](ctx, d.Client, &api.Request{Operation: &getVoicemail, Args: []string{id}})
	if err != nil {
		return "", err
	}
	return spec.VoicemailOf(policy), nil
}

func voicemailSteps(_, _ spec.Value) []step {
	return []step{{op: &setVoicemail, prepare: func(_ context.Context, _ *Directory, users []*plan.Change) (*write, error) {
		return &write{body: json.RawMessage(after(users[0], spec.Voicemail)), decode: showsField(spec.Voicemail, spec.VoicemailOf)}, nil
	}}}
}

// keySeparator stands between the keys that one authority has for a user, if there are several. A spec
// has one at most, and cannot have this.
const keySeparator = "\n"

// scimAuthority begins the authority of the key that an identity provider has for a user through SCIM. It cannot be changed
// (ScimUserExtensions), so that it is nothing that a spec could manage.
const scimAuthority = "x-pc:scimv2:v1"

// externalIDs are a user's keys elsewhere, by authority.
type externalIDs map[string]string

func externalIDsIn(v spec.Value) externalIDs {
	ids, err := spec.Decode[map[string]string](v)
	if err != nil {
		return externalIDs{}
	}
	return ids
}

func (ids externalIDs) keys(authority string) []string {
	if ids[authority] == "" {
		return nil
	}
	return strings.Split(ids[authority], keySeparator)
}

func (ids externalIDs) set(authority string, keys []string) {
	if ids[authority] = strings.Join(keys, keySeparator); len(keys) == 0 {
		delete(ids, authority)
	}
}

func externalIDsOf(ctx context.Context, d *Directory, id string) (spec.Value, error) {
	type item struct {
		Authority string `json:"authorityName"`
		Key       string `json:"externalKey"`
	}
	list, err := api.ReadList(ctx, d.Client, &api.Request{Operation: &listExternalIDs, Args: []string{id}}, func(list []item) bool { return list != nil })
	if err != nil {
		return "", err
	}
	ids := externalIDs{}
	for _, e := range list {
		if strings.HasPrefix(e.Authority, scimAuthority) {
			continue
		}
		ids.set(e.Authority, append(ids.keys(e.Authority), e.Key))
	}
	return spec.ExternalIDMap(ids), nil
}

func externalIDSteps(have, want spec.Value) (steps []step) {
	before, after := externalIDsIn(have), externalIDsIn(want)
	for _, authority := range slices.Sorted(maps.Keys(before)) {
		for _, key := range before.keys(authority) {
			if key != after[authority] {
				steps = append(steps, externalIDStep(&removeExternalID, authority, key))
			}
		}
	}
	for _, authority := range slices.Sorted(maps.Keys(after)) {
		if key := after[authority]; !slices.Contains(before.keys(authority), key) {
			steps = append(steps, externalIDStep(&addExternalID, authority, key))
		}
	}
	return steps
}

// externalIDStep adds one key, or removes one.
func externalIDStep(op *api.Operation, authority, key string) step {
	return step{op: op, prepare: func(_ context.Context, d *Directory, users []*plan.Change) (*write, error) {
		ids := externalIDsIn(users[0].Current.Fields.Get(spec.ExternalIDs))
		keys := slices.DeleteFunc(ids.keys(authority), func(k string) bool { return k == key })
		w := &write{args: append(idsOf(users), authority, key)}
		if op == &addExternalID {
			keys = append(keys, key)
			w.args, w.body = nil, map[string]string{"authorityName": authority, "externalKey": key}
			w.onError = func(ctx context.Context, err error) error {
				return d.externalIDTaken(ctx, err, users[0].Current.ID, authority, key)
			}
		}
		ids.set(authority, keys)
		w.valueAfter = as(spec.ExternalIDMap(ids))
		return w, nil
	}}
}

// externalIDTaken says who has an external id that the user id could not be given; nil if it is that user.
func (d *Directory) externalIDTaken(ctx context.Context, err error, id, authority, key string) error {
	e := (*apply.CallError)(nil)
	if !errors.As(err, &e) || e.Code != codeTaken {
		return err
	}
	var holder state.Observed
	_, lookupErr := d.Send(ctx, &api.Request{Operation: &findExternalID, Args: []string{authority, key}}, func(answer *api.Body) (err error) {
		holder, err = d.defaultReading.user(answer)
		return err
	})
	switch {
	case lookupErr != nil: // nobody may see who it is
		return err
	case holder.ID == id:
		return nil
	}
	taken := *e
	taken.Message += fmt.Sprintf("; %s %s is that of user %s (%s)", spec.Text(authority).Display(), spec.Text(key).Display(), holder.Key(), holder.ID)
	return &taken
}

// readUtilization reads what a user, or the organization, can take at once. An answer that has no media is inconsistent.
func (d *Directory) readUtilization(ctx context.Context, op *api.Operation, args ...string) (utilization.Settings, error) {
	return api.ReadList(ctx, d.Client, &api.Request{Operation: op, Args: args}, utilization.Settings.Shown)
}

// utilizationOf compares what a user can take with the organization's default: only what differs is the
// user's own.
func utilizationOf(ctx context.Context, d *Directory, id string) (spec.Value, error) {
	user, err := d.readUtilization(ctx, &getUtilization, id)
	if err != nil || user.OfOrganization() {
		return utilization.Value(user, user, nil), err
	}
	standard, err := d.organizationUtilization(ctx)
	if err != nil {
		return "", err
	}
	label, err := d.labelNames(ctx, user, standard)
	if err != nil {
		return "", err
	}
	return utilization.Value(user, standard, label), nil
}

// organizationUtilization is read again with each listing. Where it may not be read, everything is the user's own.
func (d *Directory) organizationUtilization(ctx context.Context) (utilization.Settings, error) {
	if err := d.names.turn.Acquire(ctx, 1); err != nil {
		return utilization.Settings{}, err
	}
	defer d.names.turn.Release(1)
	if d.names.standard != nil {
		return *d.names.standard, nil
	}
	u, err := d.readUtilization(ctx, &getDefaultUtilization)
	if err != nil && !api.IsDenied(err) {
		return utilization.Settings{}, err
	}
	d.names.standard = &u
	return u, nil
}

// labelNames names the labels of settings. Answers tell the names themselves; they are listed only where one does not.
func (d *Directory) labelNames(ctx context.Context, all ...utilization.Settings) (func(id string) string, error) {
	shown := map[string]string{}
	for _, s := range all {
		for id, name := range s.Names() {
			shown[id] = cmp.Or(shown[id], name)
		}
	}
	var labels []names.Entity
	for id, name := range shown {
		if name == "" {
			x, err := d.namesOf(ctx, spec.KindLabel)
			if err != nil {
				return nil, fmt.Errorf("labels: %w", err)
			}
			return func(id string) string { return x.Label(id, "") }, nil
		}
		labels = append(labels, names.Entity{ID: id, Name: name})
	}
	x := names.NewIndex(spec.KindLabel, listLabels.Lists, labels, time.Now())
	return func(id string) string { return x.Label(id, "") }, nil
}

func utilizationSteps(_, _ spec.Value) []step {
	return []step{{op: &setUtilization, prepare: prepareUtilization}}
}

// prepareUtilization reads what the user has, since the call replaces all: see utilization.Merge.
func prepareUtilization(ctx context.Context, d *Directory, users []*plan.Change) (*write, error) {
	c := users[0]
	want, err := spec.Decode[spec.UtilizationSettings](after(c, spec.Utilization))
	if err != nil {
		return nil, err
	}
	user, err := d.readUtilization(ctx, &getUtilization, c.Current.ID)
	if err != nil {
		return nil, err
	}
	standard, err := d.organizationUtilization(ctx)
	if err != nil {
		return nil, err
	}
	label, err := d.labelNames(ctx, user, standard)
	if err != nil {
		return nil, err
	}
	declared := map[string]string{}
	now, body, err := utilization.Merge(user, standard, want, func(name string) (string, error) {
		id, err := d.idOf(ctx, spec.KindLabel, name)
		declared[id] = name
		return id, err
	})
	if err != nil {
		return nil, err
	}
	w := &write{body: body, valueAfter: as(utilization.Value(now, standard, func(id string) string { return cmp.Or(declared[id], label(id)) }))}
	if body == nil {
		w.op, w.body, w.skip = &resetUtilization, nil, user.OfOrganization() // as a new user's
	}
	return w, nil
}
