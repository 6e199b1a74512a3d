// Package access compares what two values of a field give to a user.
package access

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"usersyncd/spec"
)

// A Grant is a role in a division; "" is the home division.
type Grant struct{ Role, Division string }

// Grants lists the grants of a user's roles.
func Grants(roles spec.Value) []Grant {
	decoded, _ := spec.Decode[[]spec.Role](roles)
	var list []Grant
	for _, r := range decoded {
		if len(r.Divisions) == 0 {
			list = append(list, Grant{Role: r.Name})
		}
		for _, d := range r.Divisions {
			list = append(list, Grant{r.Name, d})
		}
	}
	return list
}

// DefaultRole is the role that the API gives to every new user, in its own spelling or in that of its user interface. Whether
// it can be taken away for good is not documented.
const DefaultRole = "employee"

// WithoutDefaultRole returns the roles without DefaultRole.
func WithoutDefaultRole(roles spec.Value) spec.Value {
	list, err := spec.Decode[[]spec.Role](roles)
	if err != nil {
		return roles
	}
	return spec.RoleList(slices.DeleteFunc(list, func(r spec.Role) bool { return strings.EqualFold(r.Name, DefaultRole) }))
}

// AddedGrants lists the grants that are in the roles after, and not before.
func AddedGrants(before, after spec.Value) []Grant {
	return without(Grants(after), Grants(before))
}

// AddedNames lists the names that are in a list after, and not before.
func AddedNames(before, after spec.Value) []string {
	have, _ := spec.Decode[[]string](before)
	want, _ := spec.Decode[[]string](after)
	return without(want, have)
}

// without returns the elements of a list that are not in another one.
func without[T comparable](all, others []T) []T {
	drop := make(map[T]bool, len(others))
	for _, other := range others {
		drop[other] = true
	}
	return slices.DeleteFunc(all, func(one T) bool { return drop[one] })
}

// Losses lists what a user has of a field before, by name, and not after. A role counts by its name, and by each division in
// which it is granted; a medium is lost when its capacity becomes 0.
func Losses(f spec.Field, before, after spec.Value) []string {
	if before == after || before == "" || after == "" {
		return nil
	}
	if f == spec.Utilization {
		return without(DisabledMedia(after), DisabledMedia(before))
	}
	if f == spec.Roles {
		before = WithoutDefaultRole(before)
	}
	return without(Names(f, before), Names(f, after))
}

// Names lists what a user has of a field, by name.
func Names(f spec.Field, v spec.Value) []string {
	switch f {
	case spec.Skills, spec.Languages:
		rated, _ := spec.Decode[map[string]float64](v)
		return slices.Sorted(maps.Keys(rated))
	case spec.Queues, spec.Groups:
		names, _ := spec.Decode[[]string](v)
		return names
	case spec.Locations:
		places, _ := spec.Decode[[]spec.Location](v)
		var names []string
		for _, l := range places {
			names = append(names, l.Name)
		}
		return slices.Compact(names) // they are sorted
	case spec.Roles:
		var names []string
		for _, g := range Grants(v) {
			names = append(names, g.Role)
			names = append(names, g.Role+" in "+cmp.Or(g.Division, "the home division"))
		}
		slices.Sort(names)
		return slices.Compact(names)
	}
	return nil
}

// DisabledMedia lists the media with a capacity of 0. One that is not listed has the organization's default.
func DisabledMedia(utilization spec.Value) []string {
	u, _ := spec.Decode[spec.UtilizationSettings](utilization)
	maps.DeleteFunc(u.Media, func(_ string, m spec.UtilizationLimit) bool { return m.Capacity > 0 })
	return slices.Sorted(maps.Keys(u.Media))
}

// ReducesAccess reports whether a change of a field takes access away from a user.
func ReducesAccess(f spec.Field, before, after spec.Value) bool {
	switch f {
	case spec.State:
		return after == spec.Text("inactive")
	case spec.Division:
		return true // all that the division before gave
	case spec.Groups:
		return len(AddedNames(after, before)) > 0
	case spec.Roles:
		return len(AddedGrants(after, before)) > 0
	}
	return false
}
