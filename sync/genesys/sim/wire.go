package sim

import (
	"slices"
	"strings"
)

// wireUser is the API's User.
type wireUser struct {
	ID                 string        `json:"id"`
	Name               string        `json:"name"`
	Division           wireRef       `json:"division"`
	Chat               wireChat      `json:"chat"`
	Department         string        `json:"department,omitempty"`
	Email              string        `json:"email"`
	PrimaryContactInfo []wireContact `json:"primaryContactInfo"`
	Addresses          []wireContact `json:"addresses"`
	State              string        `json:"state"`
	Title              string        `json:"title,omitempty"`
	Username           string        `json:"username"`
	PreferredName      string        `json:"preferredName,omitempty"`
	Manager            *wireRef      `json:"manager,omitempty"`
	Version            int           `json:"version"`
	ACDAutoAnswer      bool          `json:"acdAutoAnswer"`
	wireExpanded
	SelfURI string `json:"selfUri"`
}

// wireExpanded is what is there on demand alone. Nobody here has skills, languages, locations or groups.
type wireExpanded struct {
	Certifications *[]string `json:"certifications,omitempty"`
	EmployerInfo   *Employer `json:"employerInfo,omitempty"`
	Biography      *wireBio  `json:"biography,omitempty"`
	Skills         *[]any    `json:"skills,omitempty"`
	Languages      *[]any    `json:"languages,omitempty"`
	Locations      *[]any    `json:"locations,omitempty"`
	ProfileSkills  *[]any    `json:"profileSkills,omitempty"`
	Groups         *[]any    `json:"groups,omitempty"`
}

type wireRef struct {
	ID      string `json:"id"`
	Name    string `json:"name,omitempty"`
	SelfURI string `json:"selfUri,omitempty"`
}

type wireChat struct {
	JabberID string `json:"jabberId"`
}

type wireBio struct {
	Biography string `json:"biography"`
}

func (u *User) jabber() string { return u.ID + "@example.orgspan.com" }

// wire shows a user. It shares nothing with what is stored.
func (u *User) wire(expand []string) wireUser {
	w := wireUser{
		ID: u.ID, Name: u.Name, Division: wireRef{ID: u.Division}, Chat: wireChat{u.jabber()},
		Department: u.Department, Email: u.Email, State: u.State, Title: u.Title, Username: orElse(u.Username, u.Email), PreferredName: u.PreferredName,
		Version: u.Version, ACDAutoAnswer: u.ACDAutoAnswer, wireExpanded: u.expanded(expand), SelfURI: "/api/v2/users/" + u.ID,
		PrimaryContactInfo: []wireContact{{Address: u.Email, MediaType: "EMAIL", Type: "PRIMARY"}},
		Addresses:          []wireContact{},
	}
	if u.Division == homeDivision {
		w.Division.Name = "Home"
	}
	for _, c := range u.Contacts {
		w.Addresses = append(w.Addresses, c.wire())
		if c.Type == "PRIMARY" {
			w.PrimaryContactInfo = append(w.PrimaryContactInfo, c.wire())
		}
	}
	if u.Manager != "" {
		w.Manager = &wireRef{ID: u.Manager, SelfURI: "/api/v2/users/" + u.Manager}
	}
	return w
}

func (u *User) expanded(expand []string) (w wireExpanded) {
	none := &[]any{}
	for _, e := range expand {
		switch e {
		case "certifications":
			list := append([]string{}, u.Certifications...)
			w.Certifications = &list
		case "employerInfo":
			employer := u.Employer
			w.EmployerInfo = &employer
		case "biography":
			w.Biography = &wireBio{u.Biography}
		case "skills":
			w.Skills = none
		case "languages":
			w.Languages = none
		case "locations":
			w.Locations = none
		case "profileSkills":
			w.ProfileSkills = none
		case "groups":
			w.Groups = none
		}
	}
	return w
}

// unknownExpansion finds what the API's description does not list for users.
func unknownExpansion(expand []string) *answer {
	const known = `routingStatus presence integrationPresence conversationSummary outOfOffice geolocation
		station authorization lasttokenissued authorization.unusedRoles team workPlanBidRanks externalContactsSettings groups
		customAttributes profileSkills certifications locations skills languages languagePreference employerInfo biography
		dateLastLogin dateWelcomeSent`
	for _, e := range expand {
		if !slices.Contains(strings.Fields(known), e) {
			return badQuery("expand", e)
		}
	}
	return nil
}
