package utilization_test

import (
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"usersyncd/spec"
	"usersyncd/sync/genesys/utilization"
)

type object = map[string]any

func read(t rapid.TB, v object) utilization.Settings {
	data, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	var s utilization.Settings
	if err := json.Unmarshal(data, &s); err != nil {
		t.Fatalf("%s: %v", data, err)
	}
	return s
}

// drawSettings draws what somebody has: of some media and labels, with parts that no version of the program knows.
func drawSettings(t *rapid.T, names, labels []string) object {
	some := func(of []string, what string) []string { // a set: the order in which it is sent back means nothing
		return slices.Sorted(slices.Values(rapid.SliceOfNDistinct(rapid.SampledFrom(of), 0, len(of), rapid.ID).Draw(t, what)))
	}
	part := func(list string, of []string) object {
		p := object{"maximumCapacity": rapid.IntRange(0, 3).Draw(t, "capacity"), list: append([]string{}, some(of, "interrupted by")...)}
		if rapid.Bool().Draw(t, "more") {
			p["addedLater"] = rapid.SampledFrom([]any{"x", 1, []int{2, 1}, object{"a": nil}}).Draw(t, "unknown")
		}
		return p
	}
	all := object{}
	for _, name := range some(names, "media") {
		p := part("interruptableMediaTypes", names)
		if rapid.Bool().Draw(t, "non-ACD shown") {
			p["includeNonAcd"] = rapid.Bool().Draw(t, "non-ACD")
		}
		all[name] = p
	}
	byID := object{}
	for _, id := range some(labels, "labels") {
		p := part("interruptingLabelIds", labels)
		p["labelName"] = "name of " + id
		byID[id] = p
	}
	s := object{"utilization": all, "labelUtilizations": byID, "level": "Agent"}
	if rapid.Bool().Draw(t, "calls are limited") {
		s["maxInboundCalls"] = rapid.IntRange(1, 2).Draw(t, "calls")
	}
	return s
}

// overlay is what the API has in force: of what somebody does not have, the organization's.
func overlay(organization, own object) object {
	out := object{"level": "Agent"}
	maps.Copy(out, organization)
	for name, v := range own {
		parts, ok := v.(object)
		if !ok {
			out[name] = v
			continue
		}
		all := object{}
		if standard, ok := organization[name].(object); ok {
			maps.Copy(all, standard)
		}
		maps.Copy(all, parts)
		out[name] = all
	}
	return out
}

// plain is a value as encoding/json decodes it.
func plain(t rapid.TB, v any) (out object) {
	data, err := json.Marshal(v)
	if err != nil || json.Unmarshal(data, &out) != nil {
		t.Fatal(err)
	}
	return out
}

