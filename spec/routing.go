package spec

import (
	"maps"
	"math"
	"slices"
	"strings"

	"usersyncd/spec/strictyaml"
)

// MediaUtilization is what an agent can take of one medium at a time.
type MediaUtilization struct {
	Capacity      int      `json:"capacity"`                // 0..25
	InterruptedBy []string `json:"interruptedBy,omitempty"` // media: call, callback, chat, email, message
	// Default says of an observed value that it is what the organization has for everybody.
	Default bool `json:"default,omitempty"`
}

// VoicemailPolicy is the value of voicemail. A part that is nil is not managed.
type VoicemailPolicy struct {
	AlertTimeoutSeconds    *int  `json:"alertTimeoutSeconds,omitempty"` // seconds
	SendEmailNotifications *bool `json:"sendEmailNotifications,omitempty"`
}

func utilization() kind[map[string]MediaUtilization] {
	const example = `{capacity: 1, interruptedBy: [call]}`
	media := []string{"call", "callback", "chat", "email", "message"}
	return mapOf(structOf(MediaUtilization{}, example,
		key("capacity", as(whole(0, 25), toInt), func(u *MediaUtilization) *int { return &u.Capacity }, "How many at a time.").require(),
		key("interruptedBy", wordList(oneOf(media...), "[call]"), func(u *MediaUtilization) *[]string { return &u.InterruptedBy }, "Media that may interrupt this one."),
	), "{call: "+example+"}", media...)
}

func voicemail() kind[VoicemailPolicy] {
	const (
		example    = `{alertTimeoutSeconds: 30}`
		maxSeconds = math.MaxInt32 // what the API can carry; the API decides what it accepts
	)
	k := structOf(VoicemailPolicy{}, example,
		key("alertTimeoutSeconds", as(whole(0, maxSeconds), func(f float64) *int { return new(toInt(f)) }).withForm("seconds"),
			func(v *VoicemailPolicy) **int { return &v.AlertTimeoutSeconds }, "Seconds that the phone rings before voicemail answers."),
		key("sendEmailNotifications", as(boolean(), func(b bool) *bool { return &b }),
			func(v *VoicemailPolicy) **bool { return &v.SendEmailNotifications }, "Whether a message is announced by e-mail."),
	).must(func(v VoicemailPolicy) bool { return v != VoicemailPolicy{} }, "sets nothing; leave it out, or write "+example).with("minProperties", 1)
	k.empty = ""
	return k
}

func externalIDs() kind[map[string]string] {
	const most = 100 // the API's limit for one user
	return mapOf(name(), `{workday: "W-1"}`).with("maxProperties", most).must(func(ids map[string]string) bool { return len(ids) <= most },
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

// UtilizationOf is the value of utilization, by medium. A medium that is absent has the
// organization's default; so {} means that nothing is special about the user.
func UtilizationOf(byMedia map[string]MediaUtilization) Value {
	out := make(map[string]MediaUtilization, len(byMedia))
	for media, u := range byMedia {
		interrupted := make([]string, len(u.InterruptedBy))
		for i, m := range u.InterruptedBy {
			interrupted[i] = strings.ToLower(m)
		}
		out[strings.ToLower(strictyaml.Clean(media))] = MediaUtilization{Capacity: u.Capacity, InterruptedBy: set(interrupted), Default: u.Default}
	}
	return encode(out)
}

// Declarable is a value as a spec would have it: of what is observed, without what is only the organization's default.
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

// sameUtilization wants every medium that is declared as declared, and every other with the organization's default.
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

// Managed is what of an observed value a desired one manages: of voicemail the settings that it names, of other fields
// all of it.
func Managed(f Field, desired, observed Value) Value {
	if f != Voicemail {
		return observed
	}
	return VoicemailOf(decoded[VoicemailPolicy](observed).only(decoded[VoicemailPolicy](desired)))
}
