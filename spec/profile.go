package spec

import (
	"cmp"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"usersyncd/spec/strictyaml"
	"usersyncd/spec/text"
)

// EmployerInfo is the value of employer. It is managed as a whole; a part that is absent is empty.
type EmployerInfo struct {
	OfficialName string `json:"officialName,omitempty"`
	EmployeeID   string `json:"employeeId,omitempty"`
	EmployeeType string `json:"employeeType,omitempty"` // Full-time, Part-time, Contractor
	DateHire     string `json:"dateHire,omitempty"`     // yyyy-MM-dd
}

// Location is one entry of locations.
type Location struct {
	Name  string `json:"name"`
	Notes string `json:"notes,omitempty"`
}

// Role is one entry of roles. Without divisions it is granted in the home division, which is
// therefore never named. In JSON and YAML such a role is its bare name.
type Role struct {
	Name      string
	Divisions []string
}

func employer() kind[EmployerInfo] {
	date := matching("^[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])$", func(s string) bool {
		_, err := time.Parse(time.DateOnly, s)
		return err == nil
	}, "VALUE is not a date; write it as 2024-03-01 (year-month-day)")
	return structOf(EmployerInfo{}, `{employeeId: "007123", employeeType: Full-time}`,
		key("officialName", plain(), func(e *EmployerInfo) *string { return &e.OfficialName }, "Name in the contract."),
		key("employeeId", plain().withForm("text, in quotes"), func(e *EmployerInfo) *string { return &e.EmployeeID }, "Number of the employee, in quotes."),
		key("employeeType", orEmpty(oneOf("Full-time", "Part-time", "Contractor")), func(e *EmployerInfo) *string { return &e.EmployeeType }, "Kind of contract."),
		key("dateHire", orEmpty(date.withForm("yyyy-MM-dd")), func(e *EmployerInfo) *string { return &e.DateHire }, "Date of hire, yyyy-MM-dd."))
}

func locations() kind[[]Location] {
	const example = `{name: Madrid HQ, notes: 3rd floor}`
	location := structOf(Location{}, example,
		key("name", name(), func(l *Location) *string { return &l.Name }, "Name of the location.").require(),
		key("notes", plain(), func(l *Location) *string { return &l.Notes }, "Floor, room and the like."))
	return listOf(location, "["+example+"]", func(l Location) (id, what string) { return l.Name, text.Quote(l.Name) })
}

func roles() kind[[]Role] {
	const example = `{role: Supervisor, divisions: [EMEA]}`
	divisions := names("[EMEA]").with("minItems", 1)
	divisions.empty = ""
	divisions = divisions.must(func(all []string) bool { return len(all) > 0 },
		"is empty; name a division, or leave divisions out to grant the role in the home division")
	bare := as(name(), func(s string) Role { return Role{Name: s} })
	long := structOf(Role{}, example,
		key("role", name(), func(r *Role) *string { return &r.Name }, "Name of the role.").require(),
		key("divisions", divisions, func(r *Role) *[]string { return &r.Divisions }, `Divisions that it is granted in, "*" for all; the home division if left out.`))
	role := kind[Role]{
		read: func(r *reader, n *strictyaml.Node) (Role, bool) {
			switch n.Kind {
			case strictyaml.Scalar:
				return bare.read(r, n)
			case strictyaml.Mapping:
				return long.read(r, n)
			}
			r.problem(n, "must be a map, such as Employee or %s", example)
			return Role{}, false
		},
		form:   "name, or " + long.form,
		schema: object{"anyOf", []object{bare.schema, long.schema}},
	}
	return listOf(role, "[Employee, "+example+"]", func(r Role) (id, what string) {
		if len(r.Divisions) > 0 { // a role may be listed once for the home division, and once for others
			return r.Name + " in divisions", text.Quote(r.Name)
		}
		return r.Name, text.Quote(r.Name)
	})
}

// EmployerOf is the value of employer. The zero EmployerInfo, {}, empties it.
func EmployerOf(e EmployerInfo) Value {
	return encode(EmployerInfo{
		OfficialName: strictyaml.Clean(e.OfficialName),
		EmployeeID:   strictyaml.Clean(e.EmployeeID),
		EmployeeType: strictyaml.Clean(e.EmployeeType),
		DateHire:     strictyaml.Clean(e.DateHire),
	})
}

// LocationList is the value of locations, in any order. None is [].
func LocationList(locations []Location) Value {
	out := make([]Location, 0, len(locations))
	for _, l := range locations {
		out = append(out, Location{Name: strictyaml.Clean(l.Name), Notes: strictyaml.Clean(l.Notes)})
	}
	slices.SortFunc(out, func(a, b Location) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Notes, b.Notes))
	})
	return encode(slices.Compact(out))
}

// RoleList is the value of roles, in any order; entries of the same role are put together, so it
// may be given one entry a grant. None is [].
func RoleList(roles []Role) Value {
	home := map[string]bool{}
	divisions := map[string][]string{}
	for _, r := range roles {
		name := strictyaml.Clean(r.Name)
		if len(r.Divisions) == 0 {
			home[name] = true
		} else {
			divisions[name] = append(divisions[name], r.Divisions...)
		}
	}
	out := make([]Role, 0, len(roles))
	for name := range home {
		out = append(out, Role{Name: name})
	}
	for name, d := range divisions {
		out = append(out, Role{Name: name, Divisions: set(d)})
	}
	slices.SortFunc(out, func(a, b Role) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(len(a.Divisions), len(b.Divisions)))
	})
	return encode(out)
}

// roleInDivisions is the long form of a role.
type roleInDivisions struct {
	Role      string   `json:"role"`
	Divisions []string `json:"divisions"`
}

// MarshalJSON writes the bare name, or {"role": ..., "divisions": [...]}.
func (r Role) MarshalJSON() ([]byte, error) {
	if len(r.Divisions) == 0 {
		return []byte(encode(r.Name)), nil
	}
	return []byte(encode(roleInDivisions{r.Name, r.Divisions})), nil
}

// UnmarshalJSON reads either form.
func (r *Role) UnmarshalJSON(data []byte) error {
	if strings.HasPrefix(string(data), `"`) {
		*r = Role{}
		return json.Unmarshal(data, &r.Name)
	}
	var long roleInDivisions
	if err := json.Unmarshal(data, &long); err != nil {
		return err
	}
	*r = Role{Name: long.Role, Divisions: long.Divisions}
	return nil
}
