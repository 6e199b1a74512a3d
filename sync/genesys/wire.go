package genesys

import (
	"bytes"
	"encoding/json"
	"errors"
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
}

// expand asks for the fields that are not shown otherwise.
const expand = "certifications,employerInfo"

type reference struct {
	ID string `json:"id"`
}

type employer struct {
	OfficialName string `json:"officialName"`
	EmployeeID   string `json:"employeeId"`
	EmployeeType string `json:"employeeType"`
	DateHire     string `json:"dateHire"`
}

// userPage is a page of GET /users (UserEntityListing).
type userPage struct {
	Entities  []user `json:"entities"`
	PageCount int    `json:"pageCount"` // of all pages; may be missing
}

// searchPage is an answer of POST /users/search, which says results for entities.
type searchPage struct {
	Results []user `json:"results"`
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

func (p userPage) check() error   { return checkAll(p.Entities) }
func (p searchPage) check() error { return checkAll(p.Results) }
func (reference) check() error    { return nil }

func checkAll(users []user) error {
	for _, u := range users {
		if err := u.check(); err != nil {
			return err
		}
	}
	return nil
}

// managerPrefix marks a manager by id: the person stays the same when the address changes.
const managerPrefix = "id:"

// observed turns the API's user into fields. Only what was shown on demand can be missing from them.
func (u user) observed() state.Observed {
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
	if u.Certifications != nil {
		f[spec.Certs] = spec.Strings(*u.Certifications)
	}
	if e := u.EmployerInfo; e != nil {
		f[spec.Employer] = spec.EmployerOf(spec.EmployerInfo(*e))
	}
	list, _ := contacts(u.Addresses) // checked when it was decoded
	f[spec.Phones], f[spec.Emails] = phonesAndEmails(list)
	return state.Observed{ID: u.ID, Version: u.Version, Fields: f, Opaque: opaque(u.Addresses)}
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
