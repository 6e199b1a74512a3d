package spec

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"usersyncd/spec/schema"
	"usersyncd/spec/strictyaml"
)

// UtilizationSettings is the value of utilization: how much an agent can take at a time. In JSON and YAML it is one map, in
// which labels stand beside the media.
type UtilizationSettings struct {
	Media  map[string]UtilizationLimit // by call, callback, chat, email, message; one that is absent has the organization's default
	Labels map[string]UtilizationLimit // by name, as the media; nil: not managed, or none is shown
}

// UtilizationLimit is how much an agent can take at a time of one medium, or of what has one label.
type UtilizationLimit struct {
	Capacity      int      `json:"capacity"`                // 0..25
	InterruptedBy []string `json:"interruptedBy,omitempty"` // media; of a label, labels
	// IncludeNonACD says of a medium whether other conversations count as well; nil: not managed, or false.
	IncludeNonACD *bool `json:"includeNonAcd,omitempty"`

	// Of an observed value: whether it is what the organization has for everybody, apart from IncludeNonACD; and whether that
	// is not.
	Default   bool `json:"default,omitempty"`
	OwnNonACD bool `json:"ownNonAcd,omitempty"`
}

const keyLabels = "labels" // beside the media

// UtilizationMedia are the media that a spec can name.
func UtilizationMedia() []string { return []string{"call", "callback", "chat", "email", "message"} }

func utilization() schema.Type[UtilizationSettings] {
	const example = `{capacity: 1, interruptedBy: [call]}`
	media := UtilizationMedia()
	limit := func(interruptedBy schema.Type[string], about string, more ...schema.Part[UtilizationLimit]) schema.Type[UtilizationLimit] {
		return schema.Struct(UtilizationLimit{}, example, append([]schema.Part[UtilizationLimit]{
			schema.Key("capacity", schema.As(schema.Whole(0, 25), toInt), func(u *UtilizationLimit) *int { return &u.Capacity }, "How many at a time.").Required(),
			schema.Key("interruptedBy", schema.Words(interruptedBy, "[call]"), func(u *UtilizationLimit) *[]string { return &u.InterruptedBy }, about),
		}, more...)...)
	}
	medium := limit(schema.OneOf(media...), "Media that may interrupt this one.",
		schema.Key("includeNonAcd", schema.As(schema.Bool(), func(b bool) *bool { return &b }), func(u *UtilizationLimit) **bool { return &u.IncludeNonACD },
			"Whether conversations that ACD did not route count as well."))
	labels := schema.Map(limit(schema.Name(), "Labels that may interrupt this one."), "{VIP: {capacity: 2}}")
	var parts []schema.Part[UtilizationSettings]
	for _, name := range media {
		parts = append(parts, schema.KeyFunc(name, medium, func(u *UtilizationSettings, l UtilizationLimit) {
			if u.Media == nil {
				u.Media = map[string]UtilizationLimit{}
			}
			u.Media[name] = l
		}, "How many of the medium "+name+"."))
	}
	parts = append(parts, schema.Key(keyLabels, labels, func(u *UtilizationSettings) *map[string]UtilizationLimit { return &u.Labels },
		"How many interactions with a label, by its name. A label left out has the organization's default."))
	return schema.Struct(UtilizationSettings{}, "{call: "+example+"}", parts...).
		WithForm("map of `" + strings.Join(media, "`, `") + "` to " + medium.Form + ", and of `" + keyLabels + "` to " + labels.Form)
}

// UtilizationOf is the value of utilization. {} means that nothing of a medium is special about the user.
func UtilizationOf(u UtilizationSettings) Value {
	out := UtilizationSettings{Media: make(map[string]UtilizationLimit, len(u.Media))}
	for medium, l := range u.Media {
		interrupted := make([]string, len(l.InterruptedBy))
		for i, m := range l.InterruptedBy {
			interrupted[i] = strings.ToLower(m)
		}
		l.InterruptedBy = set(interrupted)
		out.Media[strings.ToLower(strictyaml.Clean(medium))] = l
	}
	if u.Labels != nil {
		out.Labels = make(map[string]UtilizationLimit, len(u.Labels))
	}
	for name, l := range u.Labels {
		l.InterruptedBy = set(l.InterruptedBy)
		out.Labels[strictyaml.Clean(name)] = l
	}
	return encode(out)
}

