package genesys

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/url"
	"slices"
	"strings"

	"usersyncd/spec"
	"usersyncd/state"
)

// user is the API's User, as far as it is managed here. A text that is empty may be left out of the
// JSON. The fields that are shown only on demand are pointers: nil is unknown.
type user struct {
	ID             string          `json:"id"`
	Version        int             `json:"version"`
	State          string          `json:"state"` // active, inactive, deleted
	Name           string          `json:"name"`
	PreferredName  string          `json:"preferredName"`
	Email          string          `json:"email"`
	Title          string          `json:"title"`
	Department     string          `json:"department"`
	Manager        *reference      `json:"manager"` // written as a bare id
	ACDAutoAnswer  bool            `json:"acdAutoAnswer"`
	Addresses      json.RawMessage `json:"addresses"` // []contact; kept as it is
	Certifications *[]string       `json:"certifications"`
	EmployerInfo   *employer       `json:"employerInfo"`
	Division       *named          `json:"division"`
	Skills         *[]rated        `json:"skills"`
	Languages      *[]rated        `json:"languages"`
	ProfileSkills  *[]string       `json:"profileSkills"`
	Groups         *[]named        `json:"groups"`
	Locations      *[]place        `json:"locations"`
}

// expansion is what makes the API show a field; "" if it is shown anyway, or never with the user.
func expansion(f spec.Field) string {
	switch f {
	case spec.Certs, spec.Skills, spec.Languages, spec.ProfileSkills, spec.Groups, spec.Locations:
		return string(f)
	case spec.Employer:
		return "employerInfo"
	}
	return ""
}

// expand asks for the fields that are not shown otherwise, in the format's order.
func expand(fields []spec.Field) url.Values {
	var all []string
	for _, info := range spec.All() {
		if name := expansion(info.Field); name != "" && slices.Contains(fields, info.Field) {
			all = append(all, name)
		}
	}
	if len(all) == 0 {
		return url.Values{}
	}
	return url.Values{"expand": {strings.Join(all, ",")}}
}

type reference struct {
	ID string `json:"id"`
}

type named struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

// rated is a routing skill or language of a user (UserRoutingSkill, UserRoutingLanguage).
type rated struct {
	named
	Proficiency float64 `json:"proficiency"`
	State       string  `json:"state"`
}

// place is one of a user's locations as it is read; it is written as id and notes.
type place struct {
	ID         string `json:"id"`
	Notes      string `json:"notes"`
	Definition *named `json:"locationDefinition"`
}

type employer struct {
	OfficialName string `json:"officialName"`
	EmployeeID   string `json:"employeeId"`
	EmployeeType string `json:"employeeType"`
	DateHire     string `json:"dateHire"`
}

// searchPage is an answer of POST /users/search, which says results for entities.
type searchPage struct {
	Results   []user `json:"results"`
	Total     *int   `json:"total"`
	PageCount *int   `json:"pageCount"`
}

// search asks for the users that meet every criterion (UserSearchRequest).
type search struct {
	PageSize   int         `json:"pageSize"`
	PageNumber int         `json:"pageNumber"`
	Query      []criterion `json:"query"`
}

type criterion struct {
	Type   string   `json:"type"`
	Fields []string `json:"fields"`
	Value  string   `json:"value,omitempty"`
	Values []string `json:"values,omitempty"`
}

func (u user) check() error {
	if u.ID == "" {
		return errors.New("a user without an id")
	}
	_, err := contacts(u.Addresses)
	return err
}

func (u user) key() string { return u.ID }

func (p searchPage) check() error { return p.page().check() }

// page is the answer in the envelope of the other listings. Without a hit the list may be left out.
func (p searchPage) page() page[user] {
	if p.Results == nil && p.Total != nil && *p.Total == 0 {
		p.Results = []user{}
	}
	return page[user]{Entities: p.Results, Total: p.Total, PageCount: p.PageCount}
}

func (reference) check() error  { return nil }
func (r reference) key() string { return r.ID }

