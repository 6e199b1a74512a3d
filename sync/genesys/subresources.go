package genesys

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"usersyncd/spec"
	"usersyncd/state"
	"usersyncd/sync/apply"
	"usersyncd/sync/genesys/api"
	"usersyncd/sync/plan"
)

// Profile skills, voicemail and external ids.

func profileSkillSteps(_, _ spec.Value) []step {
	return []step{{op: &setProfileSkills, prepare: func(_ context.Context, _ *Directory, users []*plan.Change) (*write, error) {
		want, err := spec.Decode[[]string](after(users[0], spec.ProfileSkills))
		return &write{body: want, shown: showsField(spec.ProfileSkills, spec.Strings)}, err
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
		return &write{body: json.RawMessage(after(users[0], spec.Voicemail)), shown: showsField(spec.Voicemail, spec.VoicemailOf)}, nil
	}}}
}

// keySeparator stands between the keys that one authority has for a user, if there are several. A spec
// has one at most, and cannot have this.
const keySeparator = "\n"

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
		ids := externalIDsIn(users[0].Current.Fields[spec.ExternalIDs])
		keys := slices.DeleteFunc(ids.keys(authority), func(k string) bool { return k == key })
		w := &write{args: append(idsOf(users), authority, key)}
		if op == &addExternalID {
			keys = append(keys, key)
			w.args, w.body = nil, map[string]string{"authorityName": authority, "externalKey": key}
			w.refused = func(ctx context.Context, err error) error {
				return d.externalIDTaken(ctx, err, users[0].Current.ID, authority, key)
			}
		}
		ids.set(authority, keys)
		w.value = as(spec.ExternalIDMap(ids))
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
	_, lookupErr := d.Send(ctx, &api.Request{Operation: &findExternalID, Args: []string{authority, key}}, func(answer []byte) (err error) {
		holder, err = d.always.user(answer)
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

// capacity is what an agent can take of one medium (MediaUtilization; its spelling is the API's).
type capacity struct {
	Maximum       int      `json:"maximumCapacity"`
	Interruptable []string `json:"interruptableMediaTypes"`
	NonACD        bool     `json:"includeNonAcd,omitempty"`
}

// utilization is what a user, or the organization, can take at once. It is sent as it was read, but for the media.
type utilization struct {
	Media      map[string]capacity        `json:"utilization"`
	Labels     map[string]json.RawMessage `json:"labelUtilizations,omitempty"`
	MaxInbound *int                       `json:"maxInboundCalls,omitempty"`
	Level      string                     `json:"level,omitempty"` // Agent, or Organization: nothing of the user's own; only read
}

// ofOrganization reports whether a user has no utilization of its own.
func (u utilization) ofOrganization() bool { return strings.EqualFold(u.Level, "Organization") }

// media is what is set, in the normal form of a spec.
func (u utilization) media() map[string]spec.MediaUtilization {
	all := make(map[string]spec.MediaUtilization, len(u.Media))
	for name, c := range u.Media {
		all[name] = spec.MediaUtilization{Capacity: c.Maximum, InterruptedBy: c.Interruptable}
	}
	all, _ = spec.Decode[map[string]spec.MediaUtilization](spec.UtilizationOf(all))
	return all
}

// readUtilization reads one. An answer that has none is inconsistent.
func (d *Directory) readUtilization(ctx context.Context, op *api.Operation, args ...string) (utilization, error) {
	return api.ReadList(ctx, d.Client, &api.Request{Operation: op, Args: args}, func(u utilization) bool { return u.Media != nil || u.ofOrganization() })
}

// utilizationOf compares what a user can take with the organization's default: only what differs is the
// user's own.
func utilizationOf(ctx context.Context, d *Directory, id string) (spec.Value, error) {
	u, err := d.readUtilization(ctx, &getUtilization, id)
	if err != nil {
		return "", err
	}
	if u.ofOrganization() {
		return spec.UtilizationOf(nil), nil
	}
	standard, err := d.organizationUtilization(ctx)
	if err != nil {
		return "", err
	}
	own := u.media()
	for name, m := range own {
		s, ok := standard[name]
		m.Default = ok && s.Capacity == m.Capacity && slices.Equal(s.InterruptedBy, m.InterruptedBy)
		own[name] = m
	}
	return spec.UtilizationOf(own), nil
}

// organizationUtilization is read again with each listing. Where it may not be read, everything is the user's own.
func (d *Directory) organizationUtilization(ctx context.Context) (map[string]spec.MediaUtilization, error) {
	if err := d.names.turn.Acquire(ctx, 1); err != nil {
		return nil, err
	}
	defer d.names.turn.Release(1)
	if d.names.standard != nil {
		return d.names.standard, nil
	}
	u, err := d.readUtilization(ctx, &getDefaultUtilization)
	if err != nil && !api.IsDenied(err) {
		return nil, err
	}
	d.names.standard = u.media()
	return d.names.standard, nil
}

func utilizationSteps(_, _ spec.Value) []step {
	return []step{{op: &setUtilization, prepare: prepareUtilization}}
}

// prepareUtilization sets the media that are declared; the others get the organization's default. What else a
// user's utilization has (labels, conversations that do not count) is sent as it was, since the call
// replaces all.
func prepareUtilization(ctx context.Context, d *Directory, users []*plan.Change) (*write, error) {
	c := users[0]
	want, err := spec.Decode[map[string]spec.MediaUtilization](after(c, spec.Utilization))
	if err != nil {
		return nil, err
	}
	have, err := d.readUtilization(ctx, &getUtilization, c.Current.ID)
	if err != nil {
		return nil, err
	}
	w := &write{}
	if len(want) == 0 && len(have.Labels) == 0 {
		w.op = &resetUtilization
		return w, nil
	}
	body := utilization{Media: map[string]capacity{}, Labels: have.Labels, MaxInbound: have.MaxInbound}
	for name, m := range want {
		body.Media[name] = capacity{m.Capacity, append([]string{}, m.InterruptedBy...), have.Media[name].NonACD}
	}
	w.body = body
	return w, nil
}
