// Package utilization reads and writes how much a user can take at a time. The API replaces it as a whole, so that whatever no
// spec manages is sent back as it was, known here or not.
package utilization

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"usersyncd/spec"
)

// Settings are what is in force for a user, or what the organization has for everybody (AgentMaxUtilizationResponse and
// UtilizationResponse in the vendor's SDK).
type Settings struct {
	media, labels limits // labels by id
	rest          part   // members besides, such as maxInboundCalls
	names         map[string]string
	level         string // Agent, or Organization: nothing of the user's own; only read
	shown         bool
}

// limits are those of the media, or of the labels.
type limits map[string]part

// A part is what is set of one medium or label: its members as they came, lists sorted.
type part map[string]json.RawMessage

// The members of a part that a spec has. Labels have no nonACD; labelName is only read.
const (
	capacity  = "maximumCapacity"
	media     = "interruptableMediaTypes" // its spelling is the API's
	labels    = "interruptingLabelIds"
	nonACD    = "includeNonAcd"
	labelName = "labelName"
)

// UnmarshalJSON reads the API's answer.
func (s *Settings) UnmarshalJSON(data []byte) error {
	*s = Settings{names: map[string]string{}}
	if err := json.Unmarshal(data, &s.rest); err != nil {
		return err
	}
	take := func(name string, into any) error {
		raw, ok := s.rest[name]
		delete(s.rest, name)
		if !ok {
			return nil
		}
		if err := json.Unmarshal(raw, into); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		return nil
	}
	for name, into := range map[string]any{"level": &s.level, "utilization": &s.media, "labelUtilizations": &s.labels} {
		if err := take(name, into); err != nil {
			return err
		}
	}
	s.shown = s.media != nil || s.OfOrganization()
	s.rest.clean()
	maps.DeleteFunc(s.media, func(_ string, p part) bool { return p == nil })
	for medium, p := range s.media {
		if err := p.read(media, strings.ToLower); err != nil {
			return fmt.Errorf("utilization of %s: %w", medium, err)
		}
		if known(medium) && p[nonACD] == nil {
			p[nonACD] = json.RawMessage("false")
		}
	}
	maps.DeleteFunc(s.labels, func(_ string, p part) bool { return p == nil })
	for id, p := range s.labels {
		name := ""
		_ = json.Unmarshal(p[labelName], &name) // one without a name is named by who asks for it
		s.names[id] = name
		delete(p, labelName)
		if err := p.read(labels, strings.Clone); err != nil {
			return fmt.Errorf("utilization of label %s: %w", id, err)
		}
		for _, other := range p.list(labels) {
			if _, named := s.names[other]; !named {
				s.names[other] = ""
			}
		}
	}
	return nil
}

// Shown reports whether an answer has the settings.
func (s Settings) Shown() bool { return s.shown }

// OfOrganization reports whether a user has nothing of its own.
func (s Settings) OfOrganization() bool { return strings.EqualFold(s.level, "Organization") }

// Names are the names of all labels that the settings mention, by id; "" where they do not tell it.
func (s Settings) Names() map[string]string { return s.names }

// clean drops what is null, and white space.
func (p part) clean() {
	for name, raw := range p {
		b := bytes.Buffer{}
		if string(raw) == "null" || json.Compact(&b, raw) != nil {
			delete(p, name)
			continue
		}
		p[name] = b.Bytes()
	}
}

// read brings a part into its normal form.
func (p part) read(list string, clean func(string) string) error {
	p.clean()
	if err := check[int](p[capacity]); err != nil {
		return fmt.Errorf("%s: %w", capacity, err)
	}
	if err := check[bool](p[nonACD]); err != nil {
		return fmt.Errorf("%s: %w", nonACD, err)
	}
	if err := check[[]string](p[list]); err != nil {
		return fmt.Errorf("%s: %w", list, err)
	}
	p.setList(list, p.list(list), clean)
	return nil
}

func check[T any](raw json.RawMessage) error {
	if raw == nil {
		return nil
	}
	return json.Unmarshal(raw, new(T))
}

func get[T any](raw json.RawMessage) (v T) {
	_ = json.Unmarshal(raw, &v) // checked before; one that is missing is zero
	return v
}

func (p part) list(name string) []string { return get[[]string](p[name]) }

func (p part) set(name string, v any) {
	p[name], _ = json.Marshal(v) // a number, a bool or texts
}

func (p part) setList(name string, all []string, clean func(string) string) {
	out := []string{}
	for _, s := range all {
		out = append(out, clean(s))
	}
	slices.Sort(out)
	p.set(name, slices.Compact(out))
}

func (p part) equal(other part) bool {
	return maps.EqualFunc(p, other, func(a, b json.RawMessage) bool { return bytes.Equal(a, b) })
}

// Value is a user's settings as they are compared with a spec: media that no spec can name are left out, and what the
// organization has for everybody is marked. label is what a spec calls the label with an id.
func Value(user, organization Settings, label func(id string) string) spec.Value {
	if user.OfOrganization() {
		return spec.UtilizationOf(spec.UtilizationSettings{})
	}
	u := spec.UtilizationSettings{Media: map[string]spec.UtilizationLimit{}}
	limit := func(p, standard part, list string) spec.UtilizationLimit {
		return spec.UtilizationLimit{Capacity: get[int](p[capacity]), InterruptedBy: p.list(list),
			Default: standard != nil && bytes.Equal(p[capacity], standard[capacity]) && bytes.Equal(p[list], standard[list])}
	}
	for name, p := range user.media {
		if !known(name) {
			continue
		}
		standard := organization.media[name]
		l, counts := limit(p, standard, media), get[bool](p[nonACD])
		if l.OwnNonACD = counts != get[bool](standard[nonACD]); counts || l.OwnNonACD {
			l.IncludeNonACD = &counts
		}
		u.Media[name] = l
	}
	for id, p := range user.labels {
		l := limit(p, organization.labels[id], labels)
		for i, other := range l.InterruptedBy {
			l.InterruptedBy[i] = label(other)
		}
		if u.Labels == nil {
			u.Labels = map[string]spec.UtilizationLimit{}
		}
		u.Labels[label(id)] = l
	}
	return spec.UtilizationOf(u)
}

// known reports whether a spec can name a medium.
func known(medium string) bool { return slices.Contains(spec.UtilizationMedia(), medium) }
