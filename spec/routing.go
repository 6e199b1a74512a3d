package spec

import (
	"cmp"
	"encoding/json"
	"math"
	"slices"
	"strings"

	"usersyncd/spec/schema"
	"usersyncd/spec/strictyaml"
	"usersyncd/spec/text"
)

// Role is one entry of roles. Without divisions it is granted in the home division, which is
// therefore never named. In JSON and YAML such a role is its bare name.
type Role struct {
	Name      string
	Divisions []string
}

func roles() schema.Type[[]Role] {
	const example = `{role: Supervisor, divisions: [EMEA]}`
	divisions := schema.Words(schema.Name(), "[EMEA]").NotEmpty().WithJSON("minItems", 1).Must(func(all []string) bool { return len(all) > 0 },
		"is empty; name a division, or leave divisions out to grant the role in the home division")
	bare := schema.As(schema.Name(), func(s string) Role { return Role{Name: s} })
	long := schema.Struct(Role{}, example,
		schema.Key("role", schema.Name(), func(r *Role) *string { return &r.Name }, "Name of the role.").Required(),
		schema.Key("divisions", divisions, func(r *Role) *[]string { return &r.Divisions }, `Divisions that it is granted in, "*" for all; the home division if left out.`))
	role := schema.Func("name, or "+long.Form, schema.Object{"anyOf", []schema.Object{bare.JSON, long.JSON}},
		func(r *schema.Reader, n *strictyaml.Node) (Role, bool) {
			switch n.Kind {
			case strictyaml.Scalar:
				return bare.Parse(r, n)
			case strictyaml.Mapping:
				return long.Parse(r, n)
			}
			r.Problem(n, "must be a map, such as Employee or %s", example)
			return Role{}, false
		})
	return schema.List(role, "[Employee, "+example+"]", func(r Role) (id, what string) {
		if len(r.Divisions) > 0 { // a role may be listed once for the home division, and once for others
			return r.Name + " in divisions", text.Quote(r.Name)
		}
		return r.Name, text.Quote(r.Name)
	})
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
		return []byte(Text(r.Name)), nil
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

// VoicemailPolicy is the value of voicemail. A part that is nil is not managed.
type VoicemailPolicy struct {
	AlertTimeoutSeconds    *int  `json:"alertTimeoutSeconds,omitempty"` // seconds
	SendEmailNotifications *bool `json:"sendEmailNotifications,omitempty"`
}

func voicemail() schema.Type[VoicemailPolicy] {
	const (
		example    = `{alertTimeoutSeconds: 30}`
		maxSeconds = math.MaxInt32 // what the API can carry; the API decides what it accepts
	)
	return schema.Struct(VoicemailPolicy{}, example,
		schema.Key("alertTimeoutSeconds", schema.As(schema.Whole(0, maxSeconds), func(f float64) *int { return new(toInt(f)) }).WithForm("seconds"),
			func(v *VoicemailPolicy) **int { return &v.AlertTimeoutSeconds }, "Seconds that the phone rings before voicemail answers."),
		schema.Key("sendEmailNotifications", schema.As(schema.Bool(), func(b bool) *bool { return &b }),
			func(v *VoicemailPolicy) **bool { return &v.SendEmailNotifications }, "Whether a message is announced by e-mail."),
	).Must(func(v VoicemailPolicy) bool { return v != VoicemailPolicy{} }, "sets nothing; leave it out, or write "+example).WithJSON("minProperties", 1).NotEmpty()
}

func externalIDs() schema.Type[map[string]string] {
	const most = 100 // the API's limit for one user
	return schema.Map(schema.Name(), `{workday: "W-1"}`).WithJSON("maxProperties", most).Must(func(ids map[string]string) bool { return len(ids) <= most },
		"has more than 100 entries, which is what Genesys Cloud keeps for a user")
}

func toInt(f float64) int { return int(f) }

// Proficiencies is the value of skills and languages: 0..5 by name. None is {}.
// A number that is not finite counts as 0.
func Proficiencies(byName map[string]float64) Value {
	out := make(map[string]float64, len(byName))
	for name, p := range byName {
		if math.IsNaN(p) || math.IsInf(p, 0) {
			p = 0
		}
		out[strictyaml.Clean(name)] = p + 0 // -0 becomes 0
	}
	return encode(out)
}

// ExternalIDMap is the value of externalIds: the other system's key of the user, by authority. None is {}.
func ExternalIDMap(byAuthority map[string]string) Value {
	out := make(map[string]string, len(byAuthority))
	for authority, key := range byAuthority {
		out[strictyaml.Clean(authority)] = strictyaml.Clean(key)
	}
	return encode(out)
}

// VoicemailOf is the value of voicemail.
func VoicemailOf(v VoicemailPolicy) Value { return encode(v) }

// sameVoicemail compares the settings that are desired.
func sameVoicemail(desired, observed VoicemailPolicy) bool {
	return VoicemailOf(desired) == VoicemailOf(observed.only(desired))
}

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
