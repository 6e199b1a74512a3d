package genesys

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strings"

	"usersyncd/spec"
	"usersyncd/state"
	"usersyncd/sync/apply"
	"usersyncd/sync/plan"
)

const (
	mayUtilize      = "routing:utilization:view"
	utilizationPath = "/api/v2/routing/users/{id}/utilization"
)

// capacity is what an agent can take of one medium (MediaUtilization; its spelling is the API's).
type capacity struct {
	Maximum       int      `json:"maximumCapacity"`
	Interruptable []string `json:"interruptableMediaTypes"`
	NonACD        bool     `json:"includeNonAcd,omitempty"`
}

// utilization is what a user, or the organization, can take at once. Labels are kept as they are.
type utilization struct {
	Media      map[string]capacity        `json:"utilization"`
	Labels     map[string]json.RawMessage `json:"labelUtilizations"`
	MaxInbound *int                       `json:"maxInboundCalls"`
	Level      string                     `json:"level"` // Agent, or Organization: nothing of the user's own
}

func (utilization) check() error { return nil }

// told reports whether an answer has a utilization at all.
func (u utilization) told() bool { return u.Media != nil || strings.EqualFold(u.Level, "Organization") }

// utilization compares what a user can take with the organization's default: only what differs is the
// user's own.
func (d *Directory) utilization(ctx context.Context, u utilization) (spec.Value, error) {
	if strings.EqualFold(u.Level, "Organization") {
		return spec.UtilizationOf(nil), nil
	}
	standard, err := d.organizationUtilization(ctx)
	if err != nil {
		return "", err
	}
	own := map[string]spec.MediaUtilization{}
	for name, c := range u.Media {
		m := spec.MediaUtilization{Capacity: c.Maximum, InterruptedBy: c.Interruptable}
		if s, ok := standard[strings.ToLower(name)]; ok {
			m.Default = s.Maximum == c.Maximum && sameWords(s.Interruptable, c.Interruptable)
		}
		own[name] = m
	}
	return spec.UtilizationOf(own), nil
}

func sameWords(a, b []string) bool {
	a, b = slices.Sorted(slices.Values(a)), slices.Sorted(slices.Values(b))
	return slices.EqualFunc(a, b, strings.EqualFold)
}

// organizationUtilization is read once in a run. Where it may not be read, everything is the user's own.
func (d *Directory) organizationUtilization(ctx context.Context) (map[string]capacity, error) {
	if err := d.names.lock(ctx); err != nil {
		return nil, err
	}
	defer d.names.unlock()
	if d.names.standard != nil {
		return d.names.standard, nil
	}
	u, err := readList(ctx, d.client, &request{method: http.MethodGet, path: "/api/v2/routing/utilization", needs: mayUtilize}, utilization.told)
	if err != nil && !errors.Is(err, apply.ErrForbidden) && !errors.Is(err, apply.ErrNotFound) {
		return nil, err
	}
	d.names.standard = map[string]capacity{}
	for name, c := range u.Media {
		d.names.standard[strings.ToLower(name)] = c
	}
	return d.names.standard, nil
}

// putUtilization sets the media that are declared; the others get the organization's default. What else a
// user's utilization has (labels, conversations that do not count) is sent as it was, since the call
// replaces all.
func (d *Directory) putUtilization(ctx context.Context, c *plan.Change) (state.Observed, error) {
	want, err := spec.Decode[map[string]spec.MediaUtilization](after(c, spec.Utilization))
	if err != nil {
		return state.Observed{}, err
	}
	r := request{method: http.MethodGet, path: utilizationPath, values: []string{c.Current.ID}, needs: mayUtilize}
	have, err := readList(ctx, d.client, &r, utilization.told)
	if err != nil {
		return state.Observed{}, err
	}
	now := became(c, spec.Utilization, after(c, spec.Utilization))
	if len(want) == 0 && len(have.Labels) == 0 {
		r.method = http.MethodDelete
		if err := d.send(ctx, &r); err != nil && !errors.Is(err, apply.ErrNotFound) {
			return state.Observed{}, err
		}
		return now, nil
	}
	body := map[string]any{}
	media := map[string]capacity{}
	for name, m := range want {
		kept := have.Media[name]
		media[name] = capacity{m.Capacity, append([]string{}, m.InterruptedBy...), kept.NonACD}
	}
	body["utilization"] = media
	if len(have.Labels) > 0 {
		body["labelUtilizations"] = have.Labels
	}
	if have.MaxInbound != nil {
		body["maxInboundCalls"] = *have.MaxInbound
	}
	r.method, r.body = http.MethodPut, body
	return now, d.send(ctx, &r)
}