// MarshalJSON puts the labels beside the media.
func (u UtilizationSettings) MarshalJSON() ([]byte, error) {
	all := make(map[string]any, len(u.Media)+1)
	for medium, l := range u.Media {
		all[medium] = l
	}
	if u.Labels != nil {
		all[keyLabels] = u.Labels
	}
	return []byte(encode(all)), nil
}

// UnmarshalJSON is its inverse.
func (u *UtilizationSettings) UnmarshalJSON(data []byte) error {
	var all map[string]json.RawMessage
	if err := json.Unmarshal(data, &all); err != nil {
		return err
	}
	*u = UtilizationSettings{}
	for name, raw := range all {
		if name == keyLabels {
			if err := json.Unmarshal(raw, &u.Labels); err != nil {
				return err
			}
			continue
		}
		var l UtilizationLimit
		if err := json.Unmarshal(raw, &l); err != nil {
			return err
		}
		if u.Media == nil {
			u.Media = map[string]UtilizationLimit{}
		}
		u.Media[name] = l
	}
	return nil
}

// labelNames are the labels that a value names.
func labelNames(v Value) []string {
	labels := decoded[UtilizationSettings](v).Labels
	names := slices.Collect(maps.Keys(labels))
	for _, l := range labels {
		names = append(names, l.InterruptedBy...)
	}
	return names
}

// sameUtilization compares the media, and the labels if they are managed.
func sameUtilization(desired, observed UtilizationSettings) bool {
	return sameLimits(desired.Media, observed.Media) && (desired.Labels == nil || sameLimits(desired.Labels, observed.Labels))
}

// sameLimits wants everything that is declared as declared, and everything else as the organization has it.
func sameLimits(desired, observed map[string]UtilizationLimit) bool {
	for name, o := range observed {
		d, declared := desired[name]
		if !declared && !o.Default {
			return false
		}
		if declared && (d.Capacity != o.Capacity || !slices.Equal(d.InterruptedBy, o.InterruptedBy)) {
			return false
		}
		if d.IncludeNonACD != nil && *d.IncludeNonACD != o.nonACD() {
			return false
		}
	}
	for name := range desired {
		if _, shown := observed[name]; !shown {
			return false
		}
	}
	return true
}

func (l UtilizationLimit) nonACD() bool { return l.IncludeNonACD != nil && *l.IncludeNonACD }

// only is what of u a desired utilization manages: neither labels nor a medium's IncludeNonACD that it does not name.
func (u UtilizationSettings) only(want UtilizationSettings) UtilizationSettings {
	for name, l := range u.Media { // u was decoded for this
		d, declared := want.Media[name]
		l.OwnNonACD = l.OwnNonACD && declared
		if declared && d.IncludeNonACD == nil {
			l.IncludeNonACD = nil
		}
		u.Media[name] = l
	}
	switch u = u.own(); {
	case want.Labels == nil:
		u.Labels = nil
	case u.Labels == nil:
		u.Labels = map[string]UtilizationLimit{}
	}
	return u
}

// own leaves out what is only the organization's default.
func (u UtilizationSettings) own() UtilizationSettings {
	for _, limits := range []map[string]UtilizationLimit{u.Media, u.Labels} {
		for name, l := range limits {
			if l.Default && !l.OwnNonACD {
				delete(limits, name)
				continue
			}
			l.Default, l.OwnNonACD = false, false
			limits[name] = l
		}
	}
	return u
}

// Declarable is a value as a spec would have it: of what is observed, without what is only the organization's default.
func Declarable(f Field, v Value) Value {
	if f != Utilization {
		return v
	}
	u, err := Decode[UtilizationSettings](v)
	if err != nil {
		return v
	}
	shown := len(u.Labels)
	if u = u.own(); shown > 0 && len(u.Labels) == 0 {
		u.Labels = nil
	}
	return UtilizationOf(u)
}
