package sim

import (
	"maps"
	"reflect"
	"slices"
	"strings"
)

// A User is one user as the organization stores it. Of queues and groups it is the queue or group that
// knows its members: see Server.Members.
//
// A part AddedLater is one that the API got after the client was written. It can be set by hand, is shown, and is lost where a
// request replaces the whole without it.
type User struct {
	ID, Name, Email, State string // State: active, inactive, deleted
	Texts
	Username, Manager string // Manager is a user's id; no Username: Email
	Division          string // an id
	Station           string // the default one, an id
	ACDAutoAnswer     bool
	Certifications    []string
	Employer          Employer
	Contacts          []Contact
	Biography         string // no field of the format: it must survive every write
	Skills, Languages map[string]float64
	ProfileSkills     []string
	Locations         []Place
	Grants            []Grant           // the user's own, none of a group's
	Utilization       *Utilization      // nil: the organization's
	Voicemail         Voicemail         // its zero value: nobody has set it, the default counts
	ExternalIDs       map[string]string // by authority
	Version           int

	Writes int // requests that changed this user, or of what it is a member
}

// Texts are the plain texts of a user: stored, shown and patched as they are. One that POST takes as well says so.
type Texts struct {
	Title         string `json:"title,omitempty" post:"yes"`
	Department    string `json:"department,omitempty" post:"yes"`
	PreferredName string `json:"preferredName,omitempty"`
}

// notPosted finds a text that POST does not take; "" for none.
func (t Texts) notPosted() string {
	v := reflect.ValueOf(t)
	for i := range v.NumField() {
		if f := v.Type().Field(i); f.Tag.Get("post") == "" && !v.Field(i).IsZero() {
			name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
			return name
		}
	}
	return ""
}

// Employer is EmployerInfo.
type Employer struct {
	OfficialName string `json:"officialName,omitempty"`
	EmployeeID   string `json:"employeeId,omitempty"`
	EmployeeType string `json:"employeeType,omitempty"`
	DateHire     string `json:"dateHire,omitempty"`
	AddedLater   string `json:"addedLater,omitempty"`
}

// A Place is a location of a user's. The coordinates are on its plan, and not managed by the client under test.
type Place struct {
	ID, Notes   string
	Coordinates map[string]float64 `json:",omitempty"`
	AddedLater  string             `json:",omitempty"`
}

// A Grant is a role in a division; both are ids, and the division may be AllDivisions.
type Grant struct{ Role, Division string }

// AllDivisions is the division of a grant that is good in every one.
const AllDivisions = "*"

// Voicemail is a user's policy.
type Voicemail struct {
	Enabled                bool
	AlertTimeoutSeconds    int
	SendEmailNotifications bool
}

// OrDefault is the policy in force: the organization's default where nobody has set one.
func (v Voicemail) OrDefault() Voicemail {
	return orElse(v, Voicemail{Enabled: true, AlertTimeoutSeconds: 20, SendEmailNotifications: true})
}

// clone shares nothing with the user but what is never changed in place.
func (u *User) clone() User {
	c := *u
	c.Certifications, c.Contacts = slices.Clone(u.Certifications), slices.Clone(u.Contacts)
	c.Skills, c.Languages = maps.Clone(u.Skills), maps.Clone(u.Languages)
	c.ProfileSkills, c.Locations, c.Grants = slices.Clone(u.ProfileSkills), slices.Clone(u.Locations), slices.Clone(u.Grants)
	c.ExternalIDs = maps.Clone(u.ExternalIDs)
	if u.Utilization != nil {
		c.Utilization = new(u.Utilization.clone())
	}
	return c
}
