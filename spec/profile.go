package spec

import (
	"cmp"
	"encoding/json"
	"maps"
	"slices"
	"strings"
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

// MediaUtilization is what an agent can take of one medium at a time.
type MediaUtilization struct {
	Capacity      int      `json:"capacity"`                // 0..25
	InterruptedBy []string `json:"interruptedBy,omitempty"` // media: call, callback, chat, email, message
	// Default says, of what is observed, that it is what the organization has for everybody.
	Default bool `json:"default,omitempty"`
}

// VoicemailPolicy is the value of voicemail. A part that is nil is not managed.
type VoicemailPolicy struct {
	AlertTimeoutSeconds    *int  `json:"alertTimeoutSeconds,omitempty"` // seconds
	SendEmailNotifications *bool `json:"sendEmailNotifications,omitempty"`
}

// EmployerOf is the value of employer. The zero EmployerInfo, {}, empties it.
func EmployerOf(e EmployerInfo) Value {
	return encode(EmployerInfo{
		OfficialName: clean(e.OfficialName),
		EmployeeID:   clean(e.EmployeeID),
		EmployeeType: clean(e.EmployeeType),
		DateHire:     clean(e.DateHire),
	})
}

// LocationList is the value of locations, in any order. None is [].
func LocationList(locations []Location) Value {
	out := make([]Location, 0, len(locations))
	for _, l := range locations {
		out = append(out, Location{Name: clean(l.Name), Notes: clean(l.Notes)})
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
		name := clean(r.Name)
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

// UtilizationOf is the value of utilization, by medium. A medium that is absent has the
// organization's default; so {} means that nothing is special about the user.
func UtilizationOf(byMedia map[string]MediaUtilization) Value {
	out := make(map[string]MediaUtilization, len(byMedia))
	for media, u := range byMedia {
		out[strings.ToLower(clean(media))] = MediaUtilization{Capacity: u.Capacity, InterruptedBy: set(lower(u.InterruptedBy)), Default: u.Default}
	}
	return encode(out)
}

func lower(words []string) []string {
	out := make([]string, len(words))
	for i, w := range words {
		out[i] = strings.ToLower(w)
	}
	return out
}

// Declarable is a value as a spec would have it: of what is observed, without what only says that it is
// as the organization has it for everybody.
func Declarable(f Field, v Value) Value {
	if f != Utilization {
		return v
	}
	all, err := Decode[map[string]MediaUtilization](v)
	if err != nil {
		return v
	}
	maps.DeleteFunc(all, func(_ string, m MediaUtilization) bool { return m.Default })
	return UtilizationOf(all)
}

// sameUtilization reports whether a user who is observed so is as desired: every medium that is declared is
// as declared, and every other as the organization has it.
func sameUtilization(desired, observed map[string]MediaUtilization) bool {
	for media, o := range observed {
		d, declared := desired[media]
		if !declared && !o.Default {
			return false
		}
		if declared && (d.Capacity != o.Capacity || !slices.Equal(d.InterruptedBy, o.InterruptedBy)) {
			return false
		}
	}
	for media := range desired {
		if _, shown := observed[media]; !shown {
			return false
		}
	}
	return true
}

// VoicemailOf is the value of voicemail.
func VoicemailOf(v VoicemailPolicy) Value { return encode(v) }

// only is v without the parts that want does not manage.
func (v VoicemailPolicy) only(want VoicemailPolicy) VoicemailPolicy {
	if want.AlertTimeoutSeconds == nil {
		v.AlertTimeoutSeconds = nil
	}
	if want.SendEmailNotifications == nil {
		v.SendEmailNotifications = nil
	}
	return v
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
func (r *Role) UnmarshalJSON(text []byte) error {
	if len(text) > 0 && text[0] == '"' {
		*r = Role{}
		return json.Unmarshal(text, &r.Name)
	}
	var long roleInDivisions
	if err := json.Unmarshal(text, &long); err != nil {
		return err
	}
	*r = Role{Name: long.Role, Divisions: long.Divisions}
	return nil
}
