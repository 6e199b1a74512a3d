package utilization

import (
	"fmt"
	"maps"
	"slices"

	"usersyncd/spec"
)

// Merge makes a user's settings as desired. after is what is then in force, and body what is to be sent: what is declared, and
// what is the user's own and not managed. If there is nothing of either, body is nil, and the settings are to be removed.
// id finds the label that a name means.
//
// A medium that is not declared gets the organization's capacity. If that is not known, the medium can only be left out, which
// is an error where it would take something else with it.
func Merge(user, organization Settings, want spec.UtilizationSettings, id func(name string) (string, error)) (after Settings, body map[string]any, err error) {
	if user.OfOrganization() {
		user = organization
	}
	after = Settings{media: limits{}, labels: limits{}, rest: user.rest, level: "Agent"}
	sent := map[string]any{}
	own := limits{}
	for _, name := range slices.Sorted(maps.Keys(union(user.media, want.Media))) {
		p, standard := maps.Clone(user.media[name]), organization.media[name]
		l, declared := want.Media[name]
		switch {
		case declared:
			if p == nil {
				p = part{nonACD: []byte("false")}
			}
			p.set(capacity, l.Capacity)
			p.setList(media, l.InterruptedBy, func(s string) string { return s })
			if l.IncludeNonACD != nil {
				p.set(nonACD, *l.IncludeNonACD)
			}
		case !known(name):
		case standard == nil && p.more():
			return Settings{}, nil, fmt.Errorf("the organization's utilization of %s is not known, and without it the user's own settings besides the capacity would be lost", name)
		case standard == nil:
			continue
		default:
			p[capacity], p[media] = standard[capacity], standard[media]
		}
		after.media[name] = p
		if declared || !p.equal(standard) {
			own[name] = p
		}
	}
	sent["utilization"] = own
	ownLabels, err := after.setLabels(user, organization, want.Labels, id)
	if err != nil {
		return Settings{}, nil, err
	}
	if len(ownLabels) > 0 {
		sent["labelUtilizations"] = ownLabels
	}
	for name, raw := range user.rest {
		if string(raw) != string(organization.rest[name]) {
			sent[name] = raw
		}
	}
	if len(own) == 0 && len(sent) == 1 {
		after.level = "Organization"
		return after, nil, nil
	}
	return after, sent, nil
}

// more reports whether a medium has settings besides those that every medium has.
func (p part) more() bool {
	for name := range p {
		if name != capacity && name != media && (name != nonACD || get[bool](p[nonACD])) {
			return true
		}
	}
	return false
}

// setLabels sets all labels if they are managed; otherwise they stay. It returns those that are to be sent.
func (s *Settings) setLabels(user, organization Settings, want map[string]spec.UtilizationLimit, id func(name string) (string, error)) (own limits, err error) {
	own = limits{}
	if want == nil {
		maps.Copy(s.labels, user.labels)
		for id, p := range user.labels {
			if !p.equal(organization.labels[id]) {
				own[id] = p
			}
		}
		return own, nil
	}
	maps.Copy(s.labels, organization.labels)
	for _, name := range slices.Sorted(maps.Keys(want)) {
		l := want[name]
		target, err := id(name)
		if err != nil {
			return nil, err
		}
		others := make([]string, len(l.InterruptedBy))
		for i, other := range l.InterruptedBy {
			if others[i], err = id(other); err != nil {
				return nil, err
			}
		}
		p := maps.Clone(user.labels[target])
		if p == nil {
			p = part{}
		}
		p.set(capacity, l.Capacity)
		p.setList(labels, others, func(s string) string { return s })
		s.labels[target], own[target] = p, p
	}
	return own, nil
}

func union[A, B any](a map[string]A, b map[string]B) map[string]bool {
	all := make(map[string]bool, len(a)+len(b))
	for name := range a {
		all[name] = true
	}
	for name := range b {
		all[name] = true
	}
	return all
}
