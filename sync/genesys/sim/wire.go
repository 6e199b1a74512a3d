package sim

import (
	"slices"
	"strings"
	"time"
)

// wireUser is the API's User.
type wireUser struct {
	ID                 string        `json:"id"`
	Name               string        `json:"name"`
	Division           wireRef       `json:"division"`
	Chat               wireChat      `json:"chat"`
	Email              string        `json:"email"`
	PrimaryContactInfo []wireContact `json:"primaryContactInfo"`
	Addresses          []wireContact `json:"addresses"`
	State              string        `json:"state"`
	Username           string        `json:"username"`
	Texts
	Manager       *wireRef `json:"manager,omitempty"`
	Version       int      `json:"version"`
	ACDAutoAnswer bool     `json:"acdAutoAnswer"`
	wireExpanded
	SelfURI string `json:"selfUri"`
}

// wireExpanded is what is there on demand alone.
type wireExpanded struct {
	Certifications *[]string          `json:"certifications,omitempty"`
	EmployerInfo   *Employer          `json:"employerInfo,omitempty"`
	Biography      *wireBio           `json:"biography,omitempty"`
	Skills         *[]wireRated       `json:"skills,omitempty"`
	Languages      *[]wireRated       `json:"languages,omitempty"`
	Locations      *[]wirePlace       `json:"locations,omitempty"`
	ProfileSkills  *[]string          `json:"profileSkills,omitempty"`
	Groups         *[]wireRef         `json:"groups,omitempty"`
	Authorization  *wireAuthorization `json:"authorization,omitempty"`
	Station        *wireStations      `json:"station,omitempty"`
}

// wireStations is UserStations.
type wireStations struct {
	Default *ref `json:"defaultStation,omitempty"`
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
func (s *Server) wire(u *User, expand []string) wireUser {
	w := wireUser{
		ID: u.ID, Name: u.Name, Division: s.divisionRef(u.Division), Chat: wireChat{u.jabber()},
		Texts: u.Texts, Email: u.Email, State: u.State, Username: orElse(u.Username, u.Email),
		Version: u.Version, ACDAutoAnswer: u.ACDAutoAnswer, wireExpanded: s.expanded(u, expand), SelfURI: "/api/v2/users/" + u.ID,
		PrimaryContactInfo: []wireContact{{Address: u.Email, MediaType: "EMAIL", Type: "PRIMARY"}},
		Addresses:          []wireContact{},
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

func (s *Server) divisionRef(id string) wireRef {
	return wireRef{id, s.stores[Division].nameOf(id), "/api/v2/authorization/divisions/" + id}
}

func (s *Server) expanded(u *User, expand []string) (w wireExpanded) {
	for _, e := range expand {
		switch e {
		case "certifications":
			w.Certifications = copied(u.Certifications)
		case "employerInfo":
			if employer := u.Employer; employer != (Employer{}) || !s.o.NoEmptyEmployer {
				w.EmployerInfo = &employer
			}
		case "biography":
			w.Biography = &wireBio{u.Biography}
		case "skills":
			list := s.ratings(Skill, u)
			w.Skills = &list
		case "languages":
			list := s.ratings(Language, u)
			w.Languages = &list
		case "locations":
			list := s.places(u)
			w.Locations = &list
		case "profileSkills":
			w.ProfileSkills = copied(u.ProfileSkills)
		case "groups":
			list := s.groupsOf(u)
			w.Groups = &list
		case "station":
			w.Station = &wireStations{}
			if u.Station != "" {
				w.Station.Default = &ref{ID: u.Station}
			}
		case "authorization":
			auth := s.authorization(s.dir.byID[u.ID], time.Now())
			w.Authorization = &auth
		}
	}
	return w
}

// copied is a list that is never null.
func copied(list []string) *[]string {
	c := append([]string{}, list...)
	return &c
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