// managerPrefix marks a manager by id: the person stays the same when the address changes.
const managerPrefix = "id:"

// A reading turns the API's users into fields: those that are always shown, and of the others those that
// were asked for. What is shown on demand can be missing from them.
type reading struct {
	fields []spec.Field
	labels map[spec.Kind]*catalogue // of what the fields refer to
}

func (r *reading) observed(u user) state.Observed {
	f := spec.Fields{
		spec.Email:         spec.Text(spec.Key(u.Email)),
		spec.Name:          spec.Text(u.Name),
		spec.PreferredName: spec.Text(u.PreferredName),
		spec.Title:         spec.Text(u.Title),
		spec.Department:    spec.Text(u.Department),
		spec.Manager:       spec.Text(""),
		spec.ACDAutoAnswer: spec.Bool(u.ACDAutoAnswer),
	}
	if u.State != "" {
		f[spec.State] = spec.Text(strings.ToLower(u.State))
	}
	if u.Manager != nil && u.Manager.ID != "" {
		f[spec.Manager] = spec.Text(managerPrefix + u.Manager.ID)
	}
	if u.Division != nil && u.Division.Name != "" {
		f[spec.Division] = spec.Text(u.Division.Name)
	}
	list, _ := contacts(u.Addresses) // checked when it was decoded
	f[spec.Phones], f[spec.Emails] = phonesAndEmails(list)
	for _, field := range r.fields {
		if v := r.shown(field, u); v != "" {
			f[field] = v
		}
	}
	return state.Observed{ID: u.ID, Version: u.Version, Fields: f, Opaque: opaque(u.Addresses)}
}

// shown is the value of a field that is there on demand; "" if it is not.
func (r *reading) shown(f spec.Field, u user) spec.Value {
	switch {
	case f == spec.Certs && u.Certifications != nil:
		return spec.Strings(*u.Certifications)
	case f == spec.ProfileSkills && u.ProfileSkills != nil:
		return spec.Strings(*u.ProfileSkills)
	case f == spec.Employer && u.EmployerInfo != nil:
		return spec.EmployerOf(spec.EmployerInfo(*u.EmployerInfo))
	case f == spec.Skills && u.Skills != nil:
		return r.proficiencies(spec.KindSkill, *u.Skills)
	case f == spec.Languages && u.Languages != nil:
		return r.proficiencies(spec.KindLanguage, *u.Languages)
	case f == spec.Groups && u.Groups != nil:
		names := make([]string, 0, len(*u.Groups))
		for _, g := range *u.Groups {
			names = append(names, r.label(spec.KindGroup, g))
		}
		return spec.Strings(names)
	case f == spec.Locations && u.Locations != nil:
		places := make([]spec.Location, 0, len(*u.Locations))
		for _, p := range *u.Locations {
			at := named{ID: p.ID}
			if p.Definition != nil {
				at = *p.Definition
			}
			places = append(places, spec.Location{Name: r.label(spec.KindLocation, at), Notes: p.Notes})
		}
		return spec.LocationList(places)
	}
	return ""
}

func (r *reading) proficiencies(kind spec.Kind, list []rated) spec.Value {
	all := make(map[string]float64, len(list))
	for _, s := range list {
		if !strings.EqualFold(s.State, "deleted") {
			all[r.label(kind, s.named)] = s.Proficiency
		}
	}
	return spec.Proficiencies(all)
}

func (r *reading) label(kind spec.Kind, n named) string {
	if c := r.labels[kind]; c != nil {
		return c.label(n.ID, n.Name)
	}
	return n.Name
}

// opaque is the contacts as the API showed them, without white space, so that the same contacts are
// the same bytes. A user without any has [], which is not the same as not knowing.
func opaque(addresses json.RawMessage) json.RawMessage {
	var b bytes.Buffer
	if len(addresses) == 0 || string(addresses) == "null" || json.Compact(&b, addresses) != nil {
		return json.RawMessage("[]")
	}
	return b.Bytes()
}