// Whatever a user and the organization have, and whatever is declared: after what is sent, what is declared is in force, what is
// not managed is as it was, and a second write would send the same.
func TestWhatIsNotManagedStays(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		names, labels := []string{"call", "chat", "email", "workitem"}, []string{"l1", "l2", "l3"}
		all := func(of []string, list string) object { // the organization has something for everything
			m := object{}
			for _, name := range of {
				m[name] = object{"maximumCapacity": 1, list: []string{}}
			}
			return m
		}
		organization := overlay(object{"utilization": all(names, "interruptableMediaTypes"), "labelUtilizations": all(labels, "interruptingLabelIds")},
			drawSettings(t, names, labels))
		for id, p := range organization["labelUtilizations"].(object) {
			p.(object)["labelName"] = "name of " + id
		}
		before := overlay(organization, drawSettings(t, names, labels))
		want := spec.UtilizationSettings{Media: map[string]spec.UtilizationLimit{}}
		for _, name := range rapid.SliceOfNDistinct(rapid.SampledFrom(names[:3]), 0, 3, rapid.ID).Draw(t, "declared") {
			want.Media[name] = spec.UtilizationLimit{Capacity: rapid.IntRange(0, 3).Draw(t, "capacity"),
				IncludeNonACD: rapid.SampledFrom([]*bool{nil, new(true), new(false)}).Draw(t, "non-ACD")}
		}
		if rapid.Bool().Draw(t, "labels are declared") {
			want.Labels = map[string]spec.UtilizationLimit{}
			for _, id := range rapid.SliceOfNDistinct(rapid.SampledFrom(labels), 0, 3, rapid.ID).Draw(t, "labels") {
				want.Labels["name of "+id] = spec.UtilizationLimit{Capacity: rapid.IntRange(0, 3).Draw(t, "capacity"), InterruptedBy: []string{"name of l1"}}
			}
		}
		label := func(id string) string { return "name of " + id }
		id := func(name string) (string, error) {
			for _, id := range labels {
				if label(id) == name {
					return id, nil
				}
			}
			return "", errors.New("no such label")
		}
		now, body, err := utilization.Merge(read(t, before), read(t, organization), want, id)
		if err != nil {
			t.Fatal(err)
		}
		after := overlay(organization, plain(t, body))
		if body == nil {
			after = overlay(organization, nil)
			after["level"] = "Organization"
		}
		value := utilization.Value(read(t, after), read(t, organization), label)
		if !spec.Equal(spec.Utilization, spec.UtilizationOf(want), value) {
			t.Fatalf("declared %s, in force %s", spec.UtilizationOf(want), value)
		}
		if assumed := utilization.Value(now, read(t, organization), label); assumed != value {
			t.Fatalf("assumed %s, in force %s", assumed, value)
		}
		for _, managed := range []object{before, after} { // what may differ
			for _, name := range names[:3] {
				p := managed["utilization"].(object)[name].(object)
				delete(p, "maximumCapacity")
				delete(p, "interruptableMediaTypes")
				if want.Media[name].IncludeNonACD != nil {
					delete(p, "includeNonAcd")
				} else if p["includeNonAcd"] == nil {
					p["includeNonAcd"] = false
				}
			}
			for id, p := range managed["labelUtilizations"].(object) {
				delete(p.(object), "labelName")
				delete(p.(object), "maximumCapacity")
				delete(p.(object), "interruptingLabelIds")
				if _, declared := want.Labels[label(id)]; want.Labels != nil && !declared {
					delete(managed["labelUtilizations"].(object), id)
				}
			}
			delete(managed, "level")
		}
		if diff := cmp.Diff(plain(t, before), plain(t, after)); diff != "" {
			t.Fatal(diff)
		}
	})
}

// Without the organization's, the capacity of a medium cannot be given back: what would be lost with it is not.
func TestTheOrganizationsIsNotKnown(t *testing.T) {
	user := object{"level": "Agent", "utilization": object{"call": object{"maximumCapacity": 3, "includeNonAcd": true}, "chat": object{"maximumCapacity": 2}}}
	chat := spec.UtilizationSettings{Media: map[string]spec.UtilizationLimit{"chat": {Capacity: 5}}}
	if _, _, err := utilization.Merge(read(t, user), utilization.Settings{}, chat, nil); err == nil {
		t.Error("includeNonAcd of call would be lost")
	}
	call := spec.UtilizationSettings{Media: map[string]spec.UtilizationLimit{"call": {Capacity: 5}}}
	_, body, err := utilization.Merge(read(t, user), utilization.Settings{}, call, nil)
	want := object{"utilization": object{"call": object{"maximumCapacity": 5.0, "includeNonAcd": true, "interruptableMediaTypes": []any{}}}}
	if diff := cmp.Diff(want, plain(t, body)); diff != "" || err != nil {
		t.Error(diff, err)
	}
}

// An answer that cannot be read is an error, and null is nothing.
func TestAnswers(t *testing.T) {
	for text, ok := range map[string]bool{
		`{"utilization":{}}`: true, `{"level":"Organization"}`: true, `{"utilization":null,"level":null}`: true,
		`{"utilization":{"call":null},"labelUtilizations":{"x":null}}`: true, `{"utilization":{"call":{"maximumCapacity":null}}}`: true,
		`[]`: false, `{"utilization":[]}`: false, `{"utilization":{"call":{"maximumCapacity":"1"}}}`: false, `{"level":1}`: false,
		`{"utilization":{"call":{"includeNonAcd":1}}}`: false, `{"utilization":{"call":{"interruptableMediaTypes":"call"}}}`: false,
		`{"labelUtilizations":{"x":{"interruptingLabelIds":{}}}}`: false,
	} {
		var s utilization.Settings
		if err := json.Unmarshal([]byte(text), &s); (err == nil) != ok {
			t.Errorf("%s: %v", text, err)
		}
	}
	s := read(t, object{"labelUtilizations": object{"a": object{"labelName": "A", "interruptingLabelIds": []string{"b"}}}})
	if names := s.Names(); names["a"] != "A" || len(names) != 2 || slices.Contains(slices.Collect(maps.Values(names)), "b") {
		t.Error(names)
	}
}
