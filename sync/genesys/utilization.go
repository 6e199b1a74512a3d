package genesys

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"

	"usersyncd/spec"
	"usersyncd/sync/apply"
	"usersyncd/sync/genesys/api"
	"usersyncd/sync/plan"
)

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

// read reads a utilization. An answer that has none is inconsistent.
func (d *Directory) readUtilization(ctx context.Context, op *api.Operation, args ...string) (utilization, error) {
	return api.ReadList(ctx, d.client, &api.Request{Operation: op, Args: args}, func(u utilization) bool { return u.Media != nil || u.ofOrganization() })
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
	own := map[string]spec.MediaUtilization{}
	for name, c := range u.Media {
		s, ok := standard[strings.ToLower(name)]
		own[name] = spec.MediaUtilization{Capacity: c.Maximum, InterruptedBy: c.Interruptable,
			Default: ok && s.Maximum == c.Maximum && sameMedia(s.Interruptable, c.Interruptable)}
	}
	return spec.UtilizationOf(own), nil
}

func sameMedia(a, b []string) bool {
	a, b = slices.Sorted(slices.Values(a)), slices.Sorted(slices.Values(b))
	return slices.EqualFunc(a, b, strings.EqualFold)
}

// organizationUtilization is read again with each listing. Where it may not be read, everything is the user's own.
func (d *Directory) organizationUtilization(ctx context.Context) (map[string]capacity, error) {
	if err := d.names.lock(ctx); err != nil {
		return nil, err
	}
	defer d.names.unlock()
	if d.names.standard != nil {
		return d.names.standard, nil
	}
	u, err := d.readUtilization(ctx, &getDefaultUtilization)
	if err != nil && !errors.Is(err, apply.ErrForbidden) && !errors.Is(err, apply.ErrNotFound) {
		return nil, err
	}
	d.names.standard = map[string]capacity{}
	for name, c := range u.Media {
		d.names.standard[strings.ToLower(name)] = c
	}
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
	w := &write{args: idsOf(users), assumed: written(users, spec.Utilization, desired(spec.Utilization))}
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
