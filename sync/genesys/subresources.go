package genesys

import (
	"context"
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"usersyncd/spec"
	"usersyncd/state"
	"usersyncd/sync/genesys/api"
	"usersyncd/sync/plan"
)

// Profile skills, voicemail and external ids.

func profileSkillSteps(_, _ spec.Value) []step {
	return []step{{op: &setProfileSkills, prepare: func(_ context.Context, _ *Directory, users []*plan.Change) (*write, error) {
		want, err := spec.Decode[[]string](after(users[0], spec.ProfileSkills))
		return &write{args: idsOf(users), body: want, shown: func(answer []byte) ([]state.Observed, error) {
			list, err := optional[[]string](answer)
			return written(users, spec.ProfileSkills, as(spec.Strings(list))), err
		}}, err
	}}}
}

func voicemailOf(ctx context.Context, d *Directory, id string) (spec.Value, error) {
	policy, err := api.Call[spec.VoicemailPolicy](ctx, d.client, &api.Request{Operation: &getVoicemail, Args: []string{id}})
	if err != nil {
		return "", err
	}
	return spec.VoicemailOf(policy), nil
}

func voicemailSteps(_, _ spec.Value) []step {
	return []step{{op: &setVoicemail, prepare: func(_ context.Context, _ *Directory, users []*plan.Change) (*write, error) {
		return &write{args: idsOf(users), body: json.RawMessage(after(users[0], spec.Voicemail)), shown: func(answer []byte) ([]state.Observed, error) {
			policy, err := optional[spec.VoicemailPolicy](answer)
			return written(users, spec.Voicemail, as(spec.VoicemailOf(policy))), err
		}}, nil
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
	list, err := api.ReadList(ctx, d.client, &api.Request{Operation: &listExternalIDs, Args: []string{id}}, func(list []item) bool { return list != nil })
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
	return step{op: op, prepare: func(_ context.Context, _ *Directory, users []*plan.Change) (*write, error) {
		ids := externalIDsIn(users[0].Current.Fields[spec.ExternalIDs])
		keys := slices.DeleteFunc(ids.keys(authority), func(k string) bool { return k == key })
		w := &write{args: append(idsOf(users), authority, key)}
		if op == &addExternalID {
			keys = append(keys, key)
			w.args, w.body = idsOf(users), map[string]string{"authorityName": authority, "externalKey": key}
		}
		ids.set(authority, keys)
		w.assumed = written(users, spec.ExternalIDs, as(spec.ExternalIDMap(ids)))
		return w, nil
	}}
}
